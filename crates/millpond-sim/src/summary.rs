//! What a number of requests came to.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond_core::{ShedReason, Why};

use crate::log::{Fate, Record};

/// What a number of requests came to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// How many there were.
    pub requests: u64,
    /// How many were done by their deadline.
    pub good: u64,
    /// How many were done, but too late.
    pub late: u64,
    /// How many got nothing, by the last reason each was given.
    pub refused: BTreeMap<Why, u64>,
    /// How many left the queue at their deadline.
    pub left: u64,
    /// How many had not ended when nothing happened any more.
    pub unfinished: u64,
    /// How long those waited for their resource that got one.
    pub wait: Percentiles,
    /// How long it took from when a request was due until it was done, of those that were done.
    pub total: Percentiles,
    /// How many times they asked, all together.
    pub attempts: u64,
    /// How long they held resources, all together.
    pub held: Duration,
    /// How much of that was for requests that were late.
    pub wasted: Duration,
}

/// Where a share of some durations lies. All zero if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Half are no longer than this.
    pub p50: Duration,
    /// 99 of 100 are no longer than this.
    pub p99: Duration,
    /// 999 of 1000 are no longer than this.
    pub p999: Duration,
    /// None is longer.
    pub max: Duration,
}
impl Summary {
    pub(crate) fn of<'a>(records: impl Iterator<Item = &'a Record>) -> Self {
        let mut summary = Self::default();
        let (mut waits, mut totals) = (Vec::new(), Vec::new());
        for record in records {
            summary.requests += 1;
            summary.attempts += u64::from(record.attempts);
            summary.held += record.held;
            match record.fate {
                Fate::Good => summary.good += 1,
                Fate::Late => {
                    summary.late += 1;
                    summary.wasted += record.held;
                }
                Fate::Refused(why) => *summary.refused.entry(why).or_default() += 1,
                Fate::Left => summary.left += 1,
                Fate::Unfinished => summary.unfinished += 1,
            }
            if let Fate::Good | Fate::Late = record.fate {
                waits.push(record.wait);
                totals.push(record.end - record.due);
            }
        }
        (summary.wait, summary.total) = (Percentiles::of(waits), Percentiles::of(totals));
        summary
    }

    /// The good among all that came; 1 if none came.
    ///
    /// ```
    /// assert_eq!(millpond_sim::Summary::default().useful(), 1.0);
    /// ```
    #[must_use]
    pub fn useful(&self) -> f64 {
        share(self.good, self.requests).unwrap_or(1.0)
    }

    /// The refused among all that came, for any [`ShedReason`], because too many waited, or because the deadline passed.
    ///
    /// ```
    /// assert_eq!(millpond_sim::Summary::default().turned_away(), 0.0);
    /// ```
    #[must_use]
    pub fn turned_away(&self) -> f64 {
        share(self.refused.values().sum::<u64>() + self.left, self.requests).unwrap_or(0.0)
    }

    /// How many were refused for this reason.
    ///
    /// ```
    /// use millpond_core::ShedReason;
    /// assert_eq!(millpond_sim::Summary::default().shed(ShedReason::Overloaded), 0);
    /// ```
    #[must_use]
    pub fn shed(&self, reason: ShedReason) -> u64 {
        self.refused.get(&Why::Shed(reason)).copied().unwrap_or(0)
    }

    /// How often a request asked in the mean; 1 if none came.
    ///
    /// ```
    /// assert_eq!(millpond_sim::Summary::default().amplification(), 1.0);
    /// ```
    #[must_use]
    pub fn amplification(&self) -> f64 {
        share(self.attempts, self.requests).unwrap_or(1.0)
    }

    /// How much of the time that resources were held was for nothing.
    ///
    /// ```
    /// assert_eq!(millpond_sim::Summary::default().waste(), 0.0);
    /// ```
    #[must_use]
    pub fn waste(&self) -> f64 {
        if self.held.is_zero() { 0.0 } else { self.wasted.div_duration_f64(self.held) }
    }
}

impl Percentiles {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |per_mille: usize| {
            // The smallest that so many are not longer than.
            let rank = (times.len() * per_mille).div_ceil(1000).max(1);
            times.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50: at(500), p99: at(990), p999: at(999), max: at(1000) }
    }
}
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_percentile_is_the_smallest_that_so_many_do_not_exceed() {
        let of = |count: u32| Percentiles::of((1..=count).rev().map(|n| n * MS).collect());
        let hundred = of(100);
        assert_eq!(
            (hundred.p50, hundred.p99, hundred.p999, hundred.max),
            (50 * MS, 99 * MS, 100 * MS, 100 * MS)
        );
        assert_eq!((of(1).p50, of(1).p999), (MS, MS));
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }
}
