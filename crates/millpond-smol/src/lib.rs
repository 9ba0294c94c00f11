//! Runs millpond pools on smol: the unit struct [`Smol`], handed to the pool's builder, and nothing else.
//!
//! The pool's tasks run on smol's global executor, beside those of `smol::spawn`. The adapter stores no handle to it.
//!
//! # Examples
//!
//! ```
//! use std::convert::Infallible;
//! use millpond::{Disposition, Manager, Metrics, Pool, Returned};
//! use millpond_smol::Smol;
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
//!     smol::block_on(async {
//!         let pool = Pool::builder(Buffers).max_size(4).build(Smol)?;
//!         let length = pool.with(async |buffer| buffer.len()).await?;
//!         assert_eq!(length, 0);
//!         Ok(())
//!     })
//! }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

use std::env;
use std::panic::catch_unwind;
use std::sync::OnceLock;
use std::time::Instant;

use millpond::{Runtime, SpawnError, Task};
use smol::Timer;

/// Plugs a pool into smol's global executor.
///
/// It does not matter where a call is made: in `smol::block_on`, on an `Executor` of one's own, on another runtime, or on none.
///
/// | call | what it does |
/// |---|---|
/// | `now` | the system's clock |
/// | `sleep_until` | a `smol::Timer`: never early, late only by as much as the executor is behind |
/// | `spawn` | `smol::spawn`, which starts smol's threads if they do not run yet: one, or as many as `SMOL_THREADS` says |
///
/// A task comes back from [`spawn`](Runtime::spawn) if the system refuses smol its threads, or if `SMOL_THREADS` asks for none.
/// `spawn` finds out about a refused thread by catching smol's panic, so under `panic = "abort"` that aborts.
///
/// smol does not name its tasks, so nobody is told that it may be waiting for itself (`Snapshot::held_by_caller`).
///
/// # Examples
///
/// ```
/// use millpond::Runtime;
/// use millpond_smol::Smol;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (send, receive) = std::sync::mpsc::channel();
/// Smol.spawn(Box::pin(async move {
///     let _ = send.send("ran");
/// }))?;
/// assert_eq!(receive.recv()?, "ran");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Smol;

impl Runtime for Smol {
    #[expect(clippy::disallowed_methods, reason = "smol's timers go by the system's clock")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        Box::pin(async move {
            Timer::at(deadline).await;
        })
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        if !is_running() {
            return Err(SpawnError::new(task));
        }
        smol::spawn(task).detach();
        Ok(())
    }
}

/// Whether smol's threads run; they start here. A first spawn that finds no thread panics and takes its task along, so the first
/// task is an empty one.
fn is_running() -> bool {
    static RUNNING: OnceLock<()> = OnceLock::new();
    if RUNNING.get().is_none() && !has_no_threads() {
        // Not remembered if it fails: the system may have a thread to spare by the next time.
        if catch_unwind(|| smol::spawn(async {}).detach()).is_ok() {
            let _ = RUNNING.set(());
        }
    }
    RUNNING.get().is_some()
}

/// Whether smol was told to start no thread. It would take tasks all the same and never run one, and callers would hang.
fn has_no_threads() -> bool {
    // Read as smol reads it: what is no `i32` counts as one thread.
    env::var("SMOL_THREADS").is_ok_and(|count| count.parse::<i32>().is_ok_and(|count| count < 1))
}
