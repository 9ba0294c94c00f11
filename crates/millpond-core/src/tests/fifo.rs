//! First come, first served: without policy, and with a policy that finds nothing to do.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::rig::{Answer, Rig, ms, some_instant};
use crate::io::{GiveBack, Input, Job, Outcome};
use crate::{Lane, Overload};

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(u32),
    Poll(usize),
    Home(usize),
    Give(usize, GiveBack),
    End(u8),
    Pass(Duration),
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![Just(GiveBack::Reset), Just(GiveBack::Discard), Just(GiveBack::Detached)];
    prop_oneof![
        20 => (0u32..2).prop_map(Step::Ask),
        20 => any::<usize>().prop_map(Step::Poll),
        20 => any::<usize>().prop_map(Step::Home),
        2 => (any::<usize>(), how).prop_map(|(nth, how)| Step::Give(nth, how)),
        20 => any::<u8>().prop_map(Step::End),
        20 => (1u64..400).prop_map(|millis| Step::Pass(ms(millis))),
    ]
}

/// A pool, its callers, and what is lent.
struct Run {
    rig: Rig,
    waiting: Vec<crate::WaiterId>,
    lent: Vec<u32>,
}

impl Run {
    fn new(overload: Overload, seed: u64, now: Instant) -> Self {
        let mut rig = Rig::without_driver(|config| {
            config.lanes = vec![Lane { max_waiters: 1000, head_start: ms(300), reserved: 1 }];
            (config.max_size, config.overload, config.seed) = (3, overload, seed);
            config.check_after_idle = Duration::MAX;
        });
        rig.now = now;
        rig.feed(Input::DriverUp);
        Self { rig, waiting: Vec::new(), lent: Vec::new() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Ask(lane) => match self.rig.get_in(lane) {
                Answer::Lent(slot) => self.lent.push(slot),
                Answer::Queued(id) => self.waiting.push(id),
                other => panic!("{other:?} for one who has time"),
            },
            Step::Poll(nth) if !self.waiting.is_empty() => {
                let place = nth % self.waiting.len();
                if let Answer::Lent(slot) = self.rig.poll(self.waiting[place]) {
                    self.waiting.remove(place);
                    self.lent.push(slot);
                }
            }
            Step::Home(nth) if !self.lent.is_empty() => {
                let slot = self.lent.swap_remove(nth % self.lent.len());
                self.rig.bring(slot);
            }
            Step::Give(nth, how) if !self.lent.is_empty() => {
                let slot = self.lent.swap_remove(nth % self.lent.len());
                self.rig.give_back(slot, how);
            }
            Step::End(dice) => {
                let Some((slot, job)) = self.rig.jobs.first().copied() else { return };
                let outcome = match job {
                    _ if !self.rig.begin(slot) => Outcome::Skipped,
                    Job::Create if dice < 30 => Outcome::CreateFailed { transient: true },
                    Job::Create => Outcome::Created,
                    Job::Check | Job::Reset => Outcome::Fit,
                    Job::Close => Outcome::Gone,
                };
                self.rig.end(slot, outcome);
            }
            Step::Pass(time) => self.rig.pass(time),
            Step::Poll(_) | Step::Home(_) | Step::Give(..) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 60 } else { 600 }))]

    /// Callers without deadlines that stay, and find room, are served alike with and without policy.
    #[test]
    fn a_policy_that_finds_nothing_to_do_changes_nothing(
        steps in prop::collection::vec(step(), 50..300),
        seed: u64,
    ) {
        let now = some_instant();
        let mut fifo = Run::new(Overload::Fifo, seed, now);
        let mut auto = Run::new(Overload::Auto, seed, now);
        for step in steps {
            fifo.take(step);
            auto.take(step);
            prop_assert_eq!(&fifo.rig.log, &auto.rig.log);
            prop_assert_eq!(&fifo.rig.jobs, &auto.rig.jobs);
            prop_assert_eq!(fifo.rig.counts(), auto.rig.counts());
            prop_assert_eq!(fifo.rig.core.totals(), auto.rig.core.totals());
            prop_assert_eq!(fifo.rig.core.hold(), auto.rig.core.hold());
            prop_assert_eq!((&fifo.waiting, &fifo.lent), (&auto.waiting, &auto.lent));
        }
        prop_assert_eq!(fifo.rig.core.totals().shed(), 0);
    }
}
