//! The end of a pool: who is told, what is waited for, and what is reported.

use std::time::Duration;

use millpond::{GetError, Pooled};
use millpond_test::{Gate, Op, Step, poll_once};
use millpond_tests::real::{Flavour, Rig};

use super::{ms, secs};

pub(crate) async fn close_closes_what_is_idle(on: Flavour) {
    let rig = Rig::of(on, 3);
    drop(rig.take_many(3).await);
    let report = rig.pool.close(secs(600)).await;
    assert!(report.drained && report.still_held.is_empty() && report.still_closing == 0);
    assert_eq!(report.to_string(), "drained");
    assert_eq!((rig.manager.closed(), rig.manager.open_now()), (3, 0));
    rig.ends_clean().await;
}

pub(crate) async fn close_waits_for_what_is_lent(on: Flavour) {
    let rig = Rig::of(on, 2);
    let mut held = rig.take_many(2).await;
    let close = on.spawn(rig.pool.close(Duration::MAX));
    rig.pool.closing().await;
    // A guard is as good as ever while the pool closes.
    let mut first = held.pop().expect("there are two");
    Pooled::run(&mut first, async |resource| resource.soil()).await;
    drop(first);
    rig.eventually(|| rig.manager.closed() == 1).await;
    assert_eq!(rig.pool.status().leased, 1);
    drop(held);
    assert!(close.await.expect("it does not panic").drained);
    assert_eq!(rig.manager.closed(), 2);
    rig.ends_clean().await;
}

pub(crate) async fn a_close_that_runs_out_of_patience_names_who_still_holds_what(on: Flavour) {
    let rig = Rig::of(on, 3);
    let gate = Gate::new();
    rig.manager.script(Op::Close, [Step::Ok.behind(&gate)]);
    let first = rig.pool.get().label("nightly report").await.expect("there is room");
    let line = line!() - 1;
    on.pass(ms(5)).await;
    let (second, idle) = (rig.take().await, rig.take().await);
    drop(idle);
    let report = rig.pool.close(ms(20)).await;
    assert!(!report.drained);
    assert_eq!((report.still_held.len(), report.still_closing), (2, 1));
    let oldest = &report.still_held[0];
    assert_eq!((oldest.location.file(), oldest.location.line()), (file!(), line));
    assert_eq!(oldest.label.as_deref(), Some("nightly report"));
    assert!(oldest.held_for >= ms(20));
    let text = report.to_string();
    for part in ["not drained", "2 still held", "1 still closing", "nightly report"] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    drop((first, second));
    gate.open();
    rig.ends_clean().await;
}

pub(crate) async fn close_refuses_those_who_wait_and_those_who_come(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let waiting: Vec<_> = (0..5).map(|_| rig.wait_in_a_task()).collect();
    assert!(!rig.pool.close(ms(0)).await.drained);
    for task in waiting {
        let outcome = task.await.expect("it does not panic");
        let error = outcome.expect_err("the pool is closed");
        assert!(matches!(error, GetError::Closed(_)), "{error}");
        assert!(!error.is_retryable() && !error.is_overload());
    }
    let late = rig.refused(rig.pool.get()).await;
    assert!(matches!(late, GetError::Closed(_)), "{late}");
    let late = rig.pool.with(async |_| ()).await.expect_err("the pool is closed");
    assert!(matches!(late, GetError::Closed(_)), "{late}");
    assert_eq!(rig.pool.status().totals.closed_refused, 7);
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn closing_and_drained_are_noticed_by_all_who_wait_for_them(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let closing: Vec<_> = (0..3).map(|_| on.spawn(rig.pool.closing())).collect();
    let drained: Vec<_> = (0..3).map(|_| on.spawn(rig.pool.drained())).collect();
    assert!(poll_once(rig.pool.closing()).is_pending());
    drop(rig.pool.close(ms(0)).await);
    for notice in closing {
        notice.await.expect("it does not panic");
    }
    assert!(poll_once(rig.pool.drained()).is_pending());
    drop(held);
    for notice in drained {
        notice.await.expect("it does not panic");
    }
    // And who asks later learns it at once.
    assert!(poll_once(rig.pool.closing()).is_ready());
    assert!(poll_once(rig.pool.drained()).is_ready());
    rig.ends_clean().await;
}

pub(crate) async fn close_may_be_called_by_many_each_with_its_own_patience(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let patient = on.spawn(rig.pool.close(secs(600)));
    let impatient = on.spawn(rig.pool.close(ms(10)));
    assert!(!impatient.await.expect("it does not panic").drained);
    drop(held);
    assert!(patient.await.expect("it does not panic").drained);
    assert!(rig.pool.close(Duration::ZERO).await.drained);
    assert_eq!(rig.manager.closed(), 1);
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_that_ends_after_the_close_is_closed_and_never_lent(on: Flavour) {
    let rig = Rig::of(on, 1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait();
    rig.eventually(|| gate.waiting() == 1).await;
    let report = rig.pool.close(ms(5)).await;
    assert_eq!((report.drained, report.still_closing), (false, 1));
    assert!(matches!(waiting.await, Err(GetError::Closed(_))));
    gate.open();
    rig.pool.drained().await;
    assert_eq!((rig.manager.opened(), rig.manager.closed()), (1, 1));
    rig.ends_clean().await;
}

pub(crate) async fn what_was_set_aside_when_the_pool_closes_is_closed_or_lent_and_never_lost(
    on: Flavour,
) {
    for fetches in [true, false] {
        let rig = Rig::of(on, 1);
        let held = rig.take().await;
        let waiting = rig.wait();
        drop(held);
        drop(rig.pool.close(ms(0)).await);
        if fetches {
            drop(waiting.await);
        } else {
            drop(waiting);
        }
        rig.ends_clean().await;
    }
}

pub(crate) async fn a_close_that_hangs_does_not_keep_the_pool_from_its_end(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(2).close_timeout(ms(20)));
    rig.manager.script(Op::Close, [Step::Hang]);
    drop(rig.take_many(2).await);
    assert!(rig.pool.close(secs(600)).await.drained);
    assert!(rig.pool.status().totals.abandoned >= 1);
    rig.ends_clean().await;
}

pub(crate) async fn a_paused_pool_closes_too(on: Flavour) {
    let rig = Rig::of(on, 2);
    drop(rig.take_many(2).await);
    rig.pool.pause();
    let waiting = rig.wait_in_a_task();
    assert!(rig.pool.close(secs(600)).await.drained);
    let outcome = waiting.await.expect("it does not panic");
    assert!(matches!(outcome, Err(GetError::Closed(_))));
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_that_was_never_used_closes(on: Flavour) {
    let rig = Rig::of(on, 4);
    assert!(rig.pool.close(secs(600)).await.drained);
    assert_eq!(rig.manager.started(Op::Create), 0);
    rig.ends_clean().await;
}
