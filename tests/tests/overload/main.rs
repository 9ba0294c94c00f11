//! More callers than can be served: who is refused, what they are told, what those see who watch, and how lanes share.

mod capacity;
mod lanes;
mod shedding;
mod watching;

use std::time::Duration;

use millpond::{Builder, Get};
use millpond_test::{ScriptedManager, Started};
use millpond_tests::rig::{Refused, Rig};

/// What became of each caller: nothing, or its error.
type Outcomes = Vec<Option<Refused>>;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A caller that keeps its resource for `hold`.
fn caller(
    rig: &Rig,
    hold: Duration,
    set: impl FnOnce(Get<'static, ScriptedManager>) -> Get<'static, ScriptedManager>,
) -> Started<Option<Refused>> {
    let (get, runtime) = (set(rig.pool.get_owned()), rig.runtime.clone());
    rig.runtime.start(async move {
        match get.await {
            Ok(_held) => {
                runtime.sleep(hold).await;
                None
            }
            Err(error) => Some(error),
        }
    })
}

/// `n` callers, one every `pause`, each of whom waits a second at most and then keeps its resource for `hold`.
fn crowd(rig: &Rig, n: usize, pause: Duration, hold: Duration) -> Vec<Started<Option<Refused>>> {
    let arrive = |_| {
        let caller = caller(rig, hold, |get| get.timeout(secs(1)));
        rig.runtime.advance(pause);
        caller
    };
    (0..n).map(arrive).collect()
}

/// Waits for all of them.
fn outcomes(rig: &Rig, callers: Vec<Started<Option<Refused>>>) -> Outcomes {
    let all = callers.into_iter();
    all.map(|caller| rig.runtime.block_on(caller).expect("it does not panic")).collect()
}

/// A pool whose resources have been held for `hold` each while others waited.
fn used_to(
    hold: Duration,
    set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>,
) -> Rig {
    let rig = Rig::new(|builder| set(builder.max_size(1)));
    let first = caller(&rig, hold, |get| get);
    rig.runtime.run_until_idle();
    let others = crowd(&rig, 4, hold, hold);
    let all = others.into_iter().chain([first]).collect();
    assert!(outcomes(&rig, all).iter().all(Option::is_none), "one waits at a time");
    assert_eq!(rig.pool.status().hold.map(|known| known.mean), Some(hold));
    rig
}
