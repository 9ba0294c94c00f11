//! Growth: when resources are opened, how many at a time, and for whom.

use millpond::{Pooled, TryGetError};
use millpond_test::{Gate, Op, Step};
use millpond_tests::real::{Flavour, Mortal, Rig};

use super::ms;

pub(crate) async fn no_more_are_created_at_a_time_than_may(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(8).max_creating(3));
    let gate = Gate::new();
    rig.manager.default_step(Op::Create, Step::Ok.behind(&gate));
    let tasks: Vec<_> = (0..8).map(|_| rig.wait_in_a_task()).collect();
    rig.eventually(|| gate.waiting() == 3).await;
    assert_eq!(rig.pool.status().creating, 3);
    gate.open();
    let mut held = Vec::new();
    for task in tasks {
        held.push(task.await.expect("it does not panic").expect("there is room for all"));
    }
    assert_eq!((rig.manager.max_creating_at_once(), rig.manager.opened()), (3, 8));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_opens_no_more_than_are_asked_for(on: Flavour) {
    let rig = Rig::of(on, 10);
    let gate = Gate::new();
    rig.manager.default_step(Op::Create, Step::Ok.behind(&gate));
    let tasks: Vec<_> = (0..4).map(|_| rig.wait_in_a_task()).collect();
    rig.eventually(|| gate.waiting() == 4).await;
    gate.open();
    let mut held = Vec::new();
    for task in tasks {
        held.push(task.await.expect("it does not panic").expect("there is room for all"));
    }
    assert_eq!((rig.manager.opened(), rig.pool.status().size), (4, 4));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn what_is_created_goes_to_who_waits_longest(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(2).max_creating(1));
    let gate = Gate::new();
    rig.manager.default_step(Op::Create, Step::Ok.behind(&gate));
    let first = rig.wait_in_a_task();
    let second = rig.wait_in_a_task();
    rig.eventually(|| gate.waiting() == 1).await;
    gate.admit(1);
    let pooled = first.await.expect("it does not panic").expect("it is the first");
    rig.eventually(|| gate.waiting() == 1).await;
    assert_eq!(rig.pool.status().waiting, 1);
    gate.open();
    drop(second.await.expect("it does not panic").expect("it is the second"));
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn size_is_never_exceeded_while_things_come_and_go(on: Flavour) {
    let rig = Rig::of(on, 3);
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(1)));
    rig.manager.default_step(Op::Close, Step::Ok.after(ms(1)));
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let pool = rig.pool.clone();
            on.spawn(async move {
                for _ in 0..10 {
                    let pooled = pool.get().await.expect("there is time enough");
                    drop(pooled.occupy());
                    Pooled::discard(pooled);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    assert_eq!(rig.manager.opened(), 120);
    assert!(rig.manager.max_open_or_creating_at_once() <= 3);
    rig.ends_clean().await;
}

pub(crate) async fn a_slow_creation_does_not_keep_others_from_what_is_idle(on: Flavour) {
    let rig = Rig::of(on, 2);
    let gate = Gate::new();
    drop(rig.take().await);
    let held = rig.take().await;
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Creating));
    rig.eventually(|| gate.waiting() == 1).await;
    drop(held);
    for _ in 0..10 {
        assert_eq!(rig.take().await.id(), 0);
    }
    gate.open();
    rig.eventually(|| rig.pool.status().idle == 2).await;
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_that_nobody_needs_any_more_is_not_begun(on: Flavour) {
    let runtime = Mortal::new(on);
    let rig = Rig::driven_by(on, runtime.clone(), |builder| builder.max_size(2));
    let held = rig.take().await;
    runtime.freeze().await;
    let waiting = rig.wait();
    assert_eq!(rig.pool.status().creating, 1, "it is decided on");
    drop(held);
    let pooled = waiting.await.expect("it takes what comes first");
    assert_eq!(pooled.id(), 0);
    runtime.thaw();
    rig.eventually(|| rig.pool.status().creating == 0).await;
    assert_eq!(rig.manager.started(Op::Create), 1);
    drop(pooled);
    rig.ends_clean().await;
}
