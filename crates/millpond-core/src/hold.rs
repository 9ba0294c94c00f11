//! How long resources are held, measured where it matters: while callers wait.
//!
//! Then every resource is in somebody's hands, so the mean is the time they were held, all together, for each that came home
//! (Little's law). It needs no memory of who took what when, counts leases that began by self-service, and is right for long
//! leases that outlast the queue. Returns pass the desk then anyway, so it costs nothing while there is enough. The ninth
//! decile is kept as a multiple of the mean, because only some leases are seen from their beginning to their end.
//!
//! Rejected: the mean of the leases that were seen whole; where queues are short those are the short ones.

use std::time::{Duration, Instant};

use crate::report::Hold;

/// The mean and the ninth decile of late.
#[derive(Clone, Debug)]
pub(crate) struct Holds {
    /// How many resources are out, and until when that is counted. *Transitions:* set while callers wait, cleared when
    /// nobody does.
    watched: Option<(u32, Instant)>,
    /// When nobody waited any more.
    calm_since: Option<Instant>,
    /// For how long nobody waited before that, all in all.
    calm: Duration,
    /// How often callers began to wait: a lease is timed only within one of these periods.
    period: u64,
    /// For how long they were out, added up over all, since the last one came home.
    busy: Duration,
    /// How many came home since time last passed between two returns.
    at_once: u32,
    /// How many came home.
    returns: u32,
    mean: Duration,
    /// The ninth decile in parts of the mean.
    decile: u32,
}

/// When a lease began that the desk knows of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    period: u64,
    at: Instant,
}

impl Default for Holds {
    fn default() -> Self {
        Self {
            watched: None,
            calm_since: None,
            calm: Duration::ZERO,
            period: 0,
            busy: Duration::ZERO,
            at_once: 0,
            returns: 0,
            mean: Duration::ZERO,
            decile: PARTS,
        }
    }
}

impl Holds {
    /// From `now` on so many resources are out while callers wait; `None`: nobody waits.
    pub(crate) fn watch(&mut self, out: Option<u32>, now: Instant) {
        match (self.watched, out) {
            (Some(_), _) => self.count(now),
            (None, Some(_)) => self.begin(now),
            (None, None) => return,
        }
        if out.is_none() {
            self.calm_since = Some(now);
        }
        self.watched = out.map(|out| (out, now));
    }

    /// A lease begins.
    pub(crate) fn began(&self, now: Instant) -> Option<Began> {
        self.watched.map(|_| Began { period: self.period, at: now })
    }

    /// A resource comes home; `began`: when it was lent, if the desk knows.
    pub(crate) fn returned(&mut self, began: Option<Began>, now: Instant) {
        if self.watched.is_none() {
            return;
        }
        self.count(now);
        let held = std::mem::take(&mut self.busy);
        self.returns = self.returns.saturating_add(1);
        if self.returns == 1 {
            self.at_once = 1;
            self.mean = held;
        } else {
            // A stop of the server is one lease that takes very long; it should not count as many. Of those that come home at
            // once, the first has the time of all.
            let most = self.mean.saturating_mul(OUTLIER).saturating_mul(self.at_once);
            self.at_once = if held.is_zero() { self.at_once.saturating_add(1) } else { 1 };
            let held = held.min(most).as_nanos();
            let weight = u128::from(self.returns.min(WEIGHT));
            // Rounded up: rounded down, a mean of a nanosecond would never grow again.
            let mean = (self.mean.as_nanos() * (weight - 1) + held).div_ceil(weight);
            self.mean = from_nanos(mean);
        }
        self.mean = self.mean.max(LEAST);
        if let Some(began) = began.filter(|began| began.period == self.period) {
            let held = now.saturating_duration_since(began.at);
            // Nine steps up for one down: at rest where one of ten leases is longer.
            let step = self.decile / STEPS;
            self.decile = if held > self.p90() {
                (self.decile + 9 * step).min(OUTLIER * PARTS)
            } else {
                (self.decile - step).max(PARTS / OUTLIER)
            };
        }
    }

    /// What is known; `None` before a few have come home.
    pub(crate) fn get(&self) -> Option<Hold> {
        (self.returns >= FEW).then(|| Hold { mean: self.mean, p90: self.p90() })
    }

    /// For how long nobody has waited, all in all.
    pub(crate) fn calm(&self, now: Instant) -> Duration {
        self.calm.saturating_add(self.calm_for(now))
    }

    fn calm_for(&self, now: Instant) -> Duration {
        let since = self.calm_since.filter(|_| self.watched.is_none());
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Takes it that leases last so long, where no time passes.
    #[cfg(test)]
    pub(crate) fn assume(&mut self, mean: Duration) {
        let (watched, period) = (self.watched, self.period + 1);
        *self = Self { watched, period, returns: WEIGHT, mean, ..Self::default() };
    }

    fn p90(&self) -> Duration {
        from_nanos(self.mean.as_nanos() * u128::from(self.decile) / u128::from(PARTS))
    }

    /// Callers begin to wait.
    fn begin(&mut self, now: Instant) {
        self.period += 1;
        self.busy = Duration::ZERO;
        // What was measured before counts less, the more so if hardly anybody waits and little is measured.
        self.returns = self.returns.min(WEIGHT / 2);
        let calm = self.calm_for(now);
        self.calm = self.calm.saturating_add(calm);
        if calm > self.mean.saturating_mul(OUTLIER) {
            // So long ago the server may have been another.
            self.returns = 0;
        }
    }

    fn count(&mut self, now: Instant) {
        if let Some((out, since)) = &mut self.watched {
            let passed = now.saturating_duration_since(*since);
            self.busy = self.busy.saturating_add(passed.saturating_mul(*out));
            *since = now;
        }
    }
}

/// So many nanoseconds, or the six centuries that a `u64` of them can hold.
pub(crate) fn from_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Fewer returns say nothing.
const FEW: u32 = 4;
/// The latest return counts for one part in so many. At 32 the mean of exponential leases is within a fifth of the truth.
const WEIGHT: u32 = 32;
/// And for no more than so many times the mean. Enough for one lease in twenty that is fifty times as long as the others.
const OUTLIER: u32 = 16;
/// The decile is counted in so many parts of the mean, and moves by one in so many of itself down, and by nine up.
const PARTS: u32 = 1 << 16;
const STEPS: u32 = 128;
/// So that the mean does not get stuck at nothing.
const LEAST: Duration = Duration::from_nanos(1);
