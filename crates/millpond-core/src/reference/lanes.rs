//! Lanes in the reference: who is first is found out by looking at everybody, and who has what by looking at every place.

use std::time::{Duration, Instant};

use super::pool::Pool;
use super::words::Said;
use crate::Lane;

impl Pool {
    pub(super) fn lane(&self, lane: u32) -> Lane {
        let (max_waiters, head_start, reserved) = (self.config.max_waiters, Duration::ZERO, 0);
        match lane {
            0 => Lane { max_waiters, head_start, reserved },
            _ => self.config.lanes[lane as usize - 1].clone(),
        }
    }

    pub(super) fn waiting_in(&self, lane: u32) -> usize {
        self.line.iter().filter(|caller| self.callers[**caller].lane == lane).count()
    }

    pub(super) fn first_in(&self, lane: u32) -> Option<usize> {
        self.line.iter().copied().find(|caller| self.callers[*caller].lane == lane)
    }

    /// Everybody who waits, those of the default lane first.
    pub(super) fn lane_by_lane(&self) -> Vec<usize> {
        let mut all: Vec<_> = self.line.iter().copied().collect();
        all.sort_by_key(|caller| self.callers[*caller].lane);
        all
    }

    /// Of the first of each lane: one whose lane has fewer than are reserved for it, else the one that is treated as if it had
    /// come first.
    pub(super) fn first_in_line(&self) -> Option<usize> {
        let lanes = 0..=self.config.lanes.len() as u32;
        let came = |caller: usize| -> (Option<Instant>, Instant) {
            let caller = &self.callers[caller];
            (caller.came.checked_sub(self.lane(caller.lane).head_start), caller.came)
        };
        let fronts = lanes.filter_map(|lane| self.first_in(lane));
        let (owed, others): (Vec<_>, Vec<_>) = fronts.partition(|caller| {
            let lane = self.callers[*caller].lane;
            self.held_by(lane) < self.lane(lane).reserved as usize
        });
        let first = if owed.is_empty() { others } else { owed };
        first.into_iter().min_by_key(|caller| came(*caller))
    }

    pub(super) fn held_by(&self, lane: u32) -> usize {
        self.slots.iter().filter(|slot| slot.tied == Some(lane)).count()
    }

    pub(super) fn tie(&mut self, slot: u32, lane: u32) {
        self.slots[slot as usize].tied = Some(lane).filter(|lane| self.lane(*lane).reserved > 0);
    }

    pub(super) fn untie(&mut self, slot: u32) {
        if self.slots[slot as usize].tied.take().is_some() {
            self.said.push(Said::Retag(slot));
        }
    }

    /// The caller of this input has it.
    pub(super) fn say_lent(&mut self, slot: u32) {
        self.said.push(Said::Lend(slot));
        if self.slots[slot as usize].tied.is_some() {
            self.said.push(Said::Retag(slot));
        }
    }
}
