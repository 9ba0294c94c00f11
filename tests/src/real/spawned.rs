//! What `Flavour::spawn` gives back: a hold on a task that has a result.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::channel::oneshot;
use futures::future::AbortHandle;

/// A task with a result, see [`Flavour::spawn`](super::Flavour::spawn).
///
/// Awaiting it gives the result, or `None` if the task panicked, was aborted, or went down with its runtime. By then all that
/// the task had is dropped.
pub struct Spawned<T> {
    result: oneshot::Receiver<T>,
    abort: AbortHandle,
}

impl<T> Spawned<T> {
    pub(super) fn new(result: oneshot::Receiver<T>, abort: AbortHandle) -> Self {
        Self { result, abort }
    }

    /// Has the task's future dropped in place of its next poll.
    pub fn abort(&self) {
        self.abort.abort();
    }
}

impl<T> Future for Spawned<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let result = ready!(Pin::new(&mut self.result).poll(cx));
        Poll::Ready(result.ok())
    }
}

impl<T> fmt::Debug for Spawned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("aborted", &self.abort.is_aborted()).finish_non_exhaustive()
    }
}
