//! All deadlines of the pool in one table, so that there is one question: what fires next?
//!
//! The timers of waiters are usually set in the order in which they fire, because most share one timeout. Those stand in a
//! line, where everything costs O(1); whatever comes out of order, and all other timers, stand in an indexed binary heap,
//! where it costs O(log n). Nothing is rounded, and once warm nothing allocates. A timer wheel would make it O(1) throughout,
//! but rounds deadlines to its grain and takes several times the code.

mod line;

use std::time::Instant;

use self::line::Line;

/// What a timer is for. At most one timer is set for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// A waiter's deadline, by index.
    Deadline(u32),
    /// The end of the claim window of a waiter's offer, by index.
    Offer(u32),
    /// The deadline of the job in a slot, by index.
    Job(u32),
    /// The end of the back-off.
    Backoff,
    /// The next tick.
    Tick,
    /// The next look for resources that are too old.
    Sweep,
    /// The moment to see whether returns will do, or more creations are needed.
    Growth,
    /// The end of an interval in which the queues are watched.
    Overload,
}

/// The timer table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    /// Those of waiters that came in order: deadlines, and claim windows.
    lines: [Line; 2],
    heap: Vec<Entry>,
    /// For each kind of key, by index: the place in the heap plus one, or zero while not set.
    places: [Vec<u32>; KINDS],
    /// Breaks ties: equal deadlines fire in the order in which they were set.
    sequence: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    sequence: u64,
    key: TimerKey,
}

impl Timers {
    /// Sets the timer of `key` to `at`, whether or not it was set before.
    pub(crate) fn set(&mut self, key: TimerKey, at: Instant) {
        self.clear(key);
        self.sequence += 1;
        if let Some((line, index)) = key.line().filter(|(line, _)| self.lines[*line].admits(at)) {
            return self.lines[line].join(index, at, self.sequence);
        }
        self.heap.push(Entry { at, sequence: self.sequence, key });
        self.put(self.heap.len() - 1);
        self.rise(self.heap.len() - 1);
    }

    /// Sets the timer of `key` to `at` unless it fires earlier anyway.
    pub(crate) fn set_earlier(&mut self, key: TimerKey, at: Instant) {
        if self.get(key).is_none_or(|set| at < set) {
            self.set(key, at);
        }
    }

    /// Clears the timer of `key`, if set.
    pub(crate) fn clear(&mut self, key: TimerKey) {
        if key.line().is_some_and(|(line, index)| self.lines[line].leave(index)) {
            return;
        }
        let Some(place) = self.place(key) else { return };
        self.set_place(key, 0);
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.put(place);
            self.rise(place);
            self.sink(place);
        }
    }

    /// Clears and returns a timer that is due at `now`, the earliest first.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<TimerKey> {
        if self.next()? > now {
            return None;
        }
        let key = self.first()?.key;
        self.clear(key);
        Some(key)
    }

    /// When the timer of `key` fires.
    pub(crate) fn get(&self, key: TimerKey) -> Option<Instant> {
        let in_line =
            key.line().and_then(|(line, index)| self.lines[line].get(index)).map(|(at, _)| at);
        in_line.or_else(|| self.place(key).map(|place| self.heap[place].at))
    }

    /// When the earliest timer fires. Asked several times in each visit to the desk.
    pub(crate) fn next(&self) -> Option<Instant> {
        let mut next = self.heap.first().map(|first| first.at);
        for (at, ..) in self.lines.iter().filter_map(Line::first) {
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        next
    }

    /// The keys of all timers that are set, in no order.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> impl Iterator<Item = TimerKey> + '_ {
        let in_line = LINES.iter().zip(&self.lines).flat_map(|(key, line)| line.indices().map(key));
        in_line.chain(self.heap.iter().map(|entry| entry.key))
    }

    fn first(&self) -> Option<Entry> {
        let mut first = self.heap.first().copied();
        for (line, key) in self.lines.iter().zip(LINES) {
            if let Some((at, sequence, index)) = line.first() {
                let head = Entry { at, sequence, key: key(index) };
                first = Some(first.filter(|first| first.is_before(&head)).unwrap_or(head));
            }
        }
        first
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if !self.heap[place].is_before(&self.heap[parent]) {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let mut first = place;
            for child in [2 * place + 1, 2 * place + 2] {
                if child < self.heap.len() && self.heap[child].is_before(&self.heap[first]) {
                    first = child;
                }
            }
            if first == place {
                return;
            }
            self.swap(place, first);
            place = first;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.put(a);
        self.put(b);
    }

    /// Notes where the entry at `place` now is.
    fn put(&mut self, place: usize) {
        let key = self.heap[place].key;
        self.set_place(
            key,
            u32::try_from(place + 1).expect("fewer than 2^32 timers: their keys are u32"),
        );
    }

    fn place(&self, key: TimerKey) -> Option<usize> {
        let (kind, index) = key.address();
        let place = *self.places[kind].get(index)?;
        (place as usize).checked_sub(1)
    }

    fn set_place(&mut self, key: TimerKey, place: u32) {
        let (kind, index) = key.address();
        let places = &mut self.places[kind];
        if places.len() <= index {
            places.resize(index + 1, 0);
        }
        places[index] = place;
    }
}

impl Entry {
    fn is_before(&self, other: &Self) -> bool {
        (self.at, self.sequence) < (other.at, other.sequence)
    }
}

impl TimerKey {
    /// Which of the `lines` it may join, and as which index.
    fn line(self) -> Option<(usize, u32)> {
        match self {
            Self::Deadline(index) => Some((0, index)),
            Self::Offer(index) => Some((1, index)),
            Self::Job(_)
            | Self::Backoff
            | Self::Tick
            | Self::Sweep
            | Self::Growth
            | Self::Overload => None,
        }
    }

    /// Which of the `places`, and where in it.
    fn address(self) -> (usize, usize) {
        match self {
            Self::Deadline(index) => (0, index as usize),
            Self::Offer(index) => (1, index as usize),
            Self::Job(index) => (2, index as usize),
            Self::Backoff => (3, 0),
            Self::Tick => (3, 1),
            Self::Sweep => (3, 2),
            Self::Growth => (3, 3),
            Self::Overload => (3, 4),
        }
    }
}

/// What is in each of the `lines`.
const LINES: [fn(u32) -> TimerKey; 2] = [TimerKey::Deadline, TimerKey::Offer];
const KINDS: usize = 4;
