//! What a [millpond](https://docs.rs/millpond) pool does under load, on a virtual clock: a discrete-event simulator around
//! the very code that decides in the pool (`millpond_core::Core`).
//!
//! A [`Scenario`] says how large the pool is, who comes when and for how long, how patient they are, and what goes wrong.
//! [`run`] plays it from its beginning to its end, a million requests in about a second, and gives back a [`Run`]: what became
//! of every request, what was refused and why, and how the pool was doing all the time.
//!
//! ```
//! use std::time::Duration;
//! use millpond_sim::{Arrivals, Callers, Hold, Policy, Scenario, run};
//!
//! // Ten resources, held for 50 ms in the mean, can serve 200 callers a second; 400 come, and each has half a second.
//! let hold = Hold::LogNormal { mean: Duration::from_millis(50), cv: 1.0 };
//! let callers = Callers::new(Arrivals::poisson(400.0), hold, Duration::from_millis(500));
//! let scenario = Scenario::new(10, callers).lasting(Duration::from_secs(20));
//!
//! // First come, first served until each gives up: nearly everybody is served too late to be of use.
//! assert!(run(&scenario.under(Policy::BareTimeout)).goodput() < 0.1);
//! // Nothing is lost: each request ended once.
//! let run = run(&scenario.under(Policy::Auto));
//! assert_eq!(run.unfinished, 0);
//! assert_eq!(run.stranded, 0);
//! ```
//!
//! *Invariant:* two runs of equal scenarios are equal, whatever the machine. Time is virtual; all random numbers come from
//! the scenario's seed, and those of a request are drawn when it comes, so that the same requests come under each policy.
//!
//! *Invariant:* the pool is driven as in production: callers help themselves while the core lets them, come to the desk when
//! it does not, and a driver looks at the timers when the core says so, and at no other time.

#![forbid(unsafe_code)]

mod scenario;
mod arrivals;
mod holds;
mod backend;
mod agenda;
mod shelf;
mod world;
mod log;
mod summary;
mod metrics;
mod experiments;

pub use crate::arrivals::{Arrivals, Spacing};
pub use crate::backend::{Fault, Trouble};
pub use crate::experiments::{Bound, Experiment, Gate, Of, Unit};
pub use crate::holds::Hold;
pub use crate::log::{Fate, Moment, Record, Refused, Run, Span};
pub use crate::scenario::{AtDeadline, Callers, Load, Policy, Pool, Retries, Scenario, Told};
pub use crate::summary::{Percentiles, Summary};
pub use crate::world::{run, run_watched};
