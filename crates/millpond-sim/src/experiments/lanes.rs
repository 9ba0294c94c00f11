//! E6 and E7: callers who are not all alike.

use std::time::Duration;

use millpond_core::Lane;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{callers, ms, pool, secs};
use crate::{Callers, Run, Scenario, run};

pub(super) fn priority(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        let alike = mixed(&[], vec![callers("all", 0, 2.0)]).seeded(seed);
        let alike = harvest(&run(&alike));
        let critical = lane(ms(250), 0);
        let two = mixed(&[critical], vec![callers("normal", 0, 1.6), callers("critical", 1, 0.4)]);
        // Long, because the share that is left for the others is known no better than how many critical ones came.
        let two = run(&two.lasting(secs(600)).seeded(seed));
        let served = |kind| two.summary_of(kind).useful();
        readings.extend([
            Reading::share("critical callers served in time", served(1), Bound::AtLeast(0.995)),
            // Of the 37.5 % that are left for them if as many come, and hold as long, as they do in the mean.
            Reading::share("the others served in time", served(0), Bound::AtLeast(0.37))
                .in_the_mean(),
            Reading::share(
                "goodput as a ratio to one lane",
                harvest(&two) / alike,
                Bound::AtLeast(0.97),
            ),
        ]);
        let three =
            vec![callers("batch", 0, 1.0), callers("normal", 1, 0.6), callers("critical", 2, 0.4)];
        let three = run(&mixed(&[lane(ms(100), 0), lane(ms(300), 0)], three).seeded(seed));
        let served = |kind| three.summary_of(kind).useful();
        readings.extend([
            Reading::share(
                "three lanes: critical served in time",
                served(2),
                Bound::AtLeast(0.995),
            ),
            Reading::number(
                "three lanes: normal callers served, as a ratio to batch",
                served(1) / served(0),
                Bound::AtLeast(1.0),
            ),
            Reading::share(
                "three lanes: goodput as a ratio to one",
                harvest(&three) / alike,
                Bound::AtLeast(0.97),
            ),
        ]);
        readings
    })
}

pub(super) fn tenants(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let two = mixed(
            &[lane(Duration::ZERO, 5), lane(Duration::ZERO, 5)],
            vec![callers("noisy", 1, 20.0 / 11.0), callers("quiet", 2, 2.0 / 11.0)],
        );
        let two = run(&two.seeded(seed));
        let one_of_four = |(number, name)| {
            let load = if number == 1 { 20.0 / 13.0 } else { 2.0 / 13.0 };
            callers(name, number, load)
        };
        let names = ["noisy", "quiet 1", "quiet 2", "quiet 3"];
        let four = mixed(
            &[(); 4].map(|()| lane(Duration::ZERO, 2)),
            (1..).zip(names).map(one_of_four).collect(),
        );
        let four = run(&four.seeded(seed));
        vec![
            Reading::number("two tenants: fairness", two.fairness(), Bound::AtLeast(0.95)),
            Reading::share("two tenants: goodput", harvest(&two), Bound::AtLeast(0.97)),
            Reading::number("four tenants: fairness", four.fairness(), Bound::AtLeast(0.95)),
            Reading::share("four tenants: goodput", harvest(&four), Bound::AtLeast(0.97)),
        ]
    })
}

fn mixed(lanes: &[Lane], callers: Vec<Callers>) -> Scenario {
    let mut scenario = pool(10, 2.0);
    (scenario.pool.config.lanes, scenario.callers) = (lanes.to_vec(), callers);
    scenario
}

fn lane(head_start: Duration, reserved: u32) -> Lane {
    Lane { max_waiters: 1024, head_start, reserved }
}

fn harvest(run: &Run) -> f64 {
    run.harvest(Duration::ZERO, run.scenario.lasts)
}
