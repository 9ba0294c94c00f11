//! What callers go through that get nothing, and do not come for what they are offered.

use millpond::{EventKind, RefusalReason};
use millpond_test::{Op, Recorder, Step};

use crate::{ms, secs, watched};

fn refusals(recorder: &Recorder) -> Vec<RefusalReason> {
    let reason = |kind: &EventKind| match kind {
        EventKind::Refused { reason, .. } => Some(*reason),
        _ => None,
    };
    recorder.take().iter().filter_map(reason).collect()
}

#[test]
fn who_is_refused_is_told_with_the_reason_the_wait_and_the_place() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let held = rig.take();
    let ahead = rig.wait();
    let _ = recorder.take();
    let (get, line) = (rig.pool.get().label("export").timeout(ms(1500)), line!());
    assert!(rig.runtime.block_on(get).is_err());
    let told = recorder.take();
    let [EventKind::Refused { reason, waited, ahead: before, caller, label, .. }] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((*reason, *waited, *before), (RefusalReason::Timeout, ms(1500), 1));
    assert_eq!((caller.file(), caller.line(), label.as_deref()), (file!(), line, Some("export")));
    let text = told[0].to_string();
    assert!(text.starts_with("a caller was refused after 1.5s: its time was up; from "), "{text}");
    drop((held, ahead));
    rig.ends_clean();
}

#[test]
fn every_error_of_get_is_told_by_its_kind() {
    let (rig, recorder) = watched(|builder| builder.max_size(1).max_waiters(1));
    rig.manager.script(Op::Create, [Step::permanent()]);
    assert!(rig.at_once(rig.pool.get()).is_err());
    assert_eq!(refusals(&recorder), [RefusalReason::CreateFailed]);
    rig.runtime.advance(secs(10));

    let held = rig.take();
    let waiting = rig.wait();
    assert!(rig.at_once(rig.pool.get()).is_err());
    assert_eq!(refusals(&recorder), [RefusalReason::TooManyWaiters]);
    drop(waiting);

    assert!(rig.at_once(rig.pool.get().timeout(ms(0))).is_err());
    assert_eq!(refusals(&recorder), [RefusalReason::Timeout]);
    drop(held);

    rig.ends_clean();
    assert!(rig.at_once(rig.pool.get()).is_err());
    assert_eq!(refusals(&recorder), [RefusalReason::Closed]);
}

#[test]
fn who_has_no_runtime_to_wait_on_is_told_too() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let held = rig.take();
    rig.runtime.shutdown();
    let _ = recorder.take();
    assert!(matches!(millpond_test::poll_once(rig.pool.get()), std::task::Poll::Ready(Err(_))));
    assert_eq!(refusals(&recorder), [RefusalReason::NoRuntime]);
    drop(held);
}

#[test]
fn who_goes_away_or_does_not_wait_is_no_event() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let held = rig.take();
    let _ = recorder.take();
    drop(rig.wait());
    assert!(rig.pool.try_get().is_err());
    assert!(recorder.take().is_empty());
    drop(held);
    rig.ends_clean();
}

#[test]
fn an_offer_that_nobody_comes_for_is_told_once_it_is_taken_back() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let held = rig.take();
    let asleep = rig.wait();
    let _ = recorder.take();
    drop(held);
    rig.runtime.advance(ms(999));
    assert!(recorder.take().is_empty());
    rig.runtime.advance(ms(1));
    let told = recorder.take();
    assert!(matches!(&told[..], [EventKind::OfferRevoked { .. }]), "{told:?}");
    drop(asleep);
    rig.ends_clean();
}
