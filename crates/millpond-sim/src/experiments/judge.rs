//! Figures, their bounds, and the search for the worst seed.

use std::fmt;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A figure with its bound, and the worst it came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Gate {
    /// What was measured.
    pub name: String,
    /// What it may be.
    pub bound: Bound,
    /// Of which of its values the bound holds.
    pub of: Of,
    /// What kind of a number it is.
    pub unit: Unit,
    /// The worst it was.
    pub worst: f64,
    /// With which seed.
    pub seed: u64,
    /// What it was in the mean of all seeds.
    pub mean: f64,
    /// With how many of the seeds it was not within the bound.
    pub out: usize,
    /// With how many seeds it was tried.
    pub seeds: usize,
}

/// What a figure may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// Which value a bound holds of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Of the worst of all seeds, and so of each.
    Worst,
    /// Of the mean of all seeds: for figures that depend on how many long leases a seed happens to have.
    Mean,
}

/// What kind of a number a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A part of a whole: 0.5 is half.
    Share,
    /// Seconds.
    Seconds,
    /// Anything that is counted, or the ratio of two figures.
    Number,
}

/// What one seed came to.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) name: String,
    pub(super) bound: Bound,
    pub(super) of: Of,
    pub(super) unit: Unit,
    pub(super) value: f64,
}

impl Gate {
    /// Whether the value that counts was within the bound.
    ///
    /// ```
    /// # use millpond_sim::Experiment;
    /// let gates = Experiment::ALL[0].judge(&[101]);
    /// assert!(gates[0].passed());
    /// ```
    #[must_use]
    pub fn passed(&self) -> bool {
        let value = match self.of {
            Of::Worst => self.worst,
            Of::Mean => self.mean,
        };
        self.bound.holds(value)
    }

    /// One of its numbers as it is best read.
    ///
    /// ```
    /// # use millpond_sim::Experiment;
    /// let gates = Experiment::ALL[0].judge(&[101]);
    /// assert_eq!(gates[0].show(1.01), "1.010 s");
    /// ```
    #[must_use]
    pub fn show(&self, number: f64) -> String {
        match self.unit {
            Unit::Seconds if number.is_infinite() => "never".to_owned(),
            Unit::Seconds if number.abs() < 0.01 => format!("{:.2} ms", number * 1e3),
            Unit::Seconds => format!("{number:.3} s"),
            Unit::Share => format!("{:.2} %", number * 100.0),
            Unit::Number if number.fract() == 0.0 => format!("{number}"),
            Unit::Number => format!("{number:.3}"),
        }
    }
}

/// One line: whether it passed, what it was, and what it had to be.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed() { "ok  " } else { "FAIL" };
        let (sign, bound) = match self.bound {
            Bound::AtLeast(least) => ("at least", least),
            Bound::AtMost(most) => ("at most", most),
        };
        let (worst, mean, bound) = (self.show(self.worst), self.show(self.mean), self.show(bound));
        let Self { name, seed, out, seeds, .. } = self;
        match self.of {
            Of::Worst => write!(
                f,
                "{verdict} {name:<62} {worst:>10} {sign:>8} {bound:<8}  (seed {seed}; mean {mean}; {out} of {seeds} out)"
            ),
            Of::Mean => write!(
                f,
                "{verdict} {name:<62} {mean:>10} {sign:>8} {bound:<8}  (mean; seed {seed}: {worst})"
            ),
        }
    }
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Reading {
    pub(super) fn share(name: impl Into<String>, value: f64, bound: Bound) -> Self {
        Self { name: name.into(), bound, of: Of::Worst, unit: Unit::Share, value }
    }

    pub(super) fn number(name: impl Into<String>, value: f64, bound: Bound) -> Self {
        Self { name: name.into(), bound, of: Of::Worst, unit: Unit::Number, value }
    }

    pub(super) fn time(name: impl Into<String>, value: Duration, bound: Bound) -> Self {
        Self {
            name: name.into(),
            bound,
            of: Of::Worst,
            unit: Unit::Seconds,
            value: value.as_secs_f64(),
        }
    }

    /// The same, but the mean of all seeds counts.
    pub(super) fn in_the_mean(self) -> Self {
        Self { of: Of::Mean, ..self }
    }

    /// A time that may never have come.
    pub(super) fn after(name: impl Into<String>, value: Option<Duration>, bound: Bound) -> Self {
        let value = value.map_or(f64::INFINITY, |value| value.as_secs_f64());
        Self { name: name.into(), bound, of: Of::Worst, unit: Unit::Seconds, value }
    }
}

/// Takes readings with each seed, on all processors; of each the worst.
pub(super) fn judge(seeds: &[u64], read: impl Fn(u64) -> Vec<Reading> + Sync) -> Vec<Gate> {
    let next = AtomicUsize::new(0);
    let all: Mutex<Vec<(u64, Vec<Reading>)>> = Mutex::default();
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(seeds.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let readings = read(*seed);
                    all.lock().unwrap_or_else(|e| e.into_inner()).push((*seed, readings));
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(|e| e.into_inner());
    all.sort_by_key(|(seed, _)| *seed);
    let figures = all.first().map_or(0, |(_, readings)| readings.len());
    (0..figures).map(|figure| worst(&all, figure)).collect()
}

fn worst(all: &[(u64, Vec<Reading>)], figure: usize) -> Gate {
    let values = all.iter().map(|(seed, readings)| (*seed, readings[figure].value));
    let sum: f64 = values.clone().map(|(_, value)| value).sum();
    let first = &all[0].1[figure];
    let badness = |value: f64| match first.bound {
        Bound::AtLeast(_) => -value,
        Bound::AtMost(_) => value,
    };
    let out = values.clone().filter(|(_, value)| !first.bound.holds(*value)).count();
    let worst = values.max_by(|(_, a), (_, b)| badness(*a).total_cmp(&badness(*b)));
    let (seed, worst) = worst.unwrap_or((0, f64::NAN));
    let (name, bound, of, unit) = (first.name.clone(), first.bound, first.of, first.unit);
    Gate { name, bound, of, unit, worst, seed, mean: sum / all.len() as f64, out, seeds: all.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(bound: Bound) -> Gate {
        let values = [0.5, 0.9, 0.1, 0.7];
        let read = |seed: u64| {
            let value = values[usize::try_from(seed).unwrap_or(0)];
            let reading = Reading::share("a", value, bound);
            vec![reading.clone(), reading.in_the_mean()]
        };
        let gates = judge(&[0, 1, 2, 3], read);
        assert!((gates[1].mean - 0.55).abs() < 1e-9);
        assert!(gates[1].passed(), "the mean is within all of these bounds");
        gates[0].clone()
    }

    #[test]
    fn the_worst_seed_judges() {
        let least = gate(Bound::AtLeast(0.2));
        assert_eq!((least.worst, least.seed, least.out, least.passed()), (0.1, 2, 1, false));
        assert!(gate(Bound::AtLeast(0.1)).passed());
        let most = gate(Bound::AtMost(0.8));
        assert_eq!((most.worst, most.seed, most.passed()), (0.9, 1, false));
        assert!(gate(Bound::AtMost(0.9)).passed());
    }

    #[test]
    fn what_never_came_fails() {
        let gates = judge(&[1], |_| vec![Reading::after("a", None, Bound::AtMost(1e9))]);
        assert!(!gates[0].passed() && gates[0].to_string().contains("never"));
    }
}
