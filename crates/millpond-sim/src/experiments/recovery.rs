//! E3 to E5: what is over soon, and how soon everything is well again.
//!
//! Where the load is steady, *well again* means: as in a twin run with the same requests to which nothing happened. A second
//! in which that one, too, refuses some is no consequence of what happened before.

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{fault, held, ms, pool, secs};
use crate::{Hold, Load, Policy, Retries, Run, Scenario, Trouble, run};

pub(super) fn pulse(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        for size in [4, 10, 64] {
            let mut scenario = pool(size, 0.7).seeded(seed);
            let all = scenario.capacity();
            if let Load::Open(arrivals) = &mut scenario.callers[0].load {
                *arrivals = arrivals.clone().then(secs(10), 2.0 * all).then(secs(20), 0.7 * all);
            }
            let run = run(&scenario);
            let goodput = run.harvest(secs(10), secs(20));
            let name = format!("{size} resources: goodput of capacity in the pulse");
            readings.push(Reading::share(name, goodput, Bound::AtLeast(0.95)));
            if size == 10 {
                let back = run.settled(secs(20));
                readings.push(Reading::after(
                    "10 resources: well again after",
                    back,
                    Bound::AtMost(1.0),
                ));
            }
        }
        readings
    })
}

pub(super) fn brown_out(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        let mut case = |setup: Scenario, trouble, lasts, load| {
            let what = if trouble == Trouble::Stop { "stopped" } else { "ten times slower" };
            let end = secs(5 + lasts);
            let size = setup.pool.config.max_size;
            let calm = setup.lasting(end + secs(10)).seeded(seed);
            let troubled = run(&calm.clone().with(fault(trouble, secs(lasts))));
            let calm = run(&calm);
            let back = troubled.recovered(&calm, end);
            let name = format!("{what} for {lasts} s at {load}: as without it after");
            readings.push(Reading::after(name, back, Bound::AtMost(1.0)));
            // And by all seeds together.
            let good = |run: &Run| run.between(end + secs(1), end + secs(3)).good as f64;
            let name = format!("{what} for {lasts} s at {load}: lost from 1 s to 3 s later");
            let lost = 1.0 - good(&troubled) / good(&calm);
            readings.push(Reading::share(name, lost, Bound::AtMost(0.01)).in_the_mean());
            let most = f64::from(troubled.most_lent);
            let name = format!("{what} for {lasts} s at {load}: most lent at a time");
            readings.push(Reading::number(name, most, Bound::AtMost(f64::from(size))));
        };
        for lasts in [1, 5, 30] {
            case(pool(10, 0.8), Trouble::Stop, lasts, 0.8);
        }
        for lasts in [1, 5, 30] {
            // Of ten resources one seed proves little: in a second they have 160 requests, of which two may be lost.
            case(pool(32, 0.8), Trouble::Slow(10.0), lasts, 0.8);
        }
        // As it was measured on other pools.
        let small = held(4, Hold::Constant(ms(10)), 0.95, ms(250));
        case(small, Trouble::Stop, 1, 0.95);
        readings
    })
}

pub(super) fn storm(seeds: &[u64]) -> Vec<Gate> {
    worst_of(seeds, |seed| {
        let mut readings = Vec::new();
        for (name, retries) in
            [("at once", Retries::at_once(3)), ("polite", Retries::polite(3, ms(50)))]
        {
            let mut calm = pool(10, 0.8).seeded(seed);
            calm.callers[0].retries = retries;
            let stormy = calm.clone().with(fault(Trouble::Stop, secs(5)));
            let auto = run(&stormy);
            let back = auto.recovered(&run(&calm), secs(10));
            let asked = auto.between(secs(10), secs(30)).amplification();
            readings.extend([
                Reading::after(format!("{name}: as without it after"), back, Bound::AtMost(3.0)),
                Reading::number(
                    format!("{name}: asked for each request after the stop"),
                    asked,
                    Bound::AtMost(1.3),
                ),
            ]);
            if retries.pause.is_zero() {
                let bare = run(&stormy.under(Policy::BareTimeout)).between(secs(15), secs(30));
                readings.push(Reading::share(
                    "at once, a bare timeout: useful 5 s later",
                    bare.useful(),
                    Bound::AtMost(0.1),
                ));
            }
        }
        readings
    })
}
