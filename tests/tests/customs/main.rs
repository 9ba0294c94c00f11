//! The customs of the field: what other pools demand of themselves in their tests, demanded of this one. Only what no other
//! test here shows already; each names the pool that the demand comes from.

mod callers;
mod fates;
mod leaving;
mod meanwhile;
mod outages;
mod telling;
mod threads;

use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
