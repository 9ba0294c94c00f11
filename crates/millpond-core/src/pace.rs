//! How fast the pool grows: whether what comes home will serve those who wait before another creation could.
//!
//! Fifty callers with leases of 2 ms are served by five resources long before a connect of 150 ms is over; fifty connects
//! would be ready when nobody needs them any more. So while something is lent, one creation is always under way, and a
//! further one begins only for callers whom the returns of that time will not serve. Returns are counted from when the queue
//! forms, for a part of the time that a creation takes; until the first count is complete they are trusted. A queue that
//! lasts as long as a creation takes shows that more are needed for good, and then they are trusted no more.
//!
//! Rejected: to deduce it from the mean length of leases, which those who help themselves do not tell; and to open one at a
//! time for as long as anything is lent, which makes a pool of long leases grow at the pace of one connect after another.

use std::time::{Duration, Instant};

/// How long creations take, and how much comes home meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    /// How long a creation takes: a moving mean. `None` before the first.
    create: Option<Duration>,
    /// Since when returns are counted. *Transitions:* set when somebody waits while something is lent, and when a count is
    /// complete; cleared when nobody waits or nothing is lent.
    since: Option<Instant>,
    /// How many there were since.
    returns: u32,
    /// How many come home while one is created, by the last complete count; before the first, everything.
    expected: u32,
    /// How many counts were completed since the queue formed.
    counts: u32,
}

impl Pace {
    /// A creation took that long.
    pub(crate) fn created(&mut self, took: Duration) {
        self.create = Some(match self.create {
            Some(mean) => mean / WEIGHT * (WEIGHT - 1) + took / WEIGHT,
            None => took,
        });
    }

    /// A resource came home.
    pub(crate) fn returned(&mut self) {
        self.returns = self.returns.saturating_add(1);
    }

    /// Nobody waits for what comes home, or nothing can.
    pub(crate) fn rest(&mut self) {
        self.since = None;
    }

    /// How many callers need no further creation, because something will come home for them before it is over.
    pub(crate) fn expect(&mut self, now: Instant) -> u32 {
        let count = self.count();
        if count.is_zero() {
            return 0;
        }
        match self.since {
            None => {
                (self.since, self.returns) = (Some(now), 0);
                (self.expected, self.counts) = (u32::MAX, 0);
            }
            Some(since) if now.saturating_duration_since(since) >= count => self.complete(now),
            Some(_) => {}
        }
        if self.counts < COUNTS { self.expected } else { 0 }
    }

    /// Ends the count under way.
    pub(crate) fn complete(&mut self, now: Instant) {
        let (Some(create), Some(since)) = (self.create, self.since) else { return };
        let passed = now.saturating_duration_since(since).max(self.count()).as_nanos().max(1);
        let expected = u128::from(self.returns) * create.as_nanos() / passed;
        self.expected = u32::try_from(expected).unwrap_or(u32::MAX);
        self.counts = self.counts.saturating_add(1);
        (self.since, self.returns) = (Some(now), 0);
    }

    /// When the count under way is complete.
    pub(crate) fn count_ends(&self) -> Option<Instant> {
        self.since?.checked_add(self.count())
    }

    fn count(&self) -> Duration {
        self.create.unwrap_or_default() / COUNTS
    }

    /// Takes it that a creation lasts so long, where no time passes.
    #[cfg(test)]
    pub(crate) fn assume(&mut self, create: Duration) {
        self.create = Some(create);
    }

    /// What later decisions depend on, where no time passes and one return in a count is enough for everybody: whether returns
    /// are counted, whether there was one, whether there was in the last count, and how many counts there were.
    #[cfg(test)]
    pub(crate) fn canonical(&self) -> (bool, bool, bool, u32) {
        match self.since {
            Some(_) => (true, self.returns > 0, self.expected > 0, self.counts.min(COUNTS)),
            None => (false, false, false, 0),
        }
    }
}

/// So many counts are complete in the time of one creation. The more, the sooner a pool of long leases grows; the fewer, the
/// longer are the leases whose returns are noticed at all. At 4, a caller waits at worst a quarter longer for its creation
/// than without this rule, and leases of up to a quarter of a creation's time cause none in excess.
const COUNTS: u32 = 4;
/// The latest creation counts for one part in so many.
const WEIGHT: u32 = 4;
