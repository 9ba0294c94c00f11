//! What an event sink is told, and what is found out about those who keep what they were lent, or wait for themselves.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use millpond::{
    Builder, CloseReason, Event, EventKind, Failure, Pool, Pooled, RefusalReason, Runtime,
};
use millpond_test::{OnReturn, Op, Recorder, ScriptedManager, Step};
use millpond_tests::real::{Flavour, Mortal, Rig};

use super::{ms, secs};

/// A pool whose events are remembered.
fn watched(
    on: Flavour,
    set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>,
) -> (Rig, Recorder) {
    let recorder = Recorder::new();
    (Rig::new(on, |builder| set(builder).event_sink(recorder.clone())), recorder)
}

pub(crate) async fn the_life_of_a_pool_is_told_and_numbered(on: Flavour) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let told = Arc::clone(&told);
        move |event: &Event<'_>| {
            assert_eq!(event.pool, "mill");
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.push((event.number, event.at, event.to_string()));
        }
    };
    let rig = Rig::new(on, |builder| builder.name("mill").max_size(1).event_sink(sink));
    Pooled::discard(rig.take().await);
    drop(rig.take().await);
    assert!(rig.pool.close(secs(600)).await.drained);
    let told = || {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        told.sort_unstable();
        told
    };
    // Two threads may overtake each other on the way to the sink.
    rig.eventually(|| {
        let told = told();
        let all = told.iter().map(|(number, ..)| *number).eq(0..told.len() as u64);
        all && told.last().is_some_and(|(_, _, text)| text.ends_with("drained"))
    })
    .await;
    let told = told();
    assert!(told.is_sorted_by_key(|(_, at, _)| *at), "{told:?}");
    for (part, times) in [("opened", 2), ("closed", 2), ("driver 1 started", 1), ("closing", 2)] {
        let found = told.iter().filter(|(_, _, text)| text.contains(part)).count();
        assert_eq!(found, times, "{part:?} in {told:?}");
    }
    rig.ends_clean().await;
}

pub(crate) async fn each_closing_is_told_with_its_reason(on: Flavour) {
    let (rig, recorder) = watched(on, |builder| builder.max_size(2).check_after_idle(ms(0)));
    let reasons = || {
        let kinds = recorder.kinds().into_iter();
        let reasons = kinds.filter_map(|kind| match kind {
            EventKind::Closed { reason, .. } => Some(reason),
            _ => None,
        });
        reasons.collect::<Vec<_>>()
    };
    Pooled::discard(rig.take().await);
    rig.eventually(|| reasons().len() == 1).await;
    rig.manager.script(Op::Reset, [Step::Unfit]).script_returns([OnReturn::Reset]);
    drop(rig.take().await);
    rig.eventually(|| reasons().len() == 2).await;
    drop(rig.take().await);
    rig.manager.script(Op::Check, [Step::transient()]);
    drop(rig.take().await);
    rig.eventually(|| reasons().len() == 3).await;
    rig.pool.retire_all(ms(0));
    rig.eventually(|| reasons().len() == 4).await;
    drop(rig.take().await);
    rig.pool.resize(0).expect("zero is a size");
    rig.eventually(|| reasons().len() == 5).await;
    rig.pool.resize(1).expect("a size that a pool can have");
    drop(rig.take().await);
    assert!(rig.pool.close(secs(600)).await.drained);
    rig.eventually(|| reasons().len() == 6).await;
    use CloseReason::{CheckFailed, Discarded, OverSize, PoolClosed, Retired, Unclean};
    assert_eq!(reasons(), [Discarded, Unclean, CheckFailed, Retired, OverSize, PoolClosed]);
    rig.ends_clean().await;
}

pub(crate) async fn each_failure_is_told_with_its_cause(on: Flavour) {
    let (rig, recorder) = watched(on, |builder| {
        builder.max_size(1).check_after_idle(ms(0)).create_backoff(ms(1), ms(1))
    });
    rig.manager.script(Op::Create, [Step::transient(), Step::Panic]);
    drop(rig.take().await);
    rig.manager.script(Op::Check, [Step::permanent()]);
    drop(rig.take().await);
    rig.manager.script(Op::Check, [Step::Ok]).script(Op::Reset, [Step::Panic]);
    rig.manager.script_returns([OnReturn::Reset]);
    drop(rig.take().await);
    rig.eventually(|| rig.manager.closed() == 2).await;
    rig.manager.script(Op::Close, [Step::Panic]).script_returns([OnReturn::Panic]);
    drop(rig.take().await);
    let failures = || {
        let kinds = recorder.kinds().into_iter();
        let failures = kinds.filter_map(|kind| match kind {
            EventKind::CreateFailed { failure: Failure::Error(error), .. } => {
                Some(format!("create: {error}"))
            }
            EventKind::CreateFailed { failure: Failure::Panicked(panic), .. } => {
                Some(format!("create: {panic}"))
            }
            EventKind::CheckFailed { failure: Failure::Error(error), .. } => {
                Some(format!("check: {error}"))
            }
            EventKind::ResetFailed { failure: Failure::Panicked(panic), .. } => {
                Some(format!("reset: {panic}"))
            }
            EventKind::ReturnPanicked { message, .. } => Some(format!("return: {message}")),
            EventKind::CloseFailed { failure: Failure::Panicked(panic), .. } => {
                Some(format!("close: {panic}"))
            }
            _ => None,
        });
        failures.collect::<BTreeSet<_>>()
    };
    // Those of different threads may overtake each other on the way to the sink.
    let expected = [
        "check: scripted failure, permanent",
        "close: scripted panic in close",
        "create: scripted failure, transient",
        "create: scripted panic in create",
        "reset: scripted panic in reset",
        "return: scripted panic in on_return",
    ];
    rig.eventually(|| failures().len() == expected.len()).await;
    assert!(failures().iter().eq(&expected), "{:?}", failures());
    rig.ends_clean().await;
}

pub(crate) async fn each_refusal_is_told_with_its_place(on: Flavour) {
    let (rig, recorder) = watched(on, |builder| builder.max_size(1).max_waiters(1));
    let held = rig.take().await;
    let late = rig.pool.get().label("late").timeout(ms(10));
    let line = line!() - 1;
    drop(rig.refused(late).await);
    let waiting = rig.wait();
    drop(rig.refused(rig.pool.get()).await);
    drop(rig.pool.close(ms(0)).await);
    drop(rig.refused(waiting).await);
    let told: Vec<_> = recorder
        .kinds()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::Refused { reason, caller, label, .. } => Some((reason, caller, label)),
            _ => None,
        })
        .collect();
    let reasons: Vec<_> = told.iter().map(|(reason, ..)| *reason).collect();
    use RefusalReason::{Closed, Timeout, TooManyWaiters};
    assert_eq!(reasons, [Timeout, TooManyWaiters, Closed]);
    let (_, caller, label) = &told[0];
    assert_eq!((caller.file(), caller.line(), label.as_deref()), (file!(), line, Some("late")));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn what_an_operator_does_is_told(on: Flavour) {
    let (rig, recorder) = watched(on, |builder| builder.max_size(2));
    rig.pool.pause();
    rig.pool.resume();
    rig.pool.resize(5).expect("a size that a pool can have");
    rig.pool.retire_all(secs(60));
    let told: Vec<_> = recorder
        .take()
        .into_iter()
        .filter(|kind| !matches!(kind, EventKind::DriverStarted { .. }))
        .collect();
    let [
        EventKind::Paused,
        EventKind::Resumed,
        EventKind::Resized { from: 2, to: 5, .. },
        EventKind::RetiredAll { epoch: 1, spread, .. },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(*spread, secs(60));
    rig.ends_clean().await;
}

pub(crate) async fn the_end_of_a_driver_is_told_and_the_next_one(on: Flavour) {
    let (runtime, recorder) = (Mortal::new(on), Recorder::new());
    let rig = Rig::driven_by(on, runtime.clone(), |builder| {
        builder.max_size(1).event_sink(recorder.clone())
    });
    drop(rig.take().await);
    runtime.end().await;
    assert_eq!(recorder.count(|kind| matches!(kind, EventKind::DriverLost { number: 1, .. })), 1);
    runtime.begin();
    drop(rig.take().await);
    let next = |kind: &EventKind| matches!(kind, EventKind::DriverStarted { number: 2, .. });
    rig.eventually(|| recorder.count(next) == 1).await;
    rig.ends_clean().await;
}

pub(crate) async fn a_sink_may_panic_and_may_call_the_pool(on: Flavour) {
    let pools: Arc<Mutex<Option<Pool<ScriptedManager>>>> = Arc::default();
    let sink = {
        let pools = Arc::clone(&pools);
        move |event: &Event<'_>| {
            let pool = pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(pool) = pool {
                assert!(pool.status().size <= 2);
                drop((pool.holders(), pool.try_get()));
            }
            if matches!(event.kind, EventKind::Created { .. }) {
                panic!("the sink gives up");
            }
        }
    };
    let rig = Rig::new(on, |builder| builder.max_size(2).max_creating(2).event_sink(sink));
    *pools.lock().unwrap_or_else(PoisonError::into_inner) = Some(rig.pool.clone());
    rig.take_many(2).await.into_iter().for_each(Pooled::discard);
    rig.take_many(2).await.into_iter().for_each(Pooled::discard);
    *pools.lock().unwrap_or_else(PoisonError::into_inner) = None;
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_lease_that_lasts_too_long_is_suspected_and_never_ended(on: Flavour) {
    let (rig, recorder) = watched(on, |builder| builder.max_size(2).leak_after(ms(20)));
    let held = rig.take().await;
    let suspected = |kind: &EventKind| matches!(kind, EventKind::LeakSuspected { .. });
    rig.eventually(|| recorder.count(suspected) == 1).await;
    assert_eq!(rig.pool.status().suspected_leaks, 1);
    assert!(rig.pool.holders()[0].suspected_leak && held.is_alive());
    drop(held);
    assert_eq!(rig.pool.status().suspected_leaks, 0);
    let came_back = |kind: &EventKind| matches!(kind, EventKind::CameBack { .. });
    rig.eventually(|| recorder.count(came_back) == 1).await;
    assert_eq!(recorder.count(suspected), 1, "it is told once");
    rig.ends_clean().await;
}

pub(crate) async fn only_who_waits_for_itself_is_told_so(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).without_self_service());
    let pool = rig.pool.clone();
    let nested = on.spawn(async move {
        let (_held, line) = (pool.get().await.expect("there is one"), line!());
        let outcome = pool.get().timeout(ms(10)).await;
        (line, outcome.map(drop).expect_err("it holds what it waits for"), on.task().is_some())
    });
    let (line, error, is_named) = nested.await.expect("it does not panic");
    let own: Vec<_> =
        error.snapshot().held_by_caller.iter().map(|own| own.location.line()).collect();
    // A runtime that cannot name its tasks gives no hint.
    assert_eq!(own, if is_named { vec![line] } else { Vec::new() });

    let held = rig.take().await;
    let waiting = on.spawn(rig.pool.get_owned().timeout(ms(10)));
    let outcome = waiting.await.expect("it does not panic");
    let error = outcome.expect_err("another has what it waits for");
    assert!(error.snapshot().held_by_caller.is_empty(), "{error}");
    drop(held);
    rig.ends_clean().await;
}
