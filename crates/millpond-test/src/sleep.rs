//! The future that waits for the virtual clock. Made by `TestRuntime::sleep_until` only.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::executor::Shared;

/// Completes once the virtual clock has reached its deadline, see [`TestRuntime::sleep_until`](crate::TestRuntime::sleep_until).
///
/// Its timer is armed by the first poll that finds the deadline ahead. On a runtime that was shut down it never completes.
///
/// # Cancel safety
///
/// Dropping it disarms its timer.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use millpond_test::TestRuntime;
///
/// let runtime = TestRuntime::new();
/// let sleep = runtime.sleep(Duration::from_secs(60));
/// let deadline = sleep.deadline();
/// runtime.block_on(sleep);
/// assert_eq!(runtime.now(), deadline);
/// ```
#[must_use = "a sleep does nothing until polled"]
pub struct Sleep {
    shared: Arc<Shared>,
    deadline: Instant,
    /// The timer's place among those with the same deadline, while it may be armed.
    armed: Option<u64>,
}

impl Sleep {
    pub(crate) fn new(shared: Arc<Shared>, deadline: Instant) -> Self {
        Self { shared, deadline, armed: None }
    }

    /// When it completes.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    fn disarm(&mut self) {
        if let Some(id) = self.armed.take() {
            let waker = self.shared.lock().timers.remove(&(self.deadline, id));
            drop(waker);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let waker = cx.waker().clone();
        let mut state = this.shared.lock();
        if state.down {
            return Poll::Pending;
        }
        if state.now >= this.deadline {
            drop(state);
            this.disarm();
            return Poll::Ready(());
        }
        let id = match this.armed {
            Some(id) => id,
            None => {
                state.counts.sleeps += 1;
                state.id()
            }
        };
        this.armed = Some(id);
        let old = state.timers.insert((this.deadline, id), waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("armed", &self.armed.is_some())
            .finish()
    }
}
