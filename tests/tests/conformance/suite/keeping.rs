//! The knob `min_idle`: resources that lie ready before anybody asks.

use millpond::Builder;
use millpond_test::ScriptedManager;
use millpond_tests::real::{Flavour, Mortal, Rig};

use super::ms;

/// Keeps so many ready, and looks for it every few milliseconds.
fn keeps(builder: Builder<ScriptedManager>, least: usize) -> Builder<ScriptedManager> {
    builder.min_idle(least).check_after_idle(ms(40))
}

pub(crate) async fn as_many_as_are_to_be_ready_are_opened_unasked(on: Flavour) {
    let rig = Rig::new(on, |builder| keeps(builder.max_size(4), 3));
    rig.eventually(|| rig.pool.status().idle == 3).await;
    assert_eq!((rig.manager.opened(), rig.pool.status().leases), (3, 0));
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn what_is_taken_is_made_up_for_as_far_as_there_is_room(on: Flavour) {
    let rig = Rig::new(on, |builder| keeps(builder.max_size(3), 2));
    let first = rig.take().await;
    rig.eventually(|| rig.pool.status().idle == 2).await;
    let second = rig.take().await;
    let third = rig.take().await;
    on.pass(ms(30)).await;
    assert_eq!((rig.manager.opened(), rig.pool.status().size), (3, 3));
    drop((first, second, third));
    rig.ends_clean().await;
}

pub(crate) async fn the_last_that_are_to_be_ready_are_never_too_idle(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(4).min_idle(1).idle_timeout(ms(10)));
    drop(rig.take_many(4).await);
    rig.eventually(|| rig.manager.closed() == 3).await;
    on.pass(ms(40)).await;
    assert_eq!((rig.manager.closed(), rig.pool.status().idle), (3, 1));
    rig.ends_clean().await;
}

pub(crate) async fn what_is_retired_is_replaced_unasked(on: Flavour) {
    let rig = Rig::new(on, |builder| keeps(builder.max_size(2), 2));
    rig.eventually(|| rig.pool.status().idle == 2).await;
    rig.pool.retire_all(ms(0));
    rig.eventually(|| rig.manager.closed() == 2 && rig.pool.status().idle == 2).await;
    assert!(rig.take().await.id() >= 2);
    rig.ends_clean().await;
}

pub(crate) async fn where_there_is_no_runtime_the_first_caller_begins(on: Flavour) {
    let runtime = Mortal::new(on);
    runtime.end().await;
    let rig = Rig::driven_by(on, runtime.clone(), |builder| keeps(builder.max_size(3), 2));
    assert_eq!((rig.pool.status().size, runtime.tasks()), (0, 0));
    runtime.begin();
    let held = rig.take().await;
    rig.eventually(|| rig.pool.status().idle == 2).await;
    drop(held);
    rig.ends_clean().await;
}
