//! What must be so whatever the machine: rules that no pool may break, and ratios between pools of one run.

use std::time::Duration;

use crate::contender::{AUTO, BARE};
use crate::figures::{Back, Figures};
use crate::run::Run;
use crate::schedule::{Experiment, Gate};

/// One experiment on one runtime, with all its pools.
pub(crate) struct Trial {
    pub(crate) experiment: Experiment,
    pub(crate) runtime: &'static str,
    pub(crate) rows: Vec<Row>,
    /// What the simulator says of the first two, by name.
    pub(crate) predicted: Vec<(&'static str, Figures)>,
    /// What the machine did to it.
    pub(crate) haste: Haste,
}

/// One pool of a trial.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) broken: Vec<String>,
    pub(crate) figures: Figures,
}

/// How far the machine kept to the schedule.
pub(crate) struct Haste {
    /// The share of requests that began or were done late by [`TOLERATED`] or more, of the pool that was hit worst.
    pub(crate) hit: f64,
    /// How much longer work took than it should have, on average over all pools.
    pub(crate) overrun: Duration,
}

impl Haste {
    /// `pools` has the passes of each.
    pub(crate) fn of(pools: &[Vec<Run>]) -> Self {
        let mut overruns = (Duration::ZERO, 0);
        let mut hit = 0.0_f64;
        for runs in pools {
            let (mut late, mut all) = (0, 0);
            for record in runs.iter().flat_map(|run| &run.records) {
                all += 1;
                late +=
                    usize::from(record.lag.max(record.overrun.unwrap_or_default()) >= TOLERATED);
                if let Some(overrun) = record.overrun {
                    overruns = (overruns.0 + overrun, overruns.1 + 1);
                }
            }
            hit = hit.max(f64::from(late as u32) / f64::from(all.max(1) as u32));
        }
        Self { hit, overrun: overruns.0 / overruns.1.max(1) }
    }

    fn is_too_much(&self) -> bool {
        self.hit > TOO_MANY
    }
}

/// What is to be said of a trial.
pub(crate) struct Verdict {
    /// What must never be.
    pub(crate) failures: Vec<String>,
    /// What else there is to say.
    pub(crate) notes: Vec<String>,
}

impl Trial {
    /// Rules always count; figures only if the machine kept up.
    pub(crate) fn judge(&self) -> Verdict {
        let title = format!("{} on {}", self.experiment.title, self.runtime);
        let mut failures: Vec<_> = self
            .rows
            .iter()
            .flat_map(|row| {
                row.broken.iter().map(|broken| format!("{title}: {}: {broken}", row.name))
            })
            .collect();
        let mut notes = Vec::new();
        let [auto, bare] = [AUTO, BARE].map(|name| self.rows.iter().find(|row| row.name == name));
        let (Some(auto), Some(bare)) = (auto, bare) else { return Verdict { failures, notes } };
        let (gate, kept) = match self.experiment.gate {
            Gate::None => return Verdict { failures, notes },
            Gate::Useful => self.is_useful(&auto.figures),
            Gate::Recovers => recovers(&auto.figures, &bare.figures),
        };
        if self.haste.is_too_much() {
            notes.push(format!(
                "machine too busy, figures not judged: {:.0} % of the requests began or were done {} ms late",
                self.haste.hit * 100.0,
                TOLERATED.as_millis()
            ));
        } else if kept {
            notes.push(format!("kept: {gate}"));
        } else {
            failures.push(format!("{title}: BROKEN: {gate}"));
        }
        Verdict { failures, notes }
    }

    fn is_useful(&self, auto: &Figures) -> (String, bool) {
        let others = self.rows.iter().filter(|row| row.name != AUTO);
        let best = others.map(|row| row.figures.of_capacity).fold(0.0, f64::max);
        let gate = format!(
            "good work {:.0} % of capacity (at least {:.0}), {:.1} times that of the best of the others (at least {LEAST_RATIO})",
            auto.of_capacity * 100.0,
            LEAST_USEFUL * 100.0,
            auto.of_capacity / best
        );
        (gate, auto.of_capacity >= LEAST_USEFUL && auto.of_capacity >= LEAST_RATIO * best)
    }
}

fn recovers(auto: &Figures, bare: &Figures) -> (String, bool) {
    let [auto, bare] = [auto, bare].map(|figures| figures.back);
    let shown = |back| match back {
        Some(Back::After(time)) => format!("after {:.2} s", time.as_secs_f64()),
        Some(Back::NotIn(time)) => format!("not in {:.2} s", time.as_secs_f64()),
        None => "undisturbed".to_owned(),
    };
    let gate = format!(
        "back {} (at most {:.2} s), and before the bare timeout, which is back {}",
        shown(auto),
        LONGEST_OUT.as_secs_f64(),
        shown(bare)
    );
    (gate, matches!(auto, Some(Back::After(time)) if time <= LONGEST_OUT) && auto < bare)
}

/// How late the machine may be: a tenth of a deadline.
const TOLERATED: Duration = Duration::from_millis(25);
/// With a greater share than this being late, the figures are the machine's and not the pools'.
const TOO_MANY: f64 = 0.05;
/// Of the capacity at twice what can be borne; a pool does not lose more by shedding than an idle moment now and then.
const LEAST_USEFUL: f64 = 0.7;
/// That many times what any queue without policy achieves.
const LEAST_RATIO: f64 = 2.0;
/// The pool took no longer than 0.25 s in nine of ten of 1000 simulated runs of E5, and longer than this in one of them. A queue
/// without policy was never back.
const LONGEST_OUT: Duration = Duration::from_millis(1500);
