//! The pool on real tokio runtimes, of both flavours. What is counted is what is asserted; no test looks at a clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use millpond::{Builder, GetError, Overload, Pool, Pooled};
use millpond_test::{OnReturn, Op, ScriptedManager, Step};
use millpond_tests::rig::{everything_is_gone, until};
use millpond_tokio::Tokio;
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, yield_now};

fn current_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime can be built")
}

fn multi_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(4).enable_time().build().expect("a runtime can be built")
}

fn pool(
    set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>,
) -> (Pool<ScriptedManager>, ScriptedManager) {
    let manager = ScriptedManager::new(Tokio);
    let pool = set(Pool::builder(manager.clone())).build(Tokio).expect("the settings make sense");
    (pool, manager)
}

async fn serves_at_full_size(pool: &Pool<ScriptedManager>) {
    let max = pool.status().max;
    let mut held = Vec::new();
    for _ in 0..max {
        held.push(pool.get().await.expect("the pool serves at full size"));
    }
    assert!(pool.try_get().is_err(), "and no further");
    assert_eq!(pool.status().leased, max);
}

async fn ends_clean(pool: &Pool<ScriptedManager>, manager: &ScriptedManager) {
    let report = pool.close(Duration::from_secs(60)).await;
    assert!(report.drained, "{report}");
    everything_is_gone(pool, manager);
}

/// Waits, by turns with everybody else, until `come`.
async fn eventually(come: impl Fn() -> bool) {
    while !come() {
        yield_now().await;
    }
}

/// One caller among many: takes, uses, gives back in one way or another, or gives up.
async fn caller(pool: Pool<ScriptedManager>, number: usize, served: Arc<AtomicUsize>) {
    for round in 0..40 {
        let how = (number * 7 + round * 3) % 11;
        let get = pool.get();
        let outcome = match how {
            0 => {
                // Loses interest after a few turns.
                tokio::select! {
                    biased;
                    outcome = get => outcome,
                    () = async { for _ in 0..how + round % 4 { yield_now().await } } => continue,
                }
            }
            1 => get.timeout(Duration::from_millis(1)).await,
            2 => get.label("storm").await,
            _ => get.await,
        };
        let Ok(mut pooled) = outcome else { continue };
        let sole = pooled.occupy();
        assert!(!pooled.is_dirty());
        served.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
        drop(sole);
        match how {
            3 => Pooled::discard(pooled),
            4 => drop(Pooled::detach(pooled)),
            5 => {
                let half = Pooled::run(&mut pooled, async |resource| {
                    resource.soil();
                    yield_now().await;
                });
                tokio::select! { biased; () = std::future::ready(()) => {}, () = half => {} }
            }
            6 => {
                let half = Pooled::run(&mut pooled, async |resource| {
                    resource.soil();
                    std::future::pending::<()>().await;
                });
                tokio::select! { biased; () = half => {}, () = yield_now() => {} }
            }
            _ => {}
        }
    }
}

fn storm(runtime: &Runtime, size: usize) {
    // Who is served is not the question: nobody is to be shed, so that all of them meet in the queue.
    let (pool, manager) = pool(|builder| {
        let builder = builder.overload(Overload::Fifo).max_size(size).max_creating(size);
        builder.check_after_idle(Duration::ZERO)
    });
    manager.default_step(Op::Create, Step::Ok.after(Duration::from_micros(200)));
    let served = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let mut callers = JoinSet::new();
        for number in 0..60 {
            callers.spawn(caller(pool.clone(), number, Arc::clone(&served)));
        }
        // Some of them are torn out wherever they are.
        for number in 0..20 {
            let torn = callers.spawn(caller(pool.clone(), number, Arc::clone(&served)));
            yield_now().await;
            torn.abort();
        }
        while let Some(joined) = callers.join_next().await {
            assert!(joined.is_ok() || joined.is_err_and(|error| error.is_cancelled()));
        }
        let served = served.load(Ordering::Relaxed);
        assert!(served > 60 * 40 / 2, "{served} were served");
        eventually(|| pool.status().leased == 0).await;
        serves_at_full_size(&pool).await;
        ends_clean(&pool, &manager).await;
    });
}

#[test]
fn a_storm_on_one_thread_leaves_the_pool_whole() {
    storm(&current_thread(), 3);
}

#[test]
fn a_storm_on_many_threads_leaves_the_pool_whole() {
    storm(&multi_thread(), 1);
    storm(&multi_thread(), 4);
    storm(&multi_thread(), 24);
}

#[test]
fn a_storm_never_has_more_open_than_may_be() {
    let runtime = multi_thread();
    let (pool, manager) = pool(|builder| builder.max_size(3).max_creating(3));
    manager.default_return(OnReturn::Discard);
    manager.default_step(Op::Close, Step::Ok.after(Duration::from_micros(100)));
    runtime.block_on(async {
        let mut callers = JoinSet::new();
        for _ in 0..30 {
            let pool = pool.clone();
            callers.spawn(async move {
                for _ in 0..20 {
                    let pooled = pool.get().await.expect("there is time enough");
                    let sole = pooled.occupy();
                    yield_now().await;
                    drop((sole, pooled));
                }
            });
        }
        while let Some(joined) = callers.join_next().await {
            joined.expect("no caller panics");
        }
        assert_eq!(manager.opened(), 30 * 20);
        assert!(manager.max_open_or_creating_at_once() <= 3);
        ends_clean(&pool, &manager).await;
    });
}

#[test]
fn tasks_are_served_in_the_order_in_which_they_came() {
    let (pool, manager) = pool(|builder| builder.max_size(1));
    current_thread().block_on(async {
        let held = pool.get().await.expect("there is one");
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut callers = JoinSet::new();
        for number in 0..100 {
            let (pool, order) = (pool.clone(), Arc::clone(&order));
            callers.spawn(async move {
                let pooled = pool.get().await.expect("there is time enough");
                order.lock().expect("nobody panics").push(number);
                yield_now().await;
                drop(pooled);
            });
        }
        eventually(|| pool.status().waiting == 100).await;
        drop(held);
        while callers.join_next().await.is_some() {}
        assert!(order.lock().expect("nobody panics").iter().copied().eq(0..100));
        ends_clean(&pool, &manager).await;
    });
}

#[test]
fn a_task_that_waits_for_what_it_holds_is_told_so() {
    for runtime in [current_thread(), multi_thread()] {
        let (pool, manager) = pool(|builder| builder.max_size(1));
        let nest = |pool: Pool<ScriptedManager>| async move {
            let _held = pool.get().await.expect("there is one");
            pool.get().timeout(Duration::from_millis(1)).await.expect_err("it holds the only one")
        };
        let alone = |pool: Pool<ScriptedManager>| async move {
            pool.get().timeout(Duration::from_millis(1)).await.expect_err("another holds it")
        };
        runtime.block_on(async {
            let in_a_task = tokio::spawn(nest(pool.clone())).await.expect("it does not panic");
            assert_eq!(in_a_task.snapshot().held_by_caller.len(), 1, "{in_a_task}");
            pool.retire_all(Duration::ZERO);
            let blocked_on = nest(pool.clone()).await;
            assert_eq!(blocked_on.snapshot().held_by_caller.len(), 1, "{blocked_on}");
            pool.retire_all(Duration::ZERO);
            let held = pool.get().await.expect("there is one");
            let other = tokio::spawn(alone(pool.clone())).await.expect("it does not panic");
            assert!(other.snapshot().held_by_caller.is_empty(), "{other}");
            drop(held);
            ends_clean(&pool, &manager).await;
        });
    }
}

#[test]
fn ten_thousand_who_are_aborted_at_once_leave_the_pool_whole() {
    for runtime in [current_thread(), multi_thread()] {
        let (pool, manager) = pool(|builder| builder.max_size(2).max_waiters(20_000));
        runtime.block_on(async {
            let held = [pool.get().await, pool.get().await];
            for _ in 0..2 {
                let mut callers = JoinSet::new();
                for _ in 0..10_000 {
                    let pool = pool.clone();
                    callers.spawn(async move { pool.get().await.map(drop) });
                }
                eventually(|| pool.status().waiting == 10_000).await;
                callers.shutdown().await;
                assert_eq!((pool.status().waiting, pool.status().leased), (0, 2));
            }
            drop(held);
            serves_at_full_size(&pool).await;
            assert_eq!(manager.opened(), 2);
            ends_clean(&pool, &manager).await;
        });
    }
}

#[test]
fn a_pool_outlives_its_runtime() {
    for build in [current_thread, multi_thread] {
        let (pool, manager) = pool(|builder| builder.max_size(3));
        let first = build();
        let (idle, kept, broken) =
            first.block_on(async { (pool.get().await, pool.get().await, pool.get().await) });
        drop(idle);
        drop(first);

        // Without any runtime: guards go home, and what lies idle is served, once it was looked at.
        drop(kept);
        Pooled::discard(broken.expect("there are three"));
        for _ in 0..5 {
            let pooled = block_on(pool.get()).expect("two lie idle");
            assert!(pooled.is_alive());
        }
        let both = [block_on(pool.get()), block_on(pool.get())];
        assert!(both.iter().all(Result::is_ok));
        let refused = block_on(pool.get()).expect_err("nobody could open another");
        assert!(matches!(refused, GetError::NoRuntime(_)), "{refused}");
        assert_eq!(manager.opened(), 3);

        // The next one drives it, and opens what is missing.
        let second = build();
        second.block_on(serves_less_than_full_size(&pool, 1));
        drop(both);
        second.block_on(async {
            serves_at_full_size(&pool).await;
            ends_clean(&pool, &manager).await;
        });
    }
}

async fn serves_less_than_full_size(pool: &Pool<ScriptedManager>, left: usize) {
    for _ in 0..left {
        drop(pool.get().await.expect("this many can still be had"));
    }
}

#[test]
fn guards_of_a_dead_runtime_may_be_dropped_anywhere() {
    let (pool, manager) = pool(|builder| builder.max_size(4).max_creating(4));
    let first = multi_thread();
    let mut held = first.block_on(async {
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(pool.get().await.expect("there are four"));
        }
        held
    });
    let (there, elsewhere) = (held.pop(), held.pop());
    // One is kept by a task that dies with the runtime.
    let kept = held.pop();
    first.spawn(async move {
        let _kept = kept;
        std::future::pending::<()>().await;
    });
    drop(first);
    thread::spawn(move || drop(there)).join().expect("it does not panic");
    let second = current_thread();
    second.block_on(async move { drop(elsewhere) });
    drop(held);
    second.block_on(async {
        serves_at_full_size(&pool).await;
        ends_clean(&pool, &manager).await;
    });
}

#[test]
fn two_runtimes_share_a_pool_and_one_of_them_dies() {
    let (pool, manager) = pool(|builder| builder.max_size(3).max_creating(3));
    let (dies, lives) = (multi_thread(), multi_thread());
    let served = Arc::new(AtomicUsize::new(0));
    let caller = |rounds: usize| {
        let (pool, served) = (pool.clone(), Arc::clone(&served));
        async move {
            for round in 0..rounds {
                let pooled = pool.get().await.expect("somebody always drives the pool");
                let sole = pooled.occupy();
                yield_now().await;
                drop(sole);
                if round % 5 == 0 {
                    Pooled::discard(pooled)
                } else {
                    drop(pooled)
                }
                served.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    // The driver is on the one that will die.
    drop(dies.block_on(pool.get()));
    for _ in 0..10 {
        dies.spawn(caller(usize::MAX));
    }
    let living: Vec<_> = (0..10).map(|_| lives.spawn(caller(200))).collect();
    until(|| served.load(Ordering::Relaxed) > 300);
    drop(dies);
    lives.block_on(async {
        for caller in living {
            caller.await.expect("none of them fails");
        }
        serves_at_full_size(&pool).await;
        ends_clean(&pool, &manager).await;
    });
}

#[test]
fn many_short_lived_runtimes_share_a_pool() {
    // As the tests of a program do that keep their pool in a static.
    let (pool, manager) = pool(|builder| builder.max_size(2).max_creating(2));
    for round in 0..30 {
        current_thread().block_on(async {
            let first = pool.get().await.expect("each runtime drives it");
            let second = pool.get().await.expect("each runtime drives it");
            if round % 3 == 0 {
                Pooled::discard(first)
            } else {
                drop(first)
            }
            drop(second);
        });
    }
    current_thread().block_on(async {
        serves_at_full_size(&pool).await;
        ends_clean(&pool, &manager).await;
    });
}

#[test]
fn a_pool_may_be_built_and_dropped_where_there_is_no_runtime() {
    let (pool, manager) = pool(|builder| builder.max_size(1));
    assert!(block_on(pool.get()).is_err());
    let runtime = current_thread();
    drop(runtime.block_on(pool.get()).expect("now there is one"));
    drop(runtime);
    drop(pool);
    until(|| manager.open_now() == 0);
}

#[test]
fn a_deadline_is_kept_by_real_timers() {
    let (pool, manager) = pool(|builder| builder.max_size(1));
    manager.default_step(Op::Create, Step::Hang);
    for runtime in [current_thread(), multi_thread()] {
        let get = pool.get().timeout(Duration::from_millis(5));
        let error = runtime.block_on(get).expect_err("it hangs");
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
    }
}

#[test]
fn a_deadline_is_kept_in_one_runtime_while_the_pool_is_driven_in_another_that_stands_still() {
    let (pool, _manager) = pool(|builder| builder.max_size(1));
    let (stands, runs) = (current_thread(), multi_thread());
    let held = stands.block_on(pool.get()).expect("there is room");
    for pool in [pool.clone(), pool.clone()] {
        let get = async move { pool.get().timeout(Duration::from_millis(20)).await };
        let guarded = runs.block_on(async { tokio::time::timeout(MINUTE, get).await });
        assert!(matches!(guarded, Ok(Err(GetError::Timeout(_)))), "{guarded:?}");
    }
    // The same where there is no runtime at all.
    let refused = block_on(pool.get().timeout(Duration::from_millis(20)));
    assert!(matches!(refused, Err(GetError::Timeout(_))), "{refused:?}");
    drop(held);
}

/// A test that waits so long hangs.
const MINUTE: Duration = Duration::from_secs(60);
