//! What the tests of the whole pool share: a pool on a virtual clock, a pool on several runtimes, and faults at the Nth call.
//!
//! # What must not compile
//!
//! A resource that may not leave its thread cannot be pooled:
//!
//! ```compile_fail,E0277
//! use std::convert::Infallible;
//! use std::rc::Rc;
//! use millpond::{Disposition, Manager, Metrics, Returned};
//!
//! struct Local;
//! impl Manager for Local {
//!     type Resource = Rc<u32>;
//!     type Error = Infallible;
//!     async fn create(&self) -> Result<Rc<u32>, Infallible> {
//!         Ok(Rc::new(1))
//!     }
//!     fn on_return(&self, _: &mut Rc<u32>, _: Returned, _: &Metrics) -> Disposition {
//!         Disposition::Reuse
//!     }
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
//! A lease that outlives its pool's `get` future is fine, a `get` that outlives the pool is not:
//!
//! ```compile_fail,E0505
//! use millpond_tests::rig::Rig;
//!
//! let rig = Rig::new(|builder| builder);
//! let get = rig.pool.get();
//! drop(rig);
//! drop(get);
//! ```

#![forbid(unsafe_code)]

pub mod callers;
pub mod cells;
pub mod fuse;
pub mod hop;
pub mod rig;
pub mod scenario;
