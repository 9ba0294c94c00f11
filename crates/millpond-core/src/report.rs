//! Read-only views of the core: how many of what, now and since the beginning.

use std::time::{Duration, Instant};

use crate::ShedReason;
use crate::core::Core;

/// How many resources are in which state, and how many callers wait. A snapshot, consistent in itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// The greatest number of resources there may be.
    pub max: u32,
    /// Open: idle, or lent without the core having been asked.
    pub live: u32,
    /// Set aside for a waiter that has not come for it yet.
    pub offered: u32,
    /// Being opened.
    pub creating: u32,
    /// Being checked.
    pub checking: u32,
    /// Being cleaned.
    pub resetting: u32,
    /// Being closed.
    pub closing: u32,
    /// Jobs that outlived their deadline and are still not over. They take no place, unless they are too many (`stuck`).
    pub abandoned: u32,
    /// Places taken by jobs that outlived their deadline while as many others as `max` had done so already.
    pub stuck: u32,
    /// Queued callers.
    pub waiting: u32,
    /// Since when the oldest of them has waited.
    pub oldest_wait: Option<Instant>,
}

impl Counts {
    /// All places taken: what `max` bounds.
    #[must_use]
    pub fn charged(&self) -> u32 {
        self.live
            + self.offered
            + self.creating
            + self.checking
            + self.resetting
            + self.closing
            + self.stuck
    }
}

/// What happened since the pool was built. Self-service does not pass here, so hand-overs are not among it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Totals {
    /// Resources opened.
    pub created: u64,
    /// Resources opened elsewhere and added.
    pub added: u64,
    /// Creations that failed, timed out or panicked.
    pub create_failed: u64,
    /// Resources found unfit by a check, a failed or late one included.
    pub check_failed: u64,
    /// Resources closed, or dropped because a job of theirs was abandoned.
    pub closed: u64,
    /// Resources that their borrowers kept.
    pub detached: u64,
    /// Jobs that outlived their deadline.
    pub abandoned: u64,
    /// Callers that had to queue.
    pub queued: u64,
    /// Callers refused because their deadline passed.
    pub timed_out: u64,
    /// Callers refused because too many waited.
    pub too_many_waiters: u64,
    /// Callers refused on arrival, because the queue did not drain ([`ShedReason::Overloaded`]).
    pub shed_overloaded: u64,
    /// Callers refused after they had waited too long in such a queue ([`ShedReason::WaitedTooLong`]).
    pub shed_waited_too_long: u64,
    /// Callers refused on arrival, because their turn would have come too late ([`ShedReason::PredictedTooLate`]).
    pub shed_predicted_too_late: u64,
    /// Callers refused when their turn came, because too little time was left ([`ShedReason::DeadlineTooClose`]).
    pub shed_deadline_too_close: u64,
    /// Callers refused because creating failed.
    pub create_refused: u64,
    /// Callers refused because the pool was closing.
    pub closed_refused: u64,
    /// Queued callers that went away by themselves.
    pub cancelled: u64,
    /// Offers taken back because the waiter did not come for them.
    pub revoked: u64,
}

impl Totals {
    /// Callers refused for any [`ShedReason`].
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shed_overloaded
            + self.shed_waited_too_long
            + self.shed_predicted_too_late
            + self.shed_deadline_too_close
    }

    pub(crate) fn count_shed(&mut self, reason: ShedReason) {
        *match reason {
            ShedReason::Overloaded => &mut self.shed_overloaded,
            ShedReason::WaitedTooLong => &mut self.shed_waited_too_long,
            ShedReason::PredictedTooLate => &mut self.shed_predicted_too_late,
            ShedReason::DeadlineTooClose => &mut self.shed_deadline_too_close,
        } += 1;
    }
}

/// One lane at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LaneCounts {
    /// How many of its callers may wait.
    pub max_waiters: u32,
    /// Its queued callers.
    pub waiting: u32,
    /// Since when the oldest of them has waited.
    pub oldest_wait: Option<Instant>,
    /// Since when its queue has not drained, so that callers are shed; `None` while it does.
    pub overloaded_since: Option<Instant>,
    /// How many of its callers had to queue since the pool was built.
    pub queued: u64,
    /// How many of its callers were refused since the pool was built, for any reason that [`Totals`] counts.
    pub refused: u64,
}

/// How long resources are held, as seen while callers waited.
///
/// # Examples
///
/// ```
/// # use millpond_core as millpond;
/// use millpond::Hold;
///
/// /// How many leases in a second so many resources are good for.
/// fn capacity(hold: Hold, resources: usize) -> f64 {
///     resources as f64 / hold.mean.as_secs_f64()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Hold {
    /// The mean of late, from one hand-over of a resource to the next.
    pub mean: Duration,
    /// What nine of ten leases of late did not exceed.
    pub p90: Duration,
}

impl Core {
    /// How many of what there are now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.slots.counts();
        counts.max = self.config.max_size;
        counts.abandoned = self.abandoned;
        counts.waiting = self.waiters.waiting();
        let fronts = self.waiters.lanes().filter_map(|lane| self.waiters.front(lane));
        counts.oldest_wait = fronts.map(|id| self.waiters.get(id).since).min();
        counts
    }

    /// How long resources are held; `None` before anybody had to wait for one to come home.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        self.holds.get()
    }

    /// What happened so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }
}
