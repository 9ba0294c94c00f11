//! What both sets of tests need: one poll, and a closure that is held at a gate.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use crate::worker::Worker;

/// Polls once, and lets nobody be woken.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Starts a closure that waits until the gate is dropped and then does `then`; waits until it has begun; leaves it behind.
pub(crate) fn abandon<S, T: Send + 'static>(
    worker: &mut Worker<S>,
    then: impl FnOnce(&mut S) -> T + Send + 'static,
) -> mpsc::Sender<()> {
    let (gate, closed) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    let mut run = pin!(worker.run(move |state| {
        begin.send(()).unwrap();
        let _ = closed.recv();
        then(state)
    }));
    assert!(poll(run.as_mut()).is_pending());
    begun.recv().unwrap();
    gate
}
