//! Who takes part besides the core.

use crate::io::Job;
use crate::{SlotId, WaiterId};

/// A caller that waits, with what the rules remember of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) id: WaiterId,
    /// Its deadline has passed.
    pub(super) expired: bool,
    /// It was late for an offer before.
    pub(super) late: bool,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has not said `Begin`.
    Owed,
    /// It went ahead.
    Begun,
    /// It was not to go ahead, and has not said so yet.
    Refused,
    /// It is past its deadline.
    Abandoned,
    /// There is none: the resource was opened elsewhere, and its place is told so in the same visit.
    Adopted,
}

/// A job whose `Ended` is owed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) slot: SlotId,
    pub(super) job: Job,
    pub(super) stage: Stage,
    /// Whether what it ends with has been seen to work since the last driver was lost.
    pub(super) proves: bool,
}

impl Task {
    /// Whether it is a creation that went ahead.
    pub(super) fn is_opening(&self) -> bool {
        self.job == Job::Create && self.stage == Stage::Begun
    }
}
