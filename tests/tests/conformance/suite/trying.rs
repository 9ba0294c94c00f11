//! Taking without waiting: what is idle, or the reason why there is nothing.

use std::time::Duration;

use millpond::TryGetError;
use millpond_test::{Gate, Op, Step};
use millpond_tests::real::{Flavour, Rig};

use super::ms;

pub(crate) async fn try_get_takes_what_lies_idle(on: Flavour) {
    let rig = Rig::of(on, 2);
    drop(rig.take_many(2).await);
    let first = rig.pool.try_get().expect("two lie idle");
    let second = rig.pool.try_get().expect("one lies idle");
    assert_ne!(first.id(), second.id());
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Exhausted));
    drop((first, second));
    rig.ends_clean().await;
}

pub(crate) async fn try_get_starts_a_creation_and_says_so(on: Flavour) {
    let rig = Rig::of(on, 1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Creating));
    rig.eventually(|| gate.waiting() == 1).await;
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Creating));
    gate.open();
    rig.eventually(|| rig.pool.try_get().is_ok()).await;
    assert_eq!(rig.manager.started(Op::Create), 1);
    rig.ends_clean().await;
}

pub(crate) async fn try_get_starts_a_check_and_says_so(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).check_after_idle(ms(40)));
    let gate = Gate::new();
    rig.manager.default_step(Op::Check, Step::Ok.behind(&gate));
    drop(rig.take().await);
    let mut said = None;
    while said.is_none() {
        on.pass(ms(50)).await;
        said = rig.pool.try_get().err();
    }
    assert_eq!(said, Some(TryGetError::Checking));
    rig.eventually(|| gate.waiting() == 1).await;
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Checking));
    gate.open();
    rig.eventually(|| rig.pool.try_get().is_ok()).await;
    rig.ends_clean().await;
}

pub(crate) async fn try_get_says_when_creating_fails(on: Flavour) {
    let rig = Rig::of(on, 1);
    rig.manager.default_step(Op::Create, Step::permanent());
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Creating));
    rig.eventually(|| rig.pool.try_get().err() == Some(TryGetError::CreateFailed)).await;
    rig.manager.default_step(Op::Create, Step::Ok);
    rig.eventually(|| rig.pool.try_get().is_ok()).await;
    rig.ends_clean().await;
}

pub(crate) async fn try_get_says_when_the_pool_is_paused(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    rig.pool.pause();
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Paused));
    rig.pool.resume();
    assert!(rig.pool.try_get().is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn try_get_says_when_the_pool_is_closed(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    drop(rig.pool.close(Duration::ZERO).await);
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Closed));
    rig.ends_clean().await;
}

pub(crate) async fn try_get_takes_nothing_from_those_who_wait(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let waiting = rig.wait();
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Exhausted));
    drop(held);
    let outcome = rig.pool.try_get();
    assert!(outcome.is_err() || rig.pool.status().totals.revoked > 0, "{outcome:?}");
    drop(outcome);
    assert!(waiting.await.is_ok());
    rig.ends_clean().await;
}
