//! What those see who watch: that a lane is overloaded, who holds everything then, and when it is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::{AbortHandle, Abortable};
use millpond::{Event, EventKind, GetError, Lane, RefusalReason, ShedReason};
use millpond_test::{Op, Recorder, Step};
use millpond_tests::rig::Rig;

use crate::{caller, crowd, ms, outcomes, secs, used_to};

fn is_overloaded(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Overloaded { .. })
}

#[test]
fn a_queue_that_does_not_drain_is_told_once_and_its_end_once() {
    let recorder = Recorder::new();
    let rig = Rig::new(|builder| builder.max_size(1).event_sink(recorder.clone()));
    let _ = outcomes(&rig, crowd(&rig, 100, ms(50), ms(100)));
    rig.runtime.advance(secs(5));
    let about: Vec<_> = recorder
        .take()
        .into_iter()
        .filter(|kind| is_overloaded(kind) || matches!(kind, EventKind::Relieved { .. }))
        .collect();
    let [
        EventKind::Overloaded { lane, waiting, holders, .. },
        EventKind::Relieved { lane: end, lasted, .. },
    ] = &about[..]
    else {
        panic!("{about:?}")
    };
    assert_eq!((&**lane, &**end, holders.len()), (Lane::DEFAULT, Lane::DEFAULT, 1));
    assert!(*waiting > 0 && *lasted > secs(1), "{about:?}");
    let line = about[0].to_string();
    let start = format!(
        "lane `default` is overloaded: {waiting} wait in a queue that does not drain; held"
    );
    assert!(line.starts_with(&start), "{line}");
    assert!(about[1].to_string().starts_with("lane `default` is no longer overloaded, after "));
    rig.ends_clean();
}

#[test]
fn a_program_that_stops_what_holds_longest_recovers() {
    let recorder = Recorder::new();
    let reports: Arc<Mutex<HashMap<String, AbortHandle>>> = Arc::default();
    let (known, remember) = (Arc::clone(&reports), recorder.clone());
    let rig = Rig::new(|builder| {
        builder.max_size(2).event_sink(move |event: &Event<'_>| {
            millpond::EventSink::on_event(&remember, event);
            let EventKind::Overloaded { holders, .. } = event.kind else { return };
            let longest = holders.iter().find_map(|holder| {
                known.lock().expect("nothing panics in it").remove(&**holder.label.as_ref()?)
            });
            longest.expect("the report holds longest").abort();
        })
    });
    // A report that never ends takes one of two; what is left is not enough.
    let (abort, registration) = AbortHandle::new_pair();
    reports.lock().expect("nothing panics in it").insert("report 7".to_owned(), abort);
    let get = rig.pool.get_owned().label("report 7");
    let report = Abortable::new(
        async move {
            let _held = get.await;
            std::future::pending::<()>().await;
        },
        registration,
    );
    let report = rig.runtime.start(report);
    rig.runtime.run_until_idle();
    let _ = outcomes(&rig, crowd(&rig, 200, ms(80), ms(100)));
    assert!(report.is_finished(), "it was stopped");
    let told = recorder.take();
    assert_eq!(told.iter().filter(|kind| is_overloaded(kind)).count(), 1);
    let holders = told.iter().find_map(|kind| match kind {
        EventKind::Overloaded { holders, .. } => Some(holders),
        _ => None,
    });
    let holders = holders.expect("it was told");
    assert_eq!(holders.len(), 2);
    assert!(holders[0].held_for > holders[1].held_for, "the longest first: {holders:?}");
    assert_eq!(holders[0].label.as_deref(), Some("report 7"));
    let lane = &rig.pool.status().lanes[0];
    assert!(lane.overloaded_for.is_none(), "two are enough");
    rig.ends_clean();
}

#[test]
fn who_is_shed_is_told_by_its_reason_and_its_lane() {
    let recorder = Recorder::new();
    let rig =
        used_to(ms(100), |builder| builder.event_sink(recorder.clone()).lane(Lane::new("reports")));
    let held = rig.take();
    let waiting = [rig.wait(), rig.wait()];
    let _ = recorder.take();
    let get = || rig.pool.get().timeout(ms(50)).label("x");
    assert!(matches!(rig.at_once(get()), Err(GetError::Shed { .. })));
    assert!(matches!(rig.at_once(get().lane("reports")), Err(GetError::Shed { .. })));
    assert!(matches!(rig.at_once(get().lane("?")), Err(GetError::UnknownLane { .. })));
    let told: Vec<_> = recorder
        .take()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::Refused { reason, lane, label, .. } => Some((reason, lane, label)),
            _ => None,
        })
        .collect();
    let too_late = RefusalReason::Shed(ShedReason::PredictedTooLate);
    let label = Some("x".into());
    let expected = [
        (too_late, None, label.clone()),
        (too_late, Some("reports".into()), label.clone()),
        (RefusalReason::UnknownLane, None, label),
    ];
    assert_eq!(told, expected);
    drop((held, waiting));
    rig.ends_clean();
}

#[test]
fn a_backend_that_is_down_is_no_overload() {
    let recorder = Recorder::new();
    let rig = Rig::new(|builder| builder.max_size(2).event_sink(recorder.clone()));
    let all = crowd(&rig, 50, ms(20), ms(10));
    assert!(outcomes(&rig, all).iter().all(Option::is_none));
    rig.pool.retire_all(std::time::Duration::ZERO);
    rig.manager.default_step(Op::Create, Step::transient());
    let patient = |_| caller(&rig, ms(10), |get| get.timeout(secs(20)));
    let all: Vec<_> = (0..50).map(patient).collect();
    rig.runtime.advance(secs(8));
    rig.manager.default_step(Op::Create, Step::Ok);
    assert!(outcomes(&rig, all).iter().all(Option::is_none), "they are held until it is back");
    assert_eq!(recorder.count(is_overloaded), 0);
    rig.ends_clean();
}

#[test]
fn each_reason_has_words_of_its_own() {
    let mut words: Vec<_> = [
        RefusalReason::Timeout,
        RefusalReason::TooManyWaiters,
        RefusalReason::Shed(ShedReason::Overloaded),
        RefusalReason::Shed(ShedReason::WaitedTooLong),
        RefusalReason::Shed(ShedReason::PredictedTooLate),
        RefusalReason::Shed(ShedReason::DeadlineTooClose),
        RefusalReason::CreateFailed,
        RefusalReason::Closed,
        RefusalReason::NoRuntime,
        RefusalReason::UnknownLane,
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), 10);
}
