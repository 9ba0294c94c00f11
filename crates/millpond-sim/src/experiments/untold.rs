//! E2u: lasting overload where the pool does not know when callers must be done.

use std::time::Duration;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{DEADLINE, pool, secs};
use crate::{Told, run};

pub(super) fn judge(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        for (name, told) in [
            ("told only the timeout", Told::Timeout(DEADLINE)),
            ("told 30 s, leaving at 0.5 s", Told::Timeout(secs(30))),
            ("told nothing, leaving at 0.5 s", Told::Nothing),
        ] {
            let mut scenario = pool(10, 2.0).seeded(seed);
            scenario.callers[0].told = told;
            let run = run(&scenario);
            let goodput = run.harvest(Duration::ZERO, run.scenario.lasts);
            let name = format!("2x, {name}: goodput");
            readings.push(Reading::share(name, goodput, Bound::AtLeast(0.97)));
            if told == Told::Timeout(DEADLINE) {
                let name = "2x, told only the timeout: p99 of the wait of the served";
                let half = DEADLINE.as_secs_f64() / 2.0;
                let p99 = run.summary().wait.p99;
                readings.push(Reading::time(name, p99, Bound::AtMost(half)));
            }
        }
        readings
    })
}
