//! What the tests of the whole pool share: a pool on a virtual clock, a pool on several runtimes, a pool on real ones, and
//! faults at the Nth call.
//!
//! # What must not compile
//!
//! Each beside what does compile, so that it is this one difference that counts. A resource that may not leave its thread
//! cannot be pooled:
//!
//! ```compile_fail,E0277
//! # use std::convert::Infallible;
//! # use millpond::{Disposition, Manager, Metrics, Returned};
//! use std::rc::Rc as Count;
//!
//! struct Counted;
//! impl Manager for Counted {
//!     type Resource = Count<u32>;
//! #   type Error = Infallible;
//! #   async fn create(&self) -> Result<Count<u32>, Infallible> { Ok(Count::new(1)) }
//! #   fn on_return(&self, _: &mut Count<u32>, _: Returned, _: &Metrics) -> Disposition { Disposition::Reuse }
//! }
//! ```
//!
//! ```
//! # use std::convert::Infallible;
//! # use millpond::{Disposition, Manager, Metrics, Returned};
//! use std::sync::Arc as Count;
//!
//! struct Counted;
//! impl Manager for Counted {
//!     type Resource = Count<u32>;
//! #   type Error = Infallible;
//! #   async fn create(&self) -> Result<Count<u32>, Infallible> { Ok(Count::new(1)) }
//! #   fn on_return(&self, _: &mut Count<u32>, _: Returned, _: &Metrics) -> Disposition { Disposition::Reuse }
//! }
//! ```
//!
//! A resource that may move between threads, but not be seen by two at once, makes a guard of the same kind:
//!
//! ```compile_fail,E0277
//! use millpond::Pooled;
//! use millpond_tests::cells::Cells;
//!
//! fn shared<T: Sync>() {}
//! shared::<Pooled<Cells>>();
//! ```
//!
//! ```
//! use millpond::Pooled;
//! use millpond_tests::cells::Cells;
//!
//! fn moved<T: Send>() {}
//! moved::<Pooled<Cells>>();
//! ```
//!
//! A `get` cannot outlive its pool, what `get_owned` returns can:
//!
//! ```compile_fail,E0505
//! use millpond_tests::rig::Rig;
//!
//! let rig = Rig::of(1);
//! let get = rig.pool.get();
//! drop(rig);
//! drop(get);
//! ```
//!
//! ```
//! use millpond_tests::rig::Rig;
//!
//! let rig = Rig::of(1);
//! let get = rig.pool.get_owned();
//! drop(rig);
//! drop(get);
//! ```

#![forbid(unsafe_code)]

pub mod callers;
pub mod cells;
pub mod fuse;
pub mod hop;
pub mod postgres;
pub mod real;
pub mod rig;
pub mod scenario;
pub mod watch;

/// The quickstart compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
