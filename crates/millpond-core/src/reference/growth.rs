//! How the reference opens resources.

use std::time::{Duration, Instant};

use super::pool::{Mode, Place, Pool, Slot};
use crate::Config;
use crate::io::Job;

/// What the reference knows about how fast resources are opened and come home.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// How long each creation took.
    pub(super) created: Vec<Duration>,
    /// When each resource came home since the queue formed, or since the last count.
    pub(super) returns: Vec<Instant>,
    /// Since when they are counted.
    pub(super) since: Option<Instant>,
    /// What each count came to since the queue formed.
    pub(super) counts: Vec<u32>,
}

impl Pace {
    /// How long a creation takes: the latest counts for a quarter.
    fn create(&self) -> Duration {
        let mean = self.created.iter().copied().reduce(|mean, took| mean / 4 * 3 + took / 4);
        mean.unwrap_or_default()
    }

    pub(super) fn complete(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let passed = (now - since).max(self.create() / 4).as_nanos();
        let returns = self.returns.len() as u128;
        let expected = returns * self.create().as_nanos() / passed;
        self.counts.push(u32::try_from(expected).expect("a few"));
        (self.since, self.returns) = (Some(now), Vec::new());
    }
}

impl Pool {
    pub(super) fn grow(&mut self, now: Instant) {
        let returns = self.expected_returns(now);
        let mut trusting = false;
        while self.may_open() {
            let coming = self.coming();
            let callers = self.line.len() + self.unasked as usize;
            let wanted = coming < callers;
            trusting = wanted && coming > 0 && coming + returns as usize >= callers;
            if wanted && !trusting {
                self.open(coming >= self.line.len(), now);
            } else if self.tending
                && self.driver
                && (self.line.is_empty() || !self.is_any_out())
                && self.idle_to_be(now) < self.min_idle()
            {
                self.open(false, now);
            } else {
                break;
            }
        }
        let look = self.pace.since.map(|since| since + self.pace.create() / 4);
        let look = look.filter(|_| trusting);
        if self.look.map(|(at, _)| at) != look {
            self.look = look.map(|at| (at, self.order()));
        }
    }

    pub(super) fn min_idle(&self) -> usize {
        self.config.min_idle.min(self.config.max_size) as usize
    }

    /// How many lie idle that have some time to live, or are on their way, be it to a caller.
    pub(super) fn idle_to_be(&self, now: Instant) -> usize {
        let fresh = self.indices().filter(|index| self.is_fresh(*index, now)).count();
        let counts = self.counts();
        let coming = self.opening() + counts.checking + counts.resetting + counts.offered;
        fresh + coming as usize
    }

    fn is_any_out(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot.place, Place::Lent | Place::Offered))
    }

    /// Whether a resource lies idle and is not about to be too old.
    pub(super) fn is_fresh(&self, index: u32, now: Instant) -> bool {
        let slot = &self.slots[index as usize];
        let old = slot.epoch != self.epoch || self.ages_at(slot).is_some_and(|at| at <= now);
        slot.place == Place::Idle && !old
    }

    /// When the replacement of a resource is due.
    pub(super) fn ages_at(&self, slot: &Slot) -> Option<Instant> {
        let lead = (self.config.create_timeout + self.interval()).min(self.config.max_lifetime / 4);
        Some(slot.retire_at? - lead)
    }

    /// How far apart looks for what is too old are.
    pub(super) fn interval(&self) -> Duration {
        let Config { idle_timeout, max_lifetime, keepalive, .. } = self.config;
        idle_timeout.min(max_lifetime).min(keepalive) / 16
    }

    fn may_open(&self) -> bool {
        let limit = self.config.max_creating.min(self.successes.unwrap_or(u32::MAX));
        let counts = self.counts();
        self.mode == Mode::Open
            && self.pause.is_none()
            && self.opening() < limit
            && counts.charged() < self.config.max_size
    }

    fn open(&mut self, unasked: bool, now: Instant) {
        let index = self.occupy(unasked, now);
        self.start(index, Job::Create, now);
    }

    pub(super) fn occupy(&mut self, unasked: bool, now: Instant) -> u32 {
        let vacant = self.slots.iter().position(|slot| slot.place == Place::Vacant);
        let index = vacant.unwrap_or(self.slots.len());
        let slot = Slot {
            place: Place::Creating { unasked },
            since: now,
            epoch: self.epoch,
            retire_at: now.checked_add(self.config.max_lifetime),
            began: now,
            begun: false,
            suspect: false,
            tied: None,
            proved: None,
            task: 0,
            timeout: None,
        };
        if vacant.is_some() {
            self.slots[index] = slot;
        } else {
            self.slots.push(slot);
        }
        u32::try_from(index).expect("a few")
    }

    /// How many of those who wait will be served by what comes home, before a creation could be ready.
    fn expected_returns(&mut self, now: Instant) -> u32 {
        let full = self.counts().charged() >= self.config.max_size;
        if full || self.line.is_empty() || !self.is_any_out() {
            (self.pace.since, self.pace.counts) = (None, Vec::new());
            return 0;
        }
        let count = self.pace.create() / 4;
        if count.is_zero() {
            return 0;
        }
        match self.pace.since {
            None => (self.pace.since, self.pace.returns) = (Some(now), Vec::new()),
            Some(since) if now - since >= count => self.pace.complete(now),
            Some(_) => {}
        }
        match self.pace.counts[..] {
            [] => 1_000,
            [.., last] if self.pace.counts.len() < 4 => last,
            _ => 0,
        }
    }
}
