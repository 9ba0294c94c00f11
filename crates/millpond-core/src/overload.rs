//! Admission: who may wait. First come, first served within `max_waiters`; deadlines are kept by the timers.
//!
//! This is where policy under overload belongs: controlled delay at hand-out, prediction at arrival, lanes. Whatever it
//! decides is a [`Why`], so that every refusal has a typed reason.

use std::time::Duration;

use crate::Why;
use crate::config::Config;
use crate::waiters::Waiters;

/// What becomes of callers when more come than can be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overload {
    /// While a queue does not drain, only so many may wait as keep all resources busy; the others are refused at once. How
    /// long a wait is too long follows from how long resources are held.
    #[default]
    Auto,
    /// First come, first served until each caller's own deadline.
    Fifo,
    /// As `Auto`, but a wait is too long if it is longer than this.
    TargetWait(Duration),
}

/// Why a caller was refused although it could have waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ShedReason {
    /// On arrival: the queue does not drain, and as many wait already as keep all resources busy.
    Overloaded,
    /// After it had waited in a queue that does not drain, for more than twice as long as a wait should be.
    WaitedTooLong,
    /// On arrival: at the pace at which resources come home its turn would come after its deadline.
    PredictedTooLate,
    /// When its turn came: less time was left before its deadline than nine of ten leases take.
    DeadlineTooClose,
}

/// Whether one more caller may queue.
pub(crate) fn admit(config: &Config, waiters: &Waiters) -> Result<(), Why> {
    if waiters.waiting() < config.max_waiters { Ok(()) } else { Err(Why::TooManyWaiters) }
}
