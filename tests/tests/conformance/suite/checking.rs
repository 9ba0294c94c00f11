//! Resources that lay idle: looked at before they are lent, and given up if they no longer work.

use std::time::Duration;

use millpond_test::{Gate, Op, Step};
use millpond_tests::real::{Flavour, Rig};

use super::ms;

/// Checks everything that lay idle, however briefly.
fn rig(on: Flavour, max: usize) -> Rig {
    Rig::new(on, |builder| builder.max_size(max).max_creating(max).check_after_idle(ms(0)))
}

pub(crate) async fn what_lay_idle_is_checked_before_it_is_lent(on: Flavour) {
    let rig = rig(on, 1);
    drop(rig.take().await);
    assert_eq!(rig.manager.checks(), 0, "what was just opened is not");
    for checks in 1..=5 {
        let pooled = rig.take().await;
        assert_eq!((rig.manager.checks(), pooled.id()), (checks, 0));
    }
    rig.ends_clean().await;
}

pub(crate) async fn without_a_window_nothing_is_checked(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).check_after_idle(Duration::MAX));
    for _ in 0..5 {
        drop(rig.take().await);
        on.pass(ms(5)).await;
    }
    assert_eq!(rig.manager.checks(), 0);
    rig.ends_clean().await;
}

pub(crate) async fn what_lay_idle_for_longer_than_the_window_is_checked(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).check_after_idle(ms(8)));
    while rig.manager.checks() == 0 {
        drop(rig.take().await);
        on.pass(ms(10)).await;
    }
    assert_eq!(rig.manager.opened(), 1);
    rig.ends_clean().await;
}

pub(crate) async fn what_comes_home_to_somebody_who_waits_is_not_checked(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).check_after_idle(Duration::MAX));
    for _ in 0..10 {
        let held = rig.take().await;
        let waiting = rig.wait();
        drop(held);
        drop(waiting.await.expect("it is served"));
    }
    assert_eq!(rig.manager.checks(), 0);
    rig.ends_clean().await;
}

pub(crate) async fn what_fails_its_check_is_closed_and_replaced(on: Flavour) {
    let rig = rig(on, 1);
    drop(rig.take().await);
    rig.manager.script(Op::Check, [Step::transient()]);
    let pooled = rig.take().await;
    assert_eq!((pooled.id(), rig.manager.closed()), (1, 1));
    assert_eq!(rig.pool.status().totals.check_failed, 1);
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn what_is_dead_is_never_lent(on: Flavour) {
    let rig = rig(on, 6);
    let all = rig.take_many(6).await;
    drop(all);
    rig.manager.sever();
    for _ in 0..3 {
        let all = rig.take_many(6).await;
        assert!(all.iter().all(|pooled| pooled.is_alive()));
    }
    rig.eventually(|| rig.manager.closed() == 6).await;
    rig.ends_clean().await;
}

pub(crate) async fn dead_resources_that_do_not_answer_keep_nobody_from_a_new_one(on: Flavour) {
    let rig = rig(on, 6);
    let gate = Gate::new();
    drop(rig.take_many(1).await);
    let all = rig.take_many(6).await;
    drop(all);
    rig.manager.script(Op::Check, [Step::transient()]);
    rig.manager.default_step(Op::Check, Step::transient().behind(&gate));
    let pooled = rig.take().await;
    // The one that failed made the others suspect: they are looked at, but nobody counts on them.
    assert_eq!((pooled.id(), rig.pool.status().checking), (6, 5));
    gate.open();
    rig.eventually(|| rig.manager.closed() == 6).await;
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn callers_wait_for_a_check_and_not_for_a_new_resource(on: Flavour) {
    let rig = rig(on, 2);
    let gate = Gate::new();
    drop(rig.take().await);
    rig.manager.script(Op::Check, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait_in_a_task();
    rig.eventually(|| gate.waiting() == 1).await;
    let status = rig.pool.status();
    assert_eq!((status.checking, status.creating, status.waiting), (1, 0, 1));
    gate.open();
    let pooled = waiting.await.expect("it does not panic").expect("it passed");
    assert_eq!((pooled.id(), rig.manager.opened()), (0, 1));
    drop(pooled);
    rig.ends_clean().await;
}
