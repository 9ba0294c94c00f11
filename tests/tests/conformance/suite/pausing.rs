//! Pools that are held up for a while: nobody new is served, and nothing is taken from who was.

use millpond::{GetError, Phase};
use millpond_test::{Gate, Op, Step};
use millpond_tests::real::{Flavour, Rig};

use super::ms;

pub(crate) async fn while_paused_nobody_is_served_and_then_everybody_is(on: Flavour) {
    let rig = Rig::of(on, 2);
    drop(rig.take().await);
    rig.pool.pause();
    let waiting = [rig.wait_in_a_task(), rig.wait_in_a_task()];
    on.pass(ms(10)).await;
    assert_eq!((rig.pool.status().waiting, rig.pool.status().idle), (2, 1));
    assert_eq!(rig.manager.started(Op::Create), 1, "nothing is opened meanwhile");
    rig.pool.resume();
    for task in waiting {
        assert!(task.await.expect("it does not panic").is_ok());
    }
    rig.ends_clean().await;
}

pub(crate) async fn what_is_lent_stays_lent_and_may_come_home(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let waiting = rig.watch();
    rig.pool.pause();
    assert!(held.is_alive());
    drop(held);
    assert!(!waiting.is_woken());
    assert_eq!(rig.pool.status().idle, 1);
    rig.pool.resume();
    assert!(waiting.is_woken());
    drop(waiting);
    rig.ends_clean().await;
}

pub(crate) async fn timeouts_run_while_paused(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    rig.pool.pause();
    let error = rig.refused(rig.pool.get().timeout(ms(20))).await;
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    assert_eq!(error.snapshot().longest_phase(), Some(Phase::Paused));
    assert!(error.to_string().contains("paused") && !error.is_overload(), "{error}");
    rig.pool.resume();
    rig.ends_clean().await;
}

pub(crate) async fn pausing_twice_is_pausing_once(on: Flavour) {
    let rig = Rig::of(on, 1);
    rig.pool.resume();
    rig.pool.pause();
    rig.pool.pause();
    let waiting = rig.wait_in_a_task();
    rig.pool.resume();
    assert!(waiting.await.expect("it does not panic").is_ok());
    rig.pool.resume();
    drop(rig.take().await);
    rig.ends_clean().await;
}

pub(crate) async fn what_was_being_created_is_kept_for_afterwards(on: Flavour) {
    let rig = Rig::of(on, 1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let waiting = rig.wait_in_a_task();
    rig.eventually(|| gate.waiting() == 1).await;
    rig.pool.pause();
    gate.open();
    rig.eventually(|| rig.pool.status().idle == 1).await;
    assert_eq!(rig.pool.status().waiting, 1);
    rig.pool.resume();
    let pooled = waiting.await.expect("it does not panic").expect("it is served now");
    assert_eq!(pooled.id(), 0);
    drop(pooled);
    rig.ends_clean().await;
}
