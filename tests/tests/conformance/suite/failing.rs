//! Creations that fail: who is told, who waits for the next attempt, and how long there is none.

use std::error::Error;

use millpond::{CreateFault, GetError, Pooled};
use millpond_test::{Gate, Op, ScriptedError, Step};
use millpond_tests::real::{Flavour, Rig};

use super::{ms, secs};

pub(crate) async fn a_failure_that_may_pass_costs_waiting_and_no_error(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).create_backoff(ms(1), ms(4)));
    // If the pause doubled without end, the last would be hours long.
    rig.manager.script(Op::Create, vec![Step::transient(); 24]);
    let pooled = rig.take().await;
    assert_eq!((rig.manager.started(Op::Create), rig.manager.opened()), (25, 1));
    assert_eq!(rig.pool.status().totals.create_failed, 24);
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn a_failure_that_will_not_pass_is_told_at_once_to_all_it_concerns(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).create_backoff(secs(3600), secs(3600)));
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::permanent().behind(&gate)]);
    let tasks: Vec<_> = (0..5).map(|_| rig.wait_in_a_task()).collect();
    rig.eventually(|| gate.waiting() == 1).await;
    gate.open();
    for task in tasks {
        let outcome = task.await.expect("it does not panic");
        let error = outcome.expect_err("nothing can be opened");
        let GetError::Create(cause, _) = &error else { panic!("the manager said why: {error}") };
        assert_eq!(**cause, ScriptedError::permanent("scripted failure, permanent"));
        let source = error.source().expect("there is a cause");
        assert!(source.is::<ScriptedError>() && !error.is_retryable() && !error.is_overload());
        assert!(error.retry_after().is_none());
    }
    assert_eq!((rig.manager.started(Op::Create), rig.pool.status().waiting), (1, 0));
    assert_eq!(rig.pool.status().totals.create_refused, 5);
    rig.ends_clean().await;
}

pub(crate) async fn who_can_wait_for_a_return_is_not_told_of_a_failure(on: Flavour) {
    let rig = Rig::of(on, 2);
    let held = rig.take().await;
    rig.manager.script(Op::Create, [Step::permanent()]);
    let waiting = rig.wait_in_a_task();
    rig.eventually(|| rig.pool.status().totals.create_failed > 0).await;
    drop(held);
    assert!(waiting.await.expect("it does not panic").is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_comes_back_after_a_failure_that_was_not_to_pass(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).create_backoff(ms(1), ms(1)));
    rig.manager.script(Op::Create, [Step::permanent()]);
    let error = rig.refused(rig.pool.get()).await;
    assert!(matches!(error, GetError::Create(..)), "{error}");
    // Somebody has mended it.
    let mut served = false;
    while !served {
        match rig.pool.get().await {
            Ok(_) => served = true,
            Err(error) => assert!(matches!(error, GetError::Create(..)), "{error}"),
        }
        on.pass(ms(1)).await;
    }
    assert_eq!((rig.manager.started(Op::Create), rig.pool.status().totals.create_failed), (2, 1));
    rig.ends_clean().await;
}

pub(crate) async fn after_many_failures_in_a_row_callers_are_refused_at_once(on: Flavour) {
    let rig = Rig::new(on, |builder| {
        builder.max_size(4).max_creating(4).create_backoff(ms(1), ms(2)).fail_fast_after(3)
    });
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::transient(), Step::transient(), Step::transient()]);
    rig.manager.default_step(Op::Create, Step::Ok.behind(&gate));
    // The first is held for two failures and refused after the third. Those after it are refused at once, whether or not a
    // single creation is on its way that finds out when that ends.
    while gate.waiting() == 0 {
        let error = rig.refused(rig.pool.get()).await;
        let GetError::Create(cause, _) = &error else { panic!("the manager said why: {error}") };
        assert!(cause.is_transient() && error.is_retryable());
        on.pass(ms(1)).await;
    }
    assert!(matches!(rig.refused(rig.pool.get()).await, GetError::Create(..)));
    assert_eq!(rig.manager.started(Op::Create), 4);
    gate.open();
    rig.eventually(|| rig.pool.try_get().is_ok()).await;
    drop(rig.take().await);
    assert_eq!(rig.manager.max_creating_at_once(), 1);
    rig.ends_clean().await;
}

pub(crate) async fn after_a_failure_one_creation_at_a_time_probes(on: Flavour) {
    let rig =
        Rig::new(on, |builder| builder.max_size(4).max_creating(4).create_backoff(ms(1), ms(1)));
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::transient()]);
    rig.manager.script(Op::Create, [Step::transient().behind(&gate), Step::Ok.behind(&gate)]);
    let first = rig.wait_in_a_task();
    rig.eventually(|| gate.waiting() == 1).await;
    let others: Vec<_> = (0..3).map(|_| rig.wait_in_a_task()).collect();
    assert_eq!(rig.pool.status().creating, 1);
    gate.admit(1);
    rig.eventually(|| gate.waiting() == 1 && rig.manager.started(Op::Create) == 3).await;
    assert_eq!(rig.pool.status().creating, 1);
    gate.open();
    let mut held = vec![first.await];
    for other in others {
        held.push(other.await);
    }
    assert!(held.iter().all(|outcome| matches!(outcome, Some(Ok(_)))));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_that_panics_is_a_fault_with_its_message(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).fail_fast_after(1));
    rig.manager.script(Op::Create, [Step::Panic]);
    let error = rig.refused(rig.pool.get()).await;
    let GetError::CreateFault(fault, _) = &error else { panic!("it panicked: {error}") };
    assert!(
        matches!(&**fault, CreateFault::Panicked(message) if message.contains("scripted")),
        "{fault}"
    );
    assert!(error.source().is_some_and(|source| source.is::<CreateFault>()));
    assert!(error.is_retryable());
    rig.ends_clean().await;
}

pub(crate) async fn a_creation_that_hangs_is_a_fault(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).fail_fast_after(1).create_timeout(ms(20)));
    rig.manager.script(Op::Create, [Step::Hang]);
    let error = rig.refused(rig.pool.get()).await;
    assert!(
        matches!(&error, GetError::CreateFault(fault, _) if **fault == CreateFault::TimedOut),
        "{error}"
    );
    rig.ends_clean().await;
}

pub(crate) async fn a_failure_leaves_no_place_taken(on: Flavour) {
    let rig =
        Rig::new(on, |builder| builder.max_size(2).max_creating(2).create_backoff(ms(1), ms(1)));
    rig.manager.script(Op::Create, [Step::transient(), Step::Panic, Step::transient()]);
    rig.serves_at_full_size().await;
    // Those that were open once and are no more leave none either.
    rig.take_many(2).await.into_iter().for_each(Pooled::discard);
    rig.manager.script(Op::Create, [Step::Panic, Step::transient()]);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}
