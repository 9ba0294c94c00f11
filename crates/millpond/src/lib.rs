//! A resource pool for async Rust that stays calm under load: fast when there is enough, fair and honest when there is not,
//! and correct when everything breaks.
//!
//! A pool stands between a service and what it can run out of: database connections, sockets, worker threads, permits. You
//! teach it one kind of resource by a [`Manager`], and a runtime by an adapter such as `millpond-tokio`; this crate knows
//! neither runtimes nor databases.
//!
//! ```
//! # use std::convert::Infallible;
//! # use millpond::{Disposition, Manager, Metrics, Pool, Returned, Runtime};
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
//! # async fn example(runtime: impl Runtime) -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::builder(Buffers).max_size(4).build(runtime)?;
//! let mut buffer = pool.get().await?;
//! buffer.extend_from_slice(b"grist");
//! # Ok(())
//! # }
//! ```
//!
//! # The model
//!
//! Three parties share the work, cheapest first:
//!
//! - *Self-service*: a fresh idle resource changes hands by one atomic step on the caller's thread, and goes home by another.
//!   No lock, no clock, no allocation, no message.
//! - *The desk*: when there is nothing to take, or somebody waits already, the caller queues. A state machine behind one short
//!   lock decides who gets what: first come, first served, lane by lane.
//! - *The driver*: one task that owns time. It starts the tasks that create, check, clean and close resources, each with a
//!   deadline of its own, and wakes callers whose time is up. It comes into being when first needed, and a new one does if its
//!   runtime dies.
//!
//! ```text
//!                 idle and fresh
//! get ──► shelf ───────────────────────────────────► Pooled ──► your code
//!           │ nothing idle, somebody waits,            │ drop
//!           │ or idle for long                         ▼
//!           ▼                                     on_return
//!         desk ◄───────── Reset, Discard, ────────────┤
//!           │             or somebody waits           │ Reuse
//!           │ queue, decide                           ▼
//!           ▼                                       shelf
//!         driver ──► task: create, check, reset, close
//!                       │ done
//!                       ▼
//!                     desk ──► first in the queue, or shelf
//! ```
//!
//! # What you may rely on
//!
//! - There are never more than `max_size` resources, those being opened, cleaned and closed included.
//! - [`get`](Pool::get) ends by its deadline, also when creating, checking and closing hang.
//! - Dropping any future at any time loses nothing and costs nobody else a turn.
//! - A resource whose last use was cancelled or panicked, as seen by [`Pooled::run`], [`Pool::with`], unwinding, or strict
//!   mode, is not lent again unless [`Manager::reset`] said that it is clean.
//! - A panic in your code costs at most the one resource it happened to (with `panic = "unwind"`).
//! - Dropping a guard never blocks, spawns or panics, and needs no runtime.
//! - Errors tell the cause: [`GetError`] carries what the pool looked like, what the waiting was spent on, the last failed
//!   creation, and who holds what.
//!
//! # When more come than can be served
//!
//! A queue that does not drain makes everybody late and serves nobody in time. So the pool watches it: while it does not drain,
//! only so many may wait as keep all resources busy, and whoever would wait in vain is told at once ([`GetError::Shed`]), with
//! the reason, and after what time to ask again. [`guide::overload`] tells what happens by default, what may be set
//! ([`Builder::overload`], [`Lane`], [`Get::deadline`]), and how to watch it, with pictures.
//!
//! # When the backend is down
//!
//! A failed creation that [`is_transient`](Manager::is_transient) does not fail those who wait: the pool tries again, one
//! attempt at a time with jittered back-off, while each caller waits until its own deadline. So a server that restarts costs
//! waiting, not errors. A failure that is not transient, such as a wrong password, is told at once to those who have nothing
//! else to wait for; [`fail_fast_after`](Builder::fail_fast_after) does the same for transient ones that do not end.
//!
//! # Watching a pool
//!
//! [`Pool::status`] and [`Pool::holders`] tell how it is now. What happens, from a failed creation to the reason why a resource was
//! closed, goes to an [`EventSink`], if there is one; with the feature `tracing`, `TracingSink` hands it to the crate of that
//! name. [`leak_after`](Builder::leak_after) adds suspected leaks.
//!
//! # Forking
//!
//! What a forked child finds in a pool that was used before is its parent's: the same sockets, and no task that drives it. There
//! the pool serves nobody and closes nothing. A [`get`](Pool::get) that comes to the desk is refused ([`GetError::Forked`]);
//! guards, handles and waiting futures may be dropped and leave everything as it is, at the price of their memory; `pause`, `resize`
//! and the like do nothing. Build another pool in the child. A pool that nobody had used belongs to whoever uses it first.
//!
//! The limits: self-service cannot know, because a system call to find out would cost ten times what it costs otherwise. So a
//! child may be lent what lay idle and fresh, until something there comes to the desk;
//! [`without_self_service`](Builder::without_self_service) closes that hole. And whoever forks while another thread works
//! with the pool must not ask the child's copy for its `status` or `holders`: the lock may never be free again.
//!
//! # Coming from another pool
//!
//! [`guide::from_other_pools`] tells which setting, method and error of deadpool, bb8, sqlx, mobc and r2d2 is which here, and
//! what behaves differently.
//!
//! # Testing your own code
//!
//! The crate `millpond-test` has a virtual clock, a deterministic runtime and a manager with scripted faults.

mod manager;
mod runtime;
mod pool;
mod alarm;
mod builder;
mod lanes;
mod get;
mod pooled;
mod status;
mod holders;
mod error;
mod event;
mod brief;
mod close;
mod add;
mod retain;
mod weak;
mod common;
mod fork;
mod desk;
mod driver;
mod shelf;
mod sync;

pub mod guide;

#[cfg(all(test, millpond_loom))]
mod loom_models;

pub use millpond_core::{CloseReason, Hold, Overload, Phase, ShedReason, Totals};

pub use crate::add::AddError;
pub use crate::builder::{BuildError, Builder};
pub use crate::close::CloseReport;
pub use crate::error::{BuildReadyError, CreateFault, GetError, Snapshot, TryGetError};
#[cfg(feature = "tracing")]
pub use crate::event::TracingSink;
pub use crate::event::{Event, EventKind, EventSink, Failure, RefusalReason, ResourceId};
pub use crate::get::Get;
pub use crate::holders::Holder;
pub use crate::lanes::Lane;
pub use crate::manager::{Disposition, Fitness, Manager, Metrics, Returned};
pub use crate::pool::{Pool, ResizeError};
pub use crate::pooled::Pooled;
pub use crate::retain::RetainReport;
pub use crate::runtime::{Runtime, SpawnError, Task};
pub use crate::status::{LaneStatus, Status};
pub use crate::weak::WeakPool;
