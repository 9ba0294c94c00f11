//! `get` ends by its deadline though create, check, reset and close never return. Each of these callbacks hangs behind a gate
//! that stays shut until the callers have their answers.

use millpond::{GetError, Pooled};
use millpond_test::{Gate, OnReturn, Op, Step};
use millpond_tests::real::{Flavour, Rig};

use super::ms;

const HANGING: [Op; 4] = [Op::Create, Op::Check, Op::Reset, Op::Close];

/// Callers with little patience, while nothing can be had: each is told so.
async fn nobody_is_kept(rig: &Rig) {
    let tasks: Vec<_> =
        (1..=8).map(|n| rig.on.spawn(rig.pool.get_owned().timeout(ms(5 * n)))).collect();
    for task in tasks {
        let outcome = task.await.expect("it does not panic");
        let error = outcome.expect_err("there is nothing to be had");
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
    }
    assert_eq!(rig.pool.status().waiting, 0);
}

fn rig(on: Flavour, hangs: Op) -> (Rig, Gate) {
    let rig = Rig::new(on, |builder| builder.max_size(2).max_creating(2).check_after_idle(ms(0)));
    let gate = Gate::new();
    rig.manager.default_step(hangs, Step::Ok.behind(&gate));
    (rig, gate)
}

/// And once the gate is open, nothing was lost.
async fn all_is_well_again(rig: Rig, gate: Gate) {
    gate.open();
    rig.manager.default_return(OnReturn::Reuse);
    rig.serves_at_full_size().await;
    assert!(rig.manager.max_open_or_creating_at_once() <= 2);
    rig.ends_clean().await;
}

pub(crate) async fn get_ends_by_its_deadline_while_create_hangs(on: Flavour) {
    let (rig, gate) = rig(on, Op::Create);
    nobody_is_kept(&rig).await;
    all_is_well_again(rig, gate).await;
}

pub(crate) async fn get_ends_by_its_deadline_while_check_hangs(on: Flavour) {
    let (rig, gate) = rig(on, Op::Check);
    drop(rig.take_many(2).await);
    nobody_is_kept(&rig).await;
    all_is_well_again(rig, gate).await;
}

pub(crate) async fn get_ends_by_its_deadline_while_reset_hangs(on: Flavour) {
    let (rig, gate) = rig(on, Op::Reset);
    rig.manager.default_return(OnReturn::Reset);
    drop(rig.take_many(2).await);
    nobody_is_kept(&rig).await;
    all_is_well_again(rig, gate).await;
}

pub(crate) async fn get_ends_by_its_deadline_while_close_hangs(on: Flavour) {
    let (rig, gate) = rig(on, Op::Close);
    rig.take_many(2).await.into_iter().for_each(Pooled::discard);
    nobody_is_kept(&rig).await;
    all_is_well_again(rig, gate).await;
}

pub(crate) async fn get_ends_by_its_deadline_while_everything_hangs(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(4).check_after_idle(ms(0)));
    let gate = Gate::new();
    let mut held = rig.take_many(4).await;
    for op in HANGING {
        rig.manager.default_step(op, Step::Ok.behind(&gate));
    }
    rig.manager.script_returns([OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard]);
    held.truncate(1);
    Pooled::discard(held.pop().expect("one is left"));
    nobody_is_kept(&rig).await;
    let status = rig.pool.status();
    assert_eq!((status.checking, status.resetting, status.closing), (1, 1, 2), "{status:?}");
    gate.open();
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}
