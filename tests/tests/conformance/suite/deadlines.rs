//! The time a caller is willing to wait: when it begins, when it ends, and what it was spent on.

use std::error::Error;
use std::time::Duration;

use millpond::{GetError, Phase, Pooled};
use millpond_test::{Gate, OnReturn, Op, ScriptedError, Step};
use millpond_tests::real::{Flavour, Refused, Rig};

use super::{ms, secs};

/// The error of somebody who waited this long, and mostly for this.
#[track_caller]
fn timed_out(error: &Refused, after: Duration, longest: Phase) {
    let GetError::Timeout(snapshot) = error else { panic!("it was to time out: {error}") };
    assert!(snapshot.waited >= after, "{error}");
    assert_eq!(snapshot.longest_phase(), Some(longest), "{error}");
    assert!(error.is_retryable());
}

pub(crate) async fn a_timeout_ends_the_waiting(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let error = rig.refused(rig.pool.get().timeout(ms(20))).await;
    timed_out(&error, ms(20), Phase::Exhausted);
    assert!(error.is_overload());
    assert_eq!((error.snapshot().leased, rig.pool.status().totals.timed_out), (1, 1));
    assert_eq!(rig.pool.status().waiting, 0);
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn the_pools_own_timeout_holds_unless_a_call_has_another(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).get_timeout(ms(20)));
    let held = rig.pool.get().timeout(Duration::MAX).await.expect("there is room");
    let patient = on.spawn(rig.pool.get_owned().timeout(secs(600)));
    rig.eventually(|| rig.pool.status().waiting == 1).await;
    timed_out(&rig.refused(rig.pool.get()).await, ms(20), Phase::Exhausted);
    timed_out(&rig.refused(rig.pool.get_owned()).await, ms(20), Phase::Exhausted);
    assert_eq!(rig.pool.status().waiting, 1);
    drop(held);
    assert!(patient.await.expect("it does not panic").is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn a_deadline_ends_the_waiting(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let deadline = on.now() + ms(20);
    let error = rig.refused(rig.pool.get().deadline(deadline)).await;
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    assert!(on.now() >= deadline);
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn a_timeout_counts_from_the_first_poll(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let get = rig.pool.get().timeout(ms(30));
    on.pass(ms(40)).await;
    timed_out(&rig.refused(get).await, ms(30), Phase::Exhausted);
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn without_patience_only_what_is_idle_is_lent(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    let past = on.now();
    drop(rig.pool.get().timeout(Duration::ZERO).await.expect("one lies idle"));
    let held = rig.pool.get().label("late").deadline(past).await.expect("one lies idle");
    for get in [rig.pool.get().timeout(Duration::ZERO), rig.pool.get().deadline(past)] {
        let error = rig.refused(get).await;
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
    }
    assert_eq!(rig.pool.status().totals.queued, 1, "only the one that had it opened ever waited");
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn who_waits_for_ever_is_served_in_the_end(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).get_timeout(ms(1)));
    let held = rig.pool.get().timeout(Duration::MAX).await.expect("there is room");
    let waiting = on.spawn(rig.pool.get_owned().timeout(Duration::MAX));
    rig.eventually(|| rig.pool.status().waiting == 1).await;
    on.pass(ms(20)).await;
    drop(held);
    assert!(waiting.await.expect("it does not panic").is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn each_of_many_deadlines_is_kept(on: Flavour) {
    let rig = Rig::of(on, 2);
    let held = rig.take_many(2).await;
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            // Neither in the order in which they come nor in its reverse.
            let timeout = ms(1 + number * 37 % 60);
            (timeout, on.spawn(rig.pool.get_owned().timeout(timeout)))
        })
        .collect();
    for (timeout, task) in tasks {
        let outcome = task.await.expect("it does not panic");
        timed_out(&outcome.expect_err("all is lent"), timeout, Phase::Exhausted);
    }
    assert_eq!((rig.pool.status().waiting, rig.pool.status().totals.timed_out), (0, 60));
    drop(held);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn whose_time_is_over_is_passed_over(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let impatient = rig.wait_in(rig.pool.get().timeout(ms(5)));
    let patient = rig.watch();
    rig.eventually(|| rig.pool.status().waiting == 1).await;
    drop(held);
    assert!(patient.is_woken(), "it is the first whose time is not over");
    timed_out(&rig.refused(impatient).await, ms(5), Phase::Exhausted);
    drop(patient);
    rig.ends_clean().await;
}

pub(crate) async fn a_timeout_names_what_the_time_was_spent_on(on: Flavour) {
    let gate = Gate::new();
    let held_up = |op: Op, returns: OnReturn| {
        let rig = Rig::new(on, |builder| builder.max_size(1).check_after_idle(ms(0)));
        rig.manager.script(op, [Step::Ok.behind(&gate)]).script_returns([returns]);
        rig
    };
    let mut rigs = Vec::new();
    for (op, returns, phase) in [
        (Op::Create, OnReturn::Reuse, Phase::Creating),
        (Op::Check, OnReturn::Reuse, Phase::Checking),
        (Op::Reset, OnReturn::Reset, Phase::Clearing),
        (Op::Close, OnReturn::Discard, Phase::Clearing),
    ] {
        let rig = held_up(op, returns);
        if op != Op::Create {
            drop(rig.take().await);
        }
        let error = rig.refused(rig.pool.get().timeout(ms(20))).await;
        timed_out(&error, ms(20), phase);
        assert!(!error.is_overload(), "{error}");
        rigs.push(rig);
    }
    gate.open();
    for rig in rigs {
        rig.ends_clean().await;
    }
}

pub(crate) async fn a_timeout_carries_the_last_failed_creation(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).create_backoff(secs(3600), secs(3600)));
    rig.manager.default_step(Op::Create, Step::transient());
    let patient = rig.wait();
    rig.eventually(|| rig.pool.status().totals.create_failed == 1).await;
    let error = rig.refused(rig.pool.get().timeout(ms(20))).await;
    timed_out(&error, ms(20), Phase::BackingOff);
    let source = error.source().expect("creating failed meanwhile");
    let source = source.downcast_ref::<ScriptedError>().expect("the manager said so");
    assert!(source.is_transient());
    assert!(error.to_string().contains(&source.to_string()), "{error}");
    assert!(error.retry_after().is_some_and(|after| after <= secs(3600)), "{error:?}");
    drop(patient);
    rig.ends_clean().await;
}

pub(crate) async fn a_timeout_names_who_holds_what(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.name("mill").max_size(5).max_creating(1));
    let first = rig.pool.get().label("nightly report").await.expect("there is room");
    let line = line!() - 1;
    on.pass(ms(5)).await;
    let others = rig.take_many(4).await;
    let error = rig.refused(rig.pool.get().timeout(ms(20))).await;
    let snapshot = error.snapshot();
    assert_eq!((snapshot.pool.as_str(), snapshot.max, snapshot.leased), ("mill", 5, 5));
    assert_eq!(snapshot.oldest_holders.len(), 3, "three are enough for a message");
    let oldest = &snapshot.oldest_holders[0];
    assert_eq!((oldest.location.file(), oldest.location.line()), (file!(), line));
    assert_eq!(oldest.label.as_deref(), Some("nightly report"));
    let text = error.to_string();
    for part in ["mill", "5 of 5 lent", "within 20ms", "nightly report", file!()] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    drop((first, others));
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_has_a_deadline_of_its_own(on: Flavour) {
    let rig = Rig::new(on, |builder| {
        builder.max_size(1).create_timeout(ms(30)).create_backoff(ms(1), ms(1))
    });
    rig.manager.script(Op::Create, [Step::Hang, Step::Hang]);
    let pooled = rig.take().await;
    assert!(rig.manager.started(Op::Create) >= 3 && rig.pool.status().totals.abandoned >= 2);
    rig.eventually(|| rig.manager.creating_now() == 0).await;
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn a_check_has_a_deadline_of_its_own(on: Flavour) {
    let rig =
        Rig::new(on, |builder| builder.max_size(1).check_after_idle(ms(0)).check_timeout(ms(20)));
    rig.manager.script(Op::Check, [Step::Hang]);
    drop(rig.take().await);
    let pooled = rig.take().await;
    assert_eq!(pooled.id(), 1, "what does not answer is given up");
    drop(pooled);
    rig.eventually(|| rig.manager.dropped() == 1).await;
    rig.ends_clean().await;
}

pub(crate) async fn a_reset_has_a_deadline_of_its_own(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).reset_timeout(ms(20)));
    rig.manager.script(Op::Reset, [Step::Hang]).script_returns([OnReturn::Reset]);
    drop(rig.take().await);
    assert_eq!(rig.take().await.id(), 1);
    rig.eventually(|| rig.manager.dropped() == 1).await;
    rig.ends_clean().await;
}

pub(crate) async fn a_close_has_a_deadline_of_its_own(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).close_timeout(ms(20)));
    rig.manager.script(Op::Close, [Step::Hang]);
    Pooled::discard(rig.take().await);
    assert_eq!(rig.take().await.id(), 1, "the place is free again");
    rig.eventually(|| rig.manager.dropped() == 1).await;
    rig.ends_clean().await;
}

pub(crate) async fn a_return_in_time_is_worth_more_than_a_creation_that_hangs(on: Flavour) {
    let rig = Rig::of(on, 2);
    let gate = Gate::new();
    let held = rig.take().await;
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait_in_a_task();
    rig.eventually(|| gate.waiting() == 1).await;
    drop(held);
    let pooled = waiting.await.expect("it does not panic").expect("it takes what comes first");
    assert_eq!(pooled.id(), 0);
    gate.open();
    rig.eventually(|| rig.pool.status().idle == 1).await;
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_outlives_the_deadline_of_its_caller(on: Flavour) {
    let rig = Rig::of(on, 1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait();
    rig.eventually(|| gate.waiting() == 1).await;
    // Opening takes longer than anybody is willing to wait: all the more reason not to begin again each time.
    drop(waiting);
    for _ in 0..3 {
        let error = rig.refused(rig.pool.get().timeout(ms(5))).await;
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
    }
    gate.open();
    rig.eventually(|| rig.pool.status().idle == 1).await;
    assert_eq!((rig.take().await.id(), rig.manager.started(Op::Create)), (0, 1));
    rig.ends_clean().await;
}
