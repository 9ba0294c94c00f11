//! `build_ready`: a pool that has its first resource, or why it has none.

use std::error::Error as _;
use std::time::Duration;

use millpond::{BuildError, BuildReadyError, Builder, GetError, Pool, TryGetError};
use millpond_test::{OnReturn, Op, Parked, ScriptedError, ScriptedManager, Step, TestRuntime};
use millpond_tests::hop::Hop;
use millpond_tests::rig::Rig;

use crate::{ms, secs};

type Ready = Result<Pool<ScriptedManager>, BuildReadyError<ScriptedError>>;

/// What surrounds a pool that is about to be built.
fn surroundings() -> (TestRuntime, ScriptedManager) {
    let runtime = TestRuntime::new();
    let manager = ScriptedManager::new(runtime.clone());
    (runtime, manager)
}

fn build(runtime: &TestRuntime, builder: Builder<ScriptedManager>) -> Ready {
    runtime.block_on(builder.build_ready(runtime.clone()))
}

/// Everything that was opened for a pool that was not built is closed.
#[track_caller]
fn nothing_is_left(runtime: &TestRuntime, manager: &ScriptedManager) {
    runtime.advance(secs(60));
    assert_eq!((manager.open_now(), manager.creating_now(), runtime.tasks()), (0, 0, 0));
    assert_eq!(runtime.panics(), Vec::<String>::new());
}

#[test]
fn it_is_ready_when_its_first_resource_lies_idle() {
    let (runtime, manager) = surroundings();
    manager.default_step(Op::Create, Step::Ok.after(secs(2)));
    let pool = build(&runtime, Pool::builder(manager.clone())).expect("the server answers");
    assert_eq!((runtime.elapsed(), manager.opened()), (secs(2), 1));
    let status = pool.status();
    assert_eq!((status.idle, status.leased, status.size), (1, 0, 1));
    let first = pool.try_get().expect("it lies there");
    assert_eq!(manager.checks(), 0);
    drop(first);
    Rig { runtime, manager, pool }.ends_clean();
}

#[test]
fn no_callback_sees_the_first_resource() {
    for strict in [false, true] {
        let (runtime, manager) = surroundings();
        manager.default_return(OnReturn::Discard);
        let builder = Pool::builder(manager.clone());
        let builder = if strict { builder.strict_return() } else { builder };
        let pool = build(&runtime, builder).expect("the server answers");
        runtime.advance(ms(500));
        assert_eq!((pool.status().idle, manager.closed()), (1, 0));
        assert_eq!((manager.started(Op::Reset), manager.started(Op::Check)), (0, 0));
        Rig { runtime, manager, pool }.ends_clean();
    }
}

#[test]
fn settings_that_make_no_sense_are_told_as_from_build() {
    let (runtime, manager) = surroundings();
    let Err(error) = build(&runtime, Pool::builder(manager.clone()).max_size(0)) else {
        panic!("no pool can have these settings")
    };
    let told = Pool::builder(manager.clone()).max_size(0).build(runtime.clone());
    let told = told.expect_err("no pool can have these settings");
    assert_eq!(error.to_string(), told.to_string());
    assert!(matches!(error, BuildReadyError::Build(BuildError::OutOfRange { .. })), "{error:?}");
    assert_eq!(manager.started(Op::Create), 0);
}

#[test]
fn a_wrong_password_is_told_at_once_with_its_cause() {
    let (runtime, manager) = surroundings();
    manager.default_step(Op::Create, Step::permanent());
    let Err(error) = build(&runtime, Pool::builder(manager.clone()).name("accounts")) else {
        panic!("nothing can be opened")
    };
    assert_eq!((runtime.elapsed(), manager.started(Op::Create)), (secs(0), 1));
    let cause = error.source().and_then(|cause| cause.downcast_ref::<ScriptedError>());
    assert_eq!(cause, Some(&ScriptedError::permanent("scripted failure, permanent")));
    assert!(error.to_string().contains("accounts"), "{error}");
    assert!(matches!(error, BuildReadyError::Get(GetError::Create(..))), "{error:?}");
    nothing_is_left(&runtime, &manager);
}

#[test]
fn a_server_that_starts_up_meanwhile_is_waited_for() {
    let (runtime, manager) = surroundings();
    manager.script(Op::Create, [Step::transient(), Step::transient(), Step::transient()]);
    let pool = build(&runtime, Pool::builder(manager.clone())).expect("the server answers at last");
    assert_eq!((manager.started(Op::Create), pool.status().idle), (4, 1));
    Rig { runtime, manager, pool }.ends_clean();
}

#[test]
fn a_server_that_does_not_answer_costs_get_timeout_and_is_told() {
    for fault in [Step::transient(), Step::Hang] {
        let (runtime, manager) = surroundings();
        manager.default_step(Op::Create, fault);
        let builder = Pool::builder(manager.clone());
        let builder = builder.create_timeout(secs(2)).get_timeout(secs(7));
        let Err(error) = build(&runtime, builder) else { panic!("nothing can be opened") };
        assert_eq!(runtime.elapsed(), secs(7));
        let BuildReadyError::Get(error) = error else { panic!("{error:?}") };
        assert!(matches!(error, GetError::Timeout(_)) && error.source().is_some(), "{error:?}");
        nothing_is_left(&runtime, &manager);
    }
}

#[test]
fn with_min_idle_it_is_ready_with_the_first_and_the_others_follow() {
    let (runtime, manager) = surroundings();
    manager.script(Op::Create, [Step::Ok.after(secs(1))]);
    manager.default_step(Op::Create, Step::Ok.after(secs(5)));
    let builder = Pool::builder(manager.clone()).max_size(4).max_creating(4).min_idle(3);
    let pool = build(&runtime, builder).expect("the server answers");
    assert_eq!((runtime.elapsed(), pool.status().idle, pool.status().creating), (secs(1), 1, 2));
    runtime.advance(secs(5));
    assert_eq!((pool.status().idle, manager.opened()), (3, 3));
    Rig { runtime, manager, pool }.ends_clean();
}

#[test]
fn one_that_is_dropped_half_way_leaves_nothing_behind() {
    for polls in 0..4 {
        let (runtime, manager) = surroundings();
        manager.default_step(Op::Create, Step::Ok.after(ms(100)));
        let builder = Pool::builder(manager.clone()).max_size(4).min_idle(2);
        let mut ready = Parked::new(builder.build_ready(runtime.clone()));
        for _ in 0..polls {
            assert!(ready.poll().is_pending());
            runtime.advance(ms(40));
        }
        drop(ready);
        nothing_is_left(&runtime, &manager);
    }
}

#[test]
fn where_there_is_no_runtime_there_is_nobody_to_make_it_ready() {
    let (hop, [_first, _second]) = Hop::new();
    hop.leave();
    let manager = ScriptedManager::new(hop.clone());
    let ready = Parked::new(Pool::builder(manager).build_ready(hop.clone())).poll();
    let std::task::Poll::Ready(Err(BuildReadyError::Get(error))) = ready else {
        panic!("nobody can open one: {ready:?}")
    };
    assert!(matches!(error, GetError::NoRuntime(_)), "{error:?}");
}

#[test]
fn it_may_be_closed_before_anybody_used_it() {
    let (runtime, manager) = surroundings();
    let pool = build(&runtime, Pool::builder(manager.clone())).expect("the server answers");
    let report = runtime.block_on(pool.close(Duration::from_secs(1)));
    assert!(report.drained, "{report}");
    assert!(matches!(pool.try_get(), Err(TryGetError::Closed)));
    nothing_is_left(&runtime, &manager);
}
