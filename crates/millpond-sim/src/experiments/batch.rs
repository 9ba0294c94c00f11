//! Many who have all the time: tasks that work through something with the usual settings and come all at once, and callers
//! who come in bursts, with somebody in a hurry among them now and then.

use std::time::Duration;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{callers, ms, secs};
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
        let served = run(&bursts_and_hurry().seeded(seed)).summary_of(0).useful();
        let name = "bursts with one in 250 in a hurry: patient callers served";
        readings.push(Reading::share(name, served, Bound::AtLeast(0.99)));
        let served = run(&all_at_once().seeded(seed)).summary_of(0).useful();
        let name = "120 at once, three fifths of their patience to serve: served";
        readings.push(Reading::share(name, served, Bound::AtLeast(0.99)));
        readings
    })
}

/// 120 callers with two seconds each come within two milliseconds, to two resources that need 1.2 s for them; few come in between.
fn all_at_once() -> Scenario {
    let mut arrivals = Arrivals::poisson(10.0);
    for second in [1, 4, 8] {
        arrivals = arrivals.then(secs(second), 60_000.0).then(secs(second) + ms(2), 10.0);
    }
    Scenario::new(2, Callers::new(arrivals, Hold::LogNormal { mean: ms(20), cv: 0.2 }, secs(2)))
}

/// Two bursts of three times the capacity for two seconds each. Those in a hurry leave after a tenth of a second.
fn bursts_and_hurry() -> Scenario {
    let bursts = Arrivals::poisson(40.0)
        .then(secs(5), 600.0)
        .then(secs(7), 40.0)
        .then(secs(20), 600.0)
        .then(secs(22), 40.0);
    let mut patient = callers("patient", 0, 0.0);
    (patient.load, patient.deadline) = (Load::Open(bursts), secs(60));
    let mut hurried = callers("hurried", 0, 0.0025);
    (hurried.deadline, hurried.told) = (ms(100), Told::Nothing);
    let mut scenario = Scenario::new(10, patient);
    scenario.callers.push(hurried);
    scenario
}

fn batch(size: u32, tasks: u32, cycles: u32, hold: Hold) -> Scenario {
    let mut callers = Callers::new(Arrivals::even(1.0), hold, secs(60));
    callers.load = Load::Closed { tasks, cycles, pause: Duration::ZERO };
    callers.told = Told::Timeout(secs(30));
    Scenario::new(size, callers)
}
