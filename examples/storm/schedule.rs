//! When each request arrives. Fixed before the run begins, so that a slow server cannot slow its own load down.

use std::time::Duration;

/// Draws the arrivals of a Poisson process: `rate` per second on average, for `seconds`, each as its time since the start.
pub(crate) fn poisson(rate: u64, seconds: u64, seed: u64) -> Vec<Duration> {
    let mut state = seed;
    let mut now = 0.0;
    let mut arrivals = Vec::with_capacity((rate * seconds) as usize);
    loop {
        state = state.wrapping_add(STEP);
        // 53 bits make a fraction in [0, 1), so the logarithm is of something in (0, 1].
        let fraction = (mix(state) >> 11) as f64 / (1_u64 << 53) as f64;
        now -= (1.0 - fraction).ln() / rate as f64;
        if now >= seconds as f64 {
            return arrivals;
        }
        arrivals.push(Duration::from_secs_f64(now));
    }
}

/// The output function of SplitMix64: spreads any number over all 64 bits.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The increment of SplitMix64, 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_many_enough_in_order_and_as_irregular_as_they_should_be() {
        let arrivals = poisson(1000, 100, 7);
        // Four standard deviations of a Poisson count.
        assert!(arrivals.len().abs_diff(100_000) < 4 * 317, "{}", arrivals.len());
        assert!(arrivals.is_sorted());
        assert!(arrivals.last().is_some_and(|last| *last < Duration::from_secs(100)));

        let gaps = arrivals.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1000.0);
        let long = gaps.filter(|gap| *gap > 1.0).count() as f64 / arrivals.len() as f64;
        assert!(
            (long - (-1.0_f64).exp()).abs() < 0.01,
            "a share of 1/e of the gaps is above the mean: {long}"
        );
    }

    #[test]
    fn a_seed_fixes_the_arrivals() {
        assert_eq!(poisson(100, 2, 1), poisson(100, 2, 1));
        assert_ne!(poisson(100, 2, 1), poisson(100, 2, 2));
        assert_ne!(poisson(100, 2, 0).len(), 0);
    }
}
