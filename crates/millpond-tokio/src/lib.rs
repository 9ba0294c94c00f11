//! Runs millpond pools on tokio: the unit struct [`Tokio`], handed to the pool's builder, and nothing else.
//!
//! The adapter stores no handle. Each call looks up the runtime of the calling thread, so a pool may be used from several
//! runtimes and outlives the one it was built in.
//!
//! # Examples
//!
//! ```
//! use std::convert::Infallible;
//! use millpond::{Disposition, Manager, Metrics, Pool, Returned};
//! use millpond_tokio::Tokio;
//!
//! struct Buffers;
//!
//! impl Manager for Buffers {
//!     type Resource = Vec<u8>;
//!     type Error = Infallible;
//!
//!     async fn create(&self) -> Result<Vec<u8>, Infallible> {
//!         Ok(Vec::with_capacity(64 * 1024))
//!     }
//!
//!     fn on_return(&self, buffer: &mut Vec<u8>, _: Returned, _: &Metrics) -> Disposition {
//!         buffer.clear();
//!         Disposition::Reuse
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = Pool::builder(Buffers).max_size(4).build(Tokio)?;
//!     let length = pool.with(async |buffer| buffer.len()).await?;
//!     assert_eq!(length, 0);
//!     Ok(())
//! }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod names;
mod nap;

use std::future::pending;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millpond::{Runtime, SpawnError, Task};
use tokio::runtime::Handle;

/// Plugs a pool into whichever tokio runtime the calling thread is in.
///
/// Runtimes are told apart by tokio's own `Handle::id`, so that a pool shared by several keeps its deadlines in each, whichever
/// of them stops. Tasks are told apart by tokio's ids, and what `block_on` polls by its thread.
///
/// | where a call is made | `now` | `sleep_until` | `spawn` |
/// |---|---|---|---|
/// | in a runtime, of either flavour | its clock, paused or not | a tokio timer | a tokio task |
/// | in a runtime without `enable_time` | the same | a thread that waits (tokio prints its complaint each time) | a tokio task |
/// | in a runtime that is shutting down | the same | a tokio timer that will not fire | the task comes back |
/// | elsewhere | the system's clock | a thread that waits | the task comes back |
///
/// Tokio's timers count in milliseconds: a sleep ends up to about one millisecond late, and never early.
///
/// # Panics
///
/// [`spawn`](Runtime::spawn) never does. Tokio leaves no way around three other cases:
///
/// - A runtime without `enable_time` can be told from one that has it only by catching tokio's panic, so under
///   `panic = "abort"` a sleep there aborts.
/// - A sleep panics when polled after its runtime has shut down. Tasks are dropped before that, so only a task that was inside
///   `block_in_place` meanwhile can do it.
/// - Once any clock in the process was paused (`test-util`), [`now`](Runtime::now) panics in the destructors of thread-locals
///   that outlive tokio's own.
///
/// # Examples
///
/// ```
/// use millpond::Runtime;
/// use millpond_tokio::Tokio;
///
/// // No runtime here, so the task comes back.
/// let refused = Tokio.spawn(Box::pin(async {})).unwrap_err();
/// let task = refused.into_task();
/// # drop(task);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tokio;

impl Runtime for Tokio {
    fn now(&self) -> Instant {
        // Follows a paused clock inside a runtime, and is the system's clock outside of one.
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        if deadline.checked_add(TICK).is_none() {
            // Tokio rounds up to its tick and would overflow.
            return Box::pin(pending());
        }
        let in_runtime = Handle::try_current().is_ok();
        match in_runtime.then(|| catch_unwind(|| tokio::time::sleep_until(deadline.into()))) {
            Some(Ok(sleep)) => Box::pin(sleep),
            // No timers here. A pool must keep its deadlines all the same, so this is not the place to give up.
            Some(Err(_)) | None => {
                Box::pin(nap::Nap::new(deadline.saturating_duration_since(self.now())))
            }
        }
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        let Ok(handle) = Handle::try_current() else { return Err(SpawnError::new(task)) };
        // A runtime that shuts down drops what it is given inside `spawn`, unpolled, and reports success. So the task waits
        // in a slot that its first poll empties: finished and still in the slot means that nobody will ever run it.
        let slot = Arc::new(Mutex::new(Some(task)));
        let polled = Arc::clone(&slot);
        let spawned = handle.spawn(async move {
            if let Some(task) = take(&polled) {
                task.await;
            }
        });
        let refused = if spawned.is_finished() { take(&slot) } else { None };
        refused.map_or(Ok(()), |task| Err(SpawnError::new(task)))
    }

    fn here(&self) -> u64 {
        names::runtime()
    }

    fn task(&self) -> Option<u64> {
        names::task()
    }
}

fn take(slot: &Mutex<Option<Task>>) -> Option<Task> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The granularity of tokio's timers, see `tokio::time::sleep`.
const TICK: Duration = Duration::from_millis(1);
