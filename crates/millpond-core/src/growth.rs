//! When resources are opened. Runs after every input, once everybody was served who could be.

use std::time::Instant;

use crate::core::{Core, Mode};
use crate::io::{Idle, Job};
use crate::slots::SlotId;
use crate::timers::TimerKey;

impl Core {
    /// Starts creations as far as demand, capacity, the limit and the back-off allow. Something is on its way for as long as
    /// anybody waits; more than that only as far as returns will not do.
    pub(crate) fn grow(&mut self, now: Instant, idle: &impl Idle) {
        let returns = self.expected_returns(now, idle);
        let mut trusting = false;
        while self.may_open() {
            let coming = self.slots.coming();
            let callers = self.waiters.waiting() + self.unasked;
            let wanted = coming < callers;
            trusting = wanted && coming > 0 && coming.saturating_add(returns) >= callers;
            if wanted && !trusting {
                self.open(coming >= self.waiters.waiting(), now);
            } else if self.lacks_idle(now, idle) {
                self.open(false, now);
            } else {
                break;
            }
        }
        let look = self.pace.count_ends().filter(|_| trusting);
        if self.timers.get(TimerKey::Growth) != look {
            match look {
                Some(at) => self.timers.set(TimerKey::Growth, at),
                None => self.timers.clear(TimerKey::Growth),
            }
        }
    }

    /// Whether too few lie idle. While callers wait for what others have that is no wonder, and while nobody drives the pool
    /// it is no help.
    fn lacks_idle(&self, now: Instant, idle: &impl Idle) -> bool {
        let min_idle = self.min_idle();
        min_idle > 0
            && self.tending
            && self.driver
            && (self.waiters.waiting() == 0 || self.is_all_home(idle))
            && self.idle_to_be(now, idle) < min_idle
    }

    /// Whether no resource is in other hands than the pool's, so that none can come home.
    fn is_all_home(&self, idle: &impl Idle) -> bool {
        let counts = self.slots.counts();
        counts.live + counts.offered <= idle.count()
    }

    /// Whether one more creation may start now.
    fn may_open(&self) -> bool {
        let counts = self.slots.counts();
        let limit = self.config.max_creating.min(self.backoff.most_creating());
        self.mode == Mode::Open
            && !self.backoff.is_running()
            && counts.charged() < self.config.max_size
            && self.slots.opening() < limit
    }

    /// Starts a creation. `unasked`: whether or not a caller waits for it.
    fn open(&mut self, unasked: bool, now: Instant) {
        let id = self.occupy(unasked, now);
        self.start(id.index(), Job::Create, now);
    }

    /// Charges a place for a resource whose life begins now.
    pub(crate) fn occupy(&mut self, unasked: bool, now: Instant) -> SlotId {
        let lifetime =
            self.backoff.shortened(self.config.max_lifetime, self.config.lifetime_jitter);
        self.slots.occupy(unasked, self.epoch, now.checked_add(lifetime), now)
    }

    /// How many of those who wait will be served by what comes home, before a creation could be ready.
    fn expected_returns(&mut self, now: Instant, idle: &impl Idle) -> u32 {
        // A pool at its full size need not know, and under load each hand-over passes here.
        let full = self.slots.counts().charged() >= self.config.max_size;
        if full || self.waiters.waiting() == 0 || self.is_all_home(idle) {
            self.pace.rest();
            return 0;
        }
        self.pace.expect(now)
    }
}
