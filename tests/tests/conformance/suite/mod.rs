//! The tests, by topic, and nothing else: what runs them stands in `main.rs`.

pub(crate) mod getting;
pub(crate) mod trying;
pub(crate) mod returning;
pub(crate) mod strict;
pub(crate) mod cancelling;
pub(crate) mod deadlines;
pub(crate) mod hanging;
pub(crate) mod creating;
pub(crate) mod failing;
pub(crate) mod checking;
pub(crate) mod resetting;
pub(crate) mod closing;
pub(crate) mod resizing;
pub(crate) mod pausing;
pub(crate) mod retiring;
pub(crate) mod adding;
pub(crate) mod retaining;
pub(crate) mod keeping;
pub(crate) mod panics;
pub(crate) mod reporting;
pub(crate) mod watching;
pub(crate) mod settings;
pub(crate) mod defaults;
pub(crate) mod threads;
pub(crate) mod dropping;
pub(crate) mod runtime_gone;
pub(crate) mod stress;

mod witness;

use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
