//! Whatever is counted is told, whatever goes wrong: with an error or a panic in each call into user code, and with each future
//! dropped at each poll.

use millpond::{EventKind, Failure, Task, Totals};
use millpond_test::{Recorder, TestRuntime};
use millpond_tests::callers::{Cut, Reaped, Reaper, run};
use millpond_tests::fuse::{Fault, Fuse};
use millpond_tests::scenario::Stage;

type Scenario = fn(&Stage) -> Vec<Task>;

/// The totals of resources, as events tell them.
fn counted(kinds: &[EventKind]) -> [u64; 7] {
    let mut totals = [0; 7];
    for kind in kinds {
        let (place, failure) = match kind {
            EventKind::Created { .. } => (Some(0), None),
            EventKind::CreateFailed { failure, .. } => (Some(1), Some(failure)),
            EventKind::CheckFailed { failure, .. } => (Some(2), Some(failure)),
            EventKind::ResetFailed { failure, .. } | EventKind::CloseFailed { failure, .. } => {
                (None, Some(failure))
            }
            EventKind::Closed { .. } => (Some(3), None),
            EventKind::Detached { .. } => (Some(4), None),
            EventKind::OfferRevoked { .. } => (Some(5), None),
            _ => continue,
        };
        totals[6] += u64::from(matches!(failure, Some(Failure::TimedOut)));
        if let Some(place) = place {
            totals[place] += 1;
        }
    }
    totals
}

fn of(totals: &Totals) -> [u64; 7] {
    [
        totals.created,
        totals.create_failed,
        totals.check_failed,
        totals.closed,
        totals.detached,
        totals.revoked,
        totals.abandoned,
    ]
}

/// Runs the scenario, and says what was told in total.
#[track_caller]
fn told(scenario: Scenario, fuse: &Fuse, cut: Cut, reaped: Cut) -> [u64; 7] {
    let (clock, recorder) = (TestRuntime::new(), Recorder::new());
    let reaper = Reaper::new(clock.clone(), Reaped::One, reaped);
    let stage = Stage::watched(&clock, reaper.clone(), fuse, recorder.clone());
    run(&clock, scenario(&stage), cut, fuse, |_| ());
    reaper.spare();
    stage.afterwards(1);
    let pool = &stage.pool;
    let kinds = recorder.take();
    let told = counted(&kinds);
    assert_eq!(told, of(&pool.status().totals), "left: as told, right: as counted");
    let ends = |kind: &&EventKind| matches!(kind, EventKind::Closing | EventKind::Drained);
    assert_eq!(kinds.iter().filter(ends).count(), 2);
    told
}

#[test]
fn whatever_goes_wrong_what_is_counted_is_told() {
    let mut sum = [0; 7];
    let mut add = |told: [u64; 7]| sum.iter_mut().zip(told).for_each(|(sum, n)| *sum += n);
    for n in 0..100 {
        for scenario in [Stage::bustle, Stage::farewell] {
            for fault in [Fault::Panic, Fault::Fail, Fault::FailForGood] {
                add(told(scenario, &Fuse::new(fault, n), Cut::Never, Cut::Never));
            }
            let never = Fuse::never();
            add(told(scenario, &never, Cut::InsteadOf(n), Cut::Never));
            add(told(scenario, &never, Cut::Never, Cut::InsteadOf(n)));
            add(told(scenario, &never, Cut::Never, Cut::After(n)));
        }
    }
    let [created, create_failed, check_failed, closed, detached, ..] = sum;
    assert!(
        [created, create_failed, check_failed, closed, detached].iter().all(|n| *n > 0),
        "{sum:?}"
    );
}
