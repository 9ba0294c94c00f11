//! The behaviours that separate a good pool from the rest, each on the real pool over a virtual clock. For each there is a
//! patch in `tests/patches` that takes its mechanism out, and the test here must fail then.
//!
//! Of the twelve, 9 and 10 are about overload.

mod at_rest;
mod cancelled;
mod closed;
mod failing;
mod hung;
mod retired;
mod returned;

use std::time::Duration;

/// Pseudo-random numbers for random walks: the same ones in each run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's constants; the high bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
