//! The life of each resource, from its creation to its end, with the reasons.

use std::error::Error;

use millpond::{CloseReason, EventKind, Failure, Manager, Pooled, ResourceId};
use millpond_test::{OnReturn, Op, Recorder, ScriptedError, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs, watched};

/// Why everything that was closed since the last look was closed, in that order.
fn reasons(recorder: &Recorder) -> Vec<CloseReason> {
    let reason = |kind: &EventKind| match kind {
        EventKind::Closed { reason, .. } => Some(*reason),
        _ => None,
    };
    recorder.take().iter().filter_map(reason).collect()
}

#[track_caller]
fn only(recorder: &Recorder, wanted: impl Fn(&EventKind) -> bool) -> EventKind {
    let mut found: Vec<_> = recorder.take().into_iter().filter(wanted).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn is(failure: &Failure, text: &str) -> bool {
    failure.to_string() == text
}

#[test]
fn a_resource_is_told_from_its_creation_to_its_end_by_one_id() {
    let (rig, recorder) = watched(|builder| builder.max_size(1).idle_timeout(secs(600)));
    rig.manager.script(Op::Create, [Step::Ok.after(ms(150))]);
    for _ in 0..3 {
        drop(rig.runtime.block_on(rig.pool.get()).expect("there is time enough"));
    }
    let created = only(&recorder, |kind| matches!(kind, EventKind::Created { .. }));
    let EventKind::Created { resource: first, took, .. } = created else { panic!("{created:?}") };
    assert_eq!(took, ms(150));

    rig.runtime.advance(secs(700));
    let closed = only(&recorder, |kind| matches!(kind, EventKind::Closed { .. }));
    let EventKind::Closed { resource, reason, age, uses, .. } = closed else {
        panic!("{closed:?}")
    };
    assert_eq!((resource, reason, uses), (first, CloseReason::Idle, 3));
    assert!(age >= secs(600) && age <= secs(700), "{age:?}");

    drop(rig.take());
    let created = only(&recorder, |kind| matches!(kind, EventKind::Created { .. }));
    let EventKind::Created { resource: second, .. } = created else { panic!("{created:?}") };
    let numbers = |id: ResourceId| id.to_string();
    assert_eq!((numbers(first), numbers(second)), ("0.0".to_owned(), "0.1".to_owned()));
    rig.ends_clean();
}

#[test]
fn what_was_opened_elsewhere_is_told_of_when_it_joins_and_when_it_goes() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let resource = rig.runtime.block_on(Manager::create(&rig.manager)).expect("it opens one");
    rig.pool.add(resource).expect("there is room");
    let added = only(&recorder, |kind| matches!(kind, EventKind::Added { .. }));
    let EventKind::Added { resource: joined, .. } = added else { panic!("{added:?}") };
    rig.pool.retain(|_, _| false);
    rig.runtime.run_until_idle();
    let closed = only(&recorder, |kind| matches!(kind, EventKind::Closed { .. }));
    let EventKind::Closed { resource: gone, reason, .. } = closed else { panic!("{closed:?}") };
    assert_eq!((gone, reason), (joined, CloseReason::Discarded));
    rig.ends_clean();
}

#[test]
fn a_creation_that_fails_is_told_with_its_error_and_the_time_until_the_next() {
    let (rig, recorder) = watched(|builder| builder.max_size(1).create_backoff(secs(5), secs(5)));
    let refused = ScriptedError::transient("connection refused");
    rig.manager.script(Op::Create, [Step::Fail(refused.clone()).after(ms(20))]);
    let waiting = rig.wait();
    rig.runtime.advance(ms(20));
    let told = only(&recorder, |kind| matches!(kind, EventKind::CreateFailed { .. }));
    let EventKind::CreateFailed { failure, transient, took, next_attempt, .. } = told else {
        panic!("{told:?}")
    };
    assert_eq!((transient, took), (true, ms(20)));
    let Failure::Error(error) = failure else { panic!("{failure:?}") };
    let error: &(dyn Error + 'static) = &*error;
    assert_eq!(error.downcast_ref::<ScriptedError>(), Some(&refused));
    // Not before, and then at once.
    assert!(next_attempt > ms(0) && next_attempt <= secs(5), "{next_attempt:?}");
    rig.runtime.advance(next_attempt - ms(1));
    assert_eq!(rig.manager.started(Op::Create), 1);
    rig.runtime.advance(ms(1));
    assert_eq!(rig.manager.started(Op::Create), 2);
    drop(waiting);
    rig.ends_clean();
}

#[test]
fn a_creation_that_is_no_answer_is_told_as_what_it_was() {
    let (rig, recorder) =
        watched(|builder| builder.max_size(1).create_timeout(secs(2)).create_backoff(ms(1), ms(1)));
    rig.manager.script(Op::Create, [Step::permanent(), Step::Panic, Step::Hang]);
    let _ = rig.at_once(rig.pool.get()).expect_err("it cannot log in");
    rig.runtime.advance(ms(1));
    drop(rig.runtime.block_on(rig.pool.get()).expect("the fourth attempt succeeds"));
    let told: Vec<_> = recorder
        .take()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::CreateFailed { failure, transient, took, .. } => {
                Some((failure.to_string(), transient, took))
            }
            _ => None,
        })
        .collect();
    let expected = [
        ("scripted failure, permanent", false, ms(0)),
        ("it panicked: scripted panic in create", true, ms(0)),
        ("it did not end within its timeout", true, secs(2)),
    ];
    let expected = expected.map(|(text, transient, took)| (text.to_owned(), transient, took));
    assert_eq!(told, expected);
    rig.ends_clean();
}

/// Has `op` done once, by a step that goes wrong, and returns what was told.
fn gone_wrong(op: Op, step: Step) -> (Rig, Vec<EventKind>) {
    let (rig, recorder) = watched(|builder| {
        builder
            .max_size(1)
            .check_timeout(secs(2))
            .reset_timeout(secs(2))
            .close_timeout(secs(2))
            .check_after_idle(secs(1))
    });
    rig.manager.script(op, [step]);
    let held = rig.take();
    let _ = recorder.take();
    match op {
        Op::Reset => {
            rig.manager.script_returns([OnReturn::Reset]);
            drop(held);
        }
        Op::Close => Pooled::discard(held),
        _ => {
            drop(held);
            rig.runtime.advance(secs(3));
            let _ = rig.pool.try_get();
        }
    }
    rig.runtime.advance(secs(2));
    let told = recorder.take();
    (rig, told)
}

#[test]
fn a_job_that_fails_is_told_with_the_cause_and_then_the_end_of_its_resource() {
    let words = [
        (Step::transient(), "scripted failure, transient"),
        (Step::Panic, "it panicked: scripted panic in "),
        (Step::Hang, "it did not end within its timeout"),
    ];
    for (op, reason) in [
        (Op::Check, CloseReason::CheckFailed),
        (Op::Reset, CloseReason::Unclean),
        (Op::Close, CloseReason::Discarded),
    ] {
        for (step, words) in words.clone() {
            // `close` has no error to fail with.
            if op == Op::Close && matches!(step, Step::Fail(_)) {
                continue;
            }
            let hangs = matches!(step, Step::Hang);
            let (rig, told) = gone_wrong(op, step);
            let (resource, failure, took) = match &told[0] {
                EventKind::CheckFailed { resource, failure, took, .. } if op == Op::Check => {
                    (resource, failure, took)
                }
                EventKind::ResetFailed { resource, failure, took, .. } if op == Op::Reset => {
                    (resource, failure, took)
                }
                EventKind::CloseFailed { resource, failure, took, .. } if op == Op::Close => {
                    (resource, failure, took)
                }
                other => panic!("{op}: {other:?}"),
            };
            assert!(failure.to_string().starts_with(words), "{op}: {failure}");
            assert_eq!(*took, if hangs { secs(2) } else { ms(0) });
            let closed = (*resource, reason);
            assert!(
                matches!(&told[1..], [EventKind::Closed { resource, reason, .. }]
                    if (*resource, *reason) == closed),
                "{op}: {told:?}"
            );
            rig.ends_clean();
        }
    }
}

#[test]
fn a_job_that_dies_with_its_runtime_is_told_as_stopped() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    rig.manager.script(Op::Reset, [Step::Hang]);
    rig.manager.script_returns([OnReturn::Reset]);
    drop(rig.take());
    rig.runtime.run_until_idle();
    rig.runtime.shutdown();
    let told = only(&recorder, |kind| matches!(kind, EventKind::ResetFailed { .. }));
    assert!(matches!(&told, EventKind::ResetFailed { failure: Failure::Stopped, .. }), "{told:?}");
}

#[test]
fn what_is_beyond_cleaning_is_closed_for_that_and_nothing_failed() {
    let (rig, told) = gone_wrong(Op::Reset, Step::Unfit);
    let [EventKind::Closed { reason, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*reason, CloseReason::Unclean);
    rig.ends_clean();
}

#[test]
fn a_panic_in_on_return_is_told_and_costs_the_resource() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    rig.manager.script_returns([OnReturn::Panic]);
    let held = rig.take();
    let _ = recorder.take();
    drop(held);
    rig.runtime.run_until_idle();
    let told = recorder.take();
    let [
        EventKind::ReturnPanicked { resource: by, message, .. },
        EventKind::Closed { resource, reason: CloseReason::Discarded, uses: 1, .. },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((by, message.as_str()), (resource, "scripted panic in on_return"));
    rig.ends_clean();
}

#[test]
fn every_reason_to_close_is_told() {
    let (rig, recorder) = watched(|builder| {
        builder.max_size(3).max_creating(3).max_lifetime(secs(1000)).lifetime_jitter(0)
    });
    let open = |n: usize| drop(rig.take_many(n));

    open(1);
    rig.runtime.advance(secs(700));
    assert_eq!(reasons(&recorder), [CloseReason::Idle]);

    open(1);
    for _ in 0..10 {
        rig.runtime.advance(secs(120));
        open(1);
    }
    assert_eq!(reasons(&recorder), [CloseReason::TooOld]);

    rig.pool.retire_all(secs(0));
    rig.runtime.run_until_idle();
    assert_eq!(reasons(&recorder), [CloseReason::Retired]);

    Pooled::discard(rig.take());
    rig.runtime.run_until_idle();
    rig.manager.script_returns([OnReturn::Discard]);
    drop(rig.take());
    rig.runtime.run_until_idle();
    assert_eq!(reasons(&recorder), [CloseReason::Discarded; 2]);

    open(3);
    rig.pool.resize(2).expect("a size that a pool can have");
    rig.runtime.run_until_idle();
    assert_eq!(reasons(&recorder), [CloseReason::OverSize]);

    rig.ends_clean();
    assert_eq!(reasons(&recorder), [CloseReason::PoolClosed; 2]);
}

#[test]
fn what_is_detached_is_told_as_that_and_never_as_closed() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let held = rig.take();
    let _ = recorder.take();
    rig.runtime.advance(secs(5));
    let mine = Pooled::detach(held);
    let told = recorder.take();
    let [EventKind::Detached { age, uses: 1, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*age, rig.pool.status().totals.detached), (secs(5), 1));
    drop(mine);
    rig.ends_clean();
    assert_eq!(reasons(&recorder), []);
}

#[test]
fn failures_have_words() {
    let error = Failure::Error(std::sync::Arc::new(ScriptedError::transient("refused")));
    assert!(is(&error, "refused"));
    assert!(is(&Failure::Panicked("why not".to_owned()), "it panicked: why not"));
    assert!(is(&Failure::TimedOut, "it did not end within its timeout"));
    assert!(is(&Failure::Stopped, "it was stopped together with its runtime"));
}
