//! The figures that a run comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond_core::{ShedReason, Why};

use crate::log::{Fate, Record, Run};

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

impl Run {
    /// What all requests came to that are counted.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let run = run(&Scenario::new(4, callers).lasting(Duration::from_secs(2)));
    /// assert_eq!(run.summary().good, 99);
    /// ```
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(self.counted())
    }

    /// What those of one kind came to.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let run = run(&Scenario::new(4, callers).lasting(Duration::from_secs(2)));
    /// assert_eq!(run.summary_of(0).requests, 99);
    /// ```
    #[must_use]
    pub fn summary_of(&self, kind: usize) -> Summary {
        Summary::of(self.counted().filter(|record| record.kind == kind))
    }

    /// What those came to that were due within some time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let run = run(&Scenario::new(4, callers).lasting(Duration::from_secs(2)));
    /// let second = Duration::from_secs(1);
    /// assert_eq!(run.between(second, 2 * second).requests, 50);
    /// ```
    #[must_use]
    pub fn between(&self, from: Duration, to: Duration) -> Summary {
        Summary::of(self.records.iter().filter(|record| from <= record.due && record.due < to))
    }

    /// What those of one kind came to that were due within some time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let run = run(&Scenario::new(4, callers).lasting(Duration::from_secs(2)));
    /// let second = Duration::from_secs(1);
    /// assert_eq!(run.of_kind_between(0, second, 2 * second), run.between(second, 2 * second));
    /// ```
    #[must_use]
    pub fn of_kind_between(&self, kind: usize, from: Duration, to: Duration) -> Summary {
        let of_kind = self.records.iter().filter(|record| record.kind == kind);
        Summary::of(of_kind.filter(|record| from <= record.due && record.due < to))
    }

    /// How many of the requests were of use: the good among all that came.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// assert_eq!(run(&Scenario::new(4, callers)).useful(), 1.0);
    /// ```
    #[must_use]
    pub fn useful(&self) -> f64 {
        self.summary().useful()
    }

    /// How much good was done of what the pool could do in that time: the goodput as a share of the capacity.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// let hold = Hold::Constant(Duration::from_millis(10));
    /// let callers = Callers::new(Arrivals::even(50.0), hold, Duration::from_secs(1));
    /// let run = run(&Scenario::new(1, callers).lasting(Duration::from_secs(10)));
    /// assert!((run.goodput() - 0.5).abs() < 0.01);
    /// ```
    #[must_use]
    pub fn goodput(&self) -> f64 {
        let time = self.scenario.lasts.saturating_sub(self.scenario.warm_up).as_secs_f64();
        self.summary().good as f64 / (self.scenario.capacity() * time)
    }

    /// How much good was done between `from` and `to` of what the pool could do with the leases it really had: how busy its
    /// resources were, times how many of those that were served were served in time. Unlike [`goodput`](Self::goodput) it
    /// does not depend on whether the leases happened to be long.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// let hold = Hold::Constant(Duration::from_millis(10));
    /// let callers = Callers::new(Arrivals::even(50.0), hold, Duration::from_secs(1));
    /// let half = run(&Scenario::new(1, callers)).harvest(Duration::from_secs(10), Duration::from_secs(20));
    /// assert!((half - 0.5).abs() < 0.001);
    /// ```
    #[must_use]
    pub fn harvest(&self, from: Duration, to: Duration) -> f64 {
        let (mut busy, mut good, mut served) = (Duration::ZERO, 0_u64, 0_u64);
        for record in &self.records {
            let begins = record.end.saturating_sub(record.held).max(from);
            busy += record.end.min(to).saturating_sub(begins);
            let counts = from <= record.due && record.due < to;
            good += u64::from(counts && record.fate == Fate::Good);
            served += u64::from(counts && matches!(record.fate, Fate::Good | Fate::Late));
        }
        let all = to.saturating_sub(from) * self.scenario.pool.config.max_size;
        busy.div_duration_f64(all) * share(good, served).unwrap_or(0.0)
    }

    /// How long after `end` things were well: the beginning of the first two seconds in a row in each of which all requests
    /// were good, but for one in a hundred (or one). `None` if that never came.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let run = run(&Scenario::new(4, callers));
    /// assert_eq!(run.settled(Duration::from_secs(3)), Some(Duration::ZERO));
    /// ```
    #[must_use]
    pub fn settled(&self, end: Duration) -> Option<Duration> {
        let (good, all) = (self.in_tenths(|fate| fate == Fate::Good), self.in_tenths(|_| true));
        first_normal(&good, &all, end)
    }

    /// How long after `end` everything was as in `twin`, the same scenario without what went wrong: the beginning of the
    /// first two seconds in a row in each of which as many requests were good as there, but for one in a hundred (or one).
    /// `None` if that never came.
    ///
    /// ```
    /// use std::time::Duration;
    /// use millpond_sim::{Arrivals, Callers, Fault, Hold, Scenario, Trouble, run};
    ///
    /// let [hold, deadline] = [10, 300].map(Duration::from_millis);
    /// let calm = Scenario::new(1, Callers::new(Arrivals::even(50.0), Hold::Constant(hold), deadline));
    /// let second = Duration::from_secs(1);
    /// let stopped = calm.clone().with(Fault { from: 5 * second, lasts: second, trouble: Trouble::Stop });
    /// let back = run(&stopped).recovered(&run(&calm), 6 * second);
    /// assert!(back.is_some_and(|after| after <= second));
    /// ```
    #[must_use]
    pub fn recovered(&self, twin: &Self, end: Duration) -> Option<Duration> {
        let good = |run: &Self| run.in_tenths(|fate| fate == Fate::Good);
        first_normal(&good(self), &good(twin), end)
    }

    /// How long refused callers had waited when they were told, each refusal by itself.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// assert_eq!(run(&Scenario::new(4, callers)).refusal_delay().max, Duration::ZERO);
    /// ```
    #[must_use]
    pub fn refusal_delay(&self) -> Percentiles {
        let counted = self.refusals.iter().filter(|refused| refused.at >= self.scenario.warm_up);
        Percentiles::of(counted.map(|refused| refused.after).collect())
    }

    /// Jain's index of fairness between the kinds of callers: 1 if each got the same share of what was its due, `1 / kinds`
    /// if one got all. What is due to each is its part of the good that was done, shared out *max-min fair*: equally, except
    /// that nobody is due more than it asked for.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// assert_eq!(run(&Scenario::new(4, callers)).fairness(), 1.0);
    /// ```
    #[must_use]
    pub fn fairness(&self) -> f64 {
        let kinds: Vec<_> =
            (0..self.scenario.callers.len()).map(|kind| self.summary_of(kind)).collect();
        let asked: Vec<_> = kinds.iter().map(|kind| kind.requests as f64).collect();
        let dues = max_min(&asked, kinds.iter().map(|kind| kind.good as f64).sum());
        let shares = kinds.iter().zip(dues).filter(|(_, due)| *due > 0.0);
        let shares: Vec<_> = shares.map(|(kind, due)| (kind.good as f64 / due).min(1.0)).collect();
        let sum: f64 = shares.iter().sum();
        let squares: f64 = shares.iter().map(|share| share * share).sum();
        if squares > 0.0 { sum * sum / (shares.len() as f64 * squares) } else { 1.0 }
    }

    fn counted(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.due >= self.scenario.warm_up)
    }

    /// How many of those due in each tenth of a second had such a fate.
    fn in_tenths(&self, counts: impl Fn(Fate) -> bool) -> Vec<u32> {
        let tenth = |time: Duration| (time.as_millis() / 100) as usize;
        let mut tenths = vec![0; tenth(self.scenario.lasts)];
        for record in self.records.iter().filter(|record| counts(record.fate)) {
            if let Some(count) = tenths.get_mut(tenth(record.due)) {
                *count += 1;
            }
        }
        tenths
    }
}

impl Summary {
    fn of<'a>(records: impl Iterator<Item = &'a Record>) -> Self {
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

/// How long after `end` the first two seconds in a row begin in which there is as much as usual, but for one in a hundred (or
/// one). Both are counted in tenths of a second.
fn first_normal(counts: &[u32], usual: &[u32], end: Duration) -> Option<Duration> {
    let first = end.as_millis().div_ceil(100) as usize;
    let second = |counts: &[u32], from: usize| counts[from..from + 10].iter().sum::<u32>();
    let normal = |from: usize| {
        let usual = second(usual, from);
        second(counts, from) >= usual - (usual / 100).max(1).min(usual)
    };
    let last = counts.len().min(usual.len()).checked_sub(20)?;
    let back = (first..=last).find(|from| normal(*from) && normal(from + 10))?;
    Some(Duration::from_millis(back as u64 * 100).saturating_sub(end))
}

/// Shares out `total` among those who asked for so much each: equally, and nobody gets more than it asked for.
fn max_min(asked: &[f64], total: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..asked.len()).collect();
    order.sort_by(|a, b| asked[*a].total_cmp(&asked[*b]));
    let (mut left, mut dues) = (total, vec![0.0; asked.len()]);
    for (served, kind) in order.iter().enumerate() {
        let equal = left / (asked.len() - served) as f64;
        dues[*kind] = asked[*kind].min(equal);
        left -= dues[*kind];
    }
    dues
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
