//! A core with everything around it that matters: bits, borrowers, callers, tasks, and messages under way.

use std::time::{Duration, Instant};

use super::cast::{Caller, Stage, Task};
use super::planted::Defect;
use super::rules::{self, Before};
use super::scope::{Also, LEASE, LONG_WAIT, Scope};
use super::shelf::{Age, Race, Shelf};
use super::step::Step;
use crate::core::Mode;
use crate::io::{Action, GiveBack, Idle, Input, Job, Outcome, Request};
use crate::slots::State;
use crate::timers::TimerKey;
use crate::waiters::Standing;
use crate::{Core, Overload, SlotId, WaiterId};

/// A state of the model.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) core: Core,
    pub(super) shelf: Shelf,
    /// In the hands of borrowers.
    pub(super) lent: u8,
    /// In the hands of callers that helped themselves and found that the desk has to look at it.
    pub(super) unvetted: u8,
    pub(super) tasks: Vec<Task>,
    pub(super) callers: Vec<Caller>,
    /// Those with an offer, in the order in which they got it.
    pub(super) offered: Vec<WaiterId>,
    /// What must never be lent again: it was open, or its creation had begun, when everything was retired.
    pub(super) void: u8,
    /// What must not be lent before a check has passed.
    pub(super) doubted: u8,
    /// Lent to callers of the second lane.
    pub(super) second: u8,
    pub(super) closings: u8,
    pub(super) draineds: u8,
    /// Whether creations take long.
    pub(super) paced: bool,
    pub(super) planted: Option<Defect>,
    /// For a defect that has to undo something after the step.
    pub(super) meddled: bool,
}

impl World {
    /// An empty pool with a driver.
    pub(super) fn new(scope: &Scope, now: Instant, planted: Option<Defect>) -> Self {
        let mut world = Self {
            core: Core::new(scope.config()),
            shelf: Shelf::new(now),
            lent: 0,
            unvetted: 0,
            tasks: Vec::new(),
            callers: Vec::new(),
            offered: Vec::new(),
            void: 0,
            doubted: 0,
            second: 0,
            closings: 0,
            draineds: 0,
            paced: scope.has(Also::Paced),
            planted: None,
            meddled: false,
        };
        world.feed(Input::DriverUp).expect("an empty pool is in order");
        world.planted = planted;
        world
    }

    pub(super) fn now(&self) -> Instant {
        self.shelf.now
    }

    /// Takes a step; says whether its race, if any, took place.
    pub(super) fn take(&mut self, step: Step, race: Option<Race>) -> Result<bool, String> {
        (self.shelf.race, self.shelf.raced) = (race, false);
        self.shelf.hidden = 0;
        self.go(step)?;
        if self.shelf.raced {
            if let Some(Race::TakenBeforeFlag(slot) | Race::TakenBeforeClaim(slot)) = race {
                // If the driver was lost just now, this was taken and found fit before.
                if step == Step::DriverLost && !self.is_stale(slot) {
                    self.lent |= 1 << slot;
                } else {
                    self.help_oneself(slot)?;
                }
            }
        }
        self.shelf.race = None;
        self.shelf.hidden = 0;
        self.resolve()?;
        rules::state(self)?;
        Ok(self.shelf.raced)
    }

    fn go(&mut self, step: Step) -> Result<(), String> {
        let now = self.now();
        match step {
            Step::Arrive { lane, deadline } => {
                let covers_lease = deadline && self.core.config.overload != Overload::Fifo;
                let patience = if covers_lease { LONG_WAIT } else { Duration::from_secs(30) };
                let deadline = deadline.then(|| now + patience);
                self.feed(Input::Wait(Request { lane, deadline, covers_lease }))
            }
            Step::Tire(index) => {
                let id = self.callers[index].id;
                self.core.waiters.get_mut(id).since = now - LONG_WAIT;
                Ok(())
            }
            Step::Try => self.feed(Input::Try),
            Step::Poll(index) => {
                let id = self.callers[index].id;
                self.feed(Input::Claim(id))
            }
            Step::Leave(index) => {
                let id = self.callers.remove(index).id;
                self.feed(Input::Cancel(id))
            }
            Step::TakeBit(slot) => {
                if !self.shelf.claim(slot) {
                    return Err(format!("slot {slot} is not there to take"));
                }
                self.help_oneself(slot)
            }
            Step::GoHome(slot) => {
                self.lent &= !(1 << slot);
                if self.shelf.attended || self.core.is_tied(slot) {
                    self.shelf.ages[slot as usize] = Age::Fresh;
                    return self.feed(Input::GiveBack(slot, GiveBack::Unused));
                }
                self.shelf.release(slot, now);
                Ok(())
            }
            Step::Visit if self.core.mode == Mode::Paused => self.feed(Input::Pause),
            Step::Visit => self.feed(Input::Resume),
            Step::Look(slot) => self.feed(Input::Take(slot)),
            Step::Add => {
                self.feed(Input::Add)?;
                match self.tasks.iter().position(|task| task.stage == Stage::Adopted) {
                    Some(index) => {
                        let task = self.remove_task(index, Outcome::Added);
                        self.feed(Input::Ended(task.slot, Outcome::Added))
                    }
                    None => Ok(()),
                }
            }
            Step::Give(slot, how) => {
                if self.lent & (1 << slot) != 0 {
                    self.shelf.ages[slot as usize] = Age::Fresh;
                }
                self.lent &= !(1 << slot);
                self.unvetted &= !(1 << slot);
                self.feed(Input::GiveBack(slot, how))
            }
            Step::Begin(index) => {
                let slot = self.tasks[index].slot;
                self.tasks[index].stage = Stage::Refused;
                self.feed(Input::Begin(slot))
            }
            Step::End(index, outcome) => {
                let task = self.remove_task(index, outcome);
                self.feed(Input::Ended(task.slot, outcome))
            }
            Step::Fire(key) => {
                self.arm(key);
                self.feed(Input::Tick)
            }
            Step::PollLate(key, index) => {
                let id = self.callers[index].id;
                self.arm(key);
                self.feed(Input::Claim(id))
            }
            Step::LeaveLate(key, index) => {
                let id = self.callers.remove(index).id;
                self.arm(key);
                self.feed(Input::Cancel(id))
            }
            Step::EndLate(key, index, outcome) => {
                let task = self.remove_task(index, outcome);
                let own = key == TimerKey::Job(task.slot.index());
                if own {
                    self.tasks.push(Task { stage: Stage::Abandoned, ..task });
                }
                self.arm(key);
                let ended = self.feed(Input::Ended(task.slot, outcome));
                if own {
                    self.tasks.retain(|other| other.slot != task.slot);
                }
                ended
            }
            Step::Age(slot) => {
                let proved = self.core.slots.get_mut(slot).proved.take().is_some();
                let age = &mut self.shelf.ages[slot as usize];
                *age = match *age {
                    Age::Fresh => Age::Middle,
                    // What it proved is forgotten first.
                    Age::Middle if proved => Age::Middle,
                    Age::Middle | Age::Old => Age::Old,
                };
                self.doubted |= u8::from(*age == Age::Old) << slot;
                Ok(())
            }
            Step::Ripen(slot) => {
                self.core.slots.get_mut(slot).retire_at = Some(now + Duration::from_nanos(1));
                Ok(())
            }
            Step::Expire(slot) => {
                self.core.slots.get_mut(slot).retire_at = Some(now);
                Ok(())
            }
            Step::Resize(size) => self.feed(Input::Resize(size)),
            Step::Pause => self.feed(Input::Pause),
            Step::Resume => self.feed(Input::Resume),
            Step::Retire { spread } => {
                let opened = |slot: &u32| self.state_of(*slot).is_open() && spread.is_zero();
                let opening = |slot: &u32| self.task_of(*slot).is_some_and(Task::is_opening);
                let void = self.slots().filter(|slot| opened(slot) || opening(slot));
                self.void |= void.fold(0, |mask, slot| mask | 1 << slot);
                self.feed(Input::RetireAll { spread })
            }
            Step::Close => self.feed(Input::Close),
            Step::DriverUp => self.feed(Input::DriverUp),
            Step::DriverLost => {
                let is_begun = |slot: &u32| self.task_of(*slot).is_some_and(Task::is_opening);
                let open = |slot: &u32| self.state_of(*slot).is_open() || is_begun(slot);
                let doubted = self.slots().filter(open).fold(0, |mask, slot| mask | 1 << slot);
                self.doubted |= doubted;
                for task in &mut self.tasks {
                    task.proves = task.stage == Stage::Owed;
                }
                self.feed(Input::DriverLost)
            }
        }
    }

    /// A caller has taken a bit by itself. It compares what the slot says with what the pool says, and goes to the desk if
    /// need be.
    fn help_oneself(&mut self, slot: u32) -> Result<(), String> {
        if self.is_stale(slot) || self.core.is_suspect(slot) {
            self.unvetted |= 1 << slot;
            return Ok(());
        }
        rules::lent(self, slot)?;
        self.lent |= 1 << slot;
        Ok(())
    }

    fn is_stale(&self, slot: u32) -> bool {
        self.core.is_outdated(slot, self.now()) || self.shelf.age(slot) == Age::Old
    }

    fn remove_task(&mut self, index: usize, outcome: Outcome) -> Task {
        let task = self.tasks.remove(index);
        let checked = task.job == Job::Check && task.proves && task.stage != Stage::Abandoned;
        if checked && outcome == Outcome::Fit {
            self.doubted &= !(1 << task.slot.index());
        }
        task
    }

    /// Makes a timer due.
    fn arm(&mut self, key: TimerKey) {
        if let TimerKey::Deadline(index) = key {
            for caller in self.callers.iter_mut().filter(|caller| caller.id.index() == index) {
                caller.expired = true;
            }
        }
        let now = self.now();
        self.core.timers.set(key, now);
    }

    /// Feeds one input, does what the core wants done, and applies the rules about steps.
    pub(super) fn feed(&mut self, input: Input) -> Result<(), String> {
        let before = Before::of(self, input);
        if let (Input::Claim(id), true) = (input, before.claims_late) {
            for caller in self.callers.iter_mut().filter(|caller| caller.id == id) {
                caller.late = true;
            }
        }
        let input = match self.planted {
            Some(defect) => defect.before(self, input),
            None => input,
        };
        if self.paced {
            self.core.pace.assume(Duration::from_secs(1));
        }
        self.core.holds.assume(LEASE);
        self.core.strain.assume_some_time();
        self.core.lanes.iter_mut().for_each(|lane| lane.look.assume_few());
        let now = self.now();
        let mut actions: Vec<_> = self.core.handle(input, now, &mut self.shelf).collect();
        if let Input::GiveBack(slot, _) = input {
            self.second &= !(1 << slot);
        }
        self.lent &= !std::mem::take(&mut self.shelf.came_home);
        if let Some(defect) = self.planted {
            defect.after(self, input, &mut actions);
        }
        for action in &actions {
            self.perform(*action, input, &before)?;
        }
        rules::step(&before, self, input, &actions)?;
        self.remember_offers(&actions);
        Ok(())
    }

    fn perform(&mut self, action: Action, input: Input, before: &Before) -> Result<(), String> {
        match action {
            Action::Lend(id) if matches!(input, Input::Take(_)) => {
                self.unvetted |= 1 << id.index();
            }
            Action::Lend(id) => {
                let lane = match input {
                    Input::Wait(request) => request.lane,
                    Input::Claim(caller) => before.lane(caller),
                    _ => 0,
                };
                self.drop_caller(input);
                self.second |= u8::from(lane == 1) << id.index();
                rules::lent(self, id.index())?;
                self.lent |= 1 << id.index();
            }
            Action::Refuse(_) => self.drop_caller(input),
            Action::Queue(id) => self.callers.push(Caller { id, expired: false, late: false }),
            Action::Wake(_) => {}
            Action::Start(slot, job) => {
                rules::started(self, slot, job)?;
                let stage = if job == Job::Create { Stage::Owed } else { Stage::Begun };
                self.tasks.push(Task { slot, job, stage, proves: true });
                if job == Job::Create {
                    self.doubted &= !(1 << slot.index());
                    self.void &= !(1 << slot.index());
                }
                self.note_beginning(slot, job);
            }
            Action::Proceed(slot) => {
                let task = self.tasks.iter_mut().find(|task| task.slot == slot);
                let Some(task) = task else { return Err(format!("no task of {slot:?} asked")) };
                task.stage = Stage::Begun;
                self.doubted &= !(1 << slot.index());
                self.note_beginning(slot, Job::Create);
                rules::proceeded(self)?;
            }
            Action::Adopt(slot) => {
                self.doubted &= !(1 << slot.index());
                self.void &= !(1 << slot.index());
                let (job, stage) = (Job::Create, Stage::Adopted);
                self.tasks.push(Task { slot, job, stage, proves: true });
            }
            Action::Abandon(slot, job) => {
                let current = |task: &&mut Task| task.slot == slot && task.job == job;
                let Some(task) = self.tasks.iter_mut().find(current) else {
                    return Err(format!("{slot:?} has no {job:?} to abandon"));
                };
                task.stage = Stage::Abandoned;
            }
            Action::Retag(slot) => {
                let is_void = self.void & (1 << slot.index()) != 0;
                if is_void && !self.core.is_outdated(slot.index(), self.now()) {
                    return Err(format!("{slot:?} is pardoned"));
                }
            }
            Action::Closing => self.closings += 1,
            Action::Drained => self.draineds += 1,
        }
        Ok(())
    }

    /// In the model no time passes, so a creation that begins after a failure is told apart from one that overlaps it by
    /// hand.
    fn note_beginning(&mut self, slot: SlotId, job: Job) {
        if job == Job::Create && self.core.backoff.is_failing() {
            self.core.slots.get_mut(slot.index()).began = self.shelf.now + Duration::from_nanos(1);
        }
    }

    fn drop_caller(&mut self, input: Input) {
        if let Input::Claim(id) = input {
            self.callers.retain(|caller| caller.id != id);
        }
    }

    /// Keeps the order of offers. Whoever is offered something is woken for it, in that order.
    fn remember_offers(&mut self, actions: &[Action]) {
        let core = &self.core;
        let is_offered = |id: WaiterId| core.waiters.is_current(id) && core.offered(id).is_some();
        self.offered.retain(|id| is_offered(*id));
        for action in actions {
            match action {
                Action::Wake(id) if is_offered(*id) && !self.offered.contains(id) => {
                    self.offered.push(*id);
                }
                _ => {}
            }
        }
    }

    /// Callers that were refused are told so at once: nothing but their own poll or end concerns them any more. Both leave
    /// the same behind.
    fn resolve(&mut self) -> Result<(), String> {
        while let Some(caller) = self.callers.iter().find(|caller| self.is_refused(caller.id)) {
            let id = caller.id;
            let mut gone = self.clone();
            gone.callers.retain(|caller| caller.id != id);
            gone.feed(Input::Cancel(id))?;
            self.feed(Input::Claim(id))?;
            if self.callers.iter().any(|caller| caller.id == id) {
                return Err(format!("{id:?} was refused and is not told so"));
            }
            if gone.key() != self.key() {
                return Err(format!("it makes a difference whether {id:?} hears of its refusal"));
            }
        }
        Ok(())
    }

    fn is_refused(&self, id: WaiterId) -> bool {
        matches!(self.core.waiters.get(id).standing, Standing::Refused(_))
    }

    /// How many places there are that were ever used.
    pub(super) fn slots(&self) -> std::ops::Range<u32> {
        self.core.slots.indices()
    }

    pub(super) fn state_of(&self, slot: u32) -> State {
        self.core.slots.get(slot).state
    }

    pub(super) fn is_open(&self) -> bool {
        self.core.mode == Mode::Open
    }

    /// The task that a place waits for.
    pub(super) fn task_of(&self, slot: u32) -> Option<&Task> {
        self.tasks
            .iter()
            .find(|task| task.slot.index() == slot && self.core.slots.is_current(task.slot))
    }
}
