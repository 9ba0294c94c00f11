//! What a program sees of the pool: settings and their errors, messages, numbers, and the types themselves.

mod messages;
mod observing;
mod odd_resources;
mod ready;
mod settings;
mod types;

use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
