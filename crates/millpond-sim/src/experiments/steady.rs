//! E1: load below capacity. Nobody should notice that there is a policy.

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{pool, secs};
use crate::{Policy, run};

pub(super) fn judge(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        for (size, most) in [(4, 0.04), (16, 0.005), (64, 0.005)] {
            // As many requests for each size: the more resources, the more come.
            let lasts = secs(4800 / u64::from(size));
            let auto = run(&pool(size, 0.9).lasting(lasts).seeded(seed));
            let name = format!("{size} resources at 0.9: turned away");
            readings.push(Reading::share(name, auto.summary().turned_away(), Bound::AtMost(most)));
        }
        for load in [0.5, 0.7, 0.9] {
            let scenario = pool(16, load).lasting(secs(60)).seeded(seed);
            let auto = run(&scenario).summary().total.p99;
            let fifo = run(&scenario.under(Policy::Fifo)).summary().total.p99;
            let name = format!("16 resources at {load}: p99 as a ratio to plain fifo");
            let ratio = auto.div_duration_f64(fifo);
            readings.push(Reading::number(name, ratio, Bound::AtMost(1.05)));
        }
        readings
    })
}
