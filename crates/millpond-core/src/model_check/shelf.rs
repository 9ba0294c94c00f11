//! The idle bits of the model, with what other threads may do to them while the core looks.

use std::time::{Duration, Instant};

use crate::io::Idle;

/// How long a resource has lain idle, as far as the core can tell a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Came home after everything that happened so far: nothing casts doubt on it.
    Fresh,
    /// Fit, but lay there already when what happens next began.
    Middle,
    /// To be checked before it is lent.
    Old,
}

/// What another thread does in the middle of the core's work, while the bits are not attended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Race {
    /// A borrower sets its bit just before the flag goes up: it tells nobody.
    HomeBeforeFlag(u32),
    /// A caller helps itself just before the flag goes up.
    TakenBeforeFlag(u32),
    /// A caller helps itself between the core's look at a bit and its claim.
    TakenBeforeClaim(u32),
}

/// Bits, ages, and at most one race a step.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) idle: u8,
    pub(super) attended: bool,
    pub(super) ages: [Age; 3],
    /// The one moment at which the model plays.
    pub(super) now: Instant,
    pub(super) race: Option<Race>,
    /// Whether the race of this step took place.
    pub(super) raced: bool,
    /// The bits that came home by it.
    pub(super) came_home: u8,
    /// Planted: these bits are not seen, as if the core did not look.
    pub(super) hidden: u8,
    /// Planted: a bit that comes home unseen stays so for the rest of the step.
    pub(super) no_second_look: bool,
}

impl Shelf {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            idle: 0,
            attended: false,
            ages: [Age::Fresh; 3],
            now,
            race: None,
            raced: false,
            came_home: 0,
            hidden: 0,
            no_second_look: false,
        }
    }

    pub(super) fn has(&self, slot: u32) -> bool {
        self.idle & (1 << slot) != 0
    }

    pub(super) fn age(&self, slot: u32) -> Age {
        self.ages[slot as usize]
    }
}

impl Idle for Shelf {
    fn peek(&self, from: u32) -> Option<u32> {
        let rest = u32::from(self.idle & !self.hidden) >> from << from;
        (rest != 0).then(|| rest.trailing_zeros())
    }

    fn claim(&mut self, slot: u32) -> bool {
        if self.race == Some(Race::TakenBeforeClaim(slot)) && !self.attended && self.has(slot) {
            (self.race, self.raced) = (None, true);
            self.idle &= !(1 << slot);
        }
        let was = self.has(slot);
        self.idle &= !(1 << slot);
        was
    }

    fn release(&mut self, slot: u32, now: Instant) {
        assert!(!self.has(slot), "slot {slot} comes home twice");
        self.idle |= 1 << slot;
        if now == self.now {
            self.ages[slot as usize] = Age::Fresh;
        } else {
            assert_eq!(now, self.since(slot), "released as of a moment that nobody told");
        }
    }

    fn since(&self, slot: u32) -> Instant {
        match self.age(slot) {
            Age::Fresh => self.now + Duration::from_nanos(1),
            Age::Middle => self.now - Duration::from_nanos(1),
            Age::Old => self.now - OLD,
        }
    }

    fn count(&self) -> u32 {
        self.idle.count_ones()
    }

    fn attend(&mut self, attended: bool) {
        match self.race {
            Some(Race::HomeBeforeFlag(slot)) if attended && !self.attended => {
                (self.race, self.raced) = (None, true);
                self.idle |= 1 << slot;
                self.came_home = 1 << slot;
                self.ages[slot as usize] = Age::Fresh;
                self.hidden |= u8::from(self.no_second_look) << slot;
            }
            Some(Race::TakenBeforeFlag(slot)) if attended && !self.attended && self.has(slot) => {
                (self.race, self.raced) = (None, true);
                self.idle &= !(1 << slot);
            }
            _ => {}
        }
        self.attended = attended;
    }
}

/// The age from which a resource is checked before it is lent, and closed by a sweep.
pub(super) const OLD: Duration = Duration::from_secs(1);
