//! Giving back: what the manager is told, what becomes of the resource, and what the borrower may do instead.

use std::pin::pin;

use millpond::{Pooled, Returned};
use millpond_test::{Gate, OnReturn, poll_once};
use millpond_tests::real::{Flavour, Rig, yield_now};

pub(crate) async fn a_guard_that_is_dropped_gives_back_a_finished_use(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    Pooled::finish(rig.take().await);
    assert_eq!(rig.manager.returns(), [Returned::Finished, Returned::Finished]);
    assert_eq!((rig.pool.status().idle, rig.pool.status().leased), (1, 0));
    assert_eq!((rig.manager.resets(), rig.manager.opened()), (0, 1));
    rig.ends_clean().await;
}

pub(crate) async fn a_guard_is_its_resource(on: Flavour) {
    let rig = Rig::of(on, 1);
    let mut pooled = rig.take().await;
    pooled.soil();
    assert!(pooled.is_dirty());
    drop(pooled);
    // `Reuse` after a finished use is taken at its word.
    assert!(rig.take().await.is_dirty());
    rig.ends_clean().await;
}

pub(crate) async fn what_comes_home_goes_to_the_first_who_waits_only(on: Flavour) {
    let rig = Rig::of(on, 2);
    let mut held = rig.take_many(2).await;
    let (mut first, second) = (rig.watch(), rig.watch());
    drop(held.pop());
    assert!(first.is_woken() && (!second.is_woken() || rig.pool.status().totals.revoked > 0));
    let pooled = first.future().expect("it waits").await.expect("it is served");
    assert_eq!(rig.pool.status().waiting, 1);
    drop((pooled, second, held));
    rig.ends_clean().await;
}

pub(crate) async fn what_is_discarded_is_closed_without_asking_the_manager(on: Flavour) {
    let rig = Rig::of(on, 1);
    let pooled = rig.take().await;
    let waiting = rig.wait_in_a_task();
    Pooled::discard(pooled);
    let next = waiting.await.expect("it does not panic").expect("another is opened for it");
    assert_eq!((next.id(), rig.manager.closed()), (1, 1), "and not before the first was closed");
    assert!(rig.manager.returns().is_empty());
    drop(next);
    rig.ends_clean().await;
}

pub(crate) async fn what_is_detached_is_the_borrowers_and_its_place_is_free(on: Flavour) {
    let rig = Rig::of(on, 1);
    let pooled = rig.take().await;
    let waiting = rig.wait_in_a_task();
    let mine = Pooled::detach(pooled);
    let other = waiting.await.expect("it does not panic").expect("the place is free");
    assert_eq!((mine.id(), other.id()), (0, 1));
    assert_eq!((rig.pool.holders().len(), rig.pool.status().size), (1, 1));
    drop(other);
    assert_eq!((rig.manager.returns().len(), rig.manager.closed()), (1, 0));
    drop(mine);
    rig.ends_clean().await;
}

pub(crate) async fn what_the_manager_discards_is_closed_and_replaced(on: Flavour) {
    let rig = Rig::of(on, 1);
    rig.manager.script_returns([OnReturn::Discard]);
    drop(rig.take().await);
    rig.eventually(|| rig.manager.closed() == 1).await;
    assert_eq!(rig.take().await.id(), 1);
    rig.ends_clean().await;
}

pub(crate) async fn a_run_that_ends_is_a_finished_use(on: Flavour) {
    let rig = Rig::of(on, 1);
    let mut pooled = rig.take().await;
    let id = Pooled::run(&mut pooled, async |resource| {
        yield_now().await;
        resource.id()
    });
    assert_eq!(id.await, 0);
    drop(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Finished]);
    rig.ends_clean().await;
}

pub(crate) async fn a_run_that_is_dropped_half_way_is_a_cancelled_use(on: Flavour) {
    let rig = Rig::of(on, 1);
    let mut pooled = rig.take().await;
    {
        let mut run = pin!(Pooled::run(&mut pooled, async |resource| {
            resource.soil();
            std::future::pending::<()>().await;
        }));
        assert!(poll_once(&mut run).is_pending());
    }
    // For good: what comes after does not make up for it.
    Pooled::run(&mut pooled, async |_| ()).await;
    Pooled::finish(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    // The manager said `Reuse`, which after this means that it must be cleaned first.
    assert!(!rig.take().await.is_dirty());
    assert_eq!((rig.manager.resets(), rig.manager.opened()), (1, 1));
    rig.ends_clean().await;
}

pub(crate) async fn a_task_aborted_in_a_run_leaves_nothing_to_the_next_borrower(on: Flavour) {
    let rig = Rig::of(on, 1);
    let (pool, gate) = (rig.pool.clone(), Gate::new());
    let half_way = gate.wait();
    let task = on.spawn(async move {
        let mut pooled = pool.get().await.expect("there is one");
        Pooled::run(&mut pooled, async |resource| {
            resource.soil();
            half_way.await;
        })
        .await;
    });
    rig.eventually(|| gate.waiting() == 1).await;
    task.abort();
    assert!(task.await.is_none());
    assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    assert!(!rig.take().await.is_dirty());
    rig.ends_clean().await;
}

pub(crate) async fn with_takes_runs_and_gives_back(on: Flavour) {
    let rig = Rig::of(on, 1);
    let id = rig.pool.with(async |resource| {
        let _sole = resource.occupy();
        yield_now().await;
        resource.id()
    });
    assert_eq!(id.await.expect("there is one"), 0);
    assert_eq!(rig.manager.returns(), [Returned::Finished]);
    assert_eq!(rig.pool.status().idle, 1);
    rig.ends_clean().await;
}

pub(crate) async fn a_with_that_is_dropped_half_way_is_a_cancelled_use(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    {
        let mut with = pin!(rig.pool.with(async |resource| {
            resource.soil();
            std::future::pending::<()>().await;
        }));
        assert!(poll_once(&mut with).is_pending());
        assert_eq!(rig.pool.status().leased, 1);
    }
    assert_eq!(rig.manager.returns(), [Returned::Finished, Returned::Cancelled]);
    assert!(!rig.take().await.is_dirty());
    rig.ends_clean().await;
}

pub(crate) async fn a_with_that_is_dropped_while_it_waits_is_as_if_never_called(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    {
        let mut with = pin!(rig.pool.with(async |_| panic!("nobody was served")));
        assert!(poll_once(&mut with).is_pending());
        assert_eq!(rig.pool.status().waiting, 1);
    }
    assert_eq!(rig.pool.status().waiting, 0);
    drop(held);
    assert_eq!(rig.manager.returns(), [Returned::Finished]);
    rig.ends_clean().await;
}

pub(crate) async fn metrics_tell_the_life_of_a_resource(on: Flavour) {
    let rig = Rig::of(on, 1);
    let before = on.now();
    let first = rig.take().await;
    let metrics = Pooled::metrics(&first);
    assert_eq!((metrics.uses(), metrics.epoch()), (1, 0));
    let created = metrics.created();
    assert!(created >= before && created <= on.now());
    drop(first);
    let second = rig.take().await;
    let metrics = Pooled::metrics(&second);
    assert_eq!((metrics.uses(), metrics.created()), (2, created));
    assert!(metrics.last_used() >= created && metrics.last_used() <= on.now());
    drop(second);
    rig.ends_clean().await;
}
