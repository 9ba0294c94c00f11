//! How long resources are held.

use std::time::Duration;

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, LogNormal};

use crate::arrivals::nanos;

/// How long something takes: a lease, or opening a resource.
///
/// ```
/// use std::time::Duration;
/// use millpond_sim::Hold;
///
/// let hold = Hold::LogNormal { mean: Duration::from_millis(50), cv: 1.0 };
/// assert_eq!(hold.mean(), Duration::from_millis(50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Hold {
    /// Always the same.
    Constant(Duration),
    /// Exponentially distributed, with this mean: what textbooks reckon with.
    Exponential(Duration),
    /// Lognormally distributed: mostly short, some long.
    LogNormal {
        /// The mean.
        mean: Duration,
        /// The standard deviation as a share of the mean.
        cv: f64,
    },
    /// Short or long and nothing in between.
    Bimodal {
        /// Most of them.
        short: Duration,
        /// The others.
        long: Duration,
        /// How many are long, from 0 to 1.
        share: f64,
    },
}

impl Hold {
    /// The mean.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::Hold;
    /// let [short, long] = [10, 500].map(Duration::from_millis);
    /// let hold = Hold::Bimodal { short, long, share: 0.05 };
    /// assert_eq!(hold.mean(), Duration::from_micros(34_500));
    /// ```
    #[must_use]
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Constant(time) | Self::Exponential(time) | Self::LogNormal { mean: time, .. } => {
                time
            }
            Self::Bimodal { short, long, share } => {
                short.mul_f64(1.0 - share) + long.mul_f64(share)
            }
        }
    }
}

/// Draws from a [`Hold`], in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sampler {
    Constant(u64),
    Exponential(f64),
    LogNormal(LogNormal<f64>),
    Bimodal { short: u64, long: u64, share: f64 },
}

impl Sampler {
    pub(crate) fn new(hold: &Hold) -> Self {
        let whole = |time: Duration| nanos(time.as_secs_f64());
        match *hold {
            // A mean of zero has no logarithm.
            Hold::LogNormal { mean, .. } if mean.is_zero() => Self::Constant(0),
            Hold::LogNormal { mean, cv } => {
                let variance = (1.0 + cv * cv).ln();
                let location = mean.as_secs_f64().ln() - variance / 2.0;
                LogNormal::new(location, variance.sqrt())
                    .map_or(Self::Constant(whole(mean)), Self::LogNormal)
            }
            Hold::Exponential(mean) => Self::Exponential(mean.as_secs_f64()),
            Hold::Constant(time) => Self::Constant(whole(time)),
            Hold::Bimodal { short, long, share } => {
                Self::Bimodal { short: whole(short), long: whole(long), share }
            }
        }
    }

    pub(crate) fn draw(&self, random: &mut impl Rng) -> u64 {
        match self {
            Self::Constant(time) => *time,
            Self::Exponential(mean) => nanos(mean * Distribution::<f64>::sample(&Exp1, random)),
            Self::LogNormal(times) => nanos(times.sample(random)),
            Self::Bimodal { short, long, share } => {
                if random.random::<f64>() < *share {
                    *long
                } else {
                    *short
                }
            }
        }
    }
}
