//! E2u: lasting overload where the pool does not know when callers must be done.

use super::judge::{Gate, judge as worst_of};
use super::overload::read;
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
            readings.extend(read(&format!("2x, {name}"), &run(&scenario), DEADLINE));
        }
        readings
    })
}
