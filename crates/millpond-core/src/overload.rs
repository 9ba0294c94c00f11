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
use crate::core::{Core, Mode};
use crate::hold::from_nanos;
use crate::io::Request;
use crate::notes::Note;
use crate::timers::TimerKey;
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

/// What was seen of a lane in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    /// Somebody was served within the target, or nobody had to wait.
    pub(crate) prompt: bool,
    /// How many of those who waited were served, and half of what this was at the end of the interval before.
    pub(crate) served: u32,
    /// How many went away unserved, or were refused, though not for the sake of others; likewise.
    pub(crate) harmed: u32,
    /// Somebody was refused, for whatever reason.
    pub(crate) refused: bool,
    /// How many waited when the queue was longest.
    pub(crate) longest: u32,
}

impl Look {
    /// Whether so many were harmed that it is no longer their own hurry.
    pub(crate) fn is_harmful(&self) -> bool {
        self.harmed > 0 && self.harmed.saturating_mul(HASTY) >= self.served
    }

    /// What is left of it in the next interval: a few in one say little about those who come.
    fn faded(self) -> Self {
        Self { served: self.served / 2, harmed: self.harmed / 2, ..Self::default() }
    }

    /// Takes it that one is as good as many, where all are few.
    #[cfg(test)]
    pub(crate) fn assume_few(&mut self) {
        (self.served, self.harmed) = (self.served.min(1), self.harmed.min(1));
    }
}

/// What is known of the pool as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Strain {
    /// When the present interval began, and for how long nobody had waited before, all in all.
    interval: Option<(Instant, Duration)>,
    /// How many were refused in the present interval and in the last.
    refused: (u32, u32),
    /// Since when nobody, or hardly anybody, can be served: the pool is paused, or has to be filled first.
    down_since: Option<Instant>,
    /// Until when the backlog of such a time is not taken for overload.
    lenient_until: Option<Instant>,
}

impl Strain {
    /// What later decisions depend on, where no time passes.
    #[cfg(test)]
    pub(crate) fn canonical(&self) -> (bool, bool) {
        (self.refused.0 > 0, self.down_since.is_some())
    }

    /// Takes it that the present interval has lasted for a moment, where no time passes.
    #[cfg(test)]
    pub(crate) fn assume_some_time(&mut self) {
        if let Some((began, _)) = &mut self.interval {
            *began -= Duration::from_nanos(1);
        }
    }
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

    /// A caller begins to wait.
    pub(crate) fn note_queued(&mut self, lane: u32) {
        let waiting = self.waiters.waiting_in(lane);
        let state = &mut self.lanes[lane as usize];
        state.queued += 1;
        state.look.longest = state.look.longest.max(waiting);
    }

    /// A caller that waited is served.
    pub(crate) fn note_served(&mut self, id: WaiterId, now: Instant) {
        let waiter = self.waiters.get(id);
        let prompt = self.is_prompt(waiter, now);
        let look = &mut self.lanes[waiter.lane as usize].look;
        look.prompt |= prompt;
        look.served = look.served.saturating_add(1);
    }

    /// A caller goes away that was neither served nor refused.
    pub(crate) fn note_left(&mut self, id: WaiterId, now: Instant) {
        let waiter = self.waiters.get(id);
        let prompt = self.is_prompt(waiter, now);
        let look = &mut self.lanes[waiter.lane as usize].look;
        look.harmed = look.harmed.saturating_add(u32::from(!prompt));
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

    /// Somebody waits, or may not: from now on intervals are counted.
    pub(crate) fn watch_queues(&mut self, now: Instant) {
        if self.sheds() && self.timers.get(TimerKey::Overload).is_none() {
            for lane in &mut self.lanes {
                lane.look = Look::default();
            }
            self.begin_interval(now);
        }
    }

    /// Nobody waits any more, and callers help themselves.
    pub(crate) fn note_calm(&mut self) {
        for lane in &mut self.lanes {
            lane.look.prompt = true;
        }
    }

    /// Sees whether a time is over in which hardly anybody could be served.
    pub(crate) fn look_whether_up(&mut self, now: Instant) {
        if self.strain.down_since.is_some() {
            self.is_down(now);
        }
    }

    /// An interval is over.
    pub(crate) fn end_interval(&mut self, now: Instant) {
        let lenient = self.is_lenient(now);
        let eased = self.is_eased(now);
        for lane in self.waiters.lanes() {
            let state = &self.lanes[lane as usize];
            let Look { prompt, refused, .. } = state.look;
            let front = self.waiters.front(lane).map(|id| self.waiters.get(id));
            // Where nobody was served, whoever is first has waited for that long at least.
            let prompt = prompt || front.is_none_or(|front| self.is_prompt(front, now));
            let harmed =
                state.look.is_harmful() || front.is_some_and(|front| self.is_trying(front, now));
            let relief = match state.overloaded_since {
                None => 0,
                Some(_) if !refused || eased => state.relief + 1,
                Some(_) => state.relief.saturating_sub(1),
            };
            let overloaded = match state.overloaded_since {
                _ if lenient => false,
                Some(_) => relief < RELIEF,
                None => !prompt && harmed,
            };
            self.lanes[lane as usize].relief = if overloaded { relief } else { 0 };
            self.turn_overloaded(lane, overloaded, now);
        }
        self.strain.refused = (0, self.strain.refused.0);
        if self.waiters.waiting() > 0
            || self.strain.refused.1 > 0
            || self.lanes.iter().any(|lane| lane.overloaded_since.is_some())
        {
            self.begin_interval(now);
        }
        // Where nothing comes home, nobody would be told otherwise.
        for lane in self.waiters.lanes() {
            while let Some(id) = self.waiters.front(lane).filter(|id| self.is_stale(*id, now)) {
                self.refuse(id, Why::Shed(ShedReason::WaitedTooLong), 0, now);
            }
        }
    }

    fn begin_interval(&mut self, now: Instant) {
        let fronts = self.waiters.lanes().filter_map(|lane| self.waiters.front(lane));
        let target = fronts.map(|id| self.target(self.waiters.get(id).patience)).min();
        let target = target.unwrap_or_else(|| self.target(Duration::MAX));
        for lane in self.waiters.lanes() {
            let look = &mut self.lanes[lane as usize].look;
            *look = Look { longest: self.waiters.waiting_in(lane), ..look.faded() };
        }
        self.strain.interval = Some((now, self.holds.calm(now)));
        let length = target.saturating_mul(TARGETS).clamp(INTERVAL, LONGEST_INTERVAL);
        self.set_timer(TimerKey::Overload, now, length);
    }

    /// Whether nobody waited for a good part of the interval: who was refused met a burst, for which there was no room.
    fn is_eased(&self, now: Instant) -> bool {
        self.strain.interval.is_some_and(|(began, calm)| {
            let calm = self.holds.calm(now).saturating_sub(calm);
            let passed = now.saturating_duration_since(began);
            calm.saturating_mul(EASED.1) >= passed.saturating_mul(EASED.0)
        })
    }

    fn turn_overloaded(&mut self, lane: u32, overloaded: bool, now: Instant) {
        let since = &mut self.lanes[lane as usize].overloaded_since;
        match *since {
            None if overloaded => {
                *since = Some(now);
                let waiting = self.waiters.waiting_in(lane);
                self.note(Note::Overloaded { lane, waiting });
            }
            Some(began) if !overloaded => {
                *since = None;
                let lasted = now.saturating_duration_since(began);
                self.note(Note::Relieved { lane, lasted });
            }
            _ => {}
        }
    }

    /// Whether a long wait is no sign of overload at present: it is known what everybody waits for, or waited for.
    fn is_lenient(&mut self, now: Instant) -> bool {
        if self.is_down(now) {
            return true;
        }
        let drains =
            |lane: u32| self.lanes[lane as usize].look.prompt || self.waiters.waiting_in(lane) == 0;
        let drained = self.waiters.lanes().all(drains);
        self.strain.lenient_until =
            self.strain.lenient_until.filter(|until| now < *until && !drained);
        self.strain.lenient_until.is_some() || self.holds.get().is_none()
    }

    /// Whether callers wait for the pool and not for each other. It begins when nothing is open, because creating fails or
    /// because the pool was not used of late, and lasts until half of it is.
    fn is_down(&mut self, now: Instant) -> bool {
        let open = self.slots.open();
        let empty = open == 0 && (self.backoff.is_failing() || self.holds.get().is_none());
        let filling = self.strain.down_since.is_some()
            && self.slots.opening() > 0
            && open < self.config.max_size.div_ceil(2);
        if self.mode != Mode::Open || empty || filling {
            self.strain.down_since.get_or_insert(now);
            return true;
        }
        if let Some(since) = self.strain.down_since.take() {
            // What has piled up is no older than who has waited longest: the others have given up.
            let fronts = self.waiters.lanes().filter_map(|lane| self.waiters.front(lane));
            let oldest = fronts.map(|id| self.waiters.get(id).since).min().unwrap_or(now);
            let backlog = now.saturating_duration_since(since.max(oldest));
            self.strain.lenient_until = now.checked_add(backlog.saturating_mul(BACKLOG));
        }
        false
    }

    fn sheds(&self) -> bool {
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
    fn is_stale(&self, id: WaiterId, now: Instant) -> bool {
        let waiter = self.waiters.get(id);
        let waited = now.saturating_duration_since(waiter.since);
        self.lanes[waiter.lane as usize].overloaded_since.is_some()
            && waited > self.target(waiter.patience).saturating_mul(2)
    }

    /// Whether the wait of a caller until `now` is within the target.
    fn is_prompt(&self, waiter: &Waiter, now: Instant) -> bool {
        now.saturating_duration_since(waiter.since) <= self.target(waiter.patience)
    }

    /// Whether callers as patient as the first of a lane have to expect a wait that is longer than somebody wished, or longer
    /// than a good part of their patience and not but that of a burst.
    fn is_trying(&self, front: &Waiter, now: Instant) -> bool {
        match self.config.overload {
            Overload::TargetWait(_) => true,
            _ => {
                let wait = self.time_for(self.returns_for(front.lane, 0));
                let waited = now.saturating_duration_since(front.since);
                wait.max(waited) > front.patience / 100 * PATIENCE && !self.drains_soon(front, now)
            }
        }
    }

    /// Whether a queue was a burst that few come after: if it goes on to become shorter as in this interval, it will be empty
    /// soon, as its first reckons time.
    fn drains_soon(&self, front: &Waiter, now: Instant) -> bool {
        let Some((began, _)) = self.strain.interval else { return false };
        let passed = now.saturating_duration_since(began).as_nanos();
        let waiting = self.waiters.waiting_in(front.lane);
        let gone = self.lanes[front.lane as usize].look.longest.saturating_sub(waiting);
        passed * u128::from(waiting) <= front.patience.as_nanos() * u128::from(gone) * BURST
    }

    /// How long a caller of such patience should wait at most.
    fn target(&self, patience: Duration) -> Duration {
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
    fn time_for(&self, returns: u64) -> Duration {
        let mean = self.holds.get().map_or(Duration::ZERO, |hold| hold.mean).as_nanos();
        from_nanos(mean * u128::from(returns) / u128::from(self.capacity().max(1)))
    }

    /// How many resources serve callers, or will as soon as they are open.
    pub(crate) fn capacity(&self) -> u32 {
        if self.backoff.is_failing() { self.slots.open() } else { self.config.max_size }
    }
}

/// If fewer than one in so many of those served are harmed, it is their own hurry. Where more come than can be served, and all
/// have the same patience, that is so up to a tenth above capacity.
const HASTY: u32 = 10;
/// An interval lasts so many times the target, but not less than this: what is over sooner is a burst (folly's CoDel has the
/// same). With four a stop takes longer to get over, with two a lasting overload is taken for over too often.
const TARGETS: u32 = 3;
const INTERVAL: Duration = Duration::from_millis(100);
/// Nor more than this, whatever the target: who was refused before is not refused "of late".
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// A shorter wait is never too long, unless the caller says so by its patience: it is what timers and schedulers are good for.
const TARGET: Duration = Duration::from_millis(5);
/// But never longer than one part in so many of that.
const SHARE: u32 = 5;
/// A wait harms nobody if it is at most so many hundredths of the caller's patience. At 40, four resources at nine tenths of
/// capacity shed 4 % in the worst of 40 runs, at 50 the slowest of those that are served at half as much again as capacity
/// take more than half of their patience (`millpond-sim experiments E1 E2e`).
const PATIENCE: u32 = 45;
/// A burst may take so many times the patience of its callers to drain; the first interval sees but a part of its pace. With one,
/// a burst that fills four fifths of the patience is cut beside a load of half the capacity; with four, half as much again as
/// capacity passes for a burst at times, and waits get too long (`millpond-sim experiments E1 E2 batch`).
const BURST: u128 = 2;
/// So many may wait in an overloaded lane, or one for so many resources if that is more. With fewer a resource may find nobody
/// waiting when it comes home, with more everybody waits longer for nothing.
const ROOM: u32 = 5;
const ROOM_SHARE: u32 = 2;
/// After so many intervals in which nobody had to be refused, less those in which somebody had, a lane is no longer
/// overloaded.
const RELIEF: u32 = 2;
/// Nor is it if nobody waits for two fifths of the time: at capacity or above it is less, below it is more.
const EASED: (u32, u32) = (2, 5);
/// What has piled up in an outage may take so many times as long to drain: at four fifths of capacity it does.
const BACKLOG: u32 = 4;
