//! The far side: what runs on a worker's thread, from `open` to the drop of the state. `WorkerManager::create` starts it.
//!
//! *Invariant: the state is made, used and dropped here, and nowhere else; so it need not be `Send`.*
//! *Invariant: each job received is answered by exactly one verdict, unless the handle is gone.*
//! *Invariant: the sender of verdicts is dropped after the state, so a closed channel means that the state is gone.*

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use futures::channel::oneshot;

use crate::error::Error;
use crate::panic::caught;

/// One closure on its way to the thread, with the way back for its result.
pub(crate) struct Job<S> {
    code: Box<dyn FnOnce(&mut S) + Send>,
}

impl<S> Job<S> {
    /// Wraps `code`; the result arrives at the receiver before the verdict does.
    pub(crate) fn new<T: Send + 'static>(
        code: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> (Self, oneshot::Receiver<T>) {
        let (reply, answer) = oneshot::channel();
        let code = move |state: &mut S| {
            // Nobody waits any more, and nothing has begun: the last moment at which a job can be skipped.
            if !reply.is_canceled() {
                // If the caller left meanwhile the result comes back, and is dropped here.
                drop(reply.send(code(state)));
            }
        };
        (Self { code: Box::new(code) }, answer)
    }

    /// Runs the closure, unless its caller has left.
    pub(crate) fn run(self, state: &mut S) {
        (self.code)(state);
    }
}

/// How a job ended.
pub(crate) enum Verdict {
    /// It ran, or was skipped.
    Done,
    /// It panicked, with this message; no other job will run.
    Panicked(String),
}

/// The near ends of a thread.
pub(crate) struct Ends<S, E> {
    pub(crate) jobs: mpsc::Sender<Job<S>>,
    pub(crate) verdicts: async_channel::Receiver<Verdict>,
    pub(crate) thread: JoinHandle<()>,
    /// Tells once how `open` went.
    pub(crate) opened: oneshot::Receiver<Result<(), Error<E>>>,
}

/// Starts a thread that opens a state and then runs jobs on it, until a job panics or `jobs` is dropped.
pub(crate) fn spawn<S, E>(
    name: String,
    open: Arc<dyn Fn() -> Result<S, E> + Send + Sync>,
) -> Result<Ends<S, E>, io::Error>
where
    S: 'static,
    E: Send + 'static,
{
    // The standard library panics on these.
    if name.contains('\0') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a thread's name may not contain a zero byte",
        ));
    }
    // Unbounded, because sending must not block; the handle keeps it at one job at most.
    let (jobs, inbox) = mpsc::channel();
    let (outbox, verdicts) = async_channel::bounded(1);
    let (tell, opened) = oneshot::channel();
    let thread = Builder::new().name(name).spawn(move || live(open, tell, &inbox, &outbox))?;
    Ok(Ends { jobs, verdicts, thread, opened })
}

/// The life of a thread. Borrows both channels, so that they outlive the state.
///
/// Each value of the user's is dropped under `caught`: a panic that left this function would be held for whoever joins the
/// thread, and would abort the process if nobody does and its payload panics again.
fn live<S, E>(
    open: Arc<dyn Fn() -> Result<S, E> + Send + Sync>,
    tell: oneshot::Sender<Result<(), Error<E>>>,
    inbox: &mpsc::Receiver<Job<S>>,
    outbox: &async_channel::Sender<Verdict>,
) {
    let failure = match caught(|| open()) {
        Ok(Ok(mut state)) => {
            // If the creator has left, so has the sender of jobs, and there is nothing to serve.
            let _ = tell.send(Ok(()));
            serve(&mut state, inbox, outbox);
            let _ = caught(|| drop(state));
            None
        }
        Ok(Err(error)) => Some((tell, Error::Open(error))),
        Err(message) => Some((tell, Error::Panicked(message))),
    };
    let _ = caught(|| failure.map(|(tell, error)| drop(tell.send(Err(error)))));
    let _ = caught(|| drop(open));
}

/// Runs jobs until one panics, or until nobody can send another.
fn serve<S>(
    state: &mut S,
    inbox: &mpsc::Receiver<Job<S>>,
    outbox: &async_channel::Sender<Verdict>,
) {
    while let Ok(job) = inbox.recv() {
        let (verdict, last) = match caught(|| job.run(state)) {
            Ok(()) => (Verdict::Done, false),
            Err(message) => (Verdict::Panicked(message), true),
        };
        // Never full, for there is one job at a time. Closed if the handle is gone, and then so is the sender of jobs.
        let _ = outbox.try_send(verdict);
        if last {
            return;
        }
    }
}
