//! Care of what lies idle: that there is enough of it, and that it still works.

use std::time::{Duration, Instant};

use crate::core::Core;
use crate::io::Idle;

impl Core {
    /// How many should lie idle.
    pub(crate) fn min_idle(&self) -> u32 {
        self.config.min_idle.min(self.config.max_size)
    }

    /// How many lie idle or may before long. What is just changing hands may be back by the next look.
    pub(crate) fn idle_to_be(&self, now: Instant, idle: &impl Idle) -> u32 {
        let counts = self.slots.counts();
        let on_their_way = self.slots.opening() + counts.checking + counts.resetting;
        self.fresh_idle(now, idle) + on_their_way + counts.offered
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

    /// Has those checked that nobody has seen work for too long, a part of them at a time.
    pub(crate) fn keep_alive(&mut self, now: Instant, idle: &mut impl Idle) {
        let checking = self.slots.counts().checking;
        let mut free = (idle.count() + checking).div_ceil(KEEPALIVE_PARTS).saturating_sub(checking);
        let mut from = 0;
        while let Some(index) = idle.peek(from).filter(|_| free > 0 && self.driver) {
            from = index + 1;
            // mutate: if self.is_unseen(index, now, idle) && { idle.claim(index); true } {
            if self.is_unseen(index, now, idle) && idle.claim(index) {
                let since = idle.since(index);
                // mutate: if true {
                if self.is_unseen(index, now, idle) {
                    self.check(index, false, since, now);
                    free -= 1;
                } else {
                    // It was lent and came back between the look and the claim.
                    idle.release(index, since);
                }
            }
        }
    }

    fn is_unseen(&self, index: u32, now: Instant, idle: &impl Idle) -> bool {
        self.unseen_at(index, idle.since(index)).is_some_and(|at| at <= now)
    }

    /// When a resource that rests `since` then is to be checked, whether or not anybody asks for it.
    pub(crate) fn unseen_at(&self, index: u32, since: Instant) -> Option<Instant> {
        self.slots.get(index).unseen(since).checked_add(self.config.keepalive)
    }

    /// How long before its end the replacement of a resource is opened: as long as that may take, and until the next look.
    fn lead(&self) -> Duration {
        let lead = self.config.create_timeout.saturating_add(self.look_interval());
        lead.min(self.config.max_lifetime / LATEST_QUARTER)
    }
}

/// So many parts of what lies idle are checked one after the other, so that the others can be lent meanwhile. Where there are no
/// more than so many resources, that is one at a time.
const KEEPALIVE_PARTS: u32 = 4;
/// A resource is replaced in the last quarter of its life at the earliest: jitter takes as much of it.
const LATEST_QUARTER: u32 = 4;
