//! A pool in a forked child: it belongs to the parent, and the child neither uses nor closes what is in it.

#![cfg(unix)]

use std::io::{Write, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use fork::{Fork, fork, waitpid};
use futures::executor::block_on;
use millpond::{AddError, Builder, GetError, Manager, Pool, Pooled, TryGetError};
use millpond_test::{OnReturn, Parked, Recorder, ScriptedManager, poll_once};
use millpond_tokio::Tokio;

/// Runs `body` in a child, and waits for it to end without a panic.
///
/// One child at a time: whatever lock another thread held at the time of the fork would be held in the child for ever.
#[track_caller]
fn in_a_child(body: impl FnOnce()) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match fork().expect("this process can be forked") {
        Fork::Child => {
            let ended = catch_unwind(AssertUnwindSafe(body));
            if let Err(panic) = &ended {
                // Past the harness, which would keep it in the child's memory.
                let text = panic.downcast_ref::<&str>().copied();
                let said = text.or_else(|| panic.downcast_ref().map(String::as_str));
                let said = said.unwrap_or("a panic without a message");
                let _ = writeln!(stderr(), "in the child: {said}");
            }
            // No destructors: the child has copies of what other tests are about.
            exit(i32::from(ended.is_err()));
        }
        Fork::Parent(child) => {
            let status = waitpid(child).expect("it is this process's child");
            assert_eq!(status, 0, "what the child was to show does not hold");
        }
    }
}

/// What is dropped where it may take its time would be so by another thread.
fn let_others_run() {
    (0..100_000).for_each(|_| std::thread::yield_now());
}

/// A runtime, a manager and a pool that is in use. Its clock is the real one: by a clock that stands still no time passes
/// between the parent's last visit to the desk and the child's first.
struct Parent {
    runtime: tokio::runtime::Runtime,
    manager: ScriptedManager,
    pool: Pool<ScriptedManager>,
}

fn parent(set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>) -> Parent {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime can be built");
    let manager = ScriptedManager::new(Tokio);
    // What lies idle stays fresh, however slow the machine.
    let builder = Pool::builder(manager.clone()).check_after_idle(Duration::from_secs(600));
    let pool = set(builder).build(Tokio).expect("the settings make sense");
    Parent { runtime, manager, pool }
}

impl Parent {
    fn take(&self) -> Pooled<ScriptedManager> {
        self.runtime.block_on(self.pool.get()).expect("there is one")
    }

    /// What the parent can do after all that.
    fn ends_clean(self) {
        let Self { runtime, manager, pool } = self;
        runtime.block_on(async {
            for _ in 0..3 {
                drop(pool.get().await.expect("the parent goes on as ever"));
            }
            let report = pool.close(Duration::from_secs(60)).await;
            assert!(report.drained, "{report}");
        });
        assert_eq!((manager.open_now(), manager.closed()), (0, manager.opened()));
    }
}

#[test]
fn a_get_that_comes_to_the_desk_is_refused_at_once() {
    let parent = parent(|builder| builder.max_size(1));
    let held = parent.take();
    in_a_child(|| {
        let Poll::Ready(Err(error)) = poll_once(parent.pool.get()) else { panic!("it waits") };
        assert!(matches!(error, GetError::Forked(_)), "{error}");
        assert!(!error.is_retryable() && !error.is_overload());
        assert_eq!(
            error.to_string(),
            "pool `pool` belongs to the process that this one was forked from"
        );
        assert_eq!(parent.pool.try_get().err(), Some(TryGetError::Forked));
        // A runtime of the child's own changes nothing.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let own = builder.enable_time().build().expect("a runtime can be built");
        let error = own.block_on(parent.pool.get()).expect_err("it is the parent's");
        assert!(matches!(error, GetError::Forked(_)), "{error}");
        let error = own.block_on(parent.pool.with(async |_| ())).expect_err("it is the parent's");
        assert!(matches!(error, GetError::Forked(_)), "{error}");
    });
    drop(held);
    parent.ends_clean();
}

#[test]
fn guards_that_end_in_a_child_close_nothing_however_they_end() {
    type End = fn(Pooled<ScriptedManager>);
    let ends: [(End, OnReturn); 5] = [
        (|held| drop(held), OnReturn::Reuse),
        (|held| drop(held), OnReturn::Reset),
        (|held| drop(held), OnReturn::Discard),
        (|held| drop(held), OnReturn::Panic),
        (|held| Pooled::discard(held), OnReturn::Reuse),
    ];
    for (end, answer) in ends {
        let parent = parent(|builder| builder.max_size(1));
        let held = parent.take();
        // Somebody waits, so that even what may be lent again comes to the desk.
        let mut waiting = Parked::new(parent.pool.get());
        assert!(waiting.poll().is_pending());
        let manager = parent.manager.clone();
        let mut held = Some(held);
        in_a_child(|| {
            manager.script_returns([answer]);
            end(held.take().expect("it is there"));
            assert_eq!((manager.dropped(), manager.closed()), (0, 0), "{answer:?}");
            assert!(waiting.poll().is_pending(), "nobody is served by it");
            assert_eq!(manager.started(millpond_test::Op::Reset), 0);
        });
        drop(held);
        assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))), "in the parent it is served");
        drop(waiting);
        parent.ends_clean();
    }
}

#[test]
fn handles_waiters_and_runtimes_that_end_in_a_child_close_nothing() {
    let parent = parent(|builder| builder.max_size(2));
    let held = [parent.take(), parent.take()];
    let [held, idle] = held;
    drop(idle);
    let clone = parent.pool.clone();
    let mut parent = Some(parent);
    let mut held = Some(held);
    let mut clone = Some(clone);
    in_a_child(|| {
        let Parent { runtime, manager, pool } = parent.take().expect("it is there");
        drop(pool);
        drop(clone.take());
        drop(runtime);
        drop(held.take());
        let_others_run();
        assert_eq!((manager.dropped(), manager.closed()), (0, 0));
    });
    drop((held, clone));
    parent.expect("it is still there").ends_clean();
}

#[test]
fn a_pool_that_is_gone_but_for_a_guard_is_not_closed_by_a_child() {
    let Parent { runtime, manager, pool } = parent(|builder| builder.max_size(1));
    let held = runtime.block_on(pool.get()).expect("there is one");
    drop(runtime);
    drop(pool);
    let mut held = Some(held);
    in_a_child(|| {
        manager.script_returns([OnReturn::Discard]);
        drop(held.take());
        let_others_run();
        assert_eq!(manager.dropped(), 0);
    });
    drop(held);
    millpond_tests::rig::until(|| manager.dropped() == 1);
}

#[test]
fn a_caller_that_waits_and_is_copied_ends_without_a_trace() {
    let parent = parent(|builder| builder.max_size(1));
    let held = parent.take();
    let mut waiting = Some(Parked::new(parent.pool.get_owned()));
    assert!(waiting.as_mut().is_some_and(|get| get.poll().is_pending()));
    in_a_child(|| {
        let mut get = waiting.take().expect("it is there");
        let _ = get.poll();
        drop(get);
    });
    let mut get = waiting.expect("it is still there");
    drop(held);
    assert!(matches!(get.poll(), Poll::Ready(Ok(_))));
    drop(get);
    parent.ends_clean();
}

#[test]
fn what_is_done_to_the_pool_in_a_child_is_not_done() {
    let recorder = Recorder::new();
    let parent = parent(|builder| builder.max_size(1).event_sink(recorder.clone()));
    drop(parent.take());
    let _ = recorder.take();
    in_a_child(|| {
        let pool = &parent.pool;
        pool.pause();
        pool.resize(7).expect("a size that a pool can have");
        pool.retire_all(Duration::ZERO);
        assert!(pool.retain(|_, _| false).removed.is_empty());
        let own = block_on(parent.manager.create()).expect("it opens");
        let own = pool.add(own).expect_err("it would be opened for nobody");
        assert!(matches!(&own, AddError::Closed { .. }), "{own:?}");
        std::mem::forget(own.into_resource());
        let report = block_on(pool.close(Duration::from_secs(60)));
        assert!(!report.drained, "nothing was closed");
        // Nobody waits here for what the parent does.
        block_on(pool.closing());
        block_on(pool.drained());
        assert_eq!((pool.status().max, pool.status().size), (1, 1));
        assert_eq!((parent.manager.dropped(), parent.manager.closed()), (0, 0));
        assert!(recorder.take().is_empty(), "and nobody is told");
    });
    assert_eq!(parent.pool.status().max, 1);
    parent.ends_clean();
}

/// The limit, as documented: self-service cannot know. The first visit to the desk ends it.
#[test]
fn self_service_ends_in_a_child_with_the_first_visit_to_the_desk() {
    let parent = parent(|builder| builder.max_size(2));
    drop((parent.take(), parent.take()));
    in_a_child(|| {
        let taken = parent.pool.try_get().expect("it lies idle, and nobody has looked");
        drop(taken);
        parent.pool.pause();
        assert_eq!(parent.pool.try_get().err(), Some(TryGetError::Forked));
        assert_eq!((parent.manager.dropped(), parent.manager.closed()), (0, 0));
    });
    parent.ends_clean();
}

#[test]
fn without_self_service_nothing_is_lent_in_a_child() {
    let parent = parent(|builder| builder.max_size(2).without_self_service());
    drop((parent.take(), parent.take()));
    in_a_child(|| {
        assert_eq!(parent.pool.try_get().err(), Some(TryGetError::Forked));
        let Poll::Ready(Err(error)) = poll_once(parent.pool.get()) else { panic!("it is lent") };
        assert!(matches!(error, GetError::Forked(_)), "{error}");
    });
    parent.ends_clean();
}

#[test]
fn a_pool_that_was_not_used_before_the_fork_belongs_to_who_uses_it_first() {
    let Parent { runtime, manager, pool } = parent(|builder| builder.max_size(1));
    in_a_child(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let own = builder.enable_time().build().expect("a runtime can be built");
        for _ in 0..3 {
            drop(own.block_on(pool.get()).expect("the pool is the child's"));
        }
        assert!(own.block_on(pool.close(Duration::from_secs(60))).drained);
        assert_eq!((manager.opened(), manager.closed()), (1, 1));
    });
    assert_eq!(manager.opened(), 0, "the parent knows nothing of it");
    Parent { runtime, manager, pool }.ends_clean();
}

#[test]
fn a_child_builds_a_pool_of_its_own() {
    let old = parent(|builder| builder.max_size(1));
    let held = old.take();
    in_a_child(|| {
        assert_eq!(old.pool.try_get().err(), Some(TryGetError::Forked));
        let own = parent(|builder| builder.max_size(1));
        drop(own.take());
        own.ends_clean();
    });
    drop(held);
    old.ends_clean();
}

/// A grandchild is as foreign as a child.
#[test]
fn a_child_of_a_child_is_refused_too() {
    let parent = parent(|builder| builder.max_size(1));
    let held = parent.take();
    in_a_child(|| {
        let Fork::Parent(grandchild) = fork().expect("this process can be forked") else {
            let refused = parent.pool.try_get().err() == Some(TryGetError::Forked);
            exit(i32::from(!refused));
        };
        assert_eq!(waitpid(grandchild).ok(), Some(0));
    });
    drop(held);
    parent.ends_clean();
}
