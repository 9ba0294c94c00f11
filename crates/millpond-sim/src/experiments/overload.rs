//! E2: more callers than can be served, for as long as it lasts.

use std::time::Duration;

use millpond_core::{ShedReason, Why};

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{DEADLINE, held, ms, pool, secs};
use crate::{Fate, Hold, Percentiles, Policy, Record, Run, run};

pub(super) fn judge(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        for load in [1.5, 2.0, 5.0, 10.0] {
            let run = run(&pool(10, load).seeded(seed));
            readings.extend(read(&format!("{load}x"), &run, DEADLINE));
            readings.extend(compare(load, &run));
        }
        for size in [4, 64] {
            let run =
                run(&pool(size, 2.0).lasting(secs(300 / u64::from(size).min(10))).seeded(seed));
            let name = format!("2x on {size} resources: goodput of capacity");
            let harvest = run.harvest(Duration::ZERO, run.scenario.lasts);
            readings.push(Reading::share(name, harvest, Bound::AtLeast(0.97)));
        }
        let bare = run(&pool(10, 2.0).seeded(seed).under(Policy::BareTimeout));
        let harvest = bare.harvest(Duration::ZERO, bare.scenario.lasts);
        readings.push(Reading::share("2x, a bare timeout: goodput", harvest, Bound::AtMost(0.15)));
        readings
    })
}

/// Holds so short, or so long, that what suits milliseconds may not suit them.
pub(super) fn extremes(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        let cases = [
            ("0.2 ms holds", Duration::from_micros(200), ms(50), secs(1)),
            ("2 s holds", secs(2), secs(20), secs(1200)),
        ];
        for (name, mean, deadline, lasts) in cases {
            let hold = Hold::LogNormal { mean, cv: 1.0 };
            let scenario = held(10, hold, 2.0, deadline).lasting(lasts).seeded(seed);
            readings.extend(read(&format!("2x, {name}"), &run(&scenario), deadline));
        }
        let bimodal = Hold::Bimodal { short: ms(10), long: ms(500), share: 0.05 };
        let scenario = held(10, bimodal, 2.0, secs(1)).seeded(seed);
        readings.extend(read("2x, 10 ms or 500 ms holds", &run(&scenario), secs(1)));
        readings
    })
}

/// Waiting adds no more to what leases take by themselves (245 ms at the 99th percentile) than a lease takes in the mean. The
/// first two seconds, in which overload is noticed, are left to `read`.
fn compare(load: f64, run: &Run) -> Vec<Reading> {
    let goodput = Reading::share(
        format!("{load}x: goodput of nominal capacity"),
        run.goodput(),
        Bound::AtLeast(0.97),
    );
    let good = |record: &&Record| record.fate == Fate::Good && record.due >= secs(2);
    let total = run.records.iter().filter(good).map(|record| record.end - record.due);
    let name = format!("{load}x: p99 of the total of those in time, from 2 s on");
    let p99 = Percentiles::of(total.collect()).p99;
    let p99 = Reading::time(name, p99, Bound::AtMost(0.295));
    [goodput, p99].map(Reading::in_the_mean).to_vec()
}

/// Leases that leave room for it: then the total of the served is within half the deadline.
pub(super) fn even(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        let holds = [
            ("all alike", Hold::Constant(ms(50))),
            ("cv 0.5", Hold::LogNormal { mean: ms(50), cv: 0.5 }),
        ];
        for (what, hold) in holds {
            for load in [1.5, 2.0] {
                let run = run(&held(10, hold, load, DEADLINE).seeded(seed));
                let name = format!("{load}x, holds {what}: p99 of the total of the served");
                let half = DEADLINE.as_secs_f64() / 2.0;
                let p99 = run.summary().total.p99;
                readings.push(Reading::time(name, p99, Bound::AtMost(half)));
                let name = format!("{load}x, holds {what}: goodput of capacity");
                let harvest = run.harvest(Duration::ZERO, run.scenario.lasts);
                readings.push(Reading::share(name, harvest, Bound::AtLeast(0.97)));
            }
        }
        readings
    })
}

/// The figures of a lasting overload.
fn read(name: &str, run: &Run, deadline: Duration) -> Vec<Reading> {
    let summary = run.summary();
    let half = deadline.as_secs_f64() / 2.0;
    let at_once = |why: &Why| {
        matches!(
            why,
            Why::TooManyWaiters | Why::Shed(ShedReason::Overloaded | ShedReason::PredictedTooLate)
        )
    };
    let delays = run.refusals.iter().filter(|refused| at_once(&refused.why));
    let on_arrival = Percentiles::of(delays.map(|refused| refused.after).collect());
    let goodput = run.harvest(Duration::ZERO, run.scenario.lasts);
    let time = |what: &str, value, most| {
        Reading::time(format!("{name}: {what}"), value, Bound::AtMost(most))
    };
    vec![
        Reading::share(format!("{name}: goodput of capacity"), goodput, Bound::AtLeast(0.97)),
        time("p99 of the wait of the served", summary.wait.p99, half),
        time("p99 of the total of the served", summary.total.p99, 2.0 * half),
        time("p99 of refusals on arrival", on_arrival.p99, 0.001),
        time("p99 of all refusals", run.refusal_delay().p99, half),
        Reading::number(format!("{name}: stranded"), run.stranded as f64, Bound::AtMost(0.0)),
    ]
}
