//! Care of what lies idle: that there is enough of it.

use std::time::{Duration, Instant};

use crate::core::Core;
use crate::io::Idle;

impl Core {
    /// How many should lie idle.
    pub(crate) fn min_idle(&self) -> u32 {
        self.config.min_idle.min(self.config.max_size)
    }

    /// How many will lie idle when all that is under way is done and all that wait are served.
    pub(crate) fn idle_to_be(&self, now: Instant, idle: &impl Idle) -> u32 {
        let counts = self.slots.counts();
        let on_their_way = self.slots.opening() + counts.checking + counts.resetting;
        (self.fresh_idle(now, idle) + on_their_way).saturating_sub(self.waiters.waiting())
    }

    /// How many lie idle and will not be too old before they could be replaced.
    pub(crate) fn fresh_idle(&self, now: Instant, idle: &impl Idle) -> u32 {
        let mut fresh = 0;
        let mut from = 0;
        while let Some(index) = idle.peek(from) {
            from = index + 1;
            fresh += u32::from(!self.is_ageing(index, now));
        }
        fresh
    }

    /// Whether it is time to replace a resource, or past it.
    pub(crate) fn is_ageing(&self, index: u32, now: Instant) -> bool {
        let slot = self.slots.get(index);
        let soon = now.checked_add(self.lead());
        slot.epoch != self.epoch
            || slot.retire_at.is_some_and(|at| soon.is_none_or(|soon| at <= soon))
    }

    /// When the replacement of a resource is to be opened, where there must be one before it goes.
    pub(crate) fn ages_at(&self, index: u32) -> Option<Instant> {
        let retire_at = self.slots.get(index).retire_at.filter(|_| self.config.min_idle > 0)?;
        retire_at.checked_sub(self.lead())
    }

    /// How long before its end the replacement of a resource is opened: as long as that may take, and until the next look.
    fn lead(&self) -> Duration {
        let lead = self.config.create_timeout.saturating_add(self.look_interval());
        lead.min(self.config.max_lifetime / LATEST_QUARTER)
    }
}

/// A resource is replaced in the last quarter of its life at the earliest: jitter takes as much of it.
const LATEST_QUARTER: u32 = 4;
