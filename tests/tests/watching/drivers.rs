//! The pool as a whole: who drives it, and what is done to it.

use millpond::{EventKind, Pool};
use millpond_test::{Recorder, ScriptedManager};
use millpond_tests::hop::Hop;

use crate::{secs, watched};

#[test]
fn what_is_done_to_a_pool_is_told_if_it_changes_anything() {
    let (rig, recorder) = watched(|builder| builder.max_size(4));
    drop(rig.take());
    let _ = recorder.take();
    rig.pool.pause();
    rig.pool.pause();
    rig.pool.resume();
    rig.pool.resume();
    rig.pool.resize(4).expect("the size it has");
    rig.pool.resize(7).expect("a size that a pool can have");
    rig.pool.retire_all(secs(90));
    assert_eq!(
        recorder.lines(),
        [
            "paused",
            "resumed",
            "max_size changed from 4 to 7",
            "all retired within 90s: epoch 1 began",
        ]
    );
    let _ = recorder.take();
    rig.ends_clean();
    let told = recorder.take();
    assert!(
        matches!(&told[..], [EventKind::Closing, EventKind::Closed { .. }, EventKind::Drained]),
        "{told:?}"
    );
}

fn of_drivers(recorder: &Recorder) -> Vec<String> {
    let drivers = |kind: &EventKind| {
        matches!(kind, EventKind::DriverStarted { .. } | EventKind::DriverLost { .. })
    };
    recorder.take().iter().filter(|kind| drivers(kind)).map(ToString::to_string).collect()
}

#[test]
fn drivers_that_come_and_go_are_told() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    assert_eq!(of_drivers(&recorder), [""; 0], "it begins with the first caller");
    drop(rig.take());
    assert_eq!(of_drivers(&recorder), ["driver 1 started"]);
    rig.runtime.shutdown();
    assert_eq!(of_drivers(&recorder), ["driver 1 was dropped"]);
    rig.runtime.restart();
    drop(rig.runtime.block_on(rig.pool.get()));
    assert_eq!(of_drivers(&recorder), ["driver 2 started"]);
    rig.ends_clean();
    assert_eq!(of_drivers(&recorder), [""; 0], "it is done, not lost");
}

#[test]
fn a_driver_in_the_place_of_one_that_stands_still_is_told_as_that() {
    let (hop, [first, second]) = Hop::new();
    let recorder = Recorder::new();
    let pool = Pool::builder(ScriptedManager::new(first.clone()))
        .max_size(1)
        .event_sink(recorder.clone())
        .build(hop.clone())
        .expect("the settings make sense");
    let held = first.block_on(pool.get()).expect("there is one");
    hop.enter(1);
    hop.pass(secs(10));
    assert!(second.block_on(pool.get().timeout(secs(1))).is_err());
    assert_eq!(
        of_drivers(&recorder),
        ["driver 1 started", "driver 2 started instead of 1, which had stopped moving"]
    );
    drop(held);
}
