//! Everything that goes into the core and comes out of it, on one screen.

use std::time::{Duration, Instant};

use crate::overload::ShedReason;
use crate::phases::Phases;
use crate::{SlotId, WaiterId};

/// What happened. See [`Core::handle`](crate::Core::handle).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A caller wants a resource and will wait. Answered by `Lend`, `Queue` or `Refuse`.
    Wait(Request),
    /// A caller wants a resource and will not wait. Answered by `Lend` or `Refuse`.
    Try,
    /// A queued caller was polled. Answered by `Lend`, by `Refuse`, or by nothing while it still has to wait.
    Claim(WaiterId),
    /// A queued caller went away, whatever state it is in.
    Cancel(WaiterId),
    /// Somebody wants to look at what lies idle in this slot, fit or not. Answered by `Lend` if something does, by nothing otherwise.
    Take(u32),
    /// A resource that was opened elsewhere is to join. Answered by `Adopt` or `Refuse`.
    Add,
    /// A lent resource comes to the desk instead of going back by its bit.
    GiveBack(u32, GiveBack),
    /// A job's task is about to start. Answered by `Proceed` if it is still wanted, by nothing otherwise.
    Begin(SlotId),
    /// A job's task ended.
    Ended(SlotId, Outcome),
    /// A timer may be due: see [`Core::next_timeout`](crate::Core::next_timeout).
    Tick,
    /// The greatest number of resources becomes this.
    Resize(u32),
    /// Callers wait until `Resume`; what is lent stays lent.
    Pause,
    /// Ends a pause.
    Resume,
    /// Begins a new epoch: creations in flight are void, and what is open is retired within `spread`, at random moments.
    RetireAll {
        /// Zero means that nothing of the old epoch is lent from now on.
        spread: Duration,
    },
    /// Callers are refused from now on; resources are closed as they come home.
    Close,
    /// A driver performs jobs and watches the timers from now on.
    DriverUp,
    /// The driver is gone, and possibly the I/O of all that is open with it.
    DriverLost,
}

/// What a caller that waits asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Request {
    /// The number of its lane: zero, or one more than its place in [`Config::lanes`](crate::Config::lanes).
    pub lane: u32,
    /// When it gives up; `None` for never.
    pub deadline: Option<Instant>,
    /// Whether the deadline is that of the whole work, so that a resource is of no use to it shortly before.
    pub covers_lease: bool,
}

impl Request {
    /// A caller of the default lane that waits until `deadline` and says nothing of its lease.
    #[must_use]
    pub fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, ..Self::default() }
    }
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The caller of this input has the resource.
    Lend(SlotId),
    /// The caller of this input waits under this id, until `Claim` settles it or `Cancel` takes it back.
    Queue(WaiterId),
    /// The caller of this input gets nothing.
    Refuse(Refusal),
    /// This waiter's next `Claim` may settle it.
    Wake(WaiterId),
    /// A task is to do this job; its deadline has begun.
    Start(SlotId, Job),
    /// The task that said `Begin` goes ahead.
    Proceed(SlotId),
    /// The resource of this input has this place; it is owed an `Ended` with [`Outcome::Added`].
    Adopt(SlotId),
    /// The task of this job outlived its deadline: it is to be stopped. Its `Ended` is still owed.
    Abandon(SlotId, Job),
    /// What is known of an open resource changes without its being touched: its epoch, its moment of retirement, whether it is
    /// suspect, or whether it is [tied](crate::Core::is_tied) to a lane.
    Retag(SlotId),
    /// Closing began.
    Closing,
    /// The last resource of a closing pool is gone.
    Drained,
}

/// What a pool task does with one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// Opens it.
    Create,
    /// Confirms that it still works.
    Check,
    /// Cleans it.
    Reset,
    /// Closes it.
    Close,
}

/// How a lent resource comes back other than by its bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveBack {
    /// As fit as it was: its taker found that the desk has to look at it first.
    Unused,
    /// To be cleaned.
    Reset,
    /// To be closed.
    Discard,
    /// Not at all: its borrower keeps it.
    Detached,
}

/// How a job ended. A job that panicked or was aborted counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `Create` opened a resource.
    Created,
    /// An adopted resource is in its place.
    Added,
    /// `Create` did not, and trying again soon may (`transient`) or will not help.
    CreateFailed {
        /// Whether callers keep waiting for another attempt.
        transient: bool,
    },
    /// `Check` or `Reset` left a resource that may be lent.
    Fit,
    /// `Check` or `Reset` left a resource that must be closed.
    Unfit,
    /// There is no resource any more: `Close` ended, or `Check` or `Reset` lost it.
    Gone,
    /// The job never began, because `Begin` was not answered by `Proceed`.
    Skipped,
}

/// Why a caller gets nothing, with what it went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The reason.
    pub why: Why,
    /// How many callers stood before this one when it was refused: of its own lane, but of all lanes if its turn would have come
    /// too late. For one that gave up, more than a thousand are not counted.
    pub ahead: u32,
    /// How long it waited.
    pub waited: Duration,
    /// What it waited for, and how long for each.
    pub phases: Phases,
    /// When asking again may help, counted from now; zero where nothing is known of that.
    pub retry_after: Duration,
}

/// The reasons for a [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// The deadline passed.
    Deadline,
    /// As many callers of its lane wait as may.
    TooManyWaiters,
    /// Not everybody can be served in time, and this one is not among those who are.
    Shed(ShedReason),
    /// Nothing is open that could be lent, and creating failed in a way that waiting will not mend.
    CreateFailed,
    /// The pool is closing.
    Closed,
    /// Only to `Try`: everything is lent.
    Exhausted,
    /// Only to `Add`: there are as many resources as may be.
    Full,
    /// Only to `Try`: a creation is under way.
    Creating,
    /// Only to `Try`: an idle resource is being checked.
    Checking,
    /// Only to `Try`: the pool is paused.
    Paused,
}

/// The idle bits as the core sees them: set = the resource of that slot lies idle and whoever takes the bit has it.
///
/// In production these are the shelves' atomic words, of which the core is but one user; between two calls any bit may have
/// come or, unless attended, gone.
pub trait Idle {
    /// The first idle slot at or after `from`. A hint: only [`claim`](Self::claim) decides.
    fn peek(&self, from: u32) -> Option<u32>;
    /// Takes the bit of `slot`; says whether it was set.
    fn claim(&mut self, slot: u32) -> bool;
    /// Sets the bit of a slot that the core holds, as of `now`.
    fn release(&mut self, slot: u32, now: Instant);
    /// Since when the idle `slot` has lain there; may be earlier than the truth, never later.
    fn since(&self, slot: u32) -> Instant;
    /// How many bits are set.
    fn count(&self) -> u32;
    /// Sends everyone to the desk (`true`), or lets them help themselves (`false`).
    fn attend(&mut self, attended: bool);
}

/// The simplest [`Idle`]: one word, nobody else at it. For tests, models and simulations of up to 64 slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bits {
    /// Bit *i* is set while slot *i* lies idle.
    pub idle: u64,
    /// What the core last said to [`Idle::attend`].
    pub attended: bool,
    since: Vec<Instant>,
}

impl Bits {
    /// Sets when `slot` came to lie idle, as a borrower does that gives it back at `now`.
    pub fn give_back(&mut self, slot: u32, now: Instant) {
        self.release(slot, now);
    }

    /// Takes the lowest idle slot as a borrower does that helps itself; `None` if attended or empty.
    pub fn take(&mut self) -> Option<u32> {
        let slot = self.peek(0).filter(|_| !self.attended)?;
        self.claim(slot).then_some(slot)
    }
}

impl Idle for Bits {
    fn peek(&self, from: u32) -> Option<u32> {
        let rest = if from < 64 { self.idle >> from << from } else { 0 };
        (rest != 0).then(|| rest.trailing_zeros())
    }

    fn claim(&mut self, slot: u32) -> bool {
        let was = self.idle & (1 << slot) != 0;
        self.idle &= !(1 << slot);
        was
    }

    fn release(&mut self, slot: u32, now: Instant) {
        debug_assert!(self.idle & (1 << slot) == 0, "slot {slot} came home twice");
        self.idle |= 1 << slot;
        let index = slot as usize;
        if self.since.len() <= index {
            self.since.resize(index + 1, now);
        }
        self.since[index] = now;
    }

    fn since(&self, slot: u32) -> Instant {
        self.since[slot as usize]
    }

    fn count(&self) -> u32 {
        self.idle.count_ones()
    }

    fn attend(&mut self, attended: bool) {
        self.attended = attended;
    }
}
