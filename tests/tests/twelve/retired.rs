//! Spec 11: once a new epoch has begun, nothing of an earlier one is lent, least of all what was still being opened then.

use std::task::Poll;
use std::time::Duration;

use millpond::{Get, Pooled};
use millpond_test::{Gate, OnReturn, Op, Parked, ScriptedManager, Step};
use millpond_tests::rig::Rig;

use crate::{Dice, ms, secs};

#[test]
fn spec_11_what_was_being_opened_when_a_new_epoch_began_is_never_served() {
    for spread in [Duration::ZERO, secs(100)] {
        let rig = Rig::new(|builder| builder.max_size(3).max_creating(3));
        let gate = Gate::new();
        rig.manager.script(Op::Create, [(); 3].map(|()| Step::Ok.behind(&gate)));
        let mut waiting: Vec<_> = (0..3).map(|_| rig.wait()).collect();
        assert_eq!(gate.waiting(), 3);
        rig.pool.retire_all(spread);
        gate.open();
        for get in &mut waiting {
            let get = get.future().expect("it waits");
            let pooled = rig.at_once(get).expect("another is opened in its place");
            assert!(pooled.id() >= 3, "{} is of the old epoch", pooled.id());
            assert_eq!(Pooled::metrics(&pooled).epoch(), 1);
        }
        rig.runtime.run_until_idle();
        assert_eq!(rig.manager.closed(), 3, "they are closed, unseen");
        rig.ends_clean();
    }
}

#[test]
fn spec_11_what_was_being_opened_for_a_caller_that_left_is_not_kept_for_another() {
    let rig = Rig::of(1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    drop(rig.wait());
    rig.pool.retire_all(Duration::ZERO);
    gate.open();
    rig.runtime.run_until_idle();
    assert_eq!((rig.pool.status().size, rig.manager.closed()), (0, 1));
    assert_eq!(rig.take().id(), 1);
    rig.ends_clean();
}

#[test]
fn spec_11_what_was_ordered_but_not_begun_is_of_the_new_epoch() {
    let rig = Rig::of(1);
    let mut get = Parked::new(rig.pool.get());
    assert!(get.poll().is_pending());
    rig.pool.retire_all(Duration::ZERO);
    let pooled = rig.at_once(get.future().expect("it waits")).expect("it is opened");
    assert_eq!((pooled.id(), Pooled::metrics(&pooled).epoch()), (0, 1), "nothing was wasted");
    drop(pooled);
    rig.ends_clean();
}

/// Callers that come, go and give back while everything takes its time and epochs follow each other at any moment.
struct Walk {
    rig: Rig,
    dice: Dice,
    epoch: u64,
    waiting: Vec<Parked<Get<'static, ScriptedManager>>>,
    held: Vec<Pooled<ScriptedManager>>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let rig = Rig::new(|builder| builder.max_size(4).max_creating(3).check_after_idle(ms(20)));
        for (op, time) in [(Op::Create, 9), (Op::Check, 4), (Op::Reset, 5), (Op::Close, 2)] {
            rig.manager.default_step(op, Step::Ok.after(ms(time)));
        }
        Self { rig, dice: Dice(seed), epoch: 0, waiting: Vec::new(), held: Vec::new() }
    }

    fn step(&mut self) {
        match self.dice.roll(10) {
            0..=2 => self.waiting.push(Parked::new(self.rig.pool.get_owned())),
            3 => {
                let taken = self.rig.pool.try_get();
                self.lent(taken.ok());
            }
            4 if !self.held.is_empty() => {
                let answers = [OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard];
                let answer = answers[self.dice.roll(3) as usize];
                self.rig.manager.script_returns([answer]);
                let lucky = self.dice.roll(self.held.len() as u64) as usize;
                drop(self.held.swap_remove(lucky));
            }
            5 if !self.waiting.is_empty() => drop(self.waiting.swap_remove(0)),
            6 => {
                self.rig.pool.retire_all(Duration::ZERO);
                self.epoch += 1;
            }
            _ => self.rig.runtime.advance(ms(self.dice.roll(12))),
        }
        // Those who were served are told at some time later, not always at once.
        if self.dice.roll(2) == 0 {
            self.rig.runtime.run_until_idle();
            for get in std::mem::take(&mut self.waiting) {
                self.poll(get);
            }
        }
    }

    fn poll(&mut self, mut get: Parked<Get<'static, ScriptedManager>>) {
        match get.poll() {
            Poll::Ready(outcome) => self.lent(outcome.ok()),
            Poll::Pending => self.waiting.push(get),
        }
    }

    fn lent(&mut self, pooled: Option<Pooled<ScriptedManager>>) {
        if let Some(pooled) = &pooled {
            assert_eq!(Pooled::metrics(pooled).epoch(), self.epoch, "of an earlier epoch");
        }
        self.held.extend(pooled);
    }
}

#[test]
fn spec_11_nothing_of_an_earlier_epoch_is_lent_along_any_walk() {
    for seed in 0..150 {
        let mut walk = Walk::new(seed);
        for _ in 0..120 {
            walk.step();
        }
        walk.waiting.clear();
        walk.held.clear();
        walk.rig.runtime.advance(secs(1));
        walk.rig.manager.default_return(OnReturn::Reuse);
        walk.rig.serves_at_full_size();
        walk.rig.ends_clean();
    }
}
