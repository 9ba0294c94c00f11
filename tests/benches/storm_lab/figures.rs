//! What is read off the records of a pool: how much was of use, how long it took, how soon who got nothing knew.

use std::time::Duration;

use crate::run::{Record, Run};
use crate::schedule::{Experiment, SIZE};

/// The figures of one pool in one experiment, over all its passes.
pub(crate) struct Figures {
    /// Requests that were done in time, as a share of those that came.
    pub(crate) of_offered: f64,
    /// The same as a share of what the resources could have done.
    pub(crate) of_capacity: f64,
    /// How long these took.
    pub(crate) served: Spread,
    /// The share of requests whose last word was a refusal.
    pub(crate) refused: f64,
    /// How long refusals took.
    pub(crate) refusals: Spread,
    /// The share of requests that ended at their deadline, or later.
    pub(crate) late: f64,
    /// Success among the critical requests and among the others, where there are such.
    pub(crate) by_rank: Option<(f64, f64)>,
    /// How often a request asked, on average.
    pub(crate) attempts: f64,
    /// When all was well again, after the disturbance; the median of the passes, of two the longer.
    pub(crate) back: Option<Back>,
}

/// Quantiles of a time; none if it never came to it.
pub(crate) struct Spread {
    pub(crate) median: Option<Duration>,
    pub(crate) most: Option<Duration>,
}

/// How long a pool took to be as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Back {
    After(Duration),
    /// Longer than was measured.
    NotIn(Duration),
}

impl Figures {
    /// `mean` is how long a resource was needed by a request, on average.
    pub(crate) fn of(experiment: &Experiment, runs: &[Run], mean: Duration) -> Self {
        let judged: Vec<&Record> = runs.iter().flat_map(|run| judged(experiment, run)).collect();
        let good = |records: &[&Record]| share(records, |record| record.is_good());
        let could = runs.len() as f64
            * SIZE as f64
            * (experiment.judged.end - experiment.judged.start).div_duration_f64(mean);
        let done = judged.iter().filter(|record| record.is_good());
        let rank = |critical| {
            let of_rank = judged.iter().filter(|record| record.request.critical == critical);
            of_rank.copied().collect::<Vec<_>>()
        };
        Self {
            of_offered: good(&judged),
            of_capacity: done.clone().count() as f64 / could,
            served: Spread::of(done.filter_map(|record| record.done)),
            refused: share(&judged, |record| record.refused),
            refusals: Spread::of(
                runs.iter()
                    .flat_map(|run| &run.refusals)
                    .filter(|refusal| experiment.judged.contains(&refusal.asked))
                    .map(|refusal| refusal.took),
            ),
            late: share(&judged, |record| !record.is_good() && !record.refused),
            by_rank: (experiment.critical > 0.0).then(|| (good(&rank(true)), good(&rank(false)))),
            attempts: judged.iter().map(|record| f64::from(record.attempts)).sum::<f64>()
                / judged.len().max(1) as f64,
            back: {
                let mut backs: Vec<_> =
                    runs.iter().filter_map(|run| back(experiment, run)).collect();
                backs.sort();
                backs.get(backs.len() / 2).copied()
            },
        }
    }
}

impl Spread {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.collect();
        times.sort();
        let at = |share: f64| {
            let last = times.len().checked_sub(1)?;
            Some(times[(last as f64 * share).round() as usize])
        };
        Self { median: at(0.5), most: at(0.99) }
    }
}

/// The records of the requests that came in the time that is judged.
fn judged<'a>(experiment: &Experiment, run: &'a Run) -> impl Iterator<Item = &'a Record> {
    let judged = experiment.judged.clone();
    run.records.iter().filter(move |record| judged.contains(&record.request.at))
}

/// The first of two windows in a row in which nearly all was well, counted from the end of the disturbance.
fn back(experiment: &Experiment, run: &Run) -> Option<Back> {
    let calm = experiment.calm?;
    let windows = (experiment.length - calm).div_duration_f64(WINDOW) as u32;
    let is_well = |window: u32| {
        let from = calm + WINDOW * window;
        let came = run.records.iter().filter(|r| (from..from + WINDOW).contains(&r.request.at));
        share(&came.collect::<Vec<_>>(), |record| record.is_good()) >= WELL
    };
    let first = (1..windows).find(|window| is_well(window - 1) && is_well(*window));
    Some(match first {
        Some(window) => Back::After(WINDOW * (window - 1)),
        None => Back::NotIn(WINDOW * windows),
    })
}

fn share(records: &[&Record], is: impl Fn(&Record) -> bool) -> f64 {
    let count = records.iter().filter(|record| is(record)).count();
    count as f64 / records.len().max(1) as f64
}

/// Long enough for some forty requests.
pub(crate) const WINDOW: Duration = Duration::from_millis(250);
/// The share of a window's requests that are done in time when all is well. A single one of forty is more than one percent.
pub(crate) const WELL: f64 = 0.95;
