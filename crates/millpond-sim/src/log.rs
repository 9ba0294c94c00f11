//! What a run leaves behind.

use std::time::Duration;

use millpond_core::{Counts, Totals, Why};

use crate::Scenario;

/// Everything that was seen in a run. The figures drawn from it are in [`Run::summary`] and its neighbours.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// What was simulated.
    pub scenario: Scenario,
    /// Every request, in the order in which they ended.
    pub records: Vec<Record>,
    /// Everything the pool refused, in order: several for one request if it asked several times.
    pub refusals: Vec<Refused>,
    /// The state of the pool over time.
    pub moments: Vec<Moment>,
    /// How long each of the [`moments`](Self::moments) lasts.
    pub grain: Duration,
    /// From when to when which lane was overloaded, by the word of the core.
    pub overloads: Vec<Span>,
    /// When how many creations were in flight, whenever that changed.
    pub creating: Vec<(Duration, u32)>,
    /// When a creation opened a resource.
    pub opened: Vec<Duration>,
    /// How often a resource lay idle beside a caller that waited for one, after the pool had come to rest. Must be zero.
    pub stranded: u64,
    /// How often a caller was lent a resource before one of its lane that had queued before it.
    pub overtaken: u64,
    /// The greatest number of queued callers.
    pub most_waiting: u32,
    /// The greatest number of resources that were lent.
    pub most_lent: u32,
    /// The greatest number of creations in flight.
    pub most_creating: u32,
    /// Requests that had not ended when nothing happened any more, those of absent callers not counted.
    pub unfinished: u64,
    /// The state of the pool at the end.
    pub counts: Counts,
    /// What the core counted.
    pub totals: Totals,
    /// How many events it took.
    pub events: u64,
}

/// One request, from the moment it was due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Which of the scenario's [`callers`](Scenario::callers) it was of.
    pub kind: usize,
    /// When it came first. All deadlines and latencies count from here.
    pub due: Duration,
    /// When it was done, or knew that it would not be.
    pub end: Duration,
    /// How long it waited for its resource, in the attempt that got one.
    pub wait: Duration,
    /// How long it held resources.
    pub held: Duration,
    /// How often it asked.
    pub attempts: u32,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// Done by its deadline.
    Good,
    /// Done too late to be of use.
    Late,
    /// Refused by the pool, the last time for this reason.
    Refused(Why),
    /// It left the queue at its deadline.
    Left,
    /// It was still under way when nothing happened any more.
    Unfinished,
}

/// One refusal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refused {
    /// When.
    pub at: Duration,
    /// Which of the scenario's [`callers`](Scenario::callers) it was.
    pub kind: usize,
    /// How long after it had asked.
    pub after: Duration,
    /// Why.
    pub why: Why,
    /// When it was told to ask again.
    pub retry_after: Duration,
}

/// What was seen within a short time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The greatest number of queued callers.
    pub waiting: u32,
    /// The greatest number of resources that were lent.
    pub lent: u32,
    /// The greatest number of creations in flight.
    pub creating: u32,
    /// The mean hold time that the core last measured.
    pub hold: Option<Duration>,
}

/// A time during which a lane was overloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of the lane.
    pub lane: u32,
    /// Since when.
    pub from: Duration,
    /// Until when; the end of the run if it never ended.
    pub to: Duration,
}
