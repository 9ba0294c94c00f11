//! What becomes of a pool when tasks, threads and runtimes end, stand still, or get in each other's way.

use std::cell::RefCell;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures::executor::block_on;
use futures::poll;
use millpond::{GetError, Overload, Pool, Pooled, Returned};
use millpond_test::{Gate, OnReturn, Op, ScriptedManager, Step, poll_once};
use millpond_tests::rig::{Rig, everything_is_gone, until};
use millpond_tokio::Tokio;
use tokio::task::yield_now;

use crate::clocks::Jumping;
use crate::{current_thread, eventually, ms, multi_thread, on_both, secs};

fn scripted(max: usize) -> (ScriptedManager, Pool<ScriptedManager>) {
    let manager = ScriptedManager::new(Tokio);
    let pool = Pool::builder(manager.clone()).max_size(max).max_creating(max).build(Tokio);
    (manager, pool.expect("the settings make sense"))
}

async fn ends_clean(pool: &Pool<ScriptedManager>, manager: &ScriptedManager) {
    let report = pool.close(secs(60)).await;
    assert!(report.drained, "{report}");
    everything_is_gone(pool, manager);
}

/// A `get` is dropped after any number of polls, while what it waits for comes home: whoever stands behind it is served.
#[test]
fn a_get_that_is_dropped_after_any_number_of_polls_takes_nothing_from_the_next() {
    on_both(async || {
        let (manager, pool) = scripted(1);
        for polls in 0.. {
            let held = pool.get().await.expect("there is one");
            let mut got = None;
            {
                let mut get = pin!(pool.get());
                let mut held = Some(held);
                for n in 0..polls {
                    if let Poll::Ready(outcome) = poll!(get.as_mut()) {
                        got = Some(outcome.expect("it came home"));
                        break;
                    }
                    // It comes home between two of the polls.
                    if n == 1 {
                        drop(held.take());
                    }
                    yield_now().await;
                }
            }
            let over = got.is_some();
            drop(got);
            drop(pool.get().await.expect("the next is served"));
            assert_eq!((pool.status().waiting, pool.status().leased), (0, 0));
            if over {
                assert!(polls >= 3);
                break;
            }
        }
        assert_eq!(manager.opened(), 1);
        ends_clean(&pool, &manager).await;
    });
}

/// A task is aborted in the middle of its use, and another panics in it: nobody sees what they left.
#[test]
fn what_an_aborted_task_and_a_panicking_one_left_is_never_seen() {
    on_both(async || {
        let (manager, pool) = scripted(1);
        let half_way = Gate::new();
        let aborted = tokio::spawn({
            let (pool, half_way) = (pool.clone(), half_way.clone());
            async move {
                let use_it = pool.with(async |resource| {
                    resource.soil();
                    half_way.wait().await;
                });
                use_it.await
            }
        });
        eventually(|| half_way.waiting() == 1).await;
        aborted.abort();
        assert!(aborted.await.is_err_and(|error| error.is_cancelled()));
        assert!(!pool.get().await.expect("it was cleaned").is_dirty());
        let panics = tokio::spawn({
            let mut pooled = pool.get().await.expect("there is one");
            async move {
                pooled.soil();
                panic!("the borrower gives up");
            }
        });
        assert!(panics.await.is_err_and(|error| error.is_panic()));
        assert!(!pool.get().await.expect("it was cleaned").is_dirty());
        let returns = manager.returns();
        assert_eq!((returns[0], returns[2]), (Returned::Cancelled, Returned::Panicked));
        assert_eq!(manager.resets(), 2);
        ends_clean(&pool, &manager).await;
    });
}

/// The runtime shuts down while it opens a resource: guards may be dropped, whoever waited is served on the next runtime, and
/// so is whoever comes there.
#[test]
fn a_runtime_that_dies_in_the_middle_of_a_creation_takes_nobody_with_it() {
    for build in [current_thread, multi_thread] {
        let (manager, pool) = scripted(2);
        let first = build();
        let held = first.block_on(pool.get()).expect("there are two");
        manager.script(Op::Create, [Step::Hang]);
        let mut waits = pool.get_owned();
        first.block_on(async {
            assert!(poll!(&mut waits).is_pending());
            eventually(|| manager.creating_now() == 1).await;
        });
        drop(first);
        assert_eq!(manager.creating_now(), 0);
        drop(held);
        let second = build();
        second.block_on(async {
            let waited = waits.await.expect("the next runtime drives the pool");
            let came = pool.get().await.expect("and opens what is missing");
            assert_eq!((pool.status().leased, manager.open_now()), (2, 2));
            drop((waited, came));
            ends_clean(&pool, &manager).await;
        });
    }
}

/// A runtime exists, and nobody drives it any more: the pool's driver sleeps there. Self-service goes on; and the first who
/// finds something overdue has the pool driven from where it is.
#[test]
fn a_driver_that_is_never_polled_again_is_replaced() {
    let clock = Jumping::default();
    let manager = ScriptedManager::new(clock.clone());
    let builder = Pool::builder(manager.clone()).max_size(2).close_timeout(secs(60));
    let pool = builder.build(clock.clone()).expect("the settings make sense");
    let stalled = current_thread();
    let held = stalled.block_on(pool.get()).expect("there are two");
    drop(stalled.block_on(pool.get()).expect("there are two"));
    for _ in 0..10 {
        assert!(pool.try_get().is_ok(), "self-service needs no driver");
    }
    manager.script_returns([OnReturn::Discard]);
    drop(held);
    assert_eq!(pool.status().closing, 1, "and nobody closes it");
    clock.jump(secs(3));
    multi_thread().block_on(async {
        let both = [pool.get().await, pool.get().await];
        assert!(both.iter().all(Result::is_ok), "{both:?}");
        assert_eq!(manager.closed(), 1);
        drop(both);
        ends_clean(&pool, &manager).await;
    });
    // The first one finds that it was replaced, and ends.
    stalled.block_on(yield_now());
}

/// A task that has the only resource asks for another: that can never succeed, so it ends by its deadline, and the error
/// names the task itself as the one that holds what it waits for.
#[test]
fn a_task_that_waits_for_itself_is_told_so_at_its_deadline() {
    on_both(async || {
        let (manager, pool) = scripted(1);
        let held = pool.get().label("outer").await.expect("there is one");
        let error = pool.get().timeout(ms(5)).await.expect_err("it has it itself");
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
        let holder = &error.snapshot().oldest_holders[0];
        assert_eq!((holder.label.as_deref(), holder.location.file()), (Some("outer"), file!()));
        drop(held);
        assert!(pool.get().await.is_ok());
        ends_clean(&pool, &manager).await;
    });
}

/// Gives back a resource when it is woken, and asks the pool for everything that a waker may ask.
struct Meddling {
    pool: Pool<ScriptedManager>,
    kept: Mutex<Option<Pooled<ScriptedManager>>>,
    woken: mpsc::Sender<()>,
}

impl Wake for Meddling {
    fn wake(self: Arc<Self>) {
        let kept = self.kept.lock().expect("nobody panics").take();
        drop(kept);
        let _ = self.pool.try_get();
        let _ = poll_once(self.pool.get());
        let _ = (self.pool.status(), self.pool.holders());
        let _ = self.woken.send(());
    }
}

/// The driver, on a thread of its runtime, wakes somebody whose waker gives back a resource and calls the pool: no lock is held
/// meanwhile, neither there nor for those who use the pool on other threads.
#[test]
fn a_waker_may_call_the_pool_from_the_thread_of_the_driver() {
    let runtime = multi_thread();
    // A wait of two milliseconds that is in vain is not to be spared anybody here.
    let manager = ScriptedManager::new(Tokio);
    let pool = Pool::builder(manager.clone()).max_size(2).overload(Overload::Fifo).build(Tokio);
    let pool = pool.expect("the settings make sense");
    for _ in 0..20 {
        let (kept, other) = runtime.block_on(async { (pool.get().await, pool.get().await) });
        let (kept, other) = (kept.expect("there are two"), other.expect("there are two"));
        let (woken, is_woken) = mpsc::channel();
        let meddling =
            Arc::new(Meddling { pool: pool.clone(), kept: Mutex::new(Some(kept)), woken });
        let waker = Waker::from(Arc::clone(&meddling));
        let _entered = runtime.enter();
        let mut hurried = Box::pin(pool.get().timeout(ms(2)));
        assert!(Pin::new(&mut hurried).poll(&mut Context::from_waker(&waker)).is_pending());
        let waits = runtime.spawn(pool.get_owned());
        is_woken.recv().expect("it is woken at its deadline");
        assert!(runtime.block_on(waits).expect("it does not panic").is_ok(), "by what was kept");
        drop((hurried, other));
    }
    runtime.block_on(ends_clean(&pool, &manager));
}

thread_local! {
    static KEPT: RefCell<Vec<Pooled<ScriptedManager>>> = const { RefCell::new(Vec::new()) };
}

/// Guards are dropped by the destructors of thread-locals, on the threads of a runtime that shuts down: its workers and those
/// for blocking work, where hardly anything of the thread is left.
#[test]
fn guards_in_the_thread_locals_of_a_runtime_that_ends_go_home() {
    for answer in [OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard, OnReturn::Panic] {
        let (manager, pool) = scripted(4);
        let first = multi_thread();
        first.block_on(async {
            let mut held = Vec::new();
            for _ in 0..4 {
                held.push(pool.get().await.expect("there are four"));
            }
            manager.default_return(answer);
            let (workers, blocking) = (held.split_off(2), held);
            let keep = |guards| KEPT.with_borrow_mut(|kept| kept.extend(guards));
            tokio::spawn(async move { keep(workers) }).await.expect("it does not panic");
            let kept = tokio::task::spawn_blocking(move || keep(blocking));
            kept.await.expect("it does not panic");
        });
        assert_eq!(pool.status().leased, 4);
        drop(first);
        until(|| pool.status().leased == 0);
        manager.default_return(OnReturn::Reuse);
        let second = current_thread();
        second.block_on(async {
            let mut all = Vec::new();
            for _ in 0..4 {
                all.push(pool.get().await.expect("the next runtime drives the pool"));
            }
            drop(all);
            ends_clean(&pool, &manager).await;
        });
    }
}

/// A guard goes home on another runtime than the one on which somebody waits for it, or on a thread without any.
#[test]
fn a_guard_dropped_elsewhere_wakes_those_who_wait_here() {
    let (here, there) = (current_thread(), multi_thread());
    let (manager, pool) = scripted(1);
    let ways: [fn(&tokio::runtime::Runtime, Pooled<ScriptedManager>); 2] = [
        |there, pooled| there.block_on(async move { drop(pooled) }),
        |_, pooled| thread::spawn(move || drop(pooled)).join().expect("it does not panic"),
    ];
    for way in ways {
        let held = here.block_on(pool.get()).expect("there is one");
        let gate = Gate::new();
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                here.block_on(async {
                    let mut get = pin!(pool.get());
                    assert!(poll!(get.as_mut()).is_pending());
                    gate.open();
                    get.await.map(drop)
                })
            });
            block_on(gate.wait());
            way(&there, held);
            assert!(waits.join().expect("it does not panic").is_ok());
        });
    }
    here.block_on(ends_clean(&pool, &manager));
}

/// A guard is forgotten: its resource is lent to nobody, its place is made up for by a pool of one more, and those who close
/// the pool are told who had it.
#[test]
fn a_forgotten_guard_can_be_made_up_for() {
    let rig = Rig::of(2);
    mem::forget(rig.at_once(rig.pool.get().label("forgetful")).expect("there are two"));
    rig.pool.resize(3).expect("a size that a pool can have");
    let held = rig.take_many(2);
    assert!(held.iter().all(|pooled| pooled.id() > 0) && rig.pool.try_get().is_err());
    drop(held);
    let report = rig.runtime.block_on(rig.pool.close(secs(1)));
    let holders: Vec<_> = report.still_held.iter().map(|holder| holder.label.as_deref()).collect();
    assert_eq!((report.drained, holders), (false, vec![Some("forgetful")]));
    assert_eq!(rig.manager.open_now(), 1);
}
