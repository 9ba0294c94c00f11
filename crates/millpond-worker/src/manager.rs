//! The manager that makes each resource of a pool a worker thread. Users build it; the pool calls it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millpond::{Disposition, Fitness, Manager, Metrics, Returned};

use crate::error::Error;
use crate::panic::message;
use crate::thread;
use crate::worker::{Standing, Worker};

/// Makes each resource a dedicated thread that owns a blocking state `S`, opened by a closure that may fail with `E`.
///
/// Each worker costs one OS thread for as long as it lives, so the pool's `max_size` bounds the threads as well. A thread
/// that is abandoned at a deadline of the pool (an `open` that outlasts `create_timeout`, say) ends when its closure does.
/// A panic in any closure is caught and costs that worker alone, provided the program is built with `panic = "unwind"`.
///
/// # Examples
///
/// ```
/// use std::io;
/// use millpond::{Fitness, Manager};
/// use millpond_worker::WorkerManager;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = WorkerManager::new(|| Ok::<_, io::Error>(Vec::<u8>::with_capacity(64)))
///     .name("scratch")
///     .on_reset(|buffer| {
///         buffer.clear();
///         Ok(Fitness::Clean)
///     })
///     .on_check(|buffer| if buffer.capacity() < 1 << 20 { Ok(()) } else { Err(io::Error::other("grown too large")) })
///     .transient(|error| error.kind() != io::ErrorKind::PermissionDenied);
///
/// futures::executor::block_on(async {
///     let mut worker = manager.create().await?;
///     let length = worker.run(|buffer| {
///         buffer.extend_from_slice(b"pike");
///         buffer.len()
///     });
///     assert_eq!(length.await?, 4);
///     manager.close(worker).await;
///     Ok(())
/// })
/// # }
/// ```
#[expect(
    clippy::type_complexity,
    reason = "each type is what its setter takes; an alias would hide that"
)]
pub struct WorkerManager<S, E> {
    open: Arc<dyn Fn() -> Result<S, E> + Send + Sync>,
    reset: Option<Arc<dyn Fn(&mut S) -> Result<Fitness, E> + Send + Sync>>,
    check: Option<Arc<dyn Fn(&mut S) -> Result<(), E> + Send + Sync>>,
    transient: Option<Box<dyn Fn(&E) -> bool + Send + Sync>>,
    name: String,
    /// How many threads were asked for, which numbers their names. It publishes nothing, so `Relaxed`.
    started: AtomicU64,
}

impl<S, E> WorkerManager<S, E> {
    /// Opens states with `open`, each on a new thread, where it stays until it is dropped.
    ///
    /// `open` may block. The pool gives it `create_timeout`; if it takes longer, its result is dropped on its thread.
    #[must_use]
    pub fn new(open: impl Fn() -> Result<S, E> + Send + Sync + 'static) -> Self {
        Self {
            open: Arc::new(open),
            reset: None,
            check: None,
            transient: None,
            name: DEFAULT_NAME.to_owned(),
            started: AtomicU64::new(0),
        }
    }

    /// Names the threads `name-1`, `name-2` and so on. `millpond` by default, so that they can be told in a debugger.
    ///
    /// Linux shows the first 15 bytes. With a zero byte in it no thread starts: [`Error::Spawn`].
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Cleans a state that a borrower left in the middle of something, or says that it is beyond cleaning.
    ///
    /// Runs on the worker's thread, once what was left behind has ended; the pool bounds both together by `reset_timeout`.
    /// It runs if the borrower dropped the future of a [`Worker::run`], was cancelled inside the pool's own `run` or `with`,
    /// or panicked. It does not run after an orderly use, so let a borrower's closures leave the state fit for the next.
    ///
    /// *By default nothing is clean*: such a worker is closed and another one is opened when needed. A closure always runs to
    /// its end, but a use may take several, and between two of them the state may be what no stranger should get: a connection
    /// inside a transaction, say. If each use of yours is one closure that leaves nothing behind, say so:
    /// `.on_reset(|_| Ok(Fitness::Clean))`.
    #[must_use]
    pub fn on_reset(
        mut self,
        reset: impl Fn(&mut S) -> Result<Fitness, E> + Send + Sync + 'static,
    ) -> Self {
        self.reset = Some(Arc::new(reset));
        self
    }

    /// Confirms on the worker's thread that a state still works after it lay idle.
    ///
    /// By default there is nothing to confirm but that the thread is there, since a state inside the process rarely dies by
    /// itself. Give one if the state stands for something outside. The pool bounds it by `check_timeout`.
    #[must_use]
    pub fn on_check(
        mut self,
        check: impl Fn(&mut S) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Tells which errors of `open` may pass if it is tried again soon. By default all of them: the pool retries with
    /// back-off while callers wait.
    ///
    /// A thread that the system refused is always worth another try, and an `open` that panicked never is.
    #[must_use]
    pub fn transient(mut self, transient: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.transient = Some(Box::new(transient));
        self
    }
}

/// The decisions, free of what only a pool can make up, so that tests need no pool.
impl<S, E> WorkerManager<S, E>
where
    S: 'static,
    E: Send + 'static,
{
    fn disposition(&self, worker: &mut Worker<S>, returned: Returned) -> Disposition {
        match (worker.standing(), returned) {
            (Standing::Ended, _) => Disposition::Discard,
            (Standing::Clean, Returned::Finished) => Disposition::Reuse,
            _ if self.reset.is_some() => Disposition::Reset,
            // What `reset` would say as well, only later.
            _ => Disposition::Discard,
        }
    }

    async fn confirm(&self, worker: &mut Worker<S>) -> Result<(), Error<E>> {
        worker.settle().await?;
        let Some(check) = self.check.clone() else { return Ok(()) };
        worker.run(move |state| check(state)).await?.map_err(Error::Check)
    }

    async fn clean(&self, worker: &mut Worker<S>) -> Result<Fitness, Error<E>> {
        // First, so that a panic in what was left behind is told as what it is.
        worker.settle().await?;
        let Some(reset) = self.reset.clone() else { return Ok(Fitness::Unfit) };
        let fitness = worker.run(move |state| reset(state)).await?.map_err(Error::Reset)?;
        if fitness == Fitness::Clean {
            worker.forgive();
        }
        Ok(fitness)
    }
}

impl<S, E> Manager for WorkerManager<S, E>
where
    S: 'static,
    E: StdError + Send + Sync + 'static,
{
    type Resource = Worker<S>;
    type Error = Error<E>;

    async fn create(&self) -> Result<Worker<S>, Error<E>> {
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{}-{number}", self.name);
        let mut ends = thread::spawn(name, Arc::clone(&self.open)).map_err(Error::Spawn)?;
        // The thread answers in each case; `Ended` is for the compiler.
        (&mut ends.opened).await.unwrap_or(Err(Error::Ended))?;
        Ok(Worker::new(ends))
    }

    fn on_return(&self, worker: &mut Worker<S>, returned: Returned, _: &Metrics) -> Disposition {
        self.disposition(worker, returned)
    }

    async fn check(&self, worker: &mut Worker<S>, _: &Metrics) -> Result<(), Error<E>> {
        self.confirm(worker).await
    }

    async fn reset(&self, worker: &mut Worker<S>, _: &Metrics) -> Result<Fitness, Error<E>> {
        self.clean(worker).await
    }

    /// Ends the thread, and waits until the system has it back.
    async fn close(&self, worker: Worker<S>) {
        // Awaited first, because it may take long: the blocking part is only the last breath of the thread.
        let thread = worker.end().await;
        blocking::unblock(move || {
            if let Err(payload) = thread.join() {
                message(payload);
            }
        })
        .await;
    }

    fn is_transient(&self, error: &Error<E>) -> bool {
        match error {
            Error::Open(error) => self.transient.as_ref().is_none_or(|transient| transient(error)),
            Error::Spawn(error) => error.kind() != io::ErrorKind::InvalidInput,
            // A panic is a mistake in the program, and will be there at the next try.
            Error::Panicked(_) => false,
            Error::Check(_) | Error::Reset(_) | Error::Ended => true,
        }
    }
}

impl<S, E> fmt::Debug for WorkerManager<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerManager")
            .field("name", &self.name)
            .field("on_reset", &self.reset.is_some())
            .field("on_check", &self.check.is_some())
            .field("transient", &self.transient.is_some())
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

/// Leaves seven bytes for the number where names are cut at 15, as on Linux.
const DEFAULT_NAME: &str = "millpond";

#[cfg(test)]
mod tests;
