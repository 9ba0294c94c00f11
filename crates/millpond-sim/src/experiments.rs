//! The experiments that the policy under overload has to pass, with the bounds it has to keep.
//!
//! An experiment simulates one situation for each seed and reads off some figures. Each figure has a bound, which has to
//! hold for the worst of the seeds. Those that judge are fixed; settings are found with others.

mod judge;
mod setups;
mod golden;
mod steady;
mod overload;
mod untold;
mod recovery;
mod lanes;
mod backend;
mod abuse;
mod measuring;
mod batch;

use std::ops::RangeInclusive;

pub use self::judge::{Bound, Gate, Of, Unit};

/// One experiment.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Experiment {
    /// A short name, such as `E2`.
    pub name: &'static str,
    /// What it tries, in one sentence.
    pub about: &'static str,
    judge: fn(&[u64]) -> Vec<Gate>,
}

impl Experiment {
    /// All of them.
    ///
    /// ```
    /// assert_eq!(millpond_sim::Experiment::ALL[0].name, "E0");
    /// ```
    pub const ALL: &'static [Self] = &[
        Self { name: "E0", about: "a stop of a second, everything constant", judge: golden::judge },
        Self { name: "E1", about: "steady load below capacity", judge: steady::judge },
        Self { name: "E2", about: "more callers than can be served", judge: overload::judge },
        Self { name: "E2u", about: "the same, the pool told less", judge: untold::judge },
        Self {
            name: "E2h",
            about: "the same, holds of 0.2 ms and of 2 s",
            judge: overload::extremes,
        },
        Self { name: "E2e", about: "the same, holds that are more alike", judge: overload::even },
        Self { name: "E3", about: "a pulse of twice the capacity", judge: recovery::pulse },
        Self {
            name: "E4",
            about: "the backend stops, or is ten times slower",
            judge: recovery::brown_out,
        },
        Self { name: "E5", about: "a stop, and all ask again at once", judge: recovery::storm },
        Self { name: "E6", about: "critical callers among others", judge: lanes::priority },
        Self { name: "E7", about: "one tenant asks ten times as much", judge: lanes::tenants },
        Self { name: "E8", about: "a cold start", judge: backend::cold_start },
        Self { name: "E9", about: "the backend is restarted", judge: backend::restart },
        Self {
            name: "E10",
            about: "callers that never come for what they get",
            judge: abuse::judge,
        },
        Self {
            name: "E11",
            about: "holds take twice as long for a while",
            judge: measuring::judge,
        },
        Self { name: "batch", about: "many tasks that have all the time", judge: batch::judge },
    ];

    /// The seeds that judge.
    pub const JUDGING: RangeInclusive<u64> = 101..=140;
    /// The seeds to find settings with.
    pub const TUNING: RangeInclusive<u64> = 1..=20;

    /// Tries it with each of these seeds, on all processors, and says for each of its figures which was the worst.
    ///
    /// ```
    /// use millpond_sim::Experiment;
    ///
    /// let gates = Experiment::ALL[0].judge(&[101]);
    /// assert!(gates.iter().any(|gate| gate.name.contains("without policy") && gate.passed()));
    /// ```
    #[must_use]
    pub fn judge(&self, seeds: &[u64]) -> Vec<Gate> {
        (self.judge)(seeds)
    }
}
