//! What became of each request, and the counts and percentiles over many of them.

use std::time::Duration;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Served by its deadline.
    InTime,
    /// Served, but too late to be of use.
    Late,
    /// Waited for a worker until the deadline.
    Timeout,
    /// The queue was full.
    TooManyWaiters,
    /// Turned away by the pool, before the deadline.
    Shed,
    /// No worker could be opened.
    Create,
    /// The pool was closed.
    Closed,
    /// Had a worker, and the database or the worker failed.
    Query,
    /// An error this program does not know.
    Other,
}

impl Outcome {
    pub(crate) const ALL: [Self; 9] = [
        Self::InTime,
        Self::Late,
        Self::Timeout,
        Self::TooManyWaiters,
        Self::Shed,
        Self::Create,
        Self::Closed,
        Self::Query,
        Self::Other,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::InTime => "in time",
            Self::Late => "late",
            Self::Timeout => "timeout",
            Self::TooManyWaiters => "too many",
            Self::Shed => "shed",
            Self::Create => "create",
            Self::Closed => "closed",
            Self::Query => "query",
            Self::Other => "other",
        }
    }

    /// Whether the database did the work, late or not.
    pub(crate) fn is_served(self) -> bool {
        matches!(self, Self::InTime | Self::Late)
    }
}

/// One request; times count from the start of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) request: u64,
    /// When it was to arrive, which is when its latency begins.
    pub(crate) due: Duration,
    pub(crate) ended: Duration,
    pub(crate) outcome: Outcome,
}

/// A number of requests by outcome, with the latencies of the served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: [u64; Outcome::ALL.len()],
    latencies: Vec<Duration>,
}

impl Tally {
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut tally = Self::default();
        records.into_iter().for_each(|record| tally.add(record));
        tally
    }

    pub(crate) fn add(&mut self, record: &Record) {
        self.counts[record.outcome as usize] += 1;
        if record.outcome.is_served() {
            self.latencies.push(record.ended.saturating_sub(record.due));
        }
    }

    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of requests that were served in time, 0 to 1; `None` if there were none.
    pub(crate) fn share_in_time(&self) -> Option<f64> {
        (self.total() > 0).then(|| self.count(Outcome::InTime) as f64 / self.total() as f64)
    }

    /// The smallest latency that `percent` of the served did not exceed; `None` if none was served.
    pub(crate) fn percentile(&mut self, percent: usize) -> Option<Duration> {
        self.latencies.sort_unstable();
        let rank = (self.latencies.len() * percent).div_ceil(100);
        self.latencies.get(rank.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(outcome: Outcome, millis: u64) -> Record {
        let due = Duration::from_secs(1);
        Record { request: 0, due, ended: due + Duration::from_millis(millis), outcome }
    }

    #[test]
    fn each_outcome_has_a_place_of_its_own() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }

    #[test]
    fn percentiles_are_of_the_served_alone() {
        let mut records: Vec<_> = (1..=200).map(|millis| record(Outcome::InTime, millis)).collect();
        records.push(record(Outcome::Timeout, 9000));
        let mut tally = Tally::of(&records);
        assert_eq!(tally.percentile(50), Some(Duration::from_millis(100)));
        assert_eq!(tally.percentile(99), Some(Duration::from_millis(198)));
        assert_eq!(tally.percentile(100), Some(Duration::from_millis(200)));
        assert_eq!((tally.total(), tally.count(Outcome::InTime)), (201, 200));
        assert_eq!(Tally::default().percentile(99), None);
    }

    #[test]
    fn one_served_request_is_every_percentile() {
        let mut tally = Tally::of([&record(Outcome::Late, 7)]);
        assert_eq!(tally.percentile(1), Some(Duration::from_millis(7)));
        assert_eq!(tally.percentile(99), Some(Duration::from_millis(7)));
        assert_eq!(tally.share_in_time(), Some(0.0));
        assert_eq!(Tally::default().share_in_time(), None);
    }
}
