//! What happened, for those who watch: beside the actions, which say what is to be done.
//!
//! *Invariant:* a note is a report. Nothing that is decided later depends on whether notes are kept.

use std::fmt;
use std::time::Duration;

use crate::core::Core;
use crate::io::Job;
use crate::slots::{SlotId, State};
use crate::waiters::WaiterId;

/// What an observer may want to know, in the order in which it happened. Kept if [`Config::watched`](crate::Config::watched)
/// is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// A creation opened a resource.
    Created {
        /// The resource.
        slot: SlotId,
        /// How long it took from the moment its task began.
        took: Duration,
    },
    /// One that was opened elsewhere joined.
    Added {
        /// The resource.
        slot: SlotId,
    },
    /// A creation did not open one.
    CreateFailed {
        /// The place it had.
        slot: SlotId,
        /// Whether trying again soon may help.
        transient: bool,
        /// Whether it was given up at its deadline.
        late: bool,
        /// How long it took.
        took: Duration,
        /// How long no other will start.
        pause: Duration,
    },
    /// A check, a reset or a close was given up at its deadline.
    Abandoned {
        /// The resource it was at.
        slot: SlotId,
        /// What it was.
        job: Job,
        /// How long it had taken by then.
        took: Duration,
    },
    /// A resource is gone from the pool.
    Closed {
        /// The resource.
        slot: SlotId,
        /// Why.
        reason: CloseReason,
    },
    /// A borrower keeps a resource.
    Detached {
        /// The resource.
        slot: SlotId,
    },
    /// A waiter did not come for what it was offered.
    Revoked {
        /// The waiter.
        waiter: WaiterId,
        /// The resource.
        slot: SlotId,
    },
    /// A lane's queue does not drain: callers of it are shed from now on.
    Overloaded {
        /// The number of the lane.
        lane: u32,
        /// How many of its callers wait.
        waiting: u32,
    },
    /// Nobody of the lane had to be shed for a while, or what its callers wait for now is not each other.
    Relieved {
        /// The number of the lane.
        lane: u32,
        /// How long it was overloaded.
        lasted: Duration,
    },
    /// Callers wait from now on, whatever lies idle.
    Paused,
    /// They no longer do.
    Resumed,
    /// The pool may have another number of resources.
    Resized {
        /// How many it could have.
        from: u32,
        /// How many it may have.
        to: u32,
    },
    /// A new epoch began.
    RetiredAll {
        /// Its number.
        epoch: u64,
        /// Within what time everything older is to go.
        spread: Duration,
    },
    /// Closing began.
    Closing,
    /// The last resource of a closing pool is gone.
    Drained,
}

/// Why the pool closed a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It lay idle for `idle_timeout`.
    Idle,
    /// It had lived for its share of `max_lifetime`.
    TooOld,
    /// It was open when `retire_all` was called.
    Retired,
    /// A check failed, panicked, or was given up.
    CheckFailed,
    /// A reset found it beyond cleaning, failed, panicked, or was given up.
    Unclean,
    /// Its borrower or `on_return` said so, or `on_return` panicked.
    Discarded,
    /// There were more resources than a `resize` had left room for.
    OverSize,
    /// The pool is closing.
    PoolClosed,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle for too long",
            Self::TooOld => "too old",
            Self::Retired => "retired",
            Self::CheckFailed => "failed its check",
            Self::Unclean => "beyond cleaning",
            Self::Discarded => "discarded",
            Self::OverSize => "one too many",
            Self::PoolClosed => "the pool is closing",
        })
    }
}

impl Core {
    /// What happened in the last call of [`handle`](Self::handle), to be taken before the next: that one forgets it.
    pub fn notes(&mut self) -> impl Iterator<Item = Note> + '_ {
        self.notes.drain(..)
    }

    pub(crate) fn note(&mut self, note: Note) {
        if self.config.watched {
            self.notes.push(note);
        }
    }

    /// Says what is wrong with a resource that is about to be closed, or gone. What stands first is the cause.
    pub(crate) fn blame(&mut self, index: u32, reason: CloseReason) {
        self.slots.get_mut(index).blame.get_or_insert(reason);
    }

    /// Counts a resource that is gone.
    pub(crate) fn count_closed(&mut self, index: u32) {
        self.totals.closed += 1;
        if let Some(reason) = self.slots.get(index).blame {
            self.note(Note::Closed { slot: self.slots.id(index), reason });
        }
    }
}

/// What a job that fails says of the resource it was at.
pub(crate) fn blame_of(state: State) -> Option<CloseReason> {
    match state {
        State::Checking { .. } => Some(CloseReason::CheckFailed),
        State::Resetting => Some(CloseReason::Unclean),
        _ => None,
    }
}
