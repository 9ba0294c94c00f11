//! What becomes of callers when more come than can be served: who may wait, and who is told early that waiting is no use.
//!
//! A queue that drains is good: it evens out bursts. A queue that does not drain only makes everybody late. So the wait of
//! those who are served is watched, as in Controlled Delay (Nichols, Jacobson, "Controlling Queue Delay", ACM Queue 2012;
//! for servers: Maurer, "Fail at Scale", ACM Queue 2015), with a target that follows from how long resources are held: if in
//! a whole interval nobody was served promptly, the lane is *overloaded*. Unlike there, a long wait alone is not enough:
//! some must have been left unserved, or whoever comes now must expect to wait for a good part of its patience behind a queue
//! that does not become shorter either. A batch of work that waits for its turn harms nobody, a burst passes, and one caller in a
//! hurry is no reason to refuse the patient.
//!
//! In an overloaded lane only so many may wait as keep the resources busy. The others are refused at once, which costs them
//! nothing but the answer, and who is served is served promptly. With each interval in which nobody had to be refused, or
//! hardly anybody had to wait, there is room for twice as many; after two of them it is over.
//!
//! Rejected: to bound the queue in length alone, because the right length depends on load, and a short one refuses bursts;
//! newest first, because a short queue has the same effect and keeps the order.

use std::time::{Duration, Instant};

use crate::Why;
use crate::core::Core;
use crate::hold::from_nanos;
use crate::io::Request;
use crate::waiters::{Waiter, WaiterId};

/// What becomes of callers when more come than can be served.
///
/// # Examples
///
/// ```
/// # use millpond_core as millpond;
/// use std::time::Duration;
/// use millpond::Overload;
///
/// // What users wait for should come soon or not at all; what runs at night has time.
/// fn overload(at_night: bool) -> Overload {
///     if at_night { Overload::Fifo } else { Overload::TargetWait(Duration::from_millis(50)) }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overload {
    /// While a queue does not drain, only so many may wait as keep all resources busy; the others are refused at once. How
    /// long a wait is too long follows from how long resources are held.
    #[default]
    Auto,
    /// First come, first served until each caller's own deadline.
    Fifo,
    /// As `Auto`, but a wait is too long if it is longer than this, whether or not anybody is harmed by it. More than zero; and
    /// less than the patience of callers, or whoever is served at all is served in time.
    TargetWait(Duration),
}

/// Why a caller was refused although it could have waited.
///
/// # Examples
///
/// ```
/// # use millpond_core as millpond;
/// use millpond::ShedReason;
///
/// /// Whether the caller was spared the wait.
/// fn at_once(reason: ShedReason) -> bool {
///     matches!(reason, ShedReason::Overloaded | ShedReason::PredictedTooLate)
/// }
/// ```
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

impl Core {
    /// Whether one more caller may queue.
    pub(crate) fn admit(&mut self, request: Request, now: Instant) -> Result<(), Why> {
        let waiting = self.waiters.waiting_in(request.lane);
        if waiting >= self.lanes[request.lane as usize].settings.max_waiters {
            return Err(Why::TooManyWaiters);
        }
        if !self.sheds() || self.is_down(now) {
            return Ok(());
        }
        let lane = &self.lanes[request.lane as usize];
        if lane.overloaded_since.is_some()
            && waiting >= self.room().saturating_mul(1 << lane.relief)
        {
            return Err(Why::Shed(ShedReason::Overloaded));
        }
        if self.waiters.waiting() > 0 && self.comes_too_late(request, now) {
            return Err(Why::Shed(ShedReason::PredictedTooLate));
        }
        Ok(())
    }

    /// Whether the turn of a caller that comes now will come too late for it, at the pace of late. The first in the queue is
    /// never refused for that: a pace that is not measured any more would be believed for ever.
    fn comes_too_late(&self, request: Request, now: Instant) -> bool {
        let Some(deadline) = request.deadline else { return false };
        let patience = deadline.saturating_duration_since(now);
        let lease = self.lease_within(patience, request.covers_lease);
        let wait = self.time_for(self.returns_for(request.lane, 1));
        wait.saturating_add(lease.unwrap_or_default()) > patience
    }

    /// How much of its patience a caller should have left for its lease. A lease that would not have fitted without any wait
    /// is the caller's own affair.
    fn lease_within(&self, patience: Duration, covers_lease: bool) -> Option<Duration> {
        let hold = self.holds.get().filter(|_| covers_lease)?;
        Some(hold.p90).filter(|lease| *lease <= patience)
    }

    /// Who is served next; those for whom that comes too late are refused on the way.
    pub(crate) fn next_in_line(&mut self, now: Instant) -> Option<WaiterId> {
        loop {
            let id = self.first_in_line()?;
            let Some(reason) = self.too_late(id, now) else { return Some(id) };
            self.refuse(id, Why::Shed(reason), 0, now);
        }
    }

    /// A caller of a lane is refused; says when asking again may help.
    pub(crate) fn note_refused(
        &mut self,
        lane: u32,
        why: Why,
        waited: Duration,
        now: Instant,
    ) -> Duration {
        let state = &mut self.lanes[lane as usize];
        state.refused += 1;
        if !self.sheds() {
            return Duration::ZERO;
        }
        let harmed = match why {
            // Who would not wait at all is harmed by no queue.
            Why::Deadline if waited.is_zero() => return Duration::ZERO,
            Why::Deadline | Why::TooManyWaiters | Why::Shed(ShedReason::PredictedTooLate) => true,
            Why::Shed(_) => false,
            _ => return Duration::ZERO,
        };
        self.watch_queues(now);
        let look = &mut self.lanes[lane as usize].look;
        look.harmed = look.harmed.saturating_add(u32::from(harmed));
        look.refused = true;
        self.strain.refused.0 = self.strain.refused.0.saturating_add(1);
        if why == Why::Deadline {
            return Duration::ZERO;
        }
        // If all came back who were refused of late, it would take this long to serve them.
        let (present, last) = self.strain.refused;
        let callers = u64::from(self.waiters.waiting()) + u64::from(present) + u64::from(last);
        let time = self.time_for(callers);
        time.saturating_add(self.backoff.up_to(time))
    }

    pub(crate) fn sheds(&self) -> bool {
        self.config.overload != Overload::Fifo
    }

    /// Why a caller that is about to be served should not be.
    fn too_late(&mut self, id: WaiterId, now: Instant) -> Option<ShedReason> {
        if !self.sheds() || self.is_down(now) {
            return None;
        }
        if self.is_stale(id, now) {
            return Some(ShedReason::WaitedTooLong);
        }
        let waiter = self.waiters.get(id);
        let lease = self.lease_within(waiter.patience, waiter.covers_lease)?;
        let left = waiter.patience.saturating_sub(now.saturating_duration_since(waiter.since));
        (left < lease).then_some(ShedReason::DeadlineTooClose)
    }

    /// Whether a caller has waited for too long in an overloaded lane.
    pub(crate) fn is_stale(&self, id: WaiterId, now: Instant) -> bool {
        let waiter = self.waiters.get(id);
        let waited = now.saturating_duration_since(waiter.since);
        self.lanes[waiter.lane as usize].overloaded_since.is_some()
            && waited > self.target(waiter.patience).saturating_mul(2)
    }

    /// Whether the wait of a caller until `now` is within the target.
    pub(crate) fn is_prompt(&self, waiter: &Waiter, now: Instant) -> bool {
        now.saturating_duration_since(waiter.since) <= self.target(waiter.patience)
    }

    /// How long a caller of such patience should wait at most.
    pub(crate) fn target(&self, patience: Duration) -> Duration {
        match self.config.overload {
            Overload::TargetWait(target) => target,
            _ => {
                let mean = self.holds.get().map_or(Duration::ZERO, |hold| hold.mean);
                mean.max(TARGET).min(patience / SHARE)
            }
        }
    }

    /// How many may wait in an overloaded lane: as many as keep the resources busy.
    fn room(&self) -> u32 {
        match (self.config.overload, self.holds.get()) {
            (Overload::TargetWait(target), Some(hold)) => {
                let waits = target.as_nanos() * u128::from(self.capacity());
                u32::try_from(waits / hold.mean.as_nanos().max(1)).unwrap_or(u32::MAX).max(1)
            }
            _ => (self.capacity() / ROOM_SHARE).max(ROOM),
        }
    }

    /// How long it takes until so many resources have come home.
    pub(crate) fn time_for(&self, returns: u64) -> Duration {
        let mean = self.holds.get().map_or(Duration::ZERO, |hold| hold.mean).as_nanos();
        from_nanos(mean * u128::from(returns) / u128::from(self.capacity().max(1)))
    }

    /// How many resources serve callers, or will as soon as they are open.
    pub(crate) fn capacity(&self) -> u32 {
        if self.backoff.is_failing() { self.slots.open() } else { self.config.max_size }
    }
}

/// A shorter wait is never too long, unless the caller says so by its patience: it is what timers and schedulers are good for.
const TARGET: Duration = Duration::from_millis(5);
/// But never longer than one part in so many of that.
const SHARE: u32 = 5;
/// So many may wait in an overloaded lane, or one for so many resources if that is more. With fewer a resource may find nobody
/// waiting when it comes home, with more everybody waits longer for nothing.
const ROOM: u32 = 5;
const ROOM_SHARE: u32 = 2;
