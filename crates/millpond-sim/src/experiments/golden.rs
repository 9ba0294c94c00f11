//! E0: one resource, a caller every 10 ms who holds it for 10 ms, and a stop of one second. Nothing is left to chance.

use std::time::Duration;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{fault, ms, secs};
use crate::{Arrivals, AtDeadline, Callers, Fate, Hold, Policy, Run, Scenario, Told, Trouble, run};

pub(super) fn judge(seeds: &[u64]) -> Vec<Gate> {
    worst_of(&seeds[..1.min(seeds.len())], |_| {
        let mut readings = Vec::new();
        let without = run(&scenario(Duration::MAX).under(Policy::Zombies));
        for (which, from) in [("at once", 7), ("after 50 s", 55)] {
            let latency = latencies(&without, secs(from), secs(from + 1));
            readings.extend(exactly(&format!("without policy, {which}"), latency, ms(1010)));
        }
        let alone = run(&scenario(ms(300)).under(Policy::BareTimeout));
        for (which, from) in [("at once", 7), ("after 50 s", 55)] {
            let latency = latencies(&alone, secs(from), secs(from + 1));
            readings.extend(exactly(
                &format!("timeout of 300 ms alone, {which}"),
                latency,
                ms(300),
            ));
        }
        for (how, told) in
            [("deadline told", Told::Deadline), ("timeout told", Told::Timeout(ms(300)))]
        {
            let mut scenario = scenario(ms(300));
            scenario.callers[0].told = told;
            let (_, slowest) = latencies(&run(&scenario), secs(7), secs(60));
            let name = format!("auto, {how}: slowest from a second after the stop on");
            readings.push(Reading::time(name, slowest, Bound::AtMost(0.030)));
        }
        readings
    })
}

fn scenario(deadline: Duration) -> Scenario {
    let callers = Callers::new(Arrivals::even(100.0), Hold::Constant(ms(10)), deadline);
    let callers = Callers { at_deadline: AtDeadline::Leaves, ..callers };
    Scenario::new(1, callers).lasting(secs(60)).with(fault(Trouble::Stop, secs(1)))
}

/// The shortest and the longest time that it took those who were served, of those due within some time.
fn latencies(run: &Run, from: Duration, to: Duration) -> (Duration, Duration) {
    let due = run.records.iter().filter(|record| from <= record.due && record.due < to);
    let served = due.filter(|record| matches!(record.fate, Fate::Good | Fate::Late));
    let times = served.map(|record| record.end - record.due);
    times.fold((Duration::MAX, Duration::ZERO), |(least, most), time| {
        (least.min(time), most.max(time))
    })
}

fn exactly(name: &str, (least, most): (Duration, Duration), exact: Duration) -> [Reading; 2] {
    [
        Reading::time(format!("{name}: quickest"), least, Bound::AtLeast(exact.as_secs_f64())),
        Reading::time(format!("{name}: slowest"), most, Bound::AtMost(exact.as_secs_f64())),
    ]
}
