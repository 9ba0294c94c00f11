//! Tools to test code that uses millpond, and millpond itself: no test needs a sleep, a real clock or a server.
//!
//! | tool | what it gives a test |
//! |---|---|
//! | [`TestRuntime`] | a virtual clock and an executor that only moves when told to, in the same order every time |
//! | [`ScriptedManager`] | resources that open, check, reset and close, or fail, hang and panic, by script; and counts of it all |
//! | [`Gate`] | a place where a future waits until the test lets it through |
//! | [`Parked`] | a future polled by hand, that tells whether it was woken |
//! | [`Recorder`] | an event sink that remembers what a pool told |
//!
//! # One test
//!
//! ```text
//!  test ── block_on ─► the future under test ◄──── wakes ────┐
//!            │ not ready                                     │
//!            ├────────► ready tasks, first in first out ─────┤
//!            │ none ready                                    │
//!            └────────► clock jumps to the next timer ───────┘
//!                         │ no timer
//!                         └► Stuck: nothing can ever wake it
//! ```
//!
//! ```
//! use std::time::Duration;
//! use millpond::Manager;
//! use millpond_test::{Op, ScriptedManager, Step, TestRuntime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = TestRuntime::new();
//! let manager = ScriptedManager::new(runtime.clone());
//! manager.script(Op::Create, [Step::transient(), Step::Ok.after(Duration::from_secs(2))]);
//!
//! assert!(runtime.block_on(manager.create()).is_err());
//! let resource = runtime.block_on(manager.create())?;
//! assert_eq!(runtime.elapsed(), Duration::from_secs(2));
//! assert_eq!((resource.id(), manager.open_now()), (0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! A `TestRuntime` knows only its own tasks and timers. It does not wait for work that went to another thread, as
//! `Manager::close` does unless overridden: it would call that stuck, or jump the clock past a deadline meanwhile. A manager
//! tested here should close inside its own future, as [`ScriptedManager`] does.

#![forbid(unsafe_code)]

mod error;
mod executor;
mod gate;
mod ledger;
mod manager;
mod parked;
mod recorder;
mod resource;
mod runtime;
mod script;
mod sleep;
mod started;

pub use error::{ScriptedError, Stuck};
pub use gate::{Gate, Passage};
pub use manager::ScriptedManager;
pub use parked::{Parked, panicking_waker, poll_once};
pub use recorder::Recorder;
pub use resource::{Occupied, TestResource};
pub use runtime::TestRuntime;
pub use script::{Destructor, OnReturn, Op, Step};
pub use sleep::Sleep;
pub use started::Started;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
