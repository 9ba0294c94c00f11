//! A sleep for places without tokio's timers: a thread waits instead. Only `Tokio::sleep_until` calls this.
//!
//! *Invariant:* the thread ends when the nap does, be it over or dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// Completes once a thread of its own has waited. One thread per nap is dear, but a pool arms one sleep at a time.
#[derive(Debug)]
pub(crate) struct Nap {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// `over` goes from false to true once: when the time has passed, when the nap was dropped, or if no thread would start.
#[derive(Debug, Default)]
struct State {
    over: bool,
    waker: Option<Waker>,
}

impl Nap {
    pub(crate) fn new(length: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let sleeper = Arc::clone(&shared);
        let started =
            thread::Builder::new().name("millpond-nap".into()).spawn(move || sleeper.wait(length));
        // Too many threads: the nap ends early. A driver that looks at the clock too often beats one that never does.
        shared.lock().over |= length.is_zero() || started.is_err();
        Self { shared }
    }
}

impl Future for Nap {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        if state.over {
            return Poll::Ready(());
        }
        let old = state.waker.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Nap {
    fn drop(&mut self) {
        let waker = self.shared.end();
        drop(waker);
    }
}

impl Shared {
    fn wait(&self, length: Duration) {
        let waiting = self.changed.wait_timeout_while(self.lock(), length, |state| !state.over);
        drop(waiting);
        if let Some(waker) = self.end() {
            waker.wake();
        }
    }

    fn end(&self) -> Option<Waker> {
        let mut state = self.lock();
        state.over = true;
        self.changed.notify_one();
        state.waker.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    #[test]
    fn a_nap_without_length_is_over_at_once() {
        let mut nap = Nap::new(Duration::ZERO);
        assert!(Pin::new(&mut nap).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }

    #[test]
    fn a_dropped_nap_ends_its_thread() {
        let mut nap = Nap::new(Duration::from_secs(100_000));
        assert!(Pin::new(&mut nap).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let shared = Arc::downgrade(&nap.shared);
        drop(nap);
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
