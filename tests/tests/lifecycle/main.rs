//! What becomes of callers, borrowers and resources from beginning to end, on virtual runtimes.

mod adding;
mod aging;
mod closing;
mod deadlines;
mod growing;
mod guards;
mod keepalive;
mod keeping;
mod looking;
mod offers;
mod queue;
mod reentry;
mod resizing;
mod rest;
mod retiring;
mod returning;
mod runtimes;
mod stalled;
mod wakers;

use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
