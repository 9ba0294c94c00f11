//! Many tasks that work through something with the usual settings: they come all at once, and have all the time.

use std::time::Duration;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{ms, secs};
use crate::{Arrivals, Callers, Hold, Load, Scenario, Told, run};

pub(super) fn judge(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let cases = [
            ("1000 tasks x 20 on 50, 1 ms", batch(50, 1000, 20, Hold::Constant(ms(1)))),
            ("100 tasks x 1 on 10, 1 s", batch(10, 100, 1, Hold::Constant(secs(1)))),
            ("100 tasks x 3 on 10, 1 s", batch(10, 100, 3, Hold::Constant(secs(1)))),
            (
                "500 tasks x 20 on 10, 20 ms cv 2",
                batch(10, 500, 20, Hold::LogNormal { mean: ms(20), cv: 2.0 }),
            ),
        ];
        let mut readings = Vec::new();
        for (name, scenario) in cases {
            let run = run(&scenario.seeded(seed));
            let refused = run.refusals.len() as f64;
            readings.push(Reading::number(format!("{name}: refused"), refused, Bound::AtMost(0.0)));
            let stranded = run.stranded as f64;
            readings.push(Reading::number(
                format!("{name}: stranded"),
                stranded,
                Bound::AtMost(0.0),
            ));
        }
        readings
    })
}

fn batch(size: u32, tasks: u32, cycles: u32, hold: Hold) -> Scenario {
    let mut callers = Callers::new(Arrivals::even(1.0), hold, secs(60));
    callers.load = Load::Closed { tasks, cycles, pause: Duration::ZERO };
    callers.told = Told::Timeout(secs(30));
    Scenario::new(size, callers)
}
