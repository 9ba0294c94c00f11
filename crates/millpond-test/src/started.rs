//! What `TestRuntime::start` gives back: a hold on a task that has a result.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::channel::oneshot;

use crate::executor::Shared;

/// A task with a result, see [`TestRuntime::start`](crate::TestRuntime::start).
///
/// Awaiting it gives the result, or `None` if the task panicked, was aborted, or went down with its runtime.
///
/// # Cancel safety
///
/// Dropping it never aborts the task. Await `&mut started` to stop waiting and keep the result.
///
/// # Examples
///
/// ```
/// use millpond_test::TestRuntime;
///
/// let runtime = TestRuntime::new();
/// let mut sum = runtime.start(async { 2 + 2 });
/// assert!(!sum.is_finished());
/// runtime.run_until_idle();
/// assert_eq!(sum.take(), Some(4));
/// ```
pub struct Started<T> {
    result: oneshot::Receiver<T>,
    id: u64,
    shared: Arc<Shared>,
}

impl<T> Started<T> {
    pub(crate) fn new(result: oneshot::Receiver<T>, id: u64, shared: Arc<Shared>) -> Self {
        Self { result, id, shared }
    }

    /// Takes the result, once.
    pub fn take(&mut self) -> Option<T> {
        self.result.try_recv().ok().flatten()
    }

    /// Drops the task's future; if the task is being polled, when that poll ends.
    pub fn abort(&self) {
        self.shared.abort(self.id);
    }

    /// Tells whether the task has ended, by whatever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !self.shared.lock().tasks.contains_key(&self.id)
    }
}

impl<T> Future for Started<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let result = ready!(Pin::new(&mut self.result).poll(cx));
        Poll::Ready(result.ok())
    }
}

impl<T> fmt::Debug for Started<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
