//! The situation that most experiments begin with: ten resources held for 50 ms in the mean, half a second for everybody.

use std::time::Duration;

use crate::{Arrivals, Callers, Fault, Hold, Scenario, Trouble};

/// How long resources are held.
pub(super) const HOLD: Hold = Hold::LogNormal { mean: ms(50), cv: 1.0 };
/// Within what time callers must be done.
pub(super) const DEADLINE: Duration = ms(500);

/// So many resources, and so much of what they can do asked for, for 30 seconds.
pub(super) fn pool(size: u32, load: f64) -> Scenario {
    held(size, HOLD, load, DEADLINE)
}

/// The same with other holds and another deadline.
pub(super) fn held(size: u32, hold: Hold, load: f64, deadline: Duration) -> Scenario {
    let capacity = f64::from(size) / hold.mean().as_secs_f64();
    let mut scenario =
        Scenario::new(size, Callers::new(Arrivals::poisson(capacity * load), hold, deadline));
    scenario.pool.config.max_creating = (size / 4).clamp(1, 8);
    scenario
}

/// Callers of one kind among several, who ask for so much of what ten resources can do.
pub(super) fn callers(name: &str, lane: u32, load: f64) -> Callers {
    let callers = Callers::new(Arrivals::poisson(200.0 * load), HOLD, DEADLINE);
    Callers { name: name.to_owned(), lane, ..callers }
}

/// Something that goes wrong after five seconds.
pub(super) fn fault(trouble: Trouble, lasts: Duration) -> Fault {
    Fault { from: secs(5), lasts, trouble }
}

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
