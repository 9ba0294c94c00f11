//! E10: callers that never come for what they are offered, that go away at any moment, and a million things at random.

mod chaos;

use super::judge::{Bound, Gate, Reading, judge as worst_of};
use super::setups::{callers, pool, secs};
use crate::{Arrivals, Load, Told, run};

pub(super) fn judge(seeds: &[u64]) -> Vec<Gate> {
    let gates = worst_of(seeds, |seed| {
        let mut scenario = pool(10, 0.5).lasting(secs(30));
        scenario.callers[0].deadline = secs(10);
        // A thousand within a tenth of a second.
        let mut absent = callers("absent", 0, 1.0);
        let burst = Arrivals::even(0.0).then(secs(5), 10_000.0);
        absent.load = Load::Open(burst.then(secs(5) + super::setups::ms(100), 0.0));
        (absent.absent, absent.told) = (1.0, Told::Timeout(secs(30)));
        scenario.callers.push(absent);
        let run = run(&scenario.seeded(seed));
        // What was offered to the absent is back after one claim window; one more for whoever waits by then.
        let later = run.of_kind_between(0, secs(7), secs(30));
        let stranded = run.stranded as f64;
        vec![
            Reading::share(
                "1000 absent: live callers served from 2 s later on",
                later.useful(),
                Bound::AtLeast(0.995),
            ),
            Reading::time(
                "1000 absent: longest wait of a live caller",
                run.summary_of(0).wait.max,
                Bound::AtMost(2.0),
            ),
            Reading::number("1000 absent: stranded", stranded, Bound::AtMost(0.0)),
        ]
    });
    // A million operations each take their time: a few seeds do.
    let few = &seeds[..seeds.len().min(4)];
    let chaos = worst_of(few, |seed| {
        let end = chaos::play(seed, 1_000_000);
        vec![
            Reading::number(
                "a million operations: resources lost",
                f64::from(end.lost),
                Bound::AtMost(0.0),
            ),
            Reading::number(
                "a million operations: callers forgotten",
                f64::from(end.forgotten),
                Bound::AtMost(0.0),
            ),
        ]
    });
    gates.into_iter().chain(chaos).collect()
}
