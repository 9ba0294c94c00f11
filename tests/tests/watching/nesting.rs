//! A task that waits for what it holds itself is told so, and no other is.

use std::task::Poll;

use futures::future::join;
use millpond::{EventKind, GetError, Pool, Runtime};
use millpond_test::{Recorder, ScriptedError, ScriptedManager, TestRuntime, poll_once};
use millpond_tests::rig::Rig;

use crate::{ms, secs, watched};

type Refused = GetError<ScriptedError>;

/// Takes one and waits for another, in one task.
async fn nest(pool: Pool<ScriptedManager>) -> (u32, Refused) {
    let (_held, line) = (pool.get().await.expect("there is one"), line!());
    let error = pool.get().timeout(secs(2)).await.expect_err("it holds what it waits for");
    (line, error)
}

/// What the task took itself, as the error and the event tell it.
#[track_caller]
fn hints(error: &Refused, recorder: &Recorder) -> Vec<u32> {
    let by_error: Vec<_> =
        error.snapshot().held_by_caller.iter().map(|own| own.location.line()).collect();
    let by_event = recorder.take().into_iter().find_map(|kind| match kind {
        EventKind::Refused { held_by_caller, .. } => Some(held_by_caller),
        _ => None,
    });
    let by_event = by_event.expect("it is told");
    assert!(by_event.iter().map(|own| own.location.line()).eq(by_error.iter().copied()));
    assert_eq!(error.to_string().contains("waiting for itself"), !by_error.is_empty(), "{error}");
    by_error
}

#[test]
fn a_task_that_waits_for_what_it_holds_is_told_where_it_took_it() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let nested = rig.runtime.start(nest(rig.pool.clone()));
    let (line, error) = rig.runtime.block_on(nested).expect("it does not panic");
    assert_eq!(hints(&error, &recorder), [line]);
    let own = format!(
        "; this task took 1 of them itself and may be waiting for itself: held for 2s by {}:{line}:",
        file!()
    );
    assert!(error.to_string().contains(&own), "{error}");
    rig.ends_clean();
}

#[test]
fn what_is_blocked_on_is_a_task_like_any_other() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let (line, error) = rig.runtime.block_on(nest(rig.pool.clone()));
    assert_eq!(hints(&error, &recorder), [line]);
    rig.ends_clean();
}

#[test]
fn each_of_many_that_nest_is_told_of_its_own() {
    let (rig, recorder) = watched(|builder| builder.max_size(3).max_creating(3));
    let nested: Vec<_> = (0..3).map(|_| rig.runtime.start(nest(rig.pool.clone()))).collect();
    rig.runtime.advance(secs(2));
    let told = recorder.count(|kind| matches!(kind, EventKind::Refused { .. }));
    assert_eq!(told, 3);
    for nested in nested {
        let (line, error) = rig.runtime.block_on(nested).expect("it does not panic");
        let own = &error.snapshot().held_by_caller;
        assert_eq!((own.len(), own[0].location.line()), (1, line));
    }
    rig.ends_clean();
}

#[test]
fn a_task_that_waited_for_its_first_is_told_too() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let held = rig.take();
    let nested = rig.runtime.start(nest(rig.pool.clone()));
    rig.runtime.advance(secs(1));
    drop(held);
    let (line, error) = rig.runtime.block_on(nested).expect("it does not panic");
    assert_eq!(hints(&error, &recorder), [line]);
    rig.ends_clean();
}

#[test]
fn a_task_that_waits_for_others_is_told_nothing_of_the_kind() {
    let (rig, recorder) = watched(|builder| builder.max_size(2));
    let (pool, clock) = (rig.pool.clone(), rig.runtime.clone());
    let other = rig.runtime.start(async move {
        let held = [pool.get().await, pool.get().await];
        clock.sleep(secs(10)).await;
        drop(held);
    });
    rig.runtime.run_until_idle();
    let pool = rig.pool.clone();
    let waiting = rig.runtime.start(async move { pool.get().timeout(secs(1)).await });
    let waited = rig.runtime.block_on(waiting).expect("it does not panic");
    let error = waited.expect_err("the other has both");
    assert_eq!(hints(&error, &recorder), [0; 0]);
    let _ = rig.runtime.block_on(other);
    rig.ends_clean();
}

#[test]
fn a_task_that_has_given_back_what_it_took_is_told_nothing_of_the_kind() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let pool = rig.pool.clone();
    let (sender, receiver) = futures::channel::oneshot::channel();
    let first = rig.runtime.start(async move {
        drop(pool.get().await.expect("there is one"));
        receiver.await.expect("the other goes on");
        pool.get().timeout(secs(1)).await
    });
    rig.runtime.run_until_idle();
    let pool = rig.pool.clone();
    let other = rig.runtime.start(async move {
        // By self-service, which leaves no name.
        let held = pool.try_get().expect("the first has given it back");
        sender.send(()).expect("the first waits");
        futures::future::pending::<()>().await;
        drop(held);
    });
    let waited = rig.runtime.block_on(first).expect("it does not panic");
    let error = waited.expect_err("the other has it now, in the same place");
    assert_eq!(hints(&error, &recorder), [0; 0]);
    other.abort();
    rig.runtime.run_until_idle();
    rig.ends_clean();
}

#[test]
fn a_new_task_is_not_taken_for_one_that_ended() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let pool = rig.pool.clone();
    let first = rig.runtime.start(async move { pool.get().await });
    let held = rig.runtime.block_on(first).expect("it does not panic");
    let pool = rig.pool.clone();
    let second = rig.runtime.start(async move { pool.get().timeout(secs(1)).await });
    let waited = rig.runtime.block_on(second).expect("it does not panic");
    assert_eq!(hints(&waited.expect_err("the first took it"), &recorder), [0; 0]);
    drop(held);
    rig.ends_clean();
}

#[test]
fn branches_of_one_task_are_one_task() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let (pool, clock) = (rig.pool.clone(), rig.runtime.clone());
    let branches = rig.runtime.start(async move {
        let first = async {
            let _held = pool.get().await.expect("there is one");
            clock.sleep(secs(10)).await;
        };
        let second = async { pool.get().timeout(secs(1)).await.expect_err("the first has it") };
        join(first, second).await.1
    });
    let error = rig.runtime.block_on(branches).expect("it does not panic");
    assert_eq!(hints(&error, &recorder).len(), 1, "a hint, as documented");
    rig.ends_clean();
}

#[test]
fn what_was_found_idle_bears_no_name_unless_everything_passes_the_desk() {
    for desk in [false, true] {
        let (rig, recorder) = watched(|builder| {
            let builder = builder.max_size(1);
            if desk { builder.without_self_service() } else { builder }
        });
        drop(rig.take());
        let nested = rig.runtime.start(nest(rig.pool.clone()));
        let (_, error) = rig.runtime.block_on(nested).expect("it does not panic");
        assert_eq!(hints(&error, &recorder).len(), usize::from(desk), "{error}");
        rig.ends_clean();
    }
}

#[test]
fn try_get_takes_in_the_name_of_its_task_too() {
    let (rig, recorder) = watched(|builder| builder.max_size(1).without_self_service());
    drop(rig.take());
    let pool = rig.pool.clone();
    let nested = rig.runtime.start(async move {
        let _held = pool.try_get().expect("it lies idle");
        pool.get().timeout(secs(1)).await.expect_err("it holds what it waits for")
    });
    let error = rig.runtime.block_on(nested).expect("it does not panic");
    assert_eq!(hints(&error, &recorder).len(), 1);
    rig.ends_clean();
}

#[test]
fn callers_that_are_no_task_are_told_nothing_of_the_kind() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    // Polled by hand, outside of any task.
    let held = rig.take();
    let mut waiting = rig.wait_in(rig.pool.get_owned().timeout(secs(1)));
    rig.runtime.advance(secs(1));
    let Poll::Ready(Err(error)) = waiting.poll() else { panic!("its time is up") };
    assert_eq!(hints(&error, &recorder), [0; 0]);
    drop(held);
    rig.ends_clean();
}

#[test]
fn who_holds_what_it_waits_for_is_told_so_where_there_is_no_runtime() {
    let (rig, recorder) = watched(|builder| builder.max_size(1));
    let error = rig.runtime.block_on(async {
        let _held = rig.pool.get().await.expect("there is one");
        rig.runtime.shutdown();
        let _ = recorder.take();
        let Poll::Ready(Err(error)) = poll_once(rig.pool.get()) else { panic!("it cannot wait") };
        error
    });
    assert!(matches!(error, GetError::NoRuntime(_)), "{error}");
    assert_eq!(hints(&error, &recorder).len(), 1);
}

#[test]
fn the_test_runtime_names_what_it_polls() {
    let runtime = TestRuntime::new();
    assert_eq!(runtime.task(), None);
    let name = |clock: TestRuntime| async move {
        let first = clock.task();
        clock.sleep(ms(1)).await;
        assert_eq!(clock.task(), first);
        first.expect("it is polled")
    };
    let task = runtime.start(name(runtime.clone()));
    let outer = runtime.block_on(async {
        let before = runtime.task();
        let inner = runtime.block_on(name(runtime.clone()));
        assert_ne!(before, Some(inner));
        assert_eq!(runtime.task(), before, "it goes on as itself");
        [before.expect("it is polled"), inner]
    });
    let inner = runtime.block_on(task).expect("it does not panic");
    let other = std::thread::scope(|scope| scope.spawn(|| runtime.task()).join());
    assert_eq!(other.ok(), Some(None));
    assert!(!outer.contains(&inner), "{outer:?} {inner}");
}

/// Not a test of hints: without self-service the pool does all it does otherwise.
#[test]
fn without_self_service_a_pool_serves_as_ever() {
    let rig = Rig::new(|builder| builder.max_size(3).max_creating(3).without_self_service());
    for _ in 0..3 {
        drop(rig.take_many(3));
        rig.runtime.advance(secs(2));
    }
    let held = rig.take();
    rig.runtime.advance(secs(90));
    assert_eq!(rig.pool.holders()[0].held_for, secs(90), "to the moment");
    drop(held);
    assert_eq!(rig.manager.opened(), 3);
    rig.serves_at_full_size();
    let before = rig.runtime.timers_fired();
    rig.runtime.advance(secs(500));
    assert!(rig.runtime.timers_fired() - before < 10, "it sleeps as ever");
    rig.ends_clean();
}
