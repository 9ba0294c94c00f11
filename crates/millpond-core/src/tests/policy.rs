//! Random runs under every policy, with lanes: what must be true whatever is shed.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{Action, GiveBack, Input, Job, Outcome, Refusal, Request, Why};
use crate::timers::TimerKey;
use crate::{Config, Lane, Overload, ShedReason, Totals, WaiterId};

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask {
        lane: u32,
        patience: Option<Duration>,
        covers_lease: bool,
    },
    /// One of those that were woken is polled.
    Poll(usize),
    Leave(usize),
    Home(usize),
    Give(usize, GiveBack),
    End(u8),
    Pass(Duration),
    Resize(u32),
    Pause,
    Resume,
    Retire,
    DriverLost,
}

fn step() -> impl Strategy<Value = Step> {
    let time = || (1u64..400).prop_map(ms);
    let patience = prop_oneof![
        2 => Just(None),
        6 => time().prop_map(Some),
        4 => (1u64..10).prop_map(|seconds| Some(secs(seconds))),
    ];
    let how = prop_oneof![Just(GiveBack::Reset), Just(GiveBack::Discard), Just(GiveBack::Detached)];
    prop_oneof![
        40 => (0u32..3, patience, any::<bool>())
            .prop_map(|(lane, patience, covers_lease)| Step::Ask { lane, patience, covers_lease }),
        30 => any::<usize>().prop_map(Step::Poll),
        4 => any::<usize>().prop_map(Step::Leave),
        20 => any::<usize>().prop_map(Step::Home),
        3 => (any::<usize>(), how).prop_map(|(nth, how)| Step::Give(nth, how)),
        20 => any::<u8>().prop_map(Step::End),
        24 => (1u64..40).prop_map(|millis| Step::Pass(ms(millis))),
        2 => time().prop_map(Step::Pass),
        1 => (1u32..=4).prop_map(Step::Resize),
        1 => Just(Step::Pause),
        4 => Just(Step::Resume),
        1 => Just(Step::Retire),
        1 => Just(Step::DriverLost),
    ]
}

fn settings() -> impl Strategy<Value = Config> {
    let overload = prop_oneof![
        3 => Just(Overload::Auto),
        1 => Just(Overload::Fifo),
        1 => (1u64..100).prop_map(|millis| Overload::TargetWait(ms(millis))),
    ];
    let lane = (0u32..40, 0u64..2000, 0u32..3).prop_map(|(max_waiters, head_start, reserved)| {
        Lane { max_waiters, head_start: ms(head_start), reserved }
    });
    let lanes = prop::collection::vec(lane, 0..=2);
    (1u32..=4, overload, lanes, any::<u64>()).prop_map(|(max_size, overload, lanes, seed)| Config {
        max_size,
        overload,
        lanes,
        seed,
        max_waiters: 40,
        // What lies idle is always fit.
        check_after_idle: Duration::MAX,
        max_lifetime: Duration::MAX,
        watched: true,
        ..Config::default()
    })
}

#[derive(Clone, Copy, Debug)]
struct Caller {
    id: WaiterId,
    request: Request,
    number: usize,
    /// It did not come for an offer in time.
    late: bool,
}

/// A pool, and what callers and borrowers know of it.
struct Run {
    rig: Rig,
    callers: Vec<Caller>,
    came: usize,
    /// Who has what, and of which lane the borrower is.
    lent: Vec<(u32, u32)>,
    refused: HashMap<Why, u64>,
    refused_in: [u64; 3],
    charged: u32,
}

impl Run {
    fn new(config: Config) -> Self {
        let rig = Rig::with(|default| *default = config);
        Self {
            rig,
            callers: Vec::new(),
            came: 0,
            lent: Vec::new(),
            refused: HashMap::new(),
            refused_in: [0; 3],
            charged: 0,
        }
    }

    fn take(&mut self, step: Step) {
        self.rig.log.clear();
        match step {
            Step::Ask { lane, patience, covers_lease } => {
                let lane = lane % (1 + self.rig.core.config.lanes.len() as u32);
                let deadline = patience.map(|patience| self.rig.now + patience);
                self.ask(Request { lane, deadline, covers_lease });
            }
            Step::Poll(nth) => {
                let woken = |caller: &&Caller| !self.waits(caller.id);
                let woken: Vec<_> = self.callers.iter().filter(woken).copied().collect();
                if !woken.is_empty() {
                    self.poll(woken[nth % woken.len()]);
                }
            }
            Step::Leave(nth) if !self.callers.is_empty() => {
                let caller = self.callers.remove(nth % self.callers.len());
                if let crate::waiters::Standing::Refused(refusal) =
                    self.rig.core.waiters.get(caller.id).standing
                {
                    self.note_refused(caller.request, refusal);
                }
                self.rig.cancel(caller.id);
            }
            Step::Home(nth) if !self.lent.is_empty() => {
                let (slot, _) = self.lent.swap_remove(nth % self.lent.len());
                if self.rig.core.is_tied(slot) || self.rig.core.is_suspect(slot) {
                    self.rig.bring(slot);
                } else {
                    self.rig.home(slot);
                }
            }
            Step::Give(nth, how) if !self.lent.is_empty() => {
                let (slot, _) = self.lent.swap_remove(nth % self.lent.len());
                self.rig.give_back(slot, how);
            }
            Step::End(dice) => self.end_job(dice),
            Step::Pass(time) => self.rig.pass(time),
            Step::Resize(max) => drop(self.rig.feed(Input::Resize(max))),
            Step::Pause => drop(self.rig.feed(Input::Pause)),
            Step::Resume => drop(self.rig.feed(Input::Resume)),
            Step::Retire => drop(self.rig.feed(Input::RetireAll { spread: Duration::ZERO })),
            Step::DriverLost => {
                self.rig.feed(Input::DriverLost);
                self.rig.feed(Input::DriverUp);
            }
            Step::Leave(_) | Step::Home(_) | Step::Give(..) => {}
        }
        self.check(step);
    }

    fn waits(&self, id: WaiterId) -> bool {
        self.rig.core.waiters.queued().any(|other| other == id)
    }

    fn ask(&mut self, request: Request) {
        let overloaded = self.rig.is_overloaded(request.lane);
        match self.rig.ask(request) {
            Answer::Lent(slot) => self.lent.push((slot, request.lane)),
            Answer::Queued(id) => {
                let counts = self.rig.core.lane(request.lane);
                assert!(counts.waiting <= counts.max_waiters, "I8: {counts:?}");
                self.came += 1;
                self.callers.push(Caller { id, request, number: self.came, late: false });
            }
            Answer::Refused(refusal) => {
                self.note_refused(request, refusal);
                let shed_for_room = refusal.why == Why::Shed(ShedReason::Overloaded);
                let now_overloaded = self.rig.is_overloaded(request.lane);
                assert!(!shed_for_room || overloaded || now_overloaded);
            }
            Answer::Pending => panic!("who asks is told something"),
        }
    }

    /// Whoever is polled is told the outcome once, or goes on waiting.
    fn poll(&mut self, caller: Caller) {
        let place = self.callers.iter().position(|other| other.id == caller.id);
        let place = place.expect("it waits");
        match self.rig.poll(caller.id) {
            Answer::Lent(slot) => {
                self.callers.remove(place);
                self.lent.push((slot, caller.request.lane));
            }
            Answer::Refused(refusal) => {
                self.callers.remove(place);
                self.note_refused(caller.request, refusal);
            }
            Answer::Pending => self.callers[place].late = true,
            Answer::Queued(_) => panic!("it waits already"),
        }
    }

    fn note_refused(&mut self, request: Request, refusal: Refusal) {
        let Refusal { why, waited, retry_after, .. } = refusal;
        *self.refused.entry(why).or_default() += 1;
        self.refused_in[request.lane as usize] += 1;
        let sheds = self.rig.core.config.overload != Overload::Fifo;
        let justified = match why {
            Why::Deadline => request.deadline.is_some_and(|at| at <= self.rig.now),
            Why::Shed(ShedReason::Overloaded) => sheds && waited.is_zero(),
            Why::Shed(ShedReason::PredictedTooLate) => {
                sheds && waited.is_zero() && request.deadline.is_some()
            }
            Why::Shed(ShedReason::WaitedTooLong) => sheds && !waited.is_zero(),
            Why::Shed(ShedReason::DeadlineTooClose) => sheds && request.covers_lease,
            Why::TooManyWaiters | Why::CreateFailed => true,
            _ => false,
        };
        assert!(justified, "{request:?} is refused: {refusal:?}");
        let told = matches!(why, Why::Shed(_) | Why::TooManyWaiters);
        assert!(retry_after.is_zero() || (told && sheds), "{refusal:?}");
    }

    fn end_job(&mut self, dice: u8) {
        let Some((slot, job)) = self.rig.jobs.first().copied() else { return };
        let outcome = match job {
            _ if !self.rig.begin(slot) => Outcome::Skipped,
            Job::Create if dice < 40 => Outcome::CreateFailed { transient: true },
            Job::Create => Outcome::Created,
            Job::Check | Job::Reset => Outcome::Fit,
            Job::Close => Outcome::Gone,
        };
        self.rig.end(slot, outcome);
    }

    fn check(&mut self, step: Step) {
        self.check_order(step);
        let core = &self.rig.core;
        let counts = core.counts();
        let (waiting, open) = (counts.waiting > 0, core.mode == crate::core::Mode::Open);
        assert!(counts.charged() <= counts.max.max(self.charged), "I2: {counts:?}");
        self.charged = counts.charged();
        let mut remembered: Vec<_> = core.waiters.all().collect();
        let mut known: Vec<_> = self.callers.iter().map(|caller| caller.id).collect();
        remembered.sort_unstable();
        known.sort_unstable();
        assert_eq!(remembered, known, "everybody is told once, and nobody is forgotten");
        if waiting && open {
            assert_eq!(self.rig.idle(), 0, "I3: somebody waits beside what lies idle");
            let coming = counts.creating + counts.checking + counts.resetting;
            let stuck = counts.charged() < counts.max && coming == 0;
            assert!(!stuck || core.backoff.is_running(), "I3: nothing is coming: {counts:?}");
        }
        let watched = core.timers.get(TimerKey::Overload).is_some();
        assert!(watched || !waiting || core.config.overload == Overload::Fifo);
        for lane in core.waiters.lanes() {
            let state = &core.lanes[lane as usize];
            let offered =
                |caller: &&Caller| caller.request.lane == lane && core.offered(caller.id).is_some();
            let held = self.lent.iter().filter(|(_, of)| *of == lane).count()
                + self.callers.iter().filter(offered).count();
            let expected = if state.settings.reserved > 0 { held } else { 0 };
            assert_eq!(state.held as usize, expected, "lane {lane}, after {step:?}");
        }
    }

    /// I9: within a lane nothing is offered to anybody before those who came earlier and still wait.
    fn check_order(&mut self, step: Step) {
        let offered = self.rig.log.iter().filter_map(|action| match action {
            Action::Wake(id) if self.rig.core.is_offered(*id) => Some(*id),
            _ => None,
        });
        for id in offered.collect::<Vec<_>>() {
            let caller = *self.callers.iter().find(|caller| caller.id == id).expect("it waits");
            // What was offered before is offered anew to the same callers, after that was taken back.
            let again = matches!(step, Step::Retire | Step::DriverLost);
            if caller.late || again {
                continue;
            }
            let lane = caller.request.lane as usize;
            let before = self.callers.iter().find(|other| {
                let earlier = other.number < caller.number && !other.late;
                earlier && other.request.lane as usize == lane && self.waits(other.id)
            });
            assert!(before.is_none(), "I9: {before:?} still waits while {caller:?} is served");
        }
    }

    /// Everybody goes, everything comes home; what was counted is what callers were told.
    fn end(mut self) -> Totals {
        while let Some(caller) = self.callers.first().copied() {
            if self.waits(caller.id) || self.rig.core.offered(caller.id).is_some() {
                self.take(Step::Leave(0));
            } else {
                self.poll(caller);
                if self.callers.first().is_some_and(|first| first.id == caller.id) {
                    self.take(Step::Leave(0));
                }
            }
        }
        self.take(Step::Resume);
        while !self.lent.is_empty() {
            self.take(Step::Home(0));
        }
        let totals = self.rig.core.totals();
        let told = |why| self.refused.get(&why).copied().unwrap_or(0);
        let expected = [
            (Why::Deadline, totals.timed_out),
            (Why::TooManyWaiters, totals.too_many_waiters),
            (Why::Shed(ShedReason::Overloaded), totals.shed_overloaded),
            (Why::Shed(ShedReason::WaitedTooLong), totals.shed_waited_too_long),
            (Why::Shed(ShedReason::PredictedTooLate), totals.shed_predicted_too_late),
            (Why::Shed(ShedReason::DeadlineTooClose), totals.shed_deadline_too_close),
        ];
        for (why, counted) in expected {
            assert_eq!(told(why), counted, "{why:?}");
        }
        for lane in self.rig.core.waiters.lanes() {
            assert_eq!(self.rig.core.lane(lane).refused, self.refused_in[lane as usize]);
        }
        self.rig.run_jobs();
        self.rig.pass(secs(60));
        assert!(self.rig.core.timers.get(TimerKey::Overload).is_none(), "nobody is left to watch");
        assert!(self.rig.core.waiters.lanes().all(|lane| !self.rig.is_overloaded(lane)));
        totals
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 2000 }))]

    #[test]
    fn whatever_is_shed_nobody_is_forgotten_overtaken_or_told_twice(
        config in settings(),
        steps in prop::collection::vec(step(), 100..600),
    ) {
        let mut run = Run::new(config);
        for step in steps {
            run.take(step);
        }
        run.end();
    }
}

/// Such runs go everywhere.
#[test]
fn in_such_runs_callers_are_shed_for_every_reason() {
    let mut runner = TestRunner::deterministic();
    let mut shed = [0; 6];
    for _ in 0..60 {
        let config = settings().new_tree(&mut runner).expect("settings").current();
        let mut run = Run::new(config);
        for _ in 0..400 {
            run.take(step().new_tree(&mut runner).expect("a step").current());
        }
        let totals = run.end();
        let all = [
            totals.shed_overloaded,
            totals.shed_waited_too_long,
            totals.shed_predicted_too_late,
            totals.shed_deadline_too_close,
            totals.timed_out,
            totals.too_many_waiters,
        ];
        shed.iter_mut().zip(all).for_each(|(sum, count)| *sum += count);
    }
    assert!(shed.iter().all(|count| *count > 5), "too few of some kind: {shed:?}");
}
