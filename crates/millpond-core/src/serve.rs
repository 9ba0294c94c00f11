//! What follows from the state as a whole: who is served, what is closed, what is created, and whether callers may help
//! themselves. Runs after every input, so no input needs to think of the others.

use std::time::{Duration, Instant};

use crate::config::Config;
use crate::core::{Core, Mode};
use crate::io::{Action, Idle, Job, Why};
use crate::notes::{CloseReason, Note};
use crate::phases::Phase;
use crate::slots::{Slot, State};
use crate::timers::TimerKey;
use crate::waiters::Standing;

/// What an idle resource is good for.
pub(crate) enum Vetted {
    /// May be lent.
    Fit,
    /// May be lent once it was checked.
    Unchecked,
    /// May be lent once it was checked, and nobody need ask for it first.
    Suspect,
    /// Must be closed.
    Outdated,
}

impl Core {
    /// Brings the pool to rest: at the end no eligible waiter stands beside an idle resource, nor beside free capacity with
    /// nothing coming and no back-off running.
    pub(crate) fn settle(&mut self, now: Instant, idle: &mut impl Idle) {
        loop {
            self.shed(now, idle);
            self.serve(now, idle);
            self.refuse_hopeless(now);
            // mutate: if false {
            if self.asleep && idle.count() != self.slots.counts().live {
                // Somebody took a resource just before it was attended: not everything is home, so the tick goes on.
                self.wake(now);
            }
            let attended = self.needs_attention();
            if attended == self.attended {
                break;
            }
            idle.attend(attended);
            self.attended = attended;
            if !attended {
                self.note_calm();
            }
            // mutate: if true {
            if !attended {
                break;
            }
            // A bit that came home before the flag was up told nobody: look again.
        }
        self.grow(now, idle);
        self.look_whether_up(now);
        if self.waiters.waiting() > 0 {
            self.watch_queues(now);
        }
        self.phases.enter(self.phase(), now);
        let waited_for = self.waiters.waiting() > 0 && self.mode == Mode::Open;
        let out = waited_for.then(|| self.slots.open().saturating_sub(idle.count()));
        self.holds.watch(out, now);
        if self.mode == Mode::Closing && self.slots.counts().charged() == 0 {
            self.mode = Mode::Drained;
            self.act(Action::Drained);
            self.note(Note::Drained);
        }
    }

    /// Whether callers must come to the desk. The one predicate behind the shelves' flag.
    fn needs_attention(&self) -> bool {
        // mutate: false
        self.mode != Mode::Open
            // mutate:
            || self.waiters.waiting() > 0
            // mutate:
            || self.is_over_size()
            // mutate:
            || self.asleep
            // mutate:
            || !self.driver
            || !self.config.self_service
    }

    /// Whether there are more resources than there may be, those on their way out not counted.
    pub(crate) fn is_over_size(&self) -> bool {
        let counts = self.slots.counts();
        counts.charged() - counts.closing > self.config.max_size
    }

    /// Closes idle resources that the pool is too small for, or too closed.
    fn shed(&mut self, now: Instant, idle: &mut impl Idle) {
        let mut from = 0;
        while self.is_closing() || self.is_over_size() {
            let Some(index) = idle.peek(from) else { return };
            from = index + 1;
            // mutate: if { idle.claim(index); true } {
            if idle.claim(index) {
                self.start(index, Job::Close, now);
            }
        }
    }

    /// Offers idle resources to those who wait, first come first served; has idle ones checked if only that helps.
    pub(crate) fn serve(&mut self, now: Instant, idle: &mut impl Idle) {
        if self.mode != Mode::Open {
            return;
        }
        while self.waiters.waiting() > 0 {
            let Some(index) = self.take_fit(now, idle) else { return };
            // Only now: who is refused when its turn comes has shown how long that takes.
            match self.next_in_line(now) {
                Some(id) => self.offer(id, index, now),
                None => idle.release(index, idle.since(index)),
            }
        }
    }

    /// An idle resource for a caller that stands at the desk, unless others came first.
    pub(crate) fn take_for_caller(&mut self, now: Instant, idle: &mut impl Idle) -> Option<u32> {
        if self.mode != Mode::Open || self.waiters.waiting() > 0 {
            return None;
        }
        // Counts as demand for the check that its resource may need.
        self.unasked = 1;
        let taken = self.take_fit(now, idle);
        self.unasked = 0;
        taken
    }

    /// Takes the first idle resource that may be lent. On the way, closes what is outdated; if there is none, starts as many
    /// checks as there are callers to profit.
    fn take_fit(&mut self, now: Instant, idle: &mut impl Idle) -> Option<u32> {
        let mut from = 0;
        while let Some(index) = idle.peek(from) {
            from = index + 1;
            match self.vet(index, now, idle) {
                // mutate: Vetted::Fit if { idle.claim(index); true } => return Some(index),
                Vetted::Fit if idle.claim(index) => return Some(index),
                // mutate: Vetted::Outdated if { idle.claim(index); true } => self.start(index, Job::Close, now),
                Vetted::Outdated if idle.claim(index) => self.start(index, Job::Close, now),
                _ => {}
            }
        }
        from = 0;
        while self.slots.checks_counted_on() < self.waiters.waiting() + self.unasked {
            let index = idle.peek(from)?;
            from = index + 1;
            // mutate: if { idle.claim(index); true } {
            if idle.claim(index) {
                match self.vet(index, now, idle) {
                    // It came home between the two looks.
                    // mutate-lines 2: Vetted::Fit | Vetted::Unchecked | Vetted::Suspect => {
                    Vetted::Fit => return Some(index),
                    Vetted::Unchecked | Vetted::Suspect => {
                        self.check(index, false, idle.since(index), now);
                    }
                    Vetted::Outdated => self.start(index, Job::Close, now),
                }
            }
        }
        None
    }

    pub(crate) fn vet(&self, index: u32, now: Instant, idle: &impl Idle) -> Vetted {
        let slot = self.slots.get(index);
        let unseen = now.saturating_duration_since(slot.unseen(idle.since(index)));
        if self.is_outdated(index, now) {
            Vetted::Outdated
        } else if slot.suspect {
            Vetted::Suspect
        } else if unseen >= self.config.check_after_idle {
            Vetted::Unchecked
        } else {
            Vetted::Fit
        }
    }

    pub(crate) fn is_outdated(&self, index: u32, now: Instant) -> bool {
        let slot = self.slots.get(index);
        slot.epoch != self.epoch || slot.retire_at.is_some_and(|at| at <= now)
    }

    /// Why a resource is to be closed that nobody complained of.
    pub(crate) fn fault(&self, index: u32, now: Instant) -> CloseReason {
        let slot = self.slots.get(index);
        if self.is_closing() {
            CloseReason::PoolClosed
        } else if slot.epoch != self.epoch {
            CloseReason::Retired
        } else if slot.retire_at.is_some_and(|at| at <= now) {
            if slot.retired { CloseReason::Retired } else { CloseReason::TooOld }
        } else if self.is_over_size() {
            CloseReason::OverSize
        } else {
            CloseReason::Idle
        }
    }

    /// Whether a resource that comes home is to be closed, fit or not.
    pub(crate) fn is_unwanted(&self, index: u32, now: Instant) -> bool {
        self.is_closing() || self.is_over_size() || self.is_outdated(index, now)
    }

    /// A resource that may be lent is in the core's hands: it goes to the first in the queue, or lies idle as it has `since`
    /// then.
    pub(crate) fn place(&mut self, index: u32, since: Instant, now: Instant, idle: &mut impl Idle) {
        self.untie(index);
        if self.is_unwanted(index, now) {
            return self.start(index, Job::Close, now);
        }
        if self.slots.get(index).suspect {
            return self.check(index, false, since, now);
        }
        match self.next_to_offer(now) {
            Some(id) => self.offer(id, index, now),
            None => {
                self.slots.enter(index, State::Live);
                idle.release(index, since);
            }
        }
    }

    /// Who gets what comes home now.
    pub(crate) fn next_to_offer(&mut self, now: Instant) -> Option<crate::WaiterId> {
        if self.mode == Mode::Open { self.next_in_line(now) } else { None }
    }

    /// Sets a resource aside for a waiter, which has the claim window to come for it.
    pub(crate) fn offer(&mut self, id: crate::WaiterId, index: u32, now: Instant) {
        self.note_served(id, now);
        self.tie(index, self.waiters.get(id).lane);
        self.slots.enter(index, State::Offered);
        self.waiters.set(id, Standing::Offered(index));
        self.waiters.get_mut(id).offered_at = now;
        let window = self.lapses.shortened(self.config.claim_window);
        self.set_timer(TimerKey::Offer(id.index()), now, window);
        self.act(Action::Wake(id));
    }

    /// Tells those for whom only a creation could do anything, while creating is known not to work.
    fn refuse_hopeless(&mut self, now: Instant) {
        let counts = self.slots.counts();
        let tripped = self.backoff.is_tripped();
        let others = counts.live + counts.offered + counts.checking + counts.resetting;
        // A probe behind a tripped breaker is for the next caller to profit from, not for this one to wait for.
        let coming = others + if tripped { 0 } else { self.slots.opening() };
        if self.mode == Mode::Open
            && self.backoff.is_hopeless()
            && coming == 0
            && self.waiters.waiting() > 0
        {
            self.refuse_all(Why::CreateFailed, now);
            self.unasked = 1;
        }
    }

    /// The tick: falls asleep if everything that is open lies idle and nothing is under way.
    pub(crate) fn tick(&mut self, now: Instant, idle: &impl Idle) {
        if self.is_closing() && !self.config.leases_watched {
            // Nobody helps himself any more, so nobody asks for the time.
            return;
        }
        let counts = self.slots.counts();
        let quiet = self.waiters.waiting() == 0
            && counts.charged() == counts.live
            && idle.count() == counts.live;
        if quiet {
            self.asleep = true;
        } else {
            self.set_timer(TimerKey::Tick, now, self.config.tick);
        }
    }

    fn wake(&mut self, now: Instant) {
        self.asleep = false;
        self.set_timer(TimerKey::Tick, now, self.config.tick);
    }

    /// Closes idle resources that are too old or have lain idle too long, has those checked that nobody has seen work for long,
    /// and sets the time for the next look.
    pub(crate) fn sweep(&mut self, now: Instant, idle: &mut impl Idle) {
        let mut fresh = self.fresh_idle(now, idle);
        let mut from = 0;
        while let Some(index) = idle.peek(from) {
            from = index + 1;
            // mutate: if self.is_expired(index, fresh, now, idle) && { idle.claim(index); true } {
            if self.is_expired(index, fresh, now, idle) && idle.claim(index) {
                // mutate: if true {
                if self.is_expired(index, fresh, now, idle) {
                    fresh -= u32::from(!self.is_ageing(index, now)).min(fresh);
                    self.start(index, Job::Close, now);
                } else {
                    // It was lent and came back between the look and the claim.
                    idle.release(index, idle.since(index));
                }
            }
        }
        self.keep_alive(now, idle);
        for index in self.slots.indices() {
            if self.slots.get(index).state.is_open() {
                // What does not lie idle will do so from now on at the earliest, and what was kept may go when that does.
                let lies_idle = idle.peek(index) == Some(index);
                let rests = lies_idle && !self.is_idle_out(index, now, idle);
                let since = if rests { idle.since(index) } else { now };
                self.schedule_sweep(index, since, now);
                if lies_idle {
                    self.look_by(self.unseen_at(index, idle.since(index)), now);
                }
            }
        }
    }

    /// Whether an idle resource is to be closed, where so many others and itself are `fresh`: if it is too old, or if it has
    /// lain idle for too long and enough others do.
    fn is_expired(&self, index: u32, fresh: u32, now: Instant, idle: &impl Idle) -> bool {
        let others = fresh.saturating_sub(u32::from(!self.is_ageing(index, now)));
        let spare = others >= self.min_idle() && self.is_idle_out(index, now, idle);
        spare || self.is_outdated(index, now)
    }

    fn is_idle_out(&self, index: u32, now: Instant, idle: &impl Idle) -> bool {
        now.saturating_duration_since(idle.since(index)) >= self.config.idle_timeout
    }

    /// Makes sure that a look comes when this resource, at rest `since` then, may be due; but not in a rush, because what is
    /// lent may be overdue already.
    pub(crate) fn schedule_sweep(&mut self, index: u32, since: Instant, now: Instant) {
        // What is kept in any case is not waited for.
        let spare = self.slots.open() > self.min_idle();
        let idle_out = since.checked_add(self.config.idle_timeout).filter(|_| spare);
        let ages_at = self.ages_at(index).filter(|at| *at > now);
        let Slot { retire_at, retired, .. } = *self.slots.get(index);
        // The moments that were drawn for a spread are kept: that each comes by itself is what the spread is for.
        if let Some(at) = retire_at.filter(|at| retired && *at > now) {
            self.timers.set_earlier(TimerKey::Sweep, at);
        }
        let due = [idle_out, ages_at, retire_at, self.unseen_at(index, since)];
        self.look_by(due.into_iter().flatten().min(), now);
    }

    fn look_by(&mut self, due: Option<Instant>, now: Instant) {
        if let Some(due) = due {
            self.timers.set_earlier(TimerKey::Sweep, due.max(now + self.look_interval()));
        }
    }

    /// How far apart looks for what is overdue are at least.
    pub(crate) fn look_interval(&self) -> Duration {
        let Config { idle_timeout, max_lifetime, keepalive, .. } = self.config;
        let window = idle_timeout.min(max_lifetime).min(keepalive);
        (window / 16).clamp(SWEEP_SHORTEST, SWEEP_LONGEST)
    }

    /// Closes what lies idle and must not be lent again.
    pub(crate) fn close_outdated(&mut self, now: Instant, idle: &mut impl Idle) {
        let mut from = 0;
        while let Some(index) = idle.peek(from) {
            from = index + 1;
            // mutate: if self.is_outdated(index, now) && { idle.claim(index); true } {
            if self.is_outdated(index, now) && idle.claim(index) {
                self.start(index, Job::Close, now);
            }
        }
    }

    /// What those who wait are waiting for.
    fn phase(&self) -> Option<Phase> {
        let counts = self.slots.counts();
        if self.waiters.waiting() == 0 {
            None
        } else if self.mode == Mode::Paused {
            Some(Phase::Paused)
        } else if counts.creating > 0 {
            Some(Phase::Creating)
        } else if self.backoff.is_running() && counts.charged() < self.config.max_size {
            Some(Phase::BackingOff)
        } else if counts.checking > 0 {
            Some(Phase::Checking)
        } else if counts.live + counts.offered == 0 && counts.charged() > 0 {
            Some(Phase::Clearing)
        } else {
            Some(Phase::Exhausted)
        }
    }
}

/// How far apart looks for overdue resources are: a sixteenth of the shortest window, so that a pool whose overdue
/// resources are all lent does not look all the time, but within these.
const SWEEP_SHORTEST: Duration = Duration::from_millis(1);
const SWEEP_LONGEST: Duration = Duration::from_secs(30);
