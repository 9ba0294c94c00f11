//! The language of the reference: inputs and actions with numbers instead of ids, so that they can be compared and sorted.

use std::time::{Duration, Instant};

use crate::io::{GiveBack, Job, Outcome, Refusal};
use crate::{Phase, Why};

/// What the pool wants done, with numbers instead of ids: places by index, callers and tasks in the order in which they came
/// to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Lend(u32),
    Queue(usize),
    Refuse(Reason),
    Wake(usize),
    Start(u32, Kind),
    Proceed(usize),
    Adopt(u32),
    Abandon(usize),
    Retag(u32),
    Closing,
    Drained,
}

/// A [`Refusal`] that can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reason {
    pub(super) why: Why,
    pub(super) ahead: u32,
    pub(super) waited: Duration,
    pub(super) phases: [Duration; 6],
}

/// A [`Job`] that can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Create,
    Check,
    Reset,
    Close,
}

impl From<Job> for Kind {
    fn from(job: Job) -> Self {
        match job {
            Job::Create => Self::Create,
            Job::Check => Self::Check,
            Job::Reset => Self::Reset,
            Job::Close => Self::Close,
        }
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        let phases = PHASES.map(|phase| refusal.phases.get(phase));
        Self { why: refusal.why, ahead: refusal.ahead, waited: refusal.waited, phases }
    }
}

/// An input, with numbers instead of ids.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Wait(u32, Option<Instant>),
    Try,
    Claim(usize),
    Cancel(usize),
    Take(u32),
    Add,
    GiveBack(u32, GiveBack),
    Begin(usize),
    Ended(usize, Outcome),
    Tick,
    Resize(u32),
    Pause,
    Resume,
    RetireAll(Duration),
    Close,
    DriverUp,
    DriverLost,
}

/// In the order of their numbers.
pub(super) const PHASES: [Phase; 6] = [
    Phase::Exhausted,
    Phase::Creating,
    Phase::BackingOff,
    Phase::Checking,
    Phase::Clearing,
    Phase::Paused,
];
