//! E3 to E5: what is over soon, and how soon everything is well again.

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{fault, pool, secs};
use crate::{Load, Policy, Retries, Scenario, Trouble, run};

pub(super) fn pulse(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut scenario = pool(10, 0.7).seeded(seed);
        if let Load::Open(arrivals) = &mut scenario.callers[0].load {
            *arrivals = arrivals.clone().then(secs(10), 400.0).then(secs(20), 140.0);
        }
        let run = run(&scenario);
        let goodput = run.harvest(secs(10), secs(20));
        vec![
            Reading::share("goodput of capacity in the pulse", goodput, Bound::AtLeast(0.95)),
            Reading::after("well again after", run.settled(secs(20)), Bound::AtMost(1.0)),
        ]
    })
}

pub(super) fn brown_out(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        for trouble in [Trouble::Stop, Trouble::Slow(10.0)] {
            let what = if trouble == Trouble::Stop { "stopped" } else { "ten times slower" };
            for lasts in [1, 5, 30] {
                let end = secs(5 + lasts);
                let scenario =
                    pool(10, 0.8).lasting(end + secs(10)).with(fault(trouble, secs(lasts)));
                let run = run(&scenario.seeded(seed));
                let name = format!("{what} for {lasts} s at 0.8: well again after");
                readings.push(Reading::after(name, run.settled(end), Bound::AtMost(1.0)));
                let name = format!("{what} for {lasts} s at 0.8: most lent at a time");
                let most = f64::from(run.most_lent);
                readings.push(Reading::number(name, most, Bound::AtMost(10.0)));
            }
        }
        let calm = pool(10, 0.95).lasting(secs(20)).seeded(seed);
        let stopped = calm.clone().with(fault(Trouble::Stop, secs(1)));
        let back = run(&stopped).recovered(&run(&calm), secs(6));
        let name = "stopped for 1 s at 0.95: as without it after";
        readings.push(Reading::after(name, back, Bound::AtMost(1.0)));
        readings
    })
}

pub(super) fn storm(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let scenario = storm_of(Retries::at_once(3)).seeded(seed);
        let auto = run(&scenario);
        let after = auto.between(secs(10), secs(30));
        let bare = run(&scenario.under(Policy::BareTimeout)).between(secs(15), secs(30));
        let polite = run(&storm_of(Retries::polite(3, super::setups::ms(50))).seeded(seed));
        vec![
            Reading::after("at once: well again after", auto.settled(secs(10)), Bound::AtMost(3.0)),
            Reading::number(
                "at once: asked for each request after the stop",
                after.amplification(),
                Bound::AtMost(1.3),
            ),
            Reading::share(
                "at once, a bare timeout: still useful 5 s later",
                bare.useful(),
                Bound::AtMost(0.1),
            ),
            Reading::after(
                "polite: well again after",
                polite.settled(secs(10)),
                Bound::AtMost(1.0),
            ),
            Reading::number(
                "polite: asked for each request",
                polite.summary().amplification(),
                Bound::AtMost(1.3),
            ),
        ]
    })
}

fn storm_of(retries: Retries) -> Scenario {
    let mut scenario = pool(10, 0.8).with(fault(Trouble::Stop, secs(5)));
    scenario.callers[0].retries = retries;
    scenario
}
