//! Panics in user code: each costs at most the one resource it happened to.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use millpond::{Pool, Pooled, Returned};
use millpond_test::{Destructor, OnReturn, Op, ScriptedManager, Step, panicking_waker};
use millpond_tests::fuse::{Fault, Fuse, Fused};
use millpond_tests::real::{Flavour, Rig};

use super::{ms, secs};

pub(crate) async fn a_panic_in_create_costs_an_attempt(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(2).create_backoff(ms(1), ms(1)));
    rig.manager.script(Op::Create, [Step::Panic, Step::Panic]);
    rig.serves_at_full_size().await;
    assert_eq!(rig.pool.status().totals.create_failed, 2);
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_check_costs_that_resource(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(2).check_after_idle(ms(0)));
    drop(rig.take().await);
    rig.manager.script(Op::Check, [Step::Panic]);
    assert_eq!(rig.take().await.id(), 1);
    rig.eventually(|| rig.manager.dropped() == 1).await;
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_reset_costs_that_resource(on: Flavour) {
    let rig = Rig::of(on, 2);
    rig.manager.script(Op::Reset, [Step::Panic]).script_returns([OnReturn::Reset]);
    let other = rig.take().await;
    drop(rig.take().await);
    rig.eventually(|| rig.manager.dropped() == 1).await;
    assert!(other.is_alive());
    drop(other);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_close_frees_the_place(on: Flavour) {
    let rig = Rig::of(on, 1);
    rig.manager.script(Op::Close, [Step::Panic]);
    Pooled::discard(rig.take().await);
    rig.serves_at_full_size().await;
    assert_eq!((rig.manager.closed(), rig.manager.dropped()), (0, 1));
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_on_return_costs_that_resource_and_does_not_get_out(on: Flavour) {
    let rig = Rig::of(on, 2);
    let (panics, other) = (rig.take().await, rig.take().await);
    rig.manager.script_returns([OnReturn::Panic]);
    drop(panics);
    drop(other);
    rig.eventually(|| rig.manager.closed() == 1).await;
    assert_eq!(rig.pool.status().idle, 1);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_a_destructor_frees_the_place(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(2).reset_timeout(ms(20)));
    let (mut closed, mut given_up) = (rig.take().await, rig.take().await);
    closed.set_destructor(Destructor::Panic);
    given_up.set_destructor(Destructor::Panic);
    Pooled::discard(closed);
    rig.manager.script(Op::Reset, [Step::Hang]).script_returns([OnReturn::Reset]);
    drop(given_up);
    rig.eventually(|| rig.manager.dropped() == 2).await;
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_is_transient_is_taken_for_a_failure_that_may_pass(on: Flavour) {
    let manager = ScriptedManager::new(on);
    manager.script(Op::Create, [Step::permanent()]);
    // The first call is that of `create`, the second asks what its error means.
    let fuse = Fuse::new(Fault::Panic, 1);
    let fused = Fused { inner: manager.clone(), fuse: fuse.clone() };
    let pool = Pool::builder(fused).max_size(1).build(on).expect("the settings make sense");
    drop(pool.get().await.expect("it is tried again"));
    assert_eq!((fuse.blew_in(), manager.opened()), (Some("is_transient"), 1));
    assert!(pool.close(secs(600)).await.drained);
}

pub(crate) async fn a_panic_in_a_waker_costs_nobody_a_turn(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let mut first = rig.watch();
    assert!(first.poll_with(&panicking_waker()).is_pending());
    let second = rig.wait_in_a_task();
    drop(held);
    // It was offered the resource, though it did not hear of it.
    drop(first.future().expect("it waits").await.expect("it is the first"));
    assert!(second.await.expect("it does not panic").is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn a_task_that_panics_gives_back_and_says_so(on: Flavour) {
    let rig = Rig::of(on, 1);
    let get = rig.pool.get_owned();
    let task = on.spawn(async move {
        let mut pooled = get.await.expect("there is one");
        pooled.soil();
        panic!("the borrower gives up");
    });
    assert!(task.await.is_none());
    assert_eq!(rig.manager.returns(), [Returned::Panicked]);
    assert!(!rig.take().await.is_dirty(), "it was cleaned before it was lent again");
    assert_eq!(rig.manager.resets(), 1);
    rig.ends_clean().await;
}

pub(crate) async fn a_task_that_panics_while_it_waits_leaves_the_queue(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let waiting = rig.wait();
    let task = on.spawn(async move {
        let _waiting = waiting;
        panic!("the caller gives up");
    });
    assert!(task.await.is_none());
    assert_eq!(rig.pool.status().waiting, 0);
    drop(held);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_with_reaches_the_caller_and_no_next_borrower(on: Flavour) {
    let rig = Rig::of(on, 1);
    let with = rig.pool.with(async |resource| {
        resource.soil();
        panic!("the body gives up");
    });
    let outcome = AssertUnwindSafe(with).catch_unwind().await;
    assert!(outcome.is_err());
    assert_eq!(rig.manager.returns().len(), 1);
    assert_ne!(rig.manager.returns(), [Returned::Finished]);
    assert!(!rig.take().await.is_dirty());
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_in_run_counts_though_it_was_caught(on: Flavour) {
    let rig = Rig::of(on, 1);
    let mut pooled = rig.take().await;
    let run = Pooled::run(&mut pooled, async |resource| {
        resource.soil();
        panic!("the body gives up");
    });
    assert!(AssertUnwindSafe(run).catch_unwind().await.is_err());
    drop(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    assert!(!rig.take().await.is_dirty());
    rig.ends_clean().await;
}
