//! What those are told who watch a pool: events, suspicions, hints.

mod callers;
mod drivers;
mod everything;
mod leaks;
mod nesting;
mod resources;
mod sinks;

use std::time::Duration;

use millpond::Builder;
use millpond_test::{Recorder, ScriptedManager};
use millpond_tests::rig::Rig;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A pool with somebody who watches it.
fn watched(
    set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>,
) -> (Rig, Recorder) {
    let recorder = Recorder::new();
    let rig = Rig::new(|builder| set(builder).event_sink(recorder.clone()));
    (rig, recorder)
}
