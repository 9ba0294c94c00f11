//! Resources that have had their time: by age, by idleness, or because a new epoch began.

use std::time::Duration;

use millpond::Pooled;
use millpond_test::{Gate, OnReturn, Op, Step};
use millpond_tests::real::{Flavour, Rig};

use super::{ms, secs};

pub(crate) async fn a_new_epoch_closes_what_is_idle(on: Flavour) {
    let rig = Rig::of(on, 3);
    drop(rig.take_many(3).await);
    rig.pool.retire_all(Duration::ZERO);
    let pooled = rig.take().await;
    assert!(pooled.id() >= 3, "nothing of the old epoch is lent after the call");
    assert_eq!(Pooled::metrics(&pooled).epoch(), 1);
    rig.eventually(|| rig.manager.closed() == 3).await;
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn what_is_lent_goes_when_it_comes_home_however_it_comes(on: Flavour) {
    for answer in [OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard] {
        let rig = Rig::of(on, 1);
        let held = rig.take().await;
        rig.pool.retire_all(Duration::ZERO);
        assert!(held.is_alive());
        rig.manager.script_returns([answer]);
        let waiting = rig.wait_in_a_task();
        drop(held);
        let next = waiting.await.expect("it does not panic").expect("another is opened");
        assert_eq!(next.id(), 1, "after {answer:?}");
        drop(next);
        rig.ends_clean().await;
    }
}

pub(crate) async fn a_creation_in_flight_is_void_when_a_new_epoch_begins(on: Flavour) {
    for spread in [Duration::ZERO, secs(600)] {
        let rig = Rig::of(on, 1);
        let gate = Gate::new();
        rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
        let waiting = rig.wait_in_a_task();
        rig.eventually(|| gate.waiting() == 1).await;
        rig.pool.retire_all(spread);
        gate.open();
        let pooled = waiting.await.expect("it does not panic").expect("another is opened");
        assert_eq!((pooled.id(), rig.manager.closed()), (1, 1));
        drop(pooled);
        rig.ends_clean().await;
    }
}

pub(crate) async fn with_a_spread_what_is_open_may_be_lent_until_its_moment(on: Flavour) {
    let rig = Rig::of(on, 4);
    drop(rig.take_many(4).await);
    rig.pool.retire_all(secs(3600));
    let held = rig.take_many(4).await;
    assert!(held.iter().all(|pooled| pooled.id() < 4));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn after_the_spread_nothing_of_the_old_epoch_is_lent(on: Flavour) {
    let rig = Rig::of(on, 4);
    drop(rig.take_many(4).await);
    rig.pool.retire_all(ms(30));
    rig.eventually(|| {
        // Whoever comes finds those whose moment has come, and has them closed.
        drop(rig.pool.try_get());
        rig.manager.closed() == 4
    })
    .await;
    assert!(rig.take().await.id() >= 4);
    rig.ends_clean().await;
}

pub(crate) async fn what_lies_idle_too_long_is_closed(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(3).idle_timeout(ms(20)));
    drop(rig.take_many(3).await);
    rig.eventually(|| rig.manager.open_now() == 0).await;
    assert!(rig.manager.closed() >= 3);
    rig.eventually(|| rig.pool.status().size == 0).await;
    drop(rig.take().await);
    rig.ends_clean().await;
}

pub(crate) async fn what_is_too_old_is_closed_when_it_lies_idle(on: Flavour) {
    for jitter in [0, 100] {
        let rig = Rig::new(on, |builder| {
            builder.max_size(1).max_lifetime(ms(20)).lifetime_jitter(jitter)
        });
        drop(rig.take().await);
        rig.eventually(|| rig.manager.closed() >= 1).await;
        drop(rig.take().await);
        rig.ends_clean().await;
    }
}

pub(crate) async fn what_is_too_old_is_left_to_its_borrower_and_goes_when_it_comes_home(
    on: Flavour,
) {
    let rig = Rig::new(on, |builder| builder.max_size(1).max_lifetime(ms(20)).lifetime_jitter(0));
    let held = rig.take().await;
    let id = held.id();
    on.pass(ms(40)).await;
    assert!(held.is_alive());
    assert_eq!(rig.manager.dropped(), id, "what is lent is never closed");
    drop(held);
    rig.eventually(|| rig.pool.try_get().is_ok_and(|pooled| pooled.id() != id)).await;
    rig.ends_clean().await;
}

pub(crate) async fn what_is_in_use_is_not_idle_however_long(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).idle_timeout(ms(10)));
    let held = rig.take().await;
    on.pass(ms(40)).await;
    assert!(held.is_alive());
    assert_eq!(rig.manager.dropped(), held.id());
    drop(held);
    rig.ends_clean().await;
}
