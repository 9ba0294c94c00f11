//! When a lane is overloaded: what is seen of its queue, judged interval by interval.
//!
//! *Invariant:* where there is a policy, the timer `Overload` runs while anybody waits, or a lane is overloaded.

use std::time::{Duration, Instant};

use crate::Why;
use crate::core::{Core, Mode};
use crate::notes::Note;
use crate::overload::{Overload, ShedReason};
use crate::timers::TimerKey;
use crate::waiters::{Waiter, WaiterId};

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
    pub(crate) refused: (u32, u32),
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
    pub(crate) fn is_down(&mut self, now: Instant) -> bool {
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
/// A wait harms nobody if it is at most so many hundredths of the caller's patience. At 40, four resources at nine tenths of
/// capacity shed 4 % in the worst of 40 runs, at 50 the slowest of those that are served at half as much again as capacity
/// take more than half of their patience (`millpond-sim experiments E1 E2e`).
const PATIENCE: u32 = 45;
/// A burst may take so many times the patience of its callers to drain; the first interval sees but a part of its pace. With one,
/// a burst that fills four fifths of the patience is cut beside a load of half the capacity; with four, half as much again as
/// capacity passes for a burst at times, and waits get too long (`millpond-sim experiments E2e batch`).
const BURST: u128 = 2;
/// After so many intervals in which nobody had to be refused, less those in which somebody had, a lane is no longer
/// overloaded.
const RELIEF: u32 = 2;
/// Nor is it if nobody waits for two fifths of the time: at capacity or above it is less, below it is more.
const EASED: (u32, u32) = (2, 5);
/// What has piled up in an outage may take so many times as long to drain: at four fifths of capacity it does.
const BACKLOG: u32 = 4;
