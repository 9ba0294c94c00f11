//! Specs 1 and 2: what holds whenever nothing moves, along random walks through everything that callers and operators do.

use std::task::Poll;
use std::time::Duration;

use millpond::{Get, Pooled, Status};
use millpond_test::{OnReturn, Op, Parked, ScriptedManager, Step, poll_once};
use millpond_tests::rig::Rig;

use crate::{Dice, ms, secs};

const SIZE: u64 = 3;

/// A pool on a random walk.
struct Walk {
    rig: Rig,
    dice: Dice,
    held: Vec<Pooled<ScriptedManager>>,
    waiting: Vec<Parked<Get<'static, ScriptedManager>>>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let rig = Rig::new(|builder| {
            builder
                .max_size(SIZE as usize)
                .max_creating(2)
                .max_waiters(6)
                .get_timeout(secs(2))
                .check_after_idle(ms(100))
                .create_backoff(ms(5), ms(20))
        });
        for (op, time) in [(Op::Create, 7), (Op::Check, 3), (Op::Reset, 2), (Op::Close, 5)] {
            rig.manager.default_step(op, Step::Ok.after(ms(time)));
        }
        Self { rig, dice: Dice(seed), held: Vec::new(), waiting: Vec::new() }
    }

    /// Does something, and lets it take its course, without letting time pass unless that is what it does.
    fn step(&mut self) {
        match self.dice.roll(20) {
            0..=4 => {
                let get = match self.dice.roll(3) {
                    0 => self.rig.pool.get_owned().timeout(ms(self.dice.roll(40))),
                    1 => self.rig.pool.get_owned().label("walker"),
                    _ => self.rig.pool.get_owned(),
                };
                self.waiting.push(Parked::new(get));
                self.poll(self.waiting.len() - 1);
            }
            5 | 6 => self.held.extend(self.rig.pool.try_get()),
            7..=9 if !self.held.is_empty() => {
                let lucky = self.dice.roll(self.held.len() as u64) as usize;
                drop(self.held.swap_remove(lucky));
            }
            10 if !self.held.is_empty() => {
                self.rig.manager.script_returns([OnReturn::Reset]);
                drop(self.held.pop());
            }
            11 => self.held.pop().map_or((), Pooled::discard),
            12 if !self.waiting.is_empty() => {
                let unlucky = self.dice.roll(self.waiting.len() as u64) as usize;
                drop(self.waiting.swap_remove(unlucky));
            }
            13 => {
                let faults = [Step::transient(), Step::Panic, Step::permanent()];
                let fault = faults[self.dice.roll(3) as usize].clone();
                self.rig.manager.script(Op::Create, [fault.after(ms(2))]);
            }
            14 => {
                self.rig.manager.script(Op::Check, [Step::transient()]);
            }
            15 => self.rig.runtime.advance(ms(150)),
            _ => self.rig.runtime.advance(ms(self.dice.roll(8))),
        }
        self.rig.runtime.run_until_idle();
    }

    /// Polls whoever was woken, as an executor would; each wakes others.
    fn come(&mut self) {
        while let Some(woken) = self.waiting.iter().position(Parked::is_woken) {
            self.poll(woken);
            self.rig.runtime.run_until_idle();
        }
    }

    fn poll(&mut self, index: usize) {
        if let Poll::Ready(outcome) = self.waiting[index].poll() {
            drop(self.waiting.swap_remove(index));
            self.held.extend(outcome);
        }
    }

    fn end(mut self) {
        self.held.clear();
        self.waiting.clear();
        assert!(self.rig.manager.max_open_or_creating_at_once() <= SIZE);
        // What is left of the scripts is played out first.
        for _ in 0..80 {
            drop(self.rig.runtime.block_on(self.rig.pool.get()));
            self.rig.pool.retire_all(Duration::ZERO);
            self.rig.runtime.advance(ms(20));
        }
        self.rig.serves_at_full_size();
        self.rig.ends_clean();
    }
}

/// I3: an idle resource that may be lent is not kept from who waits; nor is free capacity, with nothing to fill it under way.
/// While something is lent, one creation may do for several that wait; where nothing is, each has its own.
#[track_caller]
fn nobody_waits_in_vain(status: &Status, backing_off: bool) {
    let coming = status.creating + status.checking + status.resetting;
    assert!(status.waiting <= coming || status.idle == 0, "idle beside a waiter: {status:?}");
    let may_create = status.size < status.max && status.creating < 2 && !backing_off;
    let enough = if status.leased == 0 { status.waiting } else { status.waiting.min(1) };
    assert!(coming >= enough || !may_create, "free capacity beside a waiter: {status:?}");
}

#[test]
fn spec_1_at_rest_nobody_waits_beside_an_idle_resource() {
    for seed in 0..150 {
        let mut walk = Walk::new(seed);
        for _ in 0..80 {
            walk.step();
            // Before those who were woken come: what is theirs must have been set aside.
            nobody_waits_in_vain(&walk.rig.pool.status(), backs_off(&walk.rig));
            walk.come();
            nobody_waits_in_vain(&walk.rig.pool.status(), backs_off(&walk.rig));
        }
        walk.end();
    }
}

/// Asks by the way in which callers learn of it. After a failure one creation at a time finds out when that is over.
fn backs_off(rig: &Rig) -> bool {
    let Poll::Ready(Err(refused)) = poll_once(rig.pool.get().timeout(ms(0)).label("")) else {
        return false;
    };
    let snapshot = refused.snapshot();
    snapshot.backing_off.is_some() || snapshot.last_create_error.is_some() && snapshot.creating > 0
}

#[test]
fn spec_2_slots_are_conserved_and_a_debt_only_shrinks() {
    for seed in 0..150 {
        let mut walk = Walk::new(seed);
        let mut last = walk.rig.pool.status();
        for _ in 0..80 {
            if walk.dice.roll(6) == 0 {
                let max = walk.dice.roll(SIZE + 1) as usize;
                walk.rig.pool.resize(max).expect("a size that a pool can have");
            } else {
                walk.step();
            }
            walk.come();
            let now = walk.rig.pool.status();
            let parts = now.idle + now.leased + now.creating + now.checking + now.resetting;
            assert_eq!(now.size, parts + now.closing + now.stuck, "{now:?}");
            assert!(now.size <= now.max.max(last.size), "grown beyond max: {last:?}, then {now:?}");
            if now.size > now.max {
                let begun = now.creating > last.creating
                    || now.totals.created > last.totals.created + last.creating as u64;
                assert!(!begun, "created while in debt: {last:?}, then {now:?}");
            }
            last = now;
        }
        walk.rig.pool.resize(SIZE as usize).expect("the size it began with");
        walk.end();
    }
}

#[test]
fn spec_2_a_resource_that_is_being_closed_still_takes_its_place() {
    let rig = Rig::of(1);
    rig.manager.default_step(Op::Close, Step::Ok.after(secs(1)));
    Pooled::discard(rig.take());
    let mut waiting = rig.wait();
    let status = rig.pool.status();
    assert_eq!((status.closing, status.creating, status.size), (1, 0, 1));
    assert!(rig.runtime.block_on(&mut waiting.future().expect("it waits")).is_ok());
    assert_eq!(rig.runtime.elapsed(), secs(1), "it had to wait for the place");
    assert_eq!(rig.manager.max_open_or_creating_at_once(), 1);
}
