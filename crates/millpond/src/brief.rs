//! Times as messages tell them.

use std::fmt;
use std::time::Duration;

/// A time in three digits at most, so that 1.5 s is neither "2s" nor "1.500012345s". Used by everything that is printed.
pub(crate) struct Brief(pub(crate) Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (unit, name) = UNITS.into_iter().find(|(unit, _)| nanos >= *unit).unwrap_or((1, "ns"));
        let whole = nanos / unit;
        let decimals = match whole {
            0..=9 => 2,
            10..=99 => 1,
            _ => 0,
        };
        // Cut off rather than rounded: what has not lasted a second is not called one.
        let mut rest = nanos % unit * 10_u128.pow(decimals) / unit;
        let mut decimals = decimals as usize;
        while decimals > 0 && rest % 10 == 0 {
            (rest, decimals) = (rest / 10, decimals - 1);
        }
        if decimals == 0 {
            write!(f, "{whole}{name}")
        } else {
            write!(f, "{whole}.{rest:0decimals$}{name}")
        }
    }
}

const UNITS: [(u128, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_three_digits_that_it_has_reached() {
        let cases = [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1µs"),
            (88_432_198, "88.4ms"),
            (999_999_999, "999ms"),
            (1_000_000_001, "1s"),
            (1_050_000_000, "1.05s"),
            (1_500_000_000, "1.5s"),
            (9_999_000_000, "9.99s"),
            (30_000_000_000, "30s"),
            (59_990_000_000, "59.9s"),
            (7_200_400_000_000, "7200s"),
        ];
        for (nanos, told) in cases {
            assert_eq!(Brief(Duration::from_nanos(nanos)).to_string(), told);
        }
        assert_eq!(Brief(Duration::MAX).to_string(), "18446744073709551615s");
    }
}
