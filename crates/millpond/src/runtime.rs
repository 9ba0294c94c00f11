//! What the pool needs of an async runtime: a clock, a sleep and a spawn. Adapters implement it, users pass it to `build`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

/// A task of the pool, handed to [`Runtime::spawn`].
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Plugs the pool into an async runtime.
///
/// The pool owns one of these for its whole life and calls it from whatever thread and context its callers run on, so an
/// adapter looks the runtime up at each call rather than storing a handle: a pool then outlives the runtime it was built in.
///
/// # Examples
///
/// A runtime that has neither timers nor tasks still serves what is idle:
///
/// ```
/// use std::time::Instant;
/// use millpond::{Runtime, SpawnError, Task};
///
/// struct Nothing;
///
/// impl Runtime for Nothing {
///     fn now(&self) -> Instant {
///         Instant::now()
///     }
///     fn sleep_until(&self, _: Instant) -> Task {
///         Box::pin(std::future::pending())
///     }
///     fn spawn(&self, task: Task) -> Result<(), SpawnError> {
///         Err(SpawnError::new(task))
///     }
/// }
/// ```
pub trait Runtime: Send + Sync + 'static {
    /// Tells the time. Only differences matter; a virtual clock is welcome.
    fn now(&self) -> Instant;

    /// Completes at `deadline` or soon after. Called from inside a spawned task, and by callers that wait in another runtime than
    /// the one that drives the pool, or in none.
    fn sleep_until(&self, deadline: Instant) -> Task;

    /// Starts `task` on the runtime of the calling thread.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] gives the task back if there is no runtime here, or if it no longer takes tasks. Must not panic.
    fn spawn(&self, task: Task) -> Result<(), SpawnError>;

    /// Tells runtimes apart: which one [`spawn`](Self::spawn) would start a task on if it were called now and here. Must not panic.
    ///
    /// The same number means that the tasks run side by side: if some are polled, all are. A caller that waits in another
    /// runtime than the one that drives the pool keeps its deadline by a timer of its own, because that runtime may stop at any
    /// time without a word.
    ///
    /// By default all calls give zero, as is right for a value that stands for one runtime.
    fn here(&self) -> u64 {
        0
    }

    /// Names what is being polled on the calling thread, task or future of a `block_on`, if the runtime can tell. Must not panic.
    ///
    /// The same number means the same task, also for tasks that ended long ago. The pool compares these numbers for a hint to
    /// callers that wait for what they hold themselves, see [`Snapshot::held_by_caller`](crate::Snapshot::held_by_caller); by
    /// default there is no hint. Called where a caller comes to the desk, and never by self-service.
    fn task(&self) -> Option<u64> {
        None
    }
}

/// There was no runtime to spawn a task on; the task comes back in [`SpawnError::into_task`].
///
/// # Examples
///
/// ```
/// use millpond::{SpawnError, Task};
///
/// fn nowhere(task: Task) -> Result<(), SpawnError> {
///     Err(SpawnError::new(task))
/// }
///
/// let refused = nowhere(Box::pin(async {})).unwrap_err();
/// let task: Task = refused.into_task(); // For another runtime, or to be dropped.
/// # drop(task);
/// ```
pub struct SpawnError {
    task: Task,
}

impl SpawnError {
    /// Says that `task` could not be started.
    #[must_use]
    pub fn new(task: Task) -> Self {
        Self { task }
    }

    /// Gives the task back.
    #[must_use]
    pub fn into_task(self) -> Task {
        self.task
    }
}

impl fmt::Debug for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnError").finish_non_exhaustive()
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no async runtime here to start a task on")
    }
}

impl std::error::Error for SpawnError {}
