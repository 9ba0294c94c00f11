//! The pure state machine of the millpond resource pool: every decision that is not the hand-over of an idle resource.
//!
//! Nothing here runs, waits, reads a clock or owns a resource. [`Core`] holds ids and instants; it is fed one [`Input`] at a
//! time, together with the time and with the bits that say which resources lie idle ([`Idle`]), and answers with
//! [`Action`]s for its owner to perform. So the same code decides in the pool, in a model checker that visits every
//! reachable state, and in a simulator.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use millpond_core::{Action, Bits, Config, Core, Input, Job, Outcome, Request};
//!
//! # #[expect(clippy::disallowed_methods, reason = "an example needs some instant")]
//! let now = Instant::now();
//! let mut bits = Bits::default();
//! let mut core = Core::new(Config::default());
//! core.handle(Input::DriverUp, now, &mut bits).for_each(drop);
//!
//! // Nothing is open yet: the caller is queued, and one resource is to be created.
//! let actions: Vec<Action> = core.handle(Input::Wait(Request::default()), now, &mut bits).collect();
//! let [Action::Queue(waiter), Action::Start(slot, Job::Create)] = actions[..] else { panic!("{actions:?}") };
//!
//! // Once it stands, the caller at the head of the queue is woken and takes it.
//! core.handle(Input::Begin(slot), now, &mut bits).for_each(drop);
//! let ended = Input::Ended(slot, Outcome::Created);
//! assert_eq!(core.handle(ended, now, &mut bits).collect::<Vec<_>>(), [Action::Wake(waiter)]);
//! assert_eq!(core.handle(Input::Claim(waiter), now, &mut bits).collect::<Vec<_>>(), [Action::Lend(slot)]);
//! ```
//!
//! *Invariant:* no dependency, no `unsafe`, no async, no lock, no atomic, no clock, no resource type.
//!
//! *Invariant:* time is a parameter called `now` and never runs backwards inside the core: an earlier `now` counts as the
//! latest one seen.

#![forbid(unsafe_code)]

mod io;
mod config;
mod core;
mod callers;
mod jobs;
mod serve;
mod growth;
mod care;
mod slots;
mod waiters;
mod lanes;
mod timers;
mod backoff;
mod pace;
mod hold;
mod overload;
mod strain;
mod phases;
mod report;
mod notes;

#[cfg(test)]
mod model_check;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use crate::config::{Config, Lane};
pub use crate::core::{Actions, Core};
pub use crate::io::{Action, Bits, GiveBack, Idle, Input, Job, Outcome, Refusal, Request, Why};
pub use crate::notes::{CloseReason, Note};
pub use crate::overload::{Overload, ShedReason};
pub use crate::phases::{Phase, Phases};
pub use crate::report::{Counts, Hold, LaneCounts, Totals};
pub use crate::slots::SlotId;
pub use crate::waiters::WaiterId;
