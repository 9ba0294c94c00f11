//! E11: what the pool knows of its holds, while they take twice as long for a while, and over ten minutes of overload.

use std::time::Duration;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{pool, secs};
use crate::{Fault, Run, Trouble, run};

pub(super) fn judge(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let slow = Fault { from: secs(20), lasts: secs(20), trouble: Trouble::Slow(2.0) };
        let changing = run(&pool(10, 2.0).lasting(secs(60)).with(slow).seeded(seed));
        let steady = run(&pool(10, 2.0).lasting(secs(600)).seeded(seed));
        vec![
            // Twenty windows of four holds.
            Reading::after(
                "holds twice as long: known within 20 % after",
                known(&changing, secs(20), 0.1),
                Bound::AtMost(4.0),
            ),
            Reading::after(
                "holds half as long: known within 20 % after",
                known(&changing, secs(40), 0.05),
                Bound::AtMost(8.0),
            ),
            Reading::share(
                "ten minutes of overload: furthest from the truth in 10 s",
                furthest(&steady, 0.05),
                Bound::AtMost(0.2),
            ),
        ]
    })
}

/// How long after `from` the measured mean first was within a fifth of the truth.
fn known(run: &Run, from: Duration, truth: f64) -> Option<Duration> {
    let moments = (0..).map(|place| run.grain * place).zip(&run.moments);
    let mut known = moments.filter(|(at, moment)| {
        let mean = moment.hold.map_or(0.0, |hold| hold.as_secs_f64());
        *at >= from && (mean / truth - 1.0).abs() <= 0.2
    });
    known.next().map(|(at, _)| at - from)
}

/// How far from the truth the measured mean was at most, averaged over ten seconds each, after the first ten.
fn furthest(run: &Run, truth: f64) -> f64 {
    let window = (10.0 / run.grain.as_secs_f64()) as usize;
    let means: Vec<f64> = run
        .moments
        .iter()
        .map(|moment| moment.hold.map_or(0.0, |hold| hold.as_secs_f64()))
        .collect();
    let windows = means.chunks_exact(window.max(1)).skip(1);
    windows
        .map(|window| (window.iter().sum::<f64>() / window.len() as f64 / truth - 1.0).abs())
        .fold(0.0, f64::max)
}
