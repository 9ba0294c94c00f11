//! When callers come: a rate that may change over time, and how evenly they keep to it.

use std::time::Duration;

use rand::Rng;
use rand_distr::{Distribution, Exp1};

/// Callers that come by themselves, however the pool is doing (an *open loop*).
///
/// ```
/// use std::time::Duration;
/// use millpond_sim::Arrivals;
///
/// // 140 a second, but 400 a second for ten seconds in the middle.
/// let pulse = Arrivals::poisson(140.0)
///     .then(Duration::from_secs(10), 400.0)
///     .then(Duration::from_secs(20), 140.0);
/// assert_eq!(pulse.rate_at(Duration::from_secs(15)), 400.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// How evenly they come.
    pub spacing: Spacing,
    /// From when on how many come in a second, in the order of time. Rates that are negative, infinite or no number count as
    /// zero.
    pub rates: Vec<(Duration, f64)>,
}

/// How evenly callers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spacing {
    /// Each after the same time.
    Even,
    /// Independently of each other: a Poisson process.
    Poisson,
}

impl Arrivals {
    /// So many a second, each after the same time. The first comes after one interval.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let even = millpond_sim::Arrivals::even(100.0);
    /// assert_eq!(even.rate_at(Duration::ZERO), 100.0);
    /// ```
    #[must_use]
    pub fn even(rate: f64) -> Self {
        Self { spacing: Spacing::Even, rates: vec![(Duration::ZERO, rate)] }
    }

    /// So many a second, independently of each other.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let poisson = millpond_sim::Arrivals::poisson(100.0);
    /// assert_eq!(poisson.rate_at(Duration::ZERO), 100.0);
    /// ```
    #[must_use]
    pub fn poisson(rate: f64) -> Self {
        Self { spacing: Spacing::Poisson, rates: vec![(Duration::ZERO, rate)] }
    }

    /// The same, but another rate from `at` on, which is later than all before.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let rises = millpond_sim::Arrivals::even(1.0).then(Duration::from_secs(1), 2.0);
    /// assert_eq!(rises.rate_at(Duration::from_secs(1)), 2.0);
    /// ```
    #[must_use]
    pub fn then(mut self, at: Duration, rate: f64) -> Self {
        self.rates.push((at, rate));
        self
    }

    /// The same with every rate multiplied.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let twice = millpond_sim::Arrivals::even(50.0).times(2.0);
    /// assert_eq!(twice.rate_at(Duration::ZERO), 100.0);
    /// ```
    #[must_use]
    pub fn times(mut self, factor: f64) -> Self {
        self.rates.iter_mut().for_each(|(_, rate)| *rate *= factor);
        self
    }

    /// How many come in a second at `at`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert_eq!(millpond_sim::Arrivals::even(5.0).rate_at(Duration::from_secs(9)), 5.0);
    /// ```
    #[must_use]
    pub fn rate_at(&self, at: Duration) -> f64 {
        self.rates.iter().take_while(|(from, _)| *from <= at).last().map_or(0.0, |(_, rate)| *rate)
    }
}

/// The moments at which the callers of one [`Arrivals`] come, one after the other.
///
/// The rates are summed up over time; a caller comes whenever the sum has grown by one (evenly), or by an exponentially
/// distributed amount.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    spacing: Spacing,
    /// As in `Arrivals`, in seconds.
    rates: Vec<(f64, f64)>,
    /// The piece the last caller came in.
    piece: usize,
    /// The sum at the beginning of that piece.
    base: f64,
    /// The sum at the last caller.
    sum: f64,
}

impl Clock {
    pub(crate) fn new(arrivals: &Arrivals) -> Self {
        // A rate that is no number is none.
        let sound = |rate: f64| if rate.is_finite() { rate.max(0.0) } else { 0.0 };
        let rates = arrivals.rates.iter().map(|(at, rate)| (at.as_secs_f64(), sound(*rate)));
        Self { spacing: arrivals.spacing, rates: rates.collect(), piece: 0, base: 0.0, sum: 0.0 }
    }

    /// When the next caller comes, in nanoseconds; `None` if none does any more.
    pub(crate) fn next(&mut self, random: &mut impl Rng) -> Option<u64> {
        self.sum += match self.spacing {
            Spacing::Even => 1.0,
            Spacing::Poisson => Distribution::<f64>::sample(&Exp1, random),
        };
        loop {
            let (from, rate) = *self.rates.get(self.piece)?;
            let at = from + (self.sum - self.base) / rate;
            match self.rates.get(self.piece + 1) {
                Some((end, _)) if rate <= 0.0 || at >= *end => {
                    self.base += (end - from) * rate;
                    self.piece += 1;
                }
                _ if rate <= 0.0 => return None,
                _ => return Some(nanos(at)),
            }
        }
    }
}

/// Seconds as whole nanoseconds, the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is too large becomes the largest integer, one below zero becomes zero"
)]
pub(crate) fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}
