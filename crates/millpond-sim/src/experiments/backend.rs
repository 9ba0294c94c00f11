//! E8 and E9: resources have to be opened first, or again.

use std::time::Duration;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{fault, ms, pool, secs};
use crate::{Hold, Run, Trouble, run};

pub(super) fn cold_start(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut scenario = pool(32, 0.8).lasting(secs(20)).seeded(seed);
        scenario.pool.open = 0;
        scenario.pool.connect = Hold::Constant(ms(100));
        let limit = f64::from(scenario.pool.config.max_creating);
        let mut warm = scenario.clone();
        warm.pool.open = 32;
        let cold = run(&scenario);
        let most = f64::from(cold.most_creating);
        let back = cold.recovered(&run(&warm), Duration::ZERO);
        vec![
            Reading::number("most creations at a time", most, Bound::AtMost(limit)),
            // Five times as long as it takes to open one.
            Reading::after("as a pool that is open after", back, Bound::AtMost(0.5)),
        ]
    })
}

pub(super) fn restart(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        for deadline in [5, 30] {
            let mut scenario = pool(10, 0.8).lasting(secs(60)).seeded(seed);
            scenario.callers[0].deadline = secs(deadline);
            scenario.pool.config.max_creating = 8;
            scenario.pool.connect = Hold::Constant(ms(20));
            // The pause may be as long as the outage was: whoever is to be served within five seconds must not pay that.
            scenario.pool.config.backoff_cap = secs(1);
            scenario.faults = vec![fault(Trouble::Outage, secs(3))];
            let run = run(&scenario);
            let count = |what: &str, value: u64| {
                let name = format!("3 s away, deadlines of {deadline} s: {what}");
                Reading::number(name, value as f64, Bound::AtMost(0.0))
            };
            let summary = run.summary();
            let refused = summary.refused.values().sum::<u64>() + summary.left;
            readings.extend([
                // One that was served may still be late: a lease takes as long as it takes.
                count("refused, or gone unserved", refused),
                count("served before one that came first", run.overtaken),
                count("creations ahead of the ramp", ahead_of_ramp(&run, secs(8), 8)),
            ]);
            let name = format!("3 s away, deadlines of {deadline} s: opened again after");
            readings.push(Reading::after(name, reopened(&run, secs(8), 10), Bound::AtMost(10.0)));
        }
        readings
    })
}

/// How often more creations were in flight than the successes since `end` allow: one, and twice as many after each.
fn ahead_of_ramp(run: &Run, end: Duration, most: u32) -> u64 {
    let mut opened = run.opened.iter().filter(|at| **at >= end).peekable();
    let (mut allowed, mut ahead) = (1, 0);
    for (at, creating) in run.creating.iter().filter(|(at, _)| *at >= end) {
        while opened.next_if(|opened| *opened <= at).is_some() {
            allowed = most.min(allowed * 2);
        }
        ahead += u64::from(*creating > allowed);
    }
    ahead
}

/// How long after `end` so many resources had been opened.
fn reopened(run: &Run, end: Duration, size: usize) -> Option<Duration> {
    let mut opened = run.opened.iter().filter(|at| **at >= end);
    opened.nth(size - 1).map(|at| *at - end)
}
