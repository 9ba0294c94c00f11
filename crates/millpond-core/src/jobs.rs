//! What is done to resources: how one comes back, how a job begins, ends, or is given up.

use std::time::{Duration, Instant};

use crate::core::{Core, Mode};
use crate::io::{Action, GiveBack, Idle, Job, Outcome, Refusal, Why};
use crate::notes::{CloseReason, Note, blame_of};
use crate::phases::Phases;
use crate::serve::Vetted;
use crate::slots::{Slot, SlotId, State};
use crate::timers::TimerKey;

impl Core {
    pub(crate) fn give_back(
        &mut self,
        index: u32,
        how: GiveBack,
        now: Instant,
        idle: &mut impl Idle,
    ) {
        debug_assert!(self.slots.get(index).state == State::Live, "slot {index} is not lent");
        self.untie(index);
        let began = self.slots.get_mut(index).lent.take();
        self.holds.returned(began, now);
        if matches!(how, GiveBack::Unused | GiveBack::Reset) {
            self.pace.returned();
        }
        match how {
            GiveBack::Unused | GiveBack::Reset if self.is_unwanted(index, now) => {
                self.start(index, Job::Close, now);
            }
            GiveBack::Unused => match self.vet(index, now, idle) {
                Vetted::Suspect => self.check(index, false, idle.since(index), now),
                vetted => match self.next_to_offer(now) {
                    // What `settle` would come to, without the way through the bits.
                    Some(id) if matches!(vetted, Vetted::Fit) => self.offer(id, index, now),
                    _ => {
                        let since = idle.since(index);
                        idle.release(index, since);
                        // The last look may have missed it.
                        self.schedule_sweep(index, since, now);
                    }
                },
            },
            GiveBack::Reset => self.start(index, Job::Reset, now),
            GiveBack::Discard => {
                self.blame(index, CloseReason::Discarded);
                self.start(index, Job::Close, now);
            }
            GiveBack::Detached => {
                self.totals.detached += 1;
                self.note(Note::Detached { slot: self.slots.id(index) });
                self.slots.enter(index, State::Vacant);
            }
        }
    }

    /// Charges a place for a resource that somebody else has opened.
    pub(crate) fn add(&mut self, now: Instant) {
        let why = if self.is_closing() {
            Why::Closed
        } else if self.slots.counts().charged() >= self.config.max_size {
            Why::Full
        } else {
            let id = self.occupy(true, now);
            return self.act(Action::Adopt(id));
        };
        let (waited, phases, retry_after) = (Duration::ZERO, Phases::default(), Duration::ZERO);
        self.act(Action::Refuse(Refusal { why, ahead: 0, waited, phases, retry_after }));
    }

    pub(crate) fn begin(&mut self, id: SlotId, now: Instant, idle: &impl Idle) {
        if !self.expects(id) {
            return;
        }
        if let State::Creating { unasked } = self.slots.get(id.index()).state {
            // Demand may have gone since: a waiter takes whatever comes first, a return or a creation.
            let wanted = unasked
                || self.slots.coming() <= self.waiters.waiting()
                || self.idle_to_be(now, idle) <= self.min_idle();
            // What is still closing counts here: it and the new one would be open at the same time.
            let in_debt = self.slots.counts().charged() > self.config.max_size;
            if self.mode != Mode::Open || in_debt || !wanted {
                return;
            }
            let slot = self.slots.get_mut(id.index());
            (slot.began, slot.epoch) = (now, self.epoch);
            (slot.begun, slot.suspect) = (true, false);
        }
        self.act(Action::Proceed(id));
    }

    pub(crate) fn ended(
        &mut self,
        id: SlotId,
        outcome: Outcome,
        now: Instant,
        idle: &mut impl Idle,
    ) {
        let index = id.index();
        if !self.slots.is_current(id) {
            self.abandoned -= 1;
            return;
        }
        self.timers.clear(TimerKey::Job(index));
        let slot = self.slots.get(index);
        let began = slot.began;
        match (slot.state, outcome) {
            (State::Creating { .. }, Outcome::Created) => {
                self.backoff.succeed();
                self.pace.created(now.saturating_duration_since(began));
                self.timers.clear(TimerKey::Backoff);
                self.totals.created += 1;
                self.note(Note::Created { slot: id, took: now - began });
                self.place(index, now, now, idle);
                self.schedule_sweep(index, now, now);
            }
            (State::Creating { .. }, Outcome::Added) => {
                self.totals.added += 1;
                self.note(Note::Added { slot: id });
                self.place(index, now, now, idle);
                self.schedule_sweep(index, now, now);
            }
            (State::Creating { .. }, Outcome::CreateFailed { transient }) => {
                self.slots.enter(index, State::Vacant);
                self.create_failed(id, transient, false, now);
            }
            (State::Void, Outcome::Created) => {
                self.totals.created += 1;
                self.note(Note::Created { slot: id, took: now - began });
                self.start(index, Job::Close, now);
            }
            // What the last epoch's server or credentials came to says nothing about the present ones.
            (State::Void, Outcome::CreateFailed { transient }) => {
                self.count_create_failed(id, transient, false, Duration::ZERO, now);
                self.slots.enter(index, State::Vacant);
            }
            (State::Checking { .. }, Outcome::Fit) => {
                let slot = self.slots.get_mut(index);
                slot.proved = Some(now);
                let since = slot.since;
                self.place(index, since, now, idle);
                // The last look may have missed it.
                self.schedule_sweep(index, since, now);
            }
            (State::Resetting, Outcome::Fit) => self.place(index, now, now, idle),
            (State::Checking { .. }, Outcome::Unfit | Outcome::Gone) => {
                self.leave(index, outcome, now);
                self.check_failed(began, now, idle);
            }
            (State::Resetting, Outcome::Unfit | Outcome::Gone) => self.leave(index, outcome, now),
            (State::Closing, _) => {
                self.count_closed(index);
                self.slots.enter(index, State::Vacant);
            }
            (State::Stuck, _) | (State::Creating { .. }, Outcome::Skipped) => {
                self.slots.enter(index, State::Vacant)
            }
            (state, outcome) => {
                debug_assert!(false, "a job in {state:?} cannot end as {outcome:?}");
                self.slots.enter(index, State::Vacant);
            }
        }
    }

    /// A resource came out of its job unfit: it is closed, or gone already.
    fn leave(&mut self, index: u32, outcome: Outcome, now: Instant) {
        if let Some(reason) = blame_of(self.slots.get(index).state) {
            self.blame(index, reason);
        }
        if outcome == Outcome::Unfit {
            self.start(index, Job::Close, now);
        } else {
            self.count_closed(index);
            self.slots.enter(index, State::Vacant);
        }
    }

    fn create_failed(&mut self, id: SlotId, transient: bool, late: bool, now: Instant) {
        let began = self.slots.get(id.index()).began;
        let pause = self.backoff.fail(began, now, transient);
        self.set_timer(TimerKey::Backoff, now, pause);
        self.count_create_failed(id, transient, late, pause, now);
    }

    /// A creation did not open anything, and no other starts for `pause`.
    fn count_create_failed(
        &mut self,
        slot: SlotId,
        transient: bool,
        late: bool,
        pause: Duration,
        now: Instant,
    ) {
        self.totals.create_failed += 1;
        let took = now - self.slots.get(slot.index()).began;
        self.note(Note::CreateFailed { slot, transient, late, took, pause });
    }

    /// What one resource failed at, all that has lain idle since before may fail at too: they are checked at once, so that
    /// many dead ones cost a caller no more than one.
    fn check_failed(&mut self, began: Instant, now: Instant, idle: &mut impl Idle) {
        self.totals.check_failed += 1;
        self.check_idle(|slot, since| slot.unseen(since) < began, true, now, idle);
    }

    pub(crate) fn check_idle(
        &mut self,
        doubt: impl Fn(&Slot, Instant) -> bool,
        doubtful: bool,
        now: Instant,
        idle: &mut impl Idle,
    ) {
        let mut from = 0;
        while let Some(index) = idle.peek(from) {
            from = index + 1;
            let since = idle.since(index);
            let in_doubt = doubt(self.slots.get(index), since);
            // mutate: if in_doubt && { idle.claim(index); true } {
            if in_doubt && idle.claim(index) {
                self.check(index, doubtful, since, now);
            }
        }
    }

    /// Has a resource checked that rests `since` then. `doubtful`: nobody should count on it.
    pub(crate) fn check(&mut self, index: u32, doubtful: bool, since: Instant, now: Instant) {
        let slot = self.slots.get_mut(index);
        slot.since = since;
        if std::mem::take(&mut slot.suspect) {
            self.act(Action::Retag(self.slots.id(index)));
        }
        self.slots.enter(index, State::Checking { doubtful });
        self.start(index, Job::Check, now);
    }

    /// A job is past its deadline. The place is freed first; the task, and whatever it holds, goes when it goes.
    pub(crate) fn abandon(&mut self, index: u32, now: Instant, idle: &mut impl Idle) {
        let id = self.slots.id(index);
        let slot = self.slots.get(index);
        let (state, began) = (slot.state, slot.began);
        self.totals.abandoned += 1;
        if let Some(job) = state.job().filter(|job| *job != Job::Create) {
            self.note(Note::Abandoned { slot: id, job, took: now - began });
            if let Some(reason) = blame_of(state) {
                self.blame(index, reason);
            }
            self.count_closed(index);
        }
        if self.abandoned < self.config.max_size.max(1) {
            self.abandoned += 1;
            self.slots.enter(index, State::Vacant);
        } else {
            self.slots.enter(index, State::Stuck);
        }
        let Some(job) = state.job() else { return };
        self.act(Action::Abandon(id, job));
        match job {
            Job::Create if state == State::Void => {
                self.count_create_failed(id, true, true, Duration::ZERO, now);
            }
            Job::Create => self.create_failed(id, true, true, now),
            Job::Check => self.check_failed(began, now, idle),
            Job::Reset | Job::Close => {}
        }
    }

    /// Has a task do `job` on a slot, within its time.
    pub(crate) fn start(&mut self, index: u32, job: Job, now: Instant) {
        match job {
            Job::Reset => self.slots.enter(index, State::Resetting),
            Job::Close => {
                self.blame(index, self.fault(index, now));
                self.slots.enter(index, State::Closing);
            }
            Job::Create | Job::Check => {}
        }
        // A task that may not begin before there is a driver cannot be late.
        if self.driver {
            self.time_job(index, now);
        }
        self.slots.get_mut(index).began = now;
        self.act(Action::Start(self.slots.id(index), job));
    }

    /// Sets the deadline of the job in a slot.
    pub(crate) fn time_job(&mut self, index: u32, now: Instant) {
        let timeout = match self.slots.get(index).state.job() {
            Some(Job::Create) => self.config.create_timeout,
            Some(Job::Check) => self.config.check_timeout,
            Some(Job::Reset) => self.config.reset_timeout,
            Some(Job::Close) => self.config.close_timeout,
            None => return,
        };
        self.set_timer(TimerKey::Job(index), now, timeout);
    }
}
