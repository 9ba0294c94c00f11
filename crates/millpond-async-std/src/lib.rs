//! Runs millpond pools on async-std: the unit struct [`AsyncStd`], handed to the pool's builder, and nothing else.
//!
//! async-std is discontinued, and its maintainers recommend smol. This adapter is for programs that have not moved yet; with
//! `millpond-smol`, only the name of the struct changes.
//!
//! # Examples
//!
//! ```
//! use std::convert::Infallible;
//! use millpond::{Disposition, Manager, Metrics, Pool, Returned};
//! use millpond_async_std::AsyncStd;
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
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     async_std::task::block_on(async {
//!         let pool = Pool::builder(Buffers).max_size(4).build(AsyncStd)?;
//!         let length = pool.with(async |buffer| buffer.len()).await?;
//!         assert_eq!(length, 0);
//!         Ok(())
//!     })
//! }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

use std::future::Future as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use async_std::task;
use millpond::{Runtime, SpawnError, Task};

/// Plugs a pool into async-std's runtime, of which each process has one.
///
/// It does not matter where a call is made: in `task::block_on`, on another runtime, or on none.
///
/// | call | what it does |
/// |---|---|
/// | `now` | the system's clock |
/// | `sleep_until` | `task::sleep` for the rest of the time: never early, late only by as much as the runtime is behind |
/// | `spawn` | `task::spawn`, which starts async-std's threads if they do not run yet: one for each core, or as many as `ASYNC_STD_THREAD_COUNT` says |
///
/// A task comes back from [`spawn`](Runtime::spawn) if the system refused async-std the threads it starts with: async-std does
/// not recover from that. `spawn` finds out by catching async-std's panic, so under `panic = "abort"` that aborts.
///
/// # Examples
///
/// ```
/// use millpond::Runtime;
/// use millpond_async_std::AsyncStd;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (send, receive) = std::sync::mpsc::channel();
/// AsyncStd.spawn(Box::pin(async move {
///     let _ = send.send("ran");
/// }))?;
/// assert_eq!(receive.recv()?, "ran");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    #[expect(clippy::disallowed_methods, reason = "async-std's timers go by the system's clock")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        // async-std sleeps for a length, which counts from the first poll: so that is when to measure it.
        Box::pin(async move { task::sleep(deadline.saturating_duration_since(Self.now())).await })
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        if !is_running() {
            return Err(SpawnError::new(task));
        }
        // Dropping the handle leaves the task to itself.
        drop(task::spawn(task));
        Ok(())
    }

    fn task(&self) -> Option<u64> {
        // What `block_on` polls is a task, too.
        let mut number = DefaultHasher::new();
        task::try_current()?.id().hash(&mut number);
        Some(number.finish())
    }
}

/// Whether async-std's threads run; they start here. A first spawn that finds no thread panics and takes its task along, so the
/// first task is an empty one.
fn is_running() -> bool {
    static RUNNING: OnceLock<bool> = OnceLock::new();
    let start = || {
        // The thread behind the timers first: async-std's own start, refused both that one and another, aborts.
        let mut sleep = pin!(task::sleep(Duration::from_secs(1)));
        let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(task::spawn(async {}));
    };
    *RUNNING.get_or_init(|| catch_unwind(start).is_ok())
}
