//! The figures that a run comes to.

use std::time::Duration;

use crate::log::{Fate, Record, Run};
use crate::summary::{Percentiles, Summary, share};

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

    /// What those came to that were due in each stretch of so long, one after the other, up to the end of the scenario.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let run = run(&Scenario::new(4, callers).lasting(Duration::from_secs(5)));
    /// let seconds = run.over_time(Duration::from_secs(1));
    /// assert_eq!((seconds.len(), seconds[4].requests), (5, 50));
    /// ```
    #[must_use]
    pub fn over_time(&self, width: Duration) -> Vec<Summary> {
        self.stretches(width, |_| true)
    }

    /// The same for those of one kind.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let run = run(&Scenario::new(4, callers).lasting(Duration::from_secs(5)));
    /// let second = Duration::from_secs(1);
    /// assert_eq!(run.over_time_of(0, second), run.over_time(second));
    /// ```
    #[must_use]
    pub fn over_time_of(&self, kind: usize, width: Duration) -> Vec<Summary> {
        self.stretches(width, |record| record.kind == kind)
    }

    fn stretches(&self, width: Duration, counts: impl Fn(&Record) -> bool) -> Vec<Summary> {
        let width = width.max(Duration::from_millis(1));
        let place = |due: Duration| (due.as_nanos() / width.as_nanos()) as usize;
        let last = place(self.scenario.lasts.saturating_sub(Duration::from_nanos(1)));
        let mut stretches = vec![Vec::new(); last + 1];
        for record in self.records.iter().filter(|record| counts(record)) {
            if let Some(stretch) = stretches.get_mut(place(record.due)) {
                stretch.push(record);
            }
        }
        stretches.into_iter().map(|records| Summary::of(records.into_iter())).collect()
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
    /// does not depend on whether the leases happened to be long. Takes it that a request holds once, so it is of no use where
    /// requests are retried.
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
        let mut tenths = vec![0; tenth(self.scenario.lasts).min(MOST_TENTHS)];
        for record in self.records.iter().filter(|record| counts(record.fate)) {
            if let Some(count) = tenths.get_mut(tenth(record.due)) {
                *count += 1;
            }
        }
        tenths
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

/// How many tenths of a second are looked at: some days. A closed loop may be told to last for ever.
const MOST_TENTHS: usize = 1 << 23;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_one_does_not_need_is_shared_by_the_others() {
        assert_eq!(max_min(&[10.0, 2.0, 30.0], 18.0), [8.0, 2.0, 8.0]);
        assert_eq!(max_min(&[1.0, 2.0], 10.0), [1.0, 2.0]);
        assert_eq!(max_min(&[9.0, 9.0], 4.0), [2.0, 2.0]);
    }

    #[test]
    fn well_again_is_two_good_seconds_in_a_row() {
        let usual = vec![10; 60];
        let mut counts = usual.clone();
        assert_eq!(first_normal(&counts, &usual, 1000 * MS), Some(Duration::ZERO));
        // One in a hundred is forgiven, two are not.
        counts[19] = 9;
        assert_eq!(first_normal(&counts, &usual, 1000 * MS), Some(Duration::ZERO));
        counts[18] = 9;
        assert_eq!(first_normal(&counts, &usual, 1000 * MS), Some(900 * MS));
        counts[45] = 0;
        assert_eq!(first_normal(&counts, &usual, 1000 * MS), Some(900 * MS));
        assert_eq!(first_normal(&counts, &usual, 3000 * MS), None);
    }
}
