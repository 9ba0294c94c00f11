//! The idle bits, for pools of any size.

use std::time::Instant;

use millpond_core::{Config, Core, Idle};

/// One bit for each slot, in words. Nobody else is at them: the simulator is one thread.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    words: Vec<u64>,
    since: Vec<Instant>,
    /// What the core last said to `attend`.
    pub(crate) attended: bool,
    count: u32,
    check_after_idle: std::time::Duration,
}

impl Shelf {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            words: Vec::new(),
            since: Vec::new(),
            attended: false,
            count: 0,
            check_after_idle: config.check_after_idle,
        }
    }

    /// Takes the lowest idle slot as a borrower does that helps itself; `None` if attended or empty.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let slot = self.peek(0).filter(|_| !self.attended)?;
        self.claim(slot).then_some(slot)
    }

    /// Whether a borrower that took `slot` may leave with it, or has to show it at the desk first.
    pub(crate) fn is_fresh(&self, slot: u32, core: &Core, now: Instant) -> bool {
        let (epoch, retire_at) = core.tag(slot);
        epoch == core.epoch()
            && !core.is_suspect(slot)
            && retire_at.is_none_or(|at| now < at)
            && now.saturating_duration_since(self.since(slot)) < self.check_after_idle
    }

    /// Notes that a borrower lets go of `slot`, which it shows at the desk.
    pub(crate) fn stamp(&mut self, slot: u32, now: Instant) {
        let index = slot as usize;
        if self.since.len() <= index {
            self.since.resize(index + 1, now);
            self.words.resize(index / 64 + 1, 0);
        }
        self.since[index] = now;
    }
}

impl Idle for Shelf {
    fn peek(&self, from: u32) -> Option<u32> {
        let first = (from / 64) as usize;
        let words = self.words.iter().enumerate().skip(first);
        words
            .filter_map(|(place, word)| {
                let below = if place == first { from % 64 } else { 0 };
                let rest = word >> below << below;
                let base = u32::try_from(place * 64).ok()?;
                (rest != 0).then(|| base + rest.trailing_zeros())
            })
            .next()
    }

    fn claim(&mut self, slot: u32) -> bool {
        let Some(word) = self.words.get_mut((slot / 64) as usize) else { return false };
        let bit = 1 << (slot % 64);
        let was = *word & bit != 0;
        *word &= !bit;
        self.count -= u32::from(was);
        was
    }

    fn release(&mut self, slot: u32, now: Instant) {
        self.stamp(slot, now);
        let (word, bit) = (&mut self.words[(slot / 64) as usize], 1 << (slot % 64));
        assert!(*word & bit == 0, "slot {slot} came home twice");
        *word |= bit;
        self.count += 1;
    }

    fn since(&self, slot: u32) -> Instant {
        self.since[slot as usize]
    }

    fn count(&self) -> u32 {
        self.count
    }

    fn attend(&mut self, attended: bool) {
        self.attended = attended;
    }
}
