//! What will happen when.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use millpond_core::{Job, Outcome, SlotId, WaiterId};

/// Something that happens at a moment known in advance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The next caller of a kind comes.
    Arrival(u32),
    /// A task of a closed loop begins its next cycle.
    Cycle(u32),
    /// A request asks again.
    Again(u32),
    /// An attempt asks for another resource, because its own was dead.
    Ask(u32),
    /// A woken caller comes to see what it was woken for.
    Come(WaiterId),
    /// An attempt is at its deadline. With its serial number: it may be long over.
    Late(u32, u64),
    /// A lease of this slot ends.
    Return(u32),
    /// The task of a job is about to start.
    Begin(SlotId, Job),
    /// The task of a job ends.
    End(SlotId, Outcome),
}

/// Events in the order of time; those of one moment in the order in which they were entered.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    events: BinaryHeap<Reverse<Entry>>,
    serial: u64,
}

#[derive(Debug)]
struct Entry {
    at: u64,
    serial: u64,
    event: Event,
}

impl Agenda {
    pub(crate) fn enter(&mut self, at: u64, event: Event) {
        self.serial += 1;
        self.events.push(Reverse(Entry { at, serial: self.serial, event }));
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.events.pop().map(|Reverse(entry)| entry.event)
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.events.peek().map(|Reverse(entry)| entry.at)
    }

    /// How many events there were so far.
    pub(crate) fn entered(&self) -> u64 {
        self.serial
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
