//! What a search covers: how many of what, and which steps.

use std::time::Duration;

use super::shelf::OLD;
use crate::{Config, Lane, Overload};

/// A kind of step that a search may take besides those it always takes: a caller comes to wait, is polled, leaves or is
/// forgotten; a borrower gives back by its bit or at the desk; a creation begins and ends; the claim window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Also {
    /// Some callers have a deadline, which passes at any moment.
    Deadlines,
    /// Callers that do not wait.
    Tries,
    /// Callers help themselves while the bits are not attended.
    Takes,
    /// Other threads move bits while the core works.
    Races,
    /// Creations fail, in ways that may pass.
    Failures,
    /// Creations fail, in ways that will not.
    Permanent,
    /// Jobs outlive their deadline.
    Hangs,
    /// Tasks are dropped with the runtime, begun or not.
    Losses,
    /// Borrowers have resources cleaned.
    Resets,
    /// Borrowers discard.
    Discards,
    /// Borrowers keep.
    Detaches,
    /// Somebody looks through what lies idle, and adds what was opened elsewhere.
    Looks,
    /// Resources lie idle long enough to need a check; checks fail.
    Checks,
    /// The size changes.
    Resizes,
    /// Pauses and their ends.
    Pauses,
    /// The end.
    Closing,
    /// New epochs at once.
    Epochs,
    /// New epochs with a spread, and resources that grow old, or too old, at any moment.
    Lifetimes,
    /// Drivers are lost and come.
    Drivers,
    /// The tick goes to sleep.
    Sleep,
    /// The reaper finds what lay idle too long.
    Sweeps,
    /// What lies idle for long is checked unasked.
    Keepalive,
    /// Timers that are noticed late, by a poll, a cancel or the end of a job.
    Late,
    /// Creations take long, so that returns may serve those who wait before.
    Paced,
    /// Callers have waited for long.
    Tires,
}

/// One search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) name: &'static str,
    /// The size the pool begins with.
    pub(super) size: u32,
    /// How many callers wait at most at a time, in whatever standing.
    pub(super) callers: usize,
    pub(super) max_creating: u32,
    pub(super) max_waiters: u32,
    pub(super) min_idle: u32,
    pub(super) fail_fast_after: Option<u32>,
    pub(super) overload: Overload,
    /// Whether there is a second lane, with a head start and a resource of its own.
    pub(super) lanes: bool,
    pub(super) also: &'static [Also],
}

impl Scope {
    pub(super) const fn new(
        name: &'static str,
        size: u32,
        callers: usize,
        also: &'static [Also],
    ) -> Self {
        Self {
            name,
            size,
            callers,
            max_creating: 1,
            max_waiters: 3,
            min_idle: 0,
            fail_fast_after: None,
            overload: Overload::Fifo,
            lanes: false,
            also,
        }
    }

    pub(super) fn has(&self, also: Also) -> bool {
        self.also.contains(&also)
    }

    pub(super) fn config(&self) -> Config {
        let (idle_timeout, max_lifetime) = if self.has(Also::Sweeps) {
            (OLD, Duration::from_secs(1800))
        } else {
            (Duration::MAX, Duration::MAX)
        };
        Config {
            max_size: self.size,
            max_waiters: self.max_waiters,
            min_idle: self.min_idle,
            max_creating: self.max_creating,
            fail_fast_after: self.fail_fast_after,
            overload: self.overload,
            lanes: if self.lanes { vec![SECOND_LANE] } else { Vec::new() },
            check_after_idle: OLD,
            keepalive: if self.has(Also::Keepalive) { OLD } else { Duration::MAX },
            idle_timeout,
            max_lifetime,
            ..Config::default()
        }
    }
}

/// Where nobody has waited for long, its callers go first; where one of the others has, that one does.
const SECOND_LANE: Lane = Lane { max_waiters: 2, head_start: Duration::from_nanos(1), reserved: 1 };
/// How long one has waited that has waited for long: as long as a caller with a deadline would wait at all.
pub(super) const LONG_WAIT: Duration = Duration::from_nanos(2);
/// How long a lease takes.
pub(super) const LEASE: Duration = Duration::from_nanos(1);
