//! Admission: who may wait. First come, first served within `max_waiters`; deadlines are kept by the timers.
//!
//! This is where policy under overload belongs: controlled delay at hand-out, prediction at arrival, lanes. Whatever it
//! decides is a [`Why`], so that every refusal has a typed reason.

use crate::Why;
use crate::config::Config;
use crate::waiters::Waiters;

/// Whether one more caller may queue.
pub(crate) fn admit(config: &Config, waiters: &Waiters) -> Result<(), Why> {
    if waiters.waiting() < config.max_waiters { Ok(()) } else { Err(Why::TooManyWaiters) }
}
