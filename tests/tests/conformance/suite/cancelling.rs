//! Futures that are dropped, at any moment: nothing is lost, and nobody else waits longer for it.

use millpond::TryGetError;
use millpond_test::{Gate, Op, Step, poll_once};
use millpond_tests::real::{Flavour, Rig};

use super::{ms, secs};

pub(crate) async fn a_get_that_was_never_polled_asks_for_nothing(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.pool.get());
    drop(rig.pool.get_owned().label("nobody").timeout(ms(1)));
    drop(rig.take().await);
    assert_eq!((rig.pool.status().totals.cancelled, rig.manager.opened()), (0, 1));
    rig.ends_clean().await;
}

pub(crate) async fn who_leaves_the_queue_leaves_no_gap(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let (first, second, third) = (rig.wait(), rig.watch(), rig.wait());
    drop(first);
    drop(third);
    assert_eq!((rig.pool.status().waiting, rig.pool.status().totals.cancelled), (1, 2));
    drop(held);
    assert!(second.is_woken(), "it is the first now");
    drop(second);
    rig.ends_clean().await;
}

pub(crate) async fn what_was_set_aside_for_who_leaves_goes_to_the_next(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let first = rig.watch();
    let second = rig.wait_in_a_task();
    drop(held);
    assert!(first.is_woken());
    drop(first);
    assert!(second.await.expect("it does not panic").is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn what_was_set_aside_for_the_last_who_leaves_lies_idle(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let waiting = rig.wait();
    drop(held);
    drop(waiting);
    assert_eq!((rig.pool.status().idle, rig.pool.status().leased), (1, 0));
    assert!(rig.pool.try_get().is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_outlives_the_caller_that_asked_for_it(on: Flavour) {
    let rig = Rig::of(on, 1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let first = rig.wait();
    rig.eventually(|| gate.waiting() == 1).await;
    let second = rig.wait_in_a_task();
    drop(first);
    gate.open();
    let pooled = second.await.expect("it does not panic").expect("it has what the first left");
    assert_eq!((pooled.id(), rig.manager.started(Op::Create)), (0, 1));
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_that_nobody_waits_for_any_more_is_kept(on: Flavour) {
    let rig = Rig::of(on, 1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait();
    rig.eventually(|| gate.waiting() == 1).await;
    drop(waiting);
    gate.open();
    rig.eventually(|| rig.pool.status().idle == 1).await;
    assert_eq!(rig.take().await.id(), 0);
    rig.ends_clean().await;
}

pub(crate) async fn a_check_outlives_the_caller_that_asked_for_it(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).check_after_idle(ms(0)));
    let gate = Gate::new();
    rig.manager.script(Op::Check, [Step::Ok.behind(&gate)]);
    drop(rig.take().await);
    let waiting = rig.wait();
    rig.eventually(|| gate.waiting() == 1).await;
    drop(waiting);
    assert_eq!(rig.pool.status().checking, 1);
    gate.open();
    rig.eventually(|| rig.pool.status().idle == 1).await;
    assert_eq!((rig.manager.closed(), rig.take().await.id()), (0, 0));
    rig.ends_clean().await;
}

pub(crate) async fn tasks_that_are_aborted_leave_the_queue_empty(on: Flavour) {
    let rig = Rig::of(on, 2);
    let held = rig.take_many(2).await;
    for _ in 0..3 {
        let tasks: Vec<_> = (0..100).map(|_| rig.wait_in_a_task()).collect();
        assert_eq!(rig.pool.status().waiting, 100);
        tasks.iter().for_each(|task| task.abort());
        for task in tasks {
            assert!(task.await.is_none());
        }
        assert_eq!((rig.pool.status().waiting, rig.pool.status().leased), (0, 2));
    }
    drop(held);
    rig.serves_at_full_size().await;
    assert_eq!(rig.manager.opened(), 2);
    rig.ends_clean().await;
}

pub(crate) async fn tasks_aborted_while_they_are_served_lose_nothing(on: Flavour) {
    let rig = Rig::of(on, 3);
    for round in 0..20 {
        let held = rig.take_many(3).await;
        let tasks: Vec<_> = (0..6).map(|_| rig.wait_in_a_task()).collect();
        // Some are woken already, some are being polled on other threads, some still wait.
        drop(held);
        tasks.iter().skip(round % 3).for_each(|task| task.abort());
        for task in tasks {
            drop(task.await);
        }
        rig.serves_at_full_size().await;
    }
    assert_eq!((rig.manager.opened(), rig.pool.status().waiting), (3, 0));
    rig.ends_clean().await;
}

pub(crate) async fn a_close_that_is_dropped_goes_on_by_itself(on: Flavour) {
    let rig = Rig::of(on, 2);
    let mut held = rig.take_many(2).await;
    drop(held.pop());
    assert!(poll_once(rig.pool.close(secs(600))).is_pending());
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Closed));
    rig.eventually(|| rig.manager.closed() == 1).await;
    drop(held);
    rig.pool.drained().await;
    assert_eq!(rig.manager.closed(), 2);
    rig.ends_clean().await;
}

pub(crate) async fn a_close_that_was_never_polled_closes_nothing(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.pool.close(secs(600)));
    drop(rig.take().await);
    rig.ends_clean().await;
}

pub(crate) async fn a_notice_may_be_dropped_and_asked_for_again(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    for _ in 0..10 {
        assert!(poll_once(rig.pool.closing()).is_pending());
        assert!(poll_once(rig.pool.drained()).is_pending());
    }
    let (closing, drained) = (rig.pool.closing(), rig.pool.drained());
    let notices = [on.spawn(closing), on.spawn(drained)];
    assert!(!rig.pool.close(ms(0)).await.drained);
    drop(held);
    for notice in notices {
        notice.await.expect("it does not panic");
    }
    rig.ends_clean().await;
}
