//! What distinguishes two states: everything that a later decision can depend on, and nothing else. No totals, no
//! generations, no moments, no places in the slab of callers: two states with the same key have the same future.

use super::shelf::Age;
use super::world::World;
use crate::core::Mode;
use crate::slots::State;
use crate::strain::Look;
use crate::timers::TimerKey;
use crate::waiters::Standing;
use crate::{Overload, WaiterId};

/// Bits, appended.
#[derive(Clone, Copy, Debug, Default)]
struct Packer {
    bits: u128,
    length: u32,
}

impl Packer {
    fn push(&mut self, value: u32, bits: u32) {
        assert!(value < 1 << bits, "{value} does not fit into {bits} bits");
        self.length += bits;
        assert!(self.length <= u128::BITS, "the state does not fit into its key");
        self.bits = self.bits << bits | u128::from(value);
    }

    fn flag(&mut self, flag: bool) {
        self.push(u32::from(flag), 1);
    }
}

impl World {
    pub(super) fn key(&self) -> u128 {
        let mut key = Packer::default();
        let core = &self.core;
        key.push(core.mode as u32, 2);
        key.flag(core.driver);
        key.flag(core.asleep);
        key.push(core.config.max_size, 2);
        let (failures, ramp, permanent, running) = core.backoff.canonical();
        key.push(failures.min(core.config.fail_fast_after.unwrap_or(1)), 2);
        key.push(ramp.min(core.config.max_creating), 2);
        key.flag(permanent);
        key.flag(running);
        key.push(core.abandoned, 3);
        key.flag(core.timers.get(TimerKey::Tick).is_some());
        key.flag(core.timers.get(TimerKey::Sweep).is_some());
        key.flag(core.timers.get(TimerKey::Growth).is_some());
        let (counting, returned, expected, counts) = core.pace.canonical();
        key.flag(self.paced && counting);
        key.flag(self.paced && returned);
        key.flag(self.paced && expected);
        key.push(if self.paced { counts } else { 0 }, 3);
        for slot in 0..3 {
            self.push_slot(slot, &mut key);
        }
        self.push_callers(&mut key);
        if core.config.overload != Overload::Fifo {
            self.push_policy(&mut key);
        }
        key.bits
    }

    fn push_slot(&self, slot: u32, key: &mut Packer) {
        if !self.slots().contains(&slot) {
            return key.push(0, 18);
        }
        let state = self.state_of(slot);
        let code = match state {
            State::Vacant => 1,
            State::Creating { unasked: false } => 2,
            State::Creating { unasked: true } => 3,
            State::Live => 4,
            State::Offered => 5,
            State::Checking { doubtful: false } => 6,
            State::Checking { doubtful: true } => 7,
            State::Resetting => 8,
            State::Closing => 9,
            State::Stuck => 10,
            State::Void => 11,
        };
        key.push(code, 4);
        key.flag(self.core.timers.get(TimerKey::Job(slot)).is_some());
        key.push(self.task_of(slot).map_or(0, |task| task.stage as u32), 2);
        key.flag(state.is_open() && self.core.slots.get(slot).epoch != self.core.epoch);
        key.flag(state.is_open() && self.is_too_old(slot));
        let ripe = self.core.config.min_idle > 0 && self.core.is_ageing(slot, self.now());
        key.flag(state.is_open() && ripe);
        let unvetted = self.unvetted & (1 << slot) != 0;
        key.flag(self.shelf.has(slot));
        key.flag(unvetted);
        // Neither a check nor an offer is a use: what passes the one or misses the other has rested as long as before.
        let unused = matches!(state, State::Checking { .. } | State::Offered);
        let rests = self.shelf.has(slot) || unvetted || unused;
        let age = if rests { self.shelf.age(slot) } else { Age::Fresh };
        key.push(age as u32, 2);
        key.flag(age != Age::Fresh && self.core.slots.get(slot).proved.is_some());
        let alive = !matches!(state, State::Vacant | State::Closing | State::Stuck);
        key.flag(self.doubted & (1 << slot) != 0 && alive);
        key.flag(self.core.is_suspect(slot) && alive);
        key.flag(self.core.is_tied(slot));
    }

    /// What is known of load. Between two intervals nothing is.
    fn push_policy(&self, key: &mut Packer) {
        let watched = self.core.timers.get(TimerKey::Overload).is_some();
        let (refused, down) = self.core.strain.canonical();
        key.flag(watched);
        key.flag(refused);
        key.flag(down);
        for lane in &self.core.lanes {
            let look = if watched { lane.look } else { Look::default() };
            let overloaded = lane.overloaded_since.is_some();
            key.flag(overloaded);
            // One decides when it begins, the other when it ends.
            if overloaded {
                key.flag(look.refused);
                key.push(lane.relief, 2);
            } else {
                key.flag(look.prompt);
                key.flag(!look.prompt && look.is_harmful());
                key.push(if look.prompt || look.is_harmful() { 0 } else { look.longest }, 2);
            }
        }
    }

    fn push_callers(&self, key: &mut Packer) {
        let core = &self.core;
        let mut lapsed: Vec<_> = self
            .callers
            .iter()
            .map(|caller| caller.id)
            .filter(|id| core.waiters.get(*id).standing == Standing::Lapsed)
            .collect();
        lapsed.sort_unstable_by_key(|id| self.features(*id));
        let queue: Vec<_> = core.waiters.queued().collect();
        for group in [&self.offered, &queue, &lapsed] {
            for id in group {
                key.flag(true);
                key.push(self.features(*id), 7);
            }
            key.flag(false);
        }
    }

    /// What is to be known of a caller besides its place in line.
    fn features(&self, id: WaiterId) -> u32 {
        let core = &self.core;
        let waiter = core.waiters.get(id);
        let slot = core.offered(id).map_or(0, |slot| slot + 1);
        let deadline = core.timers.get(TimerKey::Deadline(id.index())).is_some();
        slot | u32::from(deadline) << 2
            | u32::from(waiter.expired) << 3
            | u32::from(waiter.requeued) << 4
            | u32::from(self.is_tired(id)) << 5
            | waiter.lane << 6
    }
}

// The key tells modes apart by number.
const _: () = assert!(Mode::Drained as u32 == 3);
