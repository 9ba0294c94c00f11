//! How the reference decides.

use std::time::{Duration, Instant};

use super::chance::Chance;
use super::pool::{Alarm, Mode, Place, Pool, Slot, Standing};
use super::words::{Reason, Said};
use crate::Phase;
use crate::io::{GiveBack, Job, Outcome, Why};

impl Pool {
    pub(super) fn settle(&mut self, now: Instant) {
        self.shed(now);
        self.serve(now);
        let counts = self.counts();
        let tripped = self.config.fail_fast_after.is_some_and(|limit| self.failures >= limit);
        let hopeless = tripped || (self.permanent && self.pause.is_some());
        let others = counts.live + counts.offered + counts.checking + counts.resetting;
        let coming = if tripped { others } else { others + self.opening() };
        if self.mode == Mode::Open && hopeless && coming == 0 && !self.line.is_empty() {
            self.refuse_line(Why::CreateFailed, now);
            self.unasked = 1;
        }
        if self.asleep && self.slots.iter().any(|slot| slot.place == Place::Lent) {
            self.asleep = false;
            self.tick = self.alarm(now, self.config.tick);
        }
        self.attended = self.mode != Mode::Open
            || !self.line.is_empty()
            || self.is_over_size()
            || self.asleep
            || !self.driver;
        self.grow(now);
        let phase = self.phase();
        self.history.push((now, phase));
        if self.mode == Mode::Closing && self.counts().charged() == 0 {
            self.mode = Mode::Drained;
            self.said.push(Said::Drained);
        }
    }

    fn shed(&mut self, now: Instant) {
        for index in self.indices() {
            let too_many = self.is_closing() || self.is_over_size();
            if too_many && self.at(index).place == Place::Idle {
                self.start(index, Job::Close, now);
            }
        }
    }

    pub(super) fn serve(&mut self, now: Instant) {
        while self.mode == Mode::Open && !self.line.is_empty() {
            let Some(slot) = self.fit_one(now) else { return };
            self.offer(slot, now);
        }
    }

    pub(super) fn for_caller(&mut self, now: Instant) -> Option<u32> {
        if self.mode != Mode::Open || !self.line.is_empty() {
            return None;
        }
        self.unasked = 1;
        let slot = self.fit_one(now);
        self.unasked = 0;
        if let Some(slot) = slot {
            self.slots[slot as usize].place = Place::Lent;
        }
        slot
    }

    /// The lowest idle place with something to lend. What is outdated below it is closed; if there is none, as many checks
    /// are started as there are callers without one.
    fn fit_one(&mut self, now: Instant) -> Option<u32> {
        for index in self.indices() {
            if self.at(index).place != Place::Idle {
                continue;
            }
            if self.is_outdated(index, now) {
                self.start(index, Job::Close, now);
            } else if !self.needs_check(index, now) {
                return Some(index);
            }
        }
        for index in self.indices() {
            let callers = self.line.len() + self.unasked as usize;
            if self.at(index).place == Place::Idle && self.checks_counted_on() < callers {
                self.check(index, now);
            }
        }
        None
    }

    fn offer(&mut self, slot: u32, now: Instant) {
        let Some(caller) = self.first_in_line() else { return };
        self.line.retain(|other| *other != caller);
        self.tie(slot, self.callers[caller].lane);
        self.slots[slot as usize].place = Place::Offered;
        self.callers[caller].standing = Standing::Offered(slot);
        let window = self.config.claim_window / (1 << self.lapses.0.min(10));
        self.callers[caller].window = self.alarm(now, window);
        self.callers[caller].offered_at = now;
        self.offered.push(caller);
        self.said.push(Said::Wake(caller));
    }

    /// A resource that may be lent has come home.
    pub(super) fn place(&mut self, index: u32, since: Instant, now: Instant) {
        self.untie(index);
        self.slots[index as usize].since = since;
        if self.is_unwanted(index, now) {
            self.start(index, Job::Close, now);
        } else if self.at(index).suspect {
            self.check(index, now);
        } else if self.mode == Mode::Open && !self.line.is_empty() {
            self.offer(index, now);
        } else {
            self.slots[index as usize].place = Place::Idle;
        }
    }

    /// A resource that was opened elsewhere takes a place, if there is one.
    pub(super) fn add(&mut self, now: Instant) {
        let why = if self.is_closing() {
            Why::Closed
        } else if self.counts().charged() >= self.config.max_size {
            Why::Full
        } else {
            let index = self.occupy(true, now);
            self.slots[index as usize].task = self.tasks;
            self.tasks += 1;
            return self.said.push(Said::Adopt(index));
        };
        let (ahead, waited, phases) = (0, Duration::ZERO, [Duration::ZERO; 6]);
        self.said.push(Said::Refuse(Reason { why, ahead, waited, phases }));
    }

    pub(super) fn give_back(&mut self, index: u32, how: GiveBack, now: Instant) {
        self.untie(index);
        if matches!(how, GiveBack::Unused | GiveBack::Reset) {
            self.pace.returns.push(now);
        }
        match how {
            GiveBack::Unused | GiveBack::Reset if self.is_unwanted(index, now) => {
                self.start(index, Job::Close, now);
            }
            GiveBack::Unused if self.at(index).suspect => self.check(index, now),
            GiveBack::Unused => {
                let fit = !self.needs_check(index, now);
                if fit && self.mode == Mode::Open && !self.line.is_empty() {
                    self.offer(index, now);
                } else {
                    self.slots[index as usize].place = Place::Idle;
                }
            }
            GiveBack::Reset => self.start(index, Job::Reset, now),
            GiveBack::Discard => self.start(index, Job::Close, now),
            GiveBack::Detached => {
                self.totals.detached += 1;
                self.slots[index as usize].place = Place::Vacant;
            }
        }
    }

    fn check(&mut self, index: u32, now: Instant) {
        if std::mem::replace(&mut self.slots[index as usize].suspect, false) {
            self.said.push(Said::Retag(index));
        }
        self.start(index, Job::Check, now);
    }

    pub(super) fn start(&mut self, index: u32, job: Job, now: Instant) {
        let place = match job {
            Job::Create => self.at(index).place,
            Job::Check => Place::Checking { doubtful: false },
            Job::Reset => Place::Resetting,
            Job::Close => Place::Closing,
        };
        let timeout = if self.driver { self.timeout_of(place, now) } else { None };
        let slot = &mut self.slots[index as usize];
        (slot.place, slot.began, slot.task, slot.timeout) = (place, now, self.tasks, timeout);
        self.tasks += 1;
        self.said.push(Said::Start(index, job.into()));
    }

    /// The deadline of the job in a place, if it begins now.
    pub(super) fn timeout_of(&mut self, place: Place, now: Instant) -> Alarm {
        let timeout = match place {
            Place::Creating { .. } | Place::Void => self.config.create_timeout,
            Place::Checking { .. } => self.config.check_timeout,
            Place::Resetting => self.config.reset_timeout,
            Place::Closing => self.config.close_timeout,
            _ => return None,
        };
        self.alarm(now, timeout)
    }

    pub(super) fn begin(&mut self, task: usize, now: Instant) {
        let Some(index) = self.place_of(task) else { return };
        if let Place::Creating { unasked } = self.at(index).place {
            let wanted = unasked
                || self.coming() <= self.line.len()
                || self.idle_to_be(now) <= self.min_idle();
            let in_debt = self.counts().charged() > self.config.max_size;
            if self.mode != Mode::Open || in_debt || !wanted {
                return;
            }
            let epoch = self.epoch;
            let slot = &mut self.slots[index as usize];
            (slot.began, slot.epoch, slot.begun, slot.suspect) = (now, epoch, true, false);
        }
        if self.at(index).place != Place::Stuck {
            self.said.push(Said::Proceed(task));
        }
    }

    pub(super) fn ended(&mut self, task: usize, outcome: Outcome, now: Instant) {
        if self.abandoned.contains(&task) {
            self.abandoned.retain(|other| *other != task);
            return;
        }
        let index = self.place_of(task).expect("a task that is not abandoned has a place");
        let slot = &mut self.slots[index as usize];
        slot.timeout = None;
        let (place, began) = (slot.place, slot.began);
        match (place, outcome) {
            (Place::Creating { .. }, Outcome::Created) => {
                (self.failures, self.last_failure, self.permanent) = (0, None, false);
                self.successes = self.successes.map(|successes| successes + 1);
                self.pause = None;
                self.pace.created.push(now - began);
                self.totals.created += 1;
                self.place(index, now, now);
            }
            (Place::Creating { .. }, Outcome::Added) => {
                self.totals.added += 1;
                self.place(index, now, now);
            }
            (Place::Creating { .. }, Outcome::CreateFailed { transient }) => {
                slot.place = Place::Vacant;
                self.create_failed(began, transient, now);
            }
            (Place::Void, Outcome::Created) => {
                self.totals.created += 1;
                self.start(index, Job::Close, now);
            }
            (Place::Void, _) => {
                slot.place = Place::Vacant;
                self.totals.create_failed += 1;
            }
            (Place::Creating { .. }, _) | (Place::Stuck, _) => slot.place = Place::Vacant,
            (Place::Checking { .. }, Outcome::Fit) => {
                slot.proved = Some(now);
                let since = slot.since;
                self.place(index, since, now);
            }
            (Place::Resetting, Outcome::Fit) => self.place(index, now, now),
            (Place::Closing, _) => {
                slot.place = Place::Vacant;
                self.totals.closed += 1;
            }
            (place, outcome) => {
                if outcome == Outcome::Unfit {
                    self.start(index, Job::Close, now);
                } else {
                    slot.place = Place::Vacant;
                    self.totals.closed += 1;
                }
                if matches!(place, Place::Checking { .. }) {
                    self.check_failed(began, now);
                }
            }
        }
    }

    pub(super) fn create_failed(&mut self, began: Instant, transient: bool, now: Instant) {
        self.totals.create_failed += 1;
        let overlaps = self.last_failure.is_some_and(|last| began <= last);
        if self.failures == 0 || !overlaps {
            self.failures += 1;
        }
        (self.last_failure, self.permanent) = (Some(now), !transient);
        self.successes = Some(1);
        self.pause_order = self.order();
        self.pause = Some(None);
    }

    pub(super) fn check_failed(&mut self, began: Instant, now: Instant) {
        self.totals.check_failed += 1;
        self.check_where(|slot| slot.unseen() < began, true, now);
    }

    pub(super) fn check_where(
        &mut self,
        which: impl Fn(&Slot) -> bool,
        doubtful: bool,
        now: Instant,
    ) {
        for index in self.indices() {
            if self.at(index).place == Place::Idle && which(self.at(index)) {
                self.check(index, now);
                self.slots[index as usize].place = Place::Checking { doubtful };
            }
        }
    }

    pub(super) fn recall_offers(&mut self, now: Instant) -> Vec<u32> {
        let mut slots = Vec::new();
        for caller in std::mem::take(&mut self.offered).into_iter().rev() {
            let Standing::Offered(slot) = self.callers[caller].standing else { continue };
            self.untie(slot);
            self.withdraw(caller, now);
            if self.callers[caller].standing == Standing::Lapsed {
                self.callers[caller].standing = Standing::Waiting;
                self.line.push_front(caller);
            }
            slots.push(slot);
        }
        slots
    }

    pub(super) fn retire_all(&mut self, spread: Duration, now: Instant, chance: &Chance) {
        self.epoch += 1;
        for slot in &mut self.slots {
            if slot.begun && matches!(slot.place, Place::Creating { .. }) {
                slot.place = Place::Void;
            }
        }
        if spread.is_zero() {
            for slot in self.recall_offers(now) {
                self.start(slot, Job::Close, now);
            }
            return self.close_outdated(now);
        }
        for index in self.indices() {
            let slot = &mut self.slots[index as usize];
            let open = matches!(
                slot.place,
                Place::Idle
                    | Place::Lent
                    | Place::Offered
                    | Place::Checking { .. }
                    | Place::Resetting
            );
            if open && slot.epoch + 1 == self.epoch {
                let dice = chance.retire_at[index as usize];
                let latest = slot.retire_at.map_or(now + spread, |old| old.min(now + spread));
                assert!(dice.is_some_and(|at| at <= latest), "{dice:?} is after {latest:?}");
                (slot.epoch, slot.retire_at) = (self.epoch, dice);
                self.said.push(Said::Retag(index));
            }
        }
    }

    fn close_outdated(&mut self, now: Instant) {
        for index in self.indices() {
            if self.at(index).place == Place::Idle && self.is_outdated(index, now) {
                self.start(index, Job::Close, now);
            }
        }
    }

    pub(super) fn close_old(&mut self, now: Instant) {
        for index in self.indices() {
            let lain = now.saturating_duration_since(self.at(index).since);
            let others = |other: &u32| *other != index && self.is_fresh(*other, now);
            let enough = self.indices().filter(others).count() >= self.min_idle();
            let old = (lain >= self.config.idle_timeout && enough) || self.is_outdated(index, now);
            if self.at(index).place == Place::Idle && old {
                self.start(index, Job::Close, now);
            }
        }
        for index in self.indices() {
            let counts = self.counts();
            let idle = self.slots.iter().filter(|slot| slot.place == Place::Idle).count();
            let quarter = (idle + counts.checking as usize).div_ceil(4);
            let unseen = now - self.at(index).unseen() >= self.config.keepalive;
            let may = self.driver && quarter > counts.checking as usize;
            if self.at(index).place == Place::Idle && unseen && may {
                self.check(index, now);
            }
        }
    }

    fn phase(&self) -> Option<Phase> {
        let counts = self.counts();
        Some(match () {
            () if self.line.is_empty() => return None,
            () if self.mode == Mode::Paused => Phase::Paused,
            () if counts.creating > 0 => Phase::Creating,
            () if self.pause.is_some() && counts.charged() < counts.max => Phase::BackingOff,
            () if counts.checking > 0 => Phase::Checking,
            () if counts.live + counts.offered == 0 && counts.charged() > 0 => Phase::Clearing,
            () => Phase::Exhausted,
        })
    }

    pub(super) fn needs_check(&self, index: u32, now: Instant) -> bool {
        let slot = self.at(index);
        slot.suspect || now.saturating_duration_since(slot.unseen()) >= self.config.check_after_idle
    }

    pub(super) fn is_outdated(&self, index: u32, now: Instant) -> bool {
        let slot = self.at(index);
        slot.epoch != self.epoch || slot.retire_at.is_some_and(|at| at <= now)
    }

    /// Whether a resource that comes home is to be closed, fit or not.
    fn is_unwanted(&self, index: u32, now: Instant) -> bool {
        self.is_closing() || self.is_over_size() || self.is_outdated(index, now)
    }

    fn is_over_size(&self) -> bool {
        let counts = self.counts();
        counts.charged() - counts.closing > counts.max
    }

    fn checks_counted_on(&self) -> usize {
        let counted = |slot: &&Slot| slot.place == Place::Checking { doubtful: false };
        self.slots.iter().filter(counted).count()
    }

    pub(super) fn coming(&self) -> usize {
        let counts = self.counts();
        (self.opening() + counts.resetting) as usize + self.checks_counted_on()
    }

    /// Creations of the present epoch.
    pub(super) fn opening(&self) -> u32 {
        let opening = |slot: &&Slot| matches!(slot.place, Place::Creating { .. });
        u32::try_from(self.slots.iter().filter(opening).count()).expect("a few")
    }

    /// The place whose present job this task does.
    fn place_of(&self, task: usize) -> Option<u32> {
        let has_job = |slot: &Slot| {
            !matches!(slot.place, Place::Vacant | Place::Idle | Place::Lent | Place::Offered)
        };
        self.indices().find(|index| self.at(*index).task == task && has_job(self.at(*index)))
    }

    fn at(&self, index: u32) -> &Slot {
        &self.slots[index as usize]
    }

    pub(super) fn indices(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).expect("a few")
    }
}
