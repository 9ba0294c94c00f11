//! Long random runs of the core beside a reference that decides in the plainest way: every answer, every wake-up, every job,
//! every count and every deadline must be the same, in the same order, at the same moment.
//!
//! Only what is random by intention is taken from the core, after a look at its bounds (`reference/chance.rs`), and so is
//! the moment of the looks for what is too old, whose lateness is bounded instead.

mod alarms;
mod chance;
mod growth;
mod lanes;
mod pool;
mod rules;
mod script;
mod words;

use std::time::Instant;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use self::chance::Chance;
use self::pool::{Place, Pool, Slot, Standing};
use self::script::{Step, settings, step};
use self::words::{Said, Told};
use crate::io::{Action, GiveBack, Idle, Input, Job, Outcome, Request};
use crate::tests::some_instant;
use crate::timers::TimerKey;
use crate::{Bits, Config, Core, Note, SlotId, Totals, WaiterId};

/// The core and the reference, side by side, with a borrower for each resource and a task for each job.
struct Both {
    core: Core,
    bits: Bits,
    pool: Pool,
    now: Instant,
    /// Callers by number; `None` once told.
    callers: Vec<Option<WaiterId>>,
    /// Tasks by number, with what they know of themselves; `None` once ended.
    tasks: Vec<Option<Task>>,
    lent: Vec<u32>,
    /// The totals as the notes of the core tell them, those of callers aside.
    noted: Totals,
    /// What both said last.
    said: Vec<Said>,
}

#[derive(Clone, Copy)]
struct Task {
    slot: SlotId,
    job: Job,
    asked: bool,
    proceeds: bool,
}

impl Both {
    fn new(config: Config) -> Self {
        let mut both = Self {
            core: Core::new(config.clone()),
            bits: Bits::default(),
            pool: Pool::new(config),
            now: some_instant(),
            callers: Vec::new(),
            tasks: Vec::new(),
            lent: Vec::new(),
            noted: Totals::default(),
            said: Vec::new(),
        };
        both.feed(Input::DriverUp, Told::DriverUp);
        both
    }

    /// Tells both, and compares what they say.
    fn feed(&mut self, input: Input, told: Told) {
        let mut chance = Chance::before(&self.core);
        let actions: Vec<_> = self.core.handle(input, self.now, &mut self.bits).collect();
        chance.after(&self.core);
        let expected = self.pool.feed(told, self.now, &chance);
        let mut said: Vec<_> = actions.iter().map(|action| self.number(*action, told)).collect();
        let mut wanted = expected.clone();
        if matches!(told, Told::Close) {
            // In what order those are told who are in no queue does not matter.
            said.sort_unstable();
            wanted.sort_unstable();
        }
        assert_eq!(said, wanted, "left: the core, right: the reference, on {told:?}");
        self.count_notes();
        self.compare();
        self.said = expected;
    }

    /// An action with numbers instead of ids; and what follows from it for borrowers, callers and tasks.
    fn number(&mut self, action: Action, told: Told) -> Said {
        let number = |id: WaiterId, callers: &[Option<WaiterId>]| {
            callers.iter().position(|caller| *caller == Some(id)).expect("a caller that waits")
        };
        let task_of = |slot: SlotId, job: Option<Job>, tasks: &[Option<Task>]| {
            let mut tasks = tasks.iter().enumerate().rev();
            let found = tasks.find(|(_, task)| {
                task.is_some_and(|task| task.slot == slot && job.is_none_or(|job| job == task.job))
            });
            found.expect("a task under way").0
        };
        match action {
            Action::Lend(slot) => {
                self.lent.push(slot.index());
                self.forget(told);
                Said::Lend(slot.index())
            }
            Action::Queue(id) => {
                self.callers.push(Some(id));
                Said::Queue(self.callers.len() - 1)
            }
            Action::Refuse(refusal) => {
                self.forget(told);
                Said::Refuse(refusal.into())
            }
            Action::Wake(id) => Said::Wake(number(id, &self.callers)),
            Action::Start(slot, job) => {
                self.tasks.push(Some(Task { slot, job, asked: false, proceeds: false }));
                Said::Start(slot.index(), job.into())
            }
            Action::Adopt(slot) => {
                let task = Task { slot, job: Job::Create, asked: true, proceeds: true };
                self.tasks.push(Some(task));
                Said::Adopt(slot.index())
            }
            Action::Proceed(slot) => Said::Proceed(task_of(slot, None, &self.tasks)),
            Action::Abandon(slot, job) => Said::Abandon(task_of(slot, Some(job), &self.tasks)),
            Action::Retag(slot) => Said::Retag(slot.index()),
            Action::Closing => Said::Closing,
            Action::Drained => Said::Drained,
        }
    }

    /// Whatever is counted is noted, and the other way round.
    fn count_notes(&mut self) {
        let noted = &mut self.noted;
        for note in self.core.notes() {
            match note {
                Note::Created { .. } => noted.created += 1,
                Note::Added { .. } => noted.added += 1,
                Note::CreateFailed { late, .. } => {
                    noted.create_failed += 1;
                    noted.abandoned += u64::from(late);
                }
                Note::Abandoned { .. } => noted.abandoned += 1,
                Note::Closed { .. } => noted.closed += 1,
                Note::Detached { .. } => noted.detached += 1,
                Note::Revoked { .. } => noted.revoked += 1,
                _ => {}
            }
        }
        let counted = self.core.totals();
        let only_noted = Totals {
            check_failed: counted.check_failed,
            queued: counted.queued,
            timed_out: counted.timed_out,
            too_many_waiters: counted.too_many_waiters,
            create_refused: counted.create_refused,
            closed_refused: counted.closed_refused,
            cancelled: counted.cancelled,
            ..self.noted
        };
        assert_eq!(only_noted, counted, "left: as noted, right: as counted");
    }

    fn forget(&mut self, told: Told) {
        if let Told::Claim(caller) = told {
            self.callers[caller] = None;
        }
    }

    /// Everything that can be seen from outside, and some of what cannot.
    fn compare(&self) {
        assert_eq!(self.core.counts(), self.pool.counts());
        assert_eq!(self.core.totals(), self.pool.totals());
        assert_eq!(self.core.epoch(), self.pool.epoch);
        assert_eq!(self.bits.attended, self.pool.attended);
        assert_eq!(self.core.is_attended(), self.pool.attended);
        assert_eq!(self.core.is_drained(), self.pool.mode == pool::Mode::Drained);
        let mut idle = 0;
        for (index, slot) in (0..).zip(&self.pool.slots) {
            if slot.place == Place::Idle {
                idle |= 1u64 << index;
                self.compare_look(index, slot);
            }
            assert_eq!(self.core.slots.get(index).tied, slot.tied);
            if slot.place != Place::Vacant {
                assert_eq!(self.core.tag(index), (slot.epoch, slot.retire_at));
            }
        }
        assert_eq!(self.bits.idle, idle);
        let queue: Vec<_> = self.core.waiters.queued().collect();
        let line = self.pool.lane_by_lane();
        let line: Vec<_> = line.into_iter().filter_map(|number| self.callers[number]).collect();
        assert_eq!(queue, line);
        for lane in self.core.waiters.lanes() {
            let held = self.core.lanes[lane as usize].held;
            assert_eq!(held as usize, self.pool.held_by(lane), "by lane {lane}");
        }
        // No deadline is slept through.
        let due = self.core.next_timeout();
        for caller in &self.pool.callers {
            let waits = matches!(caller.standing, Standing::Waiting | Standing::Lapsed);
            let deadline = caller.deadline().filter(|_| waits);
            assert!(deadline.is_none_or(|at| due.is_some_and(|due| due <= at)));
        }
    }

    /// A look at what lies idle will come when it is due, but no sooner than a sixteenth of the shortest window from now. What
    /// is kept because nothing else lies idle is not looked at as idle before that may have changed.
    fn compare_look(&self, index: u32, slot: &Slot) {
        let pool = &self.pool;
        let window = pool.config.idle_timeout;
        let idle_out = if pool.config.min_idle == 0 {
            Some(slot.since + window)
        } else {
            let counts = pool.counts();
            let open = counts.live + counts.offered + counts.checking + counts.resetting;
            (open as usize > pool.min_idle()).then(|| self.now + window)
        };
        let ages_at = pool.ages_at(slot).filter(|at| pool.config.min_idle > 0 && *at > self.now);
        let unseen_at = slot.unseen().checked_add(pool.config.keepalive);
        let due = [idle_out, ages_at, slot.retire_at, unseen_at].into_iter().flatten().min();
        let latest = due.map(|due| due.max(self.now + pool.interval()));
        let look = self.core.timers.get(TimerKey::Sweep);
        let late = latest.is_some_and(|latest| look.is_none_or(|at| at > latest));
        assert!(!late, "slot {index} lies there for ever");
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Get(lane, timeout) => {
                let deadline = timeout.map(|timeout| self.now + timeout);
                let lane = lane % (1 + self.pool.config.lanes.len() as u32);
                let request = Request { lane, deadline, covers_lease: false };
                self.feed(Input::Wait(request), Told::Wait(lane, deadline));
            }
            Step::Try => self.feed(Input::Try, Told::Try),
            Step::Poll(nth) => self.poll(nth, |_| true),
            Step::PollWoken(nth) => self.poll(nth, |standing| {
                matches!(standing, Standing::Offered(_) | Standing::Refused(_))
            }),
            Step::Leave(nth) => {
                if let Some((number, id)) = self.caller(nth, |_| true) {
                    self.feed(Input::Cancel(id), Told::Cancel(number));
                    self.callers[number] = None;
                }
            }
            Step::Take => self.help_oneself(),
            Step::Home(nth) => self.go_home(nth),
            Step::Visit if self.pool.mode == pool::Mode::Paused => {
                self.feed(Input::Pause, Told::Pause);
            }
            Step::Visit => self.feed(Input::Resume, Told::Resume),
            Step::Look(slot) => self.feed(Input::Take(slot), Told::Take(slot)),
            Step::Add => {
                let tasks = self.tasks.len();
                self.feed(Input::Add, Told::Add);
                // What was due before may have started tasks, too; those have yet to ask.
                let adopted = |number: &usize| self.tasks[*number].is_some_and(|task| task.asked);
                if let Some(number) = (tasks..self.tasks.len()).find(adopted) {
                    let task = self.tasks[number].expect("it was found just now");
                    self.ended(number, task, Outcome::Added);
                }
            }
            Step::Give(nth, how) => {
                if let Some(slot) = self.let_go(nth) {
                    self.feed(Input::GiveBack(slot, how), Told::GiveBack(slot, how));
                }
            }
            Step::Begin(nth) => self.begin(nth),
            Step::End(nth, dice) => self.end(nth, dice),
            Step::Lose(nth) => self.lose(nth),
            Step::Pass(time) => {
                let end = self.now + time;
                while let Some(due) = self.core.next_timeout().filter(|due| *due <= end) {
                    self.now = self.now.max(due);
                    self.feed(Input::Tick, Told::Tick);
                }
                self.now = end;
            }
            Step::Jump(time) => {
                self.now += time;
                self.feed(Input::Tick, Told::Tick);
            }
            Step::Late(time) => self.now += time,
            Step::Resize(max) => self.feed(Input::Resize(max), Told::Resize(max)),
            Step::Pause => self.feed(Input::Pause, Told::Pause),
            Step::Resume => self.feed(Input::Resume, Told::Resume),
            Step::Retire(spread) => self.feed(Input::RetireAll { spread }, Told::RetireAll(spread)),
            Step::Close => self.feed(Input::Close, Told::Close),
            Step::DriverUp => self.feed(Input::DriverUp, Told::DriverUp),
            Step::DriverLost => self.feed(Input::DriverLost, Told::DriverLost),
        }
    }

    fn poll(&mut self, nth: usize, which: fn(Standing) -> bool) {
        if let Some((number, id)) = self.caller(nth, which) {
            self.feed(Input::Claim(id), Told::Claim(number));
        }
    }

    fn caller(&self, nth: usize, which: fn(Standing) -> bool) -> Option<(usize, WaiterId)> {
        let callers = self.callers.iter().zip(&self.pool.callers).enumerate();
        let callers: Vec<_> = callers
            .filter(|(_, (_, caller))| which(caller.standing))
            .filter_map(|(number, (id, _))| Some((number, (*id)?)))
            .collect();
        (!callers.is_empty()).then(|| callers[nth % callers.len()])
    }

    fn let_go(&mut self, nth: usize) -> Option<u32> {
        (!self.lent.is_empty()).then(|| self.lent.swap_remove(nth % self.lent.len()))
    }

    /// A caller takes a bit without asking, and goes to the desk with what it may not keep.
    fn help_oneself(&mut self) {
        let Some(slot) = self.bits.take() else { return };
        self.pool.slots[slot as usize].place = Place::Lent;
        if self.pool.is_outdated(slot, self.now) || self.pool.needs_check(slot, self.now) {
            self.feed(
                Input::GiveBack(slot, GiveBack::Unused),
                Told::GiveBack(slot, GiveBack::Unused),
            );
        } else {
            self.lent.push(slot);
        }
    }

    fn go_home(&mut self, nth: usize) {
        let Some(slot) = self.let_go(nth) else { return };
        let place = &self.pool.slots[slot as usize];
        if self.bits.attended || place.suspect || place.tied.is_some() {
            self.rests(slot);
            let how = GiveBack::Unused;
            return self.feed(Input::GiveBack(slot, how), Told::GiveBack(slot, how));
        }
        self.bits.give_back(slot, self.now);
        let home = &mut self.pool.slots[slot as usize];
        (home.place, home.since) = (Place::Idle, self.now);
    }

    /// A borrower notes since when the resource rests, and goes to the desk with it.
    fn rests(&mut self, slot: u32) {
        self.bits.give_back(slot, self.now);
        self.bits.claim(slot);
        self.pool.slots[slot as usize].since = self.now;
    }

    fn task(&self, nth: usize, asked: bool) -> Option<(usize, Task)> {
        let tasks = self.tasks.iter().enumerate();
        let tasks: Vec<_> = tasks
            .filter_map(|(number, task)| Some((number, (*task)?)))
            .filter(|(_, task)| task.asked == asked)
            .collect();
        (!tasks.is_empty()).then(|| tasks[nth % tasks.len()])
    }

    fn begin(&mut self, nth: usize) {
        let Some((number, task)) = self.task(nth, false) else { return };
        self.feed(Input::Begin(task.slot), Told::Begin(number));
        let proceeds = self.said.contains(&Said::Proceed(number));
        self.tasks[number] = Some(Task { asked: true, proceeds, ..task });
    }

    fn end(&mut self, nth: usize, dice: u8) {
        let Some((number, task)) = self.task(nth, true) else { return };
        let outcome = match (task.job, dice) {
            (Job::Create, _) if !task.proceeds => Outcome::Skipped,
            (Job::Create, 0..160) => Outcome::Created,
            (Job::Create, _) => Outcome::CreateFailed { transient: dice < 230 },
            (Job::Check | Job::Reset, 0..180) => Outcome::Fit,
            (Job::Check | Job::Reset, 180..230) => Outcome::Unfit,
            (Job::Check | Job::Reset | Job::Close, _) => Outcome::Gone,
        };
        self.ended(number, task, outcome);
    }

    fn lose(&mut self, nth: usize) {
        let Some((number, task)) = self.task(nth, false) else { return };
        let outcome = match task.job {
            Job::Create => Outcome::CreateFailed { transient: true },
            Job::Check | Job::Reset | Job::Close => Outcome::Gone,
        };
        self.ended(number, task, outcome);
    }

    fn ended(&mut self, number: usize, task: Task, outcome: Outcome) {
        // A timeout noticed in the same moment is this task's own, so it is forgotten only afterwards.
        self.feed(Input::Ended(task.slot, outcome), Told::Ended(number, outcome));
        self.tasks[number] = None;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 150 } else { 1500 }))]

    #[test]
    fn the_core_does_what_the_reference_does(
        config in settings(),
        steps in prop::collection::vec(step(), 100..500),
        close_at in prop::option::of(0usize..500),
    ) {
        let mut both = Both::new(config);
        for (index, step) in steps.into_iter().enumerate() {
            if close_at == Some(index) {
                both.take(Step::Close);
            }
            both.take(step);
        }
    }
}

/// The same for long runs in which jobs end and borrowers give back in good time, and a proof that such runs go everywhere.
#[test]
fn the_core_does_what_the_reference_does_under_load() {
    let mut runner = TestRunner::deterministic();
    let mut lent = 0;
    let mut went = [0; 13];
    for _ in 0..if cfg!(debug_assertions) { 10 } else { 100 } {
        let config = settings().new_tree(&mut runner).expect("settings").current();
        let mut both = Both::new(Config { max_size: config.max_size.max(1), ..config });
        for index in 0..1000 {
            let next = step().new_tree(&mut runner).expect("a step").current();
            both.take(match next {
                Step::Jump(_) | Step::Lose(_) | Step::Resize(0) => Step::Begin(0),
                Step::Pause | Step::Late(_) => Step::End(0, 0),
                _ if index == 950 => Step::Close,
                other => other,
            });
            lent += both.said.iter().filter(|said| matches!(said, Said::Lend(_))).count();
        }
        let totals = both.core.totals();
        let all = [
            totals.created,
            totals.create_failed,
            totals.check_failed,
            totals.closed,
            totals.detached,
            totals.abandoned,
            totals.queued,
            totals.timed_out,
            totals.too_many_waiters,
            totals.create_refused,
            totals.closed_refused,
            totals.cancelled,
            totals.revoked,
        ];
        went.iter_mut().zip(all).for_each(|(sum, count)| *sum += count);
    }
    assert!(lent > 100 && went.iter().all(|sum| *sum > 5), "{lent} lent, {went:?}");
}
