//! Handles that are dropped: the last of them closes the pool, which then comes to its end by itself.

use millpond_test::{Gate, Op, Step};
use millpond_tests::real::{Flavour, Mortal, Rig};

use super::ms;

pub(crate) async fn the_last_handle_that_is_dropped_closes_the_pool(on: Flavour) {
    let Rig { manager, pool, .. } = Rig::of(on, 2);
    let clone = pool.clone();
    drop((pool.get().await, pool.get().await));
    drop(pool);
    assert!(clone.try_get().is_ok(), "a handle is left");
    let (closing, drained) = (clone.closing(), clone.drained());
    drop(clone);
    closing.await;
    drained.await;
    assert_eq!((manager.closed(), manager.open_now()), (2, 0));
}

pub(crate) async fn a_guard_outlives_its_pool(on: Flavour) {
    let Rig { manager, pool, .. } = Rig::of(on, 2);
    let mut held = pool.get().await.expect("there are two");
    drop(pool.get().await);
    let drained = pool.drained();
    drop(pool);
    on.eventually(|| manager.closed() == 1).await;
    held.soil();
    assert!(held.is_alive());
    drop(held);
    drained.await;
    assert_eq!((manager.closed(), manager.open_now()), (2, 0));
}

pub(crate) async fn what_is_being_opened_when_the_pool_is_dropped_is_closed(on: Flavour) {
    let Rig { manager, pool, .. } = Rig::of(on, 1);
    let gate = Gate::new();
    manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    assert!(pool.try_get().is_err());
    on.eventually(|| gate.waiting() == 1).await;
    let drained = pool.drained();
    drop(pool);
    gate.open();
    drained.await;
    assert_eq!((manager.opened(), manager.closed()), (1, 1));
}

pub(crate) async fn a_pool_that_was_dropped_leaves_no_task_behind(on: Flavour) {
    let runtime = Mortal::new(on);
    // A short tick, so that no timer is left that would wake the driver by and by.
    let Rig { manager, pool, .. } =
        Rig::driven_by(on, runtime.clone(), |builder| builder.max_size(2).check_after_idle(ms(4)));
    let gate = Gate::new();
    manager.default_step(Op::Close, Step::Ok.behind(&gate));
    let (held, idle) = (pool.get().await, pool.get().await);
    drop(idle);
    assert!(runtime.tasks() > 0, "somebody drives it");
    drop(pool);
    drop(held);
    on.eventually(|| gate.waiting() == 2).await;
    on.pass(ms(20)).await;
    gate.open();
    on.eventually(|| runtime.tasks() == 0).await;
    assert_eq!(manager.closed(), 2);
}

pub(crate) async fn a_pool_that_was_dropped_unused_leaves_nothing_behind(on: Flavour) {
    let runtime = Mortal::new(on);
    let Rig { manager, pool, .. } = Rig::driven_by(on, runtime.clone(), |b| b.max_size(2));
    drop(pool);
    on.eventually(|| runtime.tasks() == 0).await;
    assert_eq!(manager.started(Op::Create), 0);
}

pub(crate) async fn a_pool_may_be_dropped_on_a_thread_without_a_runtime(on: Flavour) {
    let Rig { manager, pool, .. } = Rig::of(on, 2);
    drop((pool.get().await, pool.get().await));
    let drained = pool.drained();
    on.on_a_thread(move || drop(pool)).await;
    drained.await;
    assert_eq!(manager.closed(), 2);
}

pub(crate) async fn a_weak_handle_keeps_no_pool_open(on: Flavour) {
    let Rig { manager, pool, .. } = Rig::of(on, 1);
    let weak = pool.downgrade();
    drop(pool.get().await);
    let drained = pool.drained();
    {
        let again = weak.upgrade().expect("a handle is left");
        drop(pool);
        assert!(again.try_get().is_ok(), "this one is a handle like any other");
    }
    assert!(weak.upgrade().is_none());
    drained.await;
    assert_eq!(manager.closed(), 1);
}

pub(crate) async fn a_task_that_holds_a_weak_handle_may_outlive_the_pool(on: Flavour) {
    let Rig { manager, pool, .. } = Rig::of(on, 1);
    let weak = pool.downgrade();
    let closing = pool.closing();
    let task = on.spawn(async move {
        closing.await;
        weak.upgrade().is_none()
    });
    drop(pool.get().await);
    drop(pool);
    assert_eq!(task.await, Some(true));
    on.eventually(|| manager.closed() == 1).await;
}
