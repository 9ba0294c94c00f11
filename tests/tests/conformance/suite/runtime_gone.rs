//! Pools outlive runtimes: one that ends, one after another, one that stands still, none at all.

use std::task::Poll;

use futures::executor::block_on;
use millpond::{CreateFault, GetError, Pooled, TryGetError};
use millpond_test::{Gate, OnReturn, Op, Step, poll_once};
use millpond_tests::real::{Flavour, Mortal, Rig, yield_now};

use super::{ms, secs};

fn mortal(on: Flavour, max: usize) -> (Mortal, Rig) {
    let runtime = Mortal::new(on);
    let rig = Rig::driven_by(on, runtime.clone(), |b| b.max_size(max).max_creating(max));
    (runtime, rig)
}

pub(crate) async fn what_lay_idle_when_a_runtime_ended_is_checked_before_it_is_lent(on: Flavour) {
    let (runtime, rig) = mortal(on, 3);
    drop(rig.take_many(3).await);
    runtime.end().await;
    runtime.begin();
    let held = rig.take_many(3).await;
    assert_eq!((rig.manager.checks(), rig.manager.opened()), (3, 3));
    drop(held);
    drop(rig.take_many(3).await);
    assert_eq!(rig.manager.checks(), 3, "once");
    rig.ends_clean().await;
}

pub(crate) async fn what_was_under_way_when_a_runtime_ended_costs_no_place(on: Flavour) {
    let (runtime, rig) = mortal(on, 4);
    let mut held = rig.take_many(3).await;
    let gate = Gate::new();
    for op in [Op::Create, Op::Reset, Op::Close] {
        rig.manager.script(op, [Step::Ok.behind(&gate)]);
    }
    rig.manager.script_returns([OnReturn::Reset]);
    drop(held.pop());
    held.pop().into_iter().for_each(Pooled::discard);
    // The first of them may count on the reset.
    let (waiting, creating) = (rig.wait(), rig.wait());
    rig.eventually(|| gate.waiting() == 3).await;
    runtime.end().await;
    assert_eq!(gate.waiting(), 0);
    runtime.begin();
    drop(waiting.await.expect("the next runtime drives the pool"));
    drop(creating.await.expect("the next runtime drives the pool"));
    drop(held);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn work_that_a_runtime_takes_and_drops_unseen_costs_no_place(on: Flavour) {
    let (runtime, rig) = mortal(on, 3);
    let mut held = rig.take_many(3).await;
    rig.manager.script_returns([OnReturn::Reset]);
    runtime.lose_tasks();
    drop(held.pop());
    held.pop().into_iter().for_each(Pooled::discard);
    rig.eventually(|| rig.manager.dropped() == 2).await;
    rig.eventually(|| rig.pool.status().size == 1).await;
    assert_eq!((rig.manager.resets(), rig.manager.started(Op::Close)), (0, 0));
    let waiting = rig.wait_in_a_task();
    rig.eventually(|| rig.pool.status().totals.create_failed > 0).await;
    runtime.keep_tasks();
    drop(waiting.await.expect("it does not panic").expect("it is tried again"));
    drop(held);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn who_waits_is_served_by_the_next_runtime(on: Flavour) {
    let (runtime, rig) = mortal(on, 1);
    let held = rig.take().await;
    let mut waiting = rig.watch();
    runtime.end().await;
    assert!(waiting.is_woken(), "to find another runtime by itself");
    runtime.begin();
    assert!(waiting.poll().is_pending());
    drop(held);
    assert!(waiting.future().expect("it waits").await.is_ok());
    drop(waiting);
    rig.ends_clean().await;
}

pub(crate) async fn a_deadline_is_kept_by_the_next_runtime(on: Flavour) {
    let (runtime, rig) = mortal(on, 1);
    let held = rig.take().await;
    let waiting = rig.wait_in(rig.pool.get().timeout(ms(40)));
    runtime.end().await;
    runtime.begin();
    let error = rig.refused(waiting).await;
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    assert!(error.snapshot().waited >= ms(40));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn without_a_runtime_what_lies_idle_is_served(on: Flavour) {
    let (runtime, rig) = mortal(on, 2);
    drop(rig.take_many(2).await);
    runtime.end().await;
    // It may have died with its runtime, so it is checked, by the caller itself.
    let first = poll_once(rig.pool.get());
    assert!(matches!(first, Poll::Ready(Ok(_))), "{first:?}");
    assert!(rig.manager.checks() >= 1);
    assert!(rig.pool.try_get().is_ok());
    drop(first);
    runtime.begin();
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn without_a_runtime_nothing_can_be_waited_for(on: Flavour) {
    let (runtime, rig) = mortal(on, 1);
    runtime.end().await;
    let error = rig.refused(rig.pool.get()).await;
    assert!(matches!(error, GetError::NoRuntime(_)), "{error}");
    assert!(error.is_retryable() && !error.is_overload());
    assert!(matches!(rig.pool.try_get(), Err(TryGetError::Creating | TryGetError::Exhausted)));
    assert_eq!((rig.manager.opened(), rig.pool.status().waiting), (0, 0));
    runtime.begin();
    let held = rig.take().await;
    runtime.end().await;
    let error = rig.refused(rig.pool.get()).await;
    assert!(matches!(error, GetError::NoRuntime(_)), "{error}");
    drop(held);
    runtime.begin();
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn who_waits_when_the_last_runtime_ends_is_told(on: Flavour) {
    let (runtime, rig) = mortal(on, 1);
    let held = rig.take().await;
    let waiting = rig.wait_in_a_task();
    runtime.end().await;
    let outcome = waiting.await.expect("it does not panic");
    assert!(matches!(outcome, Err(GetError::NoRuntime(_))), "{outcome:?}");
    runtime.begin();
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn guards_go_home_without_a_runtime(on: Flavour) {
    let (runtime, rig) = mortal(on, 3);
    let mut held = rig.take_many(3).await;
    runtime.end().await;
    rig.manager.script_returns([OnReturn::Reuse, OnReturn::Reset]);
    drop(held.pop());
    drop(held.pop());
    held.into_iter().for_each(Pooled::discard);
    let status = rig.pool.status();
    assert_eq!((status.leased, status.resetting, status.closing), (0, 1, 1), "{status:?}");
    assert_eq!(rig.manager.open_now(), 3, "what has to be done is left to the next driver");
    runtime.begin();
    drop(rig.take().await);
    rig.eventually(|| rig.manager.closed() == 1 && rig.pool.status().idle == 2).await;
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_that_went_down_with_its_runtime_is_a_fault(on: Flavour) {
    let runtime = Mortal::new(on);
    let rig = Rig::driven_by(on, runtime.clone(), |builder| {
        builder.max_size(1).fail_fast_after(1).create_backoff(secs(3600), secs(3600))
    });
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait();
    rig.eventually(|| gate.waiting() == 1).await;
    runtime.end().await;
    let error = rig.refused(waiting).await;
    assert!(
        matches!(&error, GetError::CreateFault(fault, _) if **fault == CreateFault::Stopped),
        "{error}"
    );
    runtime.begin();
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_that_drains_when_its_runtime_ends_drains_on_the_next(on: Flavour) {
    let (runtime, rig) = mortal(on, 3);
    let mut held = rig.take_many(3).await;
    let gate = Gate::new();
    rig.manager.script(Op::Close, [Step::Ok.behind(&gate)]);
    drop(held.pop());
    let close = rig.pool.close(secs(600));
    let close = on.spawn(close);
    rig.eventually(|| gate.waiting() == 1).await;
    runtime.end().await;
    // Who waits for the end is told that this was not it.
    assert!(!close.await.expect("it does not panic").drained);
    drop(held);
    runtime.begin();
    rig.pool.drained().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_may_be_dropped_when_its_runtime_has_ended(on: Flavour) {
    let (runtime, rig) = mortal(on, 2);
    drop(rig.take_many(2).await);
    runtime.end().await;
    let Rig { manager, pool, .. } = rig;
    drop(pool);
    on.eventually(|| manager.open_now() == 0).await;
}

pub(crate) async fn a_runtime_may_end_many_times(on: Flavour) {
    let (runtime, rig) = mortal(on, 3);
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(1)));
    for round in 0..15 {
        let held = rig.take().await;
        let mut others: Vec<_> = (0..3).map(|_| rig.pool.get_owned().timeout(ms(3))).collect();
        let polled: Vec<_> = others.iter_mut().map(poll_once).collect();
        for _ in 0..round % 4 {
            yield_now().await;
        }
        runtime.end().await;
        drop((polled, others));
        if round % 2 == 0 {
            drop(held);
            runtime.begin();
        } else {
            runtime.begin();
            Pooled::discard(held);
        }
        rig.serves_at_full_size().await;
    }
    rig.eventually(|| runtime.tasks() == 1).await;
    rig.ends_clean().await;
}

pub(crate) async fn a_deadline_is_kept_though_the_pools_runtime_stands_still(on: Flavour) {
    let (runtime, rig) = mortal(on, 1);
    let held = rig.take().await;
    runtime.freeze().await;
    // Nobody else comes to look.
    let error = rig.refused(rig.pool.get().timeout(ms(20))).await;
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    assert!(error.snapshot().waited >= ms(20));
    runtime.thaw();
    drop(held);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn who_waits_replaces_a_driver_that_stands_still(on: Flavour) {
    let (runtime, rig) = mortal(on, 2);
    let held = rig.take().await;
    runtime.freeze().await;
    // Needs a creation, which nobody starts until this caller has seen that it must.
    let other = rig.take().await;
    assert_eq!(rig.manager.opened(), 2);
    runtime.thaw();
    rig.eventually(|| runtime.tasks() == 1).await;
    drop((held, other));
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn work_that_cannot_be_stopped_is_counted_until_it_ends(on: Flavour) {
    let runtime = Mortal::new(on);
    let rig = Rig::driven_by(on, runtime.clone(), |builder| {
        builder.max_size(1).create_timeout(ms(900)).create_backoff(ms(1), ms(1))
    });
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait();
    rig.eventually(|| gate.waiting() == 1).await;
    runtime.freeze().await;
    // The next driver gives the creation up, which nobody polls so that it could end, and has another begun.
    drop(waiting.await.expect("the place is free again"));
    assert!(rig.pool.status().abandoned >= 1);
    runtime.thaw();
    rig.eventually(|| rig.pool.status().abandoned == 0).await;
    assert_eq!(gate.waiting(), 0);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_serves_on_after_the_instance_that_drove_it_is_gone(on: Flavour) {
    let rig = Rig::of(on, 2);
    let pool = rig.pool.clone();
    let held = on.elsewhere(move || async move {
        drop(pool.get().await.expect("there are two"));
        pool.get().await.expect("there are two")
    });
    let held = held.await;
    let other = rig.take().await;
    drop((held, other));
    rig.serves_at_full_size().await;
    assert_eq!(rig.manager.opened(), 2);
    rig.ends_clean().await;
}

pub(crate) async fn many_short_lived_instances_share_a_pool(on: Flavour) {
    let rig = Rig::of(on, 2);
    for round in 0..10 {
        let pool = rig.pool.clone();
        let there = on.elsewhere(move || async move {
            let first = pool.get().await.expect("each instance drives it");
            let second = pool.get().await.expect("each instance drives it");
            if round % 3 == 0 {
                Pooled::discard(first);
            }
            drop(second);
        });
        there.await;
    }
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_may_be_built_where_there_is_no_runtime(on: Flavour) {
    let rig = on.on_a_thread(move || Rig::of(on, 1)).await;
    drop(rig.take().await);
    let pool = rig.pool.clone();
    // And used there, while it is driven here.
    on.on_a_thread(move || drop(block_on(pool.get()).expect("one lies idle"))).await;
    assert_eq!(rig.manager.opened(), 1);
    rig.ends_clean().await;
}
