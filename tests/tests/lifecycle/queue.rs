//! First come, first served; nobody gets in between.

use std::task::Poll;

use millpond::{GetError, TryGetError};
use millpond_test::{Op, Step};
use millpond_tests::rig::Rig;

use crate::ms;

#[test]
fn callers_are_served_in_the_order_in_which_they_came() {
    let rig = Rig::of(2);
    let mut held = rig.take_many(2);
    let mut waiting: Vec<_> = (0..20).map(|_| rig.wait()).collect();
    // Some of them lose patience.
    for gone in [13, 7, 2, 0] {
        drop(waiting.remove(gone));
    }
    for n in 0..waiting.len() {
        drop(held.remove(0));
        let woken: Vec<_> = waiting.iter().map(|get| get.is_woken() && !get.is_done()).collect();
        assert_eq!(woken.iter().position(|woken| *woken), Some(n));
        let Poll::Ready(Ok(pooled)) = waiting[n].poll() else { panic!("it is number {n}'s turn") };
        held.push(pooled);
    }
    drop(held);
    rig.ends_clean();
}

#[test]
fn who_comes_when_a_resource_does_may_not_take_it_from_those_who_wait() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut first = rig.wait();
    drop(held);
    let mut newcomer = rig.wait();
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Exhausted));
    assert!(newcomer.poll().is_pending());
    let Poll::Ready(Ok(pooled)) = first.poll() else { panic!("it is the first one's turn") };
    drop(pooled);
    assert!(matches!(newcomer.poll(), Poll::Ready(Ok(_))));
    rig.ends_clean();
}

#[test]
fn a_return_and_a_creation_serve_whoever_is_first() {
    let rig = Rig::of(2);
    let held = rig.take();
    rig.manager.script(Op::Create, [Step::Ok.after(ms(100))]);
    let (mut first, mut second) = (rig.wait(), rig.wait());
    // The creation was begun for the first, who is served by a return.
    drop(held);
    let Poll::Ready(Ok(returned)) = first.poll() else {
        panic!("what comes first is for the first")
    };
    rig.runtime.advance(ms(100));
    let Poll::Ready(Ok(created)) = second.poll() else { panic!("what comes next is for the next") };
    assert_eq!((returned.id(), created.id(), rig.manager.opened()), (0, 1, 2));
    drop((returned, created));
    rig.ends_clean();
}

#[test]
fn a_burst_of_short_leases_opens_few_resources_although_opening_is_slow() {
    let rig = Rig::new(|builder| builder.max_size(50).max_creating(8));
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(150)));
    let five: Vec<_> = (0..5).map(|_| rig.wait()).collect();
    rig.runtime.advance(ms(150));
    drop(five.into_iter().map(|mut get| get.poll()).collect::<Vec<_>>());
    assert_eq!(rig.pool.status().idle, 5);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (pool, clock) = (rig.pool.clone(), rig.runtime.clone());
            rig.runtime.start(async move {
                let pooled = pool.get().await.expect("there is time enough");
                clock.sleep(ms(2)).await;
                drop(pooled);
            })
        })
        .collect();
    rig.runtime.advance(ms(400));
    assert!(tasks.iter().all(|task| task.is_finished()));
    let opened = rig.manager.opened();
    assert!(opened <= 5 + 8, "{opened} were opened where 5 were enough");
    rig.ends_clean();
}

#[test]
fn no_more_wait_than_may() {
    let rig = Rig::new(|builder| builder.max_size(1).max_waiters(3));
    let held = rig.take();
    let waiting: Vec<_> = (0..3).map(|_| rig.wait()).collect();
    let error = rig.at_once(rig.pool.get()).expect_err("a fourth is too many");
    assert!(matches!(error, GetError::TooManyWaiters { limit: 3, .. }), "{error}");
    assert!(error.is_overload() && error.is_retryable());
    drop(waiting);
    drop(rig.wait());
    drop(held);
    rig.ends_clean();
}

#[test]
fn where_nobody_may_wait_callers_are_served_or_refused_at_once() {
    let rig = Rig::new(|builder| builder.max_size(2).max_waiters(0));
    let refused = rig.at_once(rig.pool.get()).expect_err("nothing is open yet");
    assert!(matches!(refused, GetError::TooManyWaiters { limit: 0, .. }), "{refused}");
    // But its coming had something opened for the next.
    rig.runtime.run_until_idle();
    let held = rig.take();
    assert!(rig.at_once(rig.pool.get()).is_err());
    rig.runtime.run_until_idle();
    let also = rig.take();
    assert!(rig.at_once(rig.pool.get()).is_err());
    assert_eq!((rig.pool.status().totals.queued, rig.pool.status().waiting), (0, 0));
    drop((held, also));
    rig.ends_clean();
}

#[test]
fn polls_without_need_are_harmless_and_only_the_latest_waker_is_called() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut get = rig.wait();
    for _ in 0..10 {
        assert!(get.poll().is_pending());
    }
    // It moves to another task.
    let before = get.wakes();
    assert_eq!(before, 0);
    get.change_task();
    assert!(get.poll().is_pending());
    drop(held);
    assert_eq!(get.wakes(), 1, "woken once, and by the waker of its last poll");
    assert!(matches!(get.poll(), Poll::Ready(Ok(_))));
    rig.ends_clean();
}
