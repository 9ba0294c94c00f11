//! The virtual runtime keeps its promises: order, time, panics, death.

use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use millpond_test::{Gate, Parked, TestRuntime, panicking_waker};

/// What tasks wrote down, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    fn write(&self, entry: u32) {
        self.0.lock().unwrap().push(entry);
    }

    fn read(&self) -> Vec<u32> {
        self.0.lock().unwrap().clone()
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn ready_tasks_run_first_in_first_out() {
    let (runtime, log) = (TestRuntime::new(), Log::default());
    for n in 0..3 {
        let log = log.clone();
        runtime.start(async move {
            log.write(n);
            yield_once().await;
            log.write(10 + n);
        });
    }
    assert_eq!(log.read(), [], "nothing runs unasked");
    assert_eq!(runtime.run_until_idle(), 6);
    assert_eq!(log.read(), [0, 1, 2, 10, 11, 12]);
    assert_eq!((runtime.tasks(), runtime.polls(), runtime.wakes()), (0, 6, 3));
    assert_eq!(runtime.run_until_idle(), 0);
}

#[test]
fn timers_fire_by_deadline_and_then_by_registration() {
    let (runtime, log) = (TestRuntime::new(), Log::default());
    for (n, deadline) in [(0, 3), (1, 1), (2, 2), (3, 1)] {
        let (clock, log) = (runtime.clone(), log.clone());
        runtime.start(async move {
            clock.sleep(secs(deadline)).await;
            log.write(n);
        });
    }
    runtime.run_until_idle();
    assert_eq!(runtime.next_timer(), Some(runtime.now() + secs(1)));
    runtime.advance(secs(2));
    assert_eq!(log.read(), [1, 3, 2]);
    assert_eq!((runtime.sleeps(), runtime.timers_fired(), runtime.timers()), (4, 3, 1));
    runtime.advance(secs(1));
    assert_eq!(log.read(), [1, 3, 2, 0]);
}

#[test]
fn advancing_stops_at_each_timer_on_the_way() {
    let runtime = TestRuntime::new();
    let clock = runtime.clone();
    let mut ticks = runtime.start(async move {
        let mut seen = Vec::new();
        for _ in 0..3 {
            clock.sleep(secs(1)).await;
            seen.push(clock.elapsed());
        }
        seen
    });
    runtime.advance(secs(10));
    assert_eq!(ticks.take(), Some(vec![secs(1), secs(2), secs(3)]));
    assert_eq!(runtime.elapsed(), secs(10));
}

#[test]
fn blocking_jumps_the_clock_only_when_nothing_is_ready() {
    let runtime = TestRuntime::new();
    let clock = runtime.clone();
    let nap = runtime.start(async move {
        for _ in 0..100 {
            yield_once().await;
        }
        assert_eq!(clock.elapsed(), Duration::ZERO);
        clock.sleep(secs(60)).await;
    });
    runtime.block_on(nap).expect("the task did not panic");
    assert_eq!(runtime.elapsed(), secs(60));
}

#[test]
fn a_blocked_future_and_the_tasks_take_turns() {
    let (runtime, log) = (TestRuntime::new(), Log::default());
    let task = log.clone();
    runtime.start(async move {
        for _ in 0..3 {
            task.write(1);
            yield_once().await;
        }
    });
    runtime.block_on(async {
        for _ in 0..3 {
            log.write(0);
            yield_once().await;
        }
    });
    assert_eq!(log.read(), [0, 1, 0, 1, 0, 1]);
}

#[test]
fn what_nothing_can_wake_is_stuck_and_can_be_kept() {
    let (runtime, gate) = (TestRuntime::new(), Gate::new());
    runtime.start(pending::<()>());
    runtime.start(async { panic!("the one who held the key") });
    let mut passage = gate.wait();
    let stuck = runtime.try_block_on(&mut passage).expect_err("the gate is closed");
    assert_eq!(
        (stuck.tasks, stuck.panics.as_slice()),
        (1, ["the one who held the key".to_owned()].as_slice())
    );
    assert!(stuck.to_string().starts_with("nothing can ever wake this future"));
    gate.open();
    assert_eq!(runtime.try_block_on(passage), Ok(()));
}

#[test]
fn a_panic_costs_one_task() {
    let runtime = TestRuntime::new();
    let number = 7;
    let mut dead = runtime.start(async move { panic!("panic {number}") });
    let mut alive = runtime.start(async { 1 });
    runtime.run_until_idle();
    assert!(dead.is_finished());
    let nothing: Option<()> = dead.take();
    assert_eq!((nothing, alive.take()), (None, Some(1)));
    assert_eq!(runtime.panics(), ["panic 7"]);
}

#[test]
fn shutdown_drops_the_tasks_and_refuses_new_ones_on_every_clone() {
    let (runtime, gate) = (TestRuntime::new(), Gate::new());
    let handle = runtime.clone();
    let waiting = runtime.start(gate.wait());
    runtime.run_until_idle();
    assert_eq!((runtime.tasks(), gate.waiting()), (1, 1));

    handle.shutdown();
    assert_eq!((runtime.tasks(), gate.waiting()), (0, 0));
    assert!(waiting.is_finished());
    let (mine, yours) = (Gate::new(), Gate::new());
    let mut refused = Parked::new(runtime.spawn(mine.wait()).unwrap_err().into_task());
    assert!(handle.spawn(yours.wait()).is_err());
    assert!(refused.poll().is_pending(), "the task came back alive");
    assert_eq!((mine.waiting(), yours.waiting()), (1, 0));
}

#[test]
fn a_task_that_shuts_its_runtime_down_is_dropped_when_its_poll_ends() {
    let runtime = TestRuntime::new();
    let handle = runtime.clone();
    let mut task = runtime.start(async move {
        handle.shutdown();
        pending::<()>().await;
    });
    assert_eq!(runtime.run_until_idle(), 1);
    assert_eq!((runtime.tasks(), task.take()), (0, None));
}

#[test]
fn timers_die_with_the_runtime_and_a_restart_takes_new_ones() {
    let runtime = TestRuntime::new();
    let mut old = Parked::new(runtime.sleep(secs(1)));
    assert!(old.poll().is_pending());
    runtime.shutdown();
    runtime.advance(secs(2));
    assert!(!old.is_woken());
    assert!(old.poll().is_pending());

    runtime.restart();
    runtime.block_on(runtime.sleep(secs(1)));
    assert!(runtime.spawn(async {}).is_ok());
    assert_eq!(runtime.run_until_idle(), 1);
}

#[test]
fn the_runtime_that_new_made_takes_its_tasks_along() {
    let gate = Gate::new();
    let runtime = TestRuntime::new();
    let handle = runtime.clone();
    // A task that holds a handle, as a pool's does: no cycle may keep it alive.
    let held = runtime.clone();
    let passage = gate.wait();
    runtime.start(async move {
        passage.await;
        drop(held);
    });
    runtime.run_until_idle();
    drop(handle.clone());
    assert_eq!(gate.waiting(), 1, "a clone takes nothing along");
    drop(runtime);
    assert_eq!((gate.waiting(), handle.tasks()), (0, 0));
}

#[test]
fn a_panicking_destructor_does_not_keep_the_others_from_running() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    let (runtime, gate) = (TestRuntime::new(), Gate::new());
    let (bomb, passage) = (Bomb, gate.wait());
    runtime.start(async move {
        let _bomb = bomb;
        pending::<()>().await;
    });
    runtime.start(passage);
    runtime.run_until_idle();
    runtime.shutdown();
    assert_eq!((gate.waiting(), runtime.tasks()), (0, 0));
    assert_eq!(runtime.panics(), ["bomb"]);
}

#[test]
fn an_aborted_task_is_dropped_at_once() {
    let (runtime, gate) = (TestRuntime::new(), Gate::new());
    let waiting = runtime.start(gate.wait());
    runtime.run_until_idle();
    waiting.abort();
    assert!(waiting.is_finished());
    assert_eq!((gate.waiting(), runtime.block_on(waiting)), (0, None));
}

#[test]
fn setting_the_clock_runs_nothing_until_the_runtime_is_driven() {
    let runtime = TestRuntime::new();
    let nap = runtime.start(runtime.sleep(secs(5)));
    runtime.run_until_idle();
    runtime.set_now(runtime.now() + secs(3600));
    assert!(!nap.is_finished());
    assert_eq!(runtime.timers_fired(), 0);
    runtime.run_until_idle();
    assert!(nap.is_finished());
}

#[test]
fn a_clock_that_goes_back_makes_sleepers_wait_longer() {
    let runtime = TestRuntime::new();
    let start = runtime.now();
    let nap = runtime.start(runtime.sleep(secs(5)));
    runtime.advance(secs(4));
    runtime.set_now(start - secs(10));
    assert_eq!(runtime.elapsed(), Duration::ZERO);
    runtime.advance(secs(14));
    assert!(!nap.is_finished());
    runtime.advance(secs(1));
    assert!(nap.is_finished());
}

#[test]
fn only_the_traits_clock_counts_as_read() {
    let runtime = TestRuntime::new();
    let adapter: Arc<dyn millpond::Runtime> = Arc::new(runtime.clone());
    let _ = (runtime.now(), runtime.elapsed(), runtime.next_timer());
    assert_eq!(runtime.clock_reads(), 0);
    assert_eq!(adapter.now(), runtime.now());
    assert_eq!(runtime.clock_reads(), 1);
}

#[test]
fn the_trait_spawns_and_sleeps_on_the_same_runtime() {
    let (runtime, log) = (TestRuntime::new(), Log::default());
    let adapter: Arc<dyn millpond::Runtime> = Arc::new(runtime.clone());
    let (clock, written) = (Arc::clone(&adapter), log.clone());
    let task = Box::pin(async move {
        clock.sleep_until(clock.now() + secs(1)).await;
        written.write(1);
    });
    adapter.spawn(task).expect("the runtime is up");
    runtime.advance(secs(1));
    assert_eq!(log.read(), [1]);
    runtime.shutdown();
    assert!(adapter.spawn(Box::pin(async {})).is_err());
}

#[test]
fn a_dropped_or_passed_sleep_leaves_no_timer() {
    let runtime = TestRuntime::new();
    let mut sleep = Parked::new(runtime.sleep(secs(1)));
    assert!(sleep.poll().is_pending() && sleep.poll().is_pending());
    assert_eq!((runtime.timers(), runtime.sleeps()), (1, 1));
    drop(sleep);
    assert_eq!(runtime.timers(), 0);
    assert!(Parked::new(runtime.sleep(Duration::ZERO)).poll().is_ready());
    assert_eq!(runtime.sleeps(), 1);
}

#[test]
fn a_sleeper_that_moved_to_another_task_is_woken_there() {
    let runtime = TestRuntime::new();
    let mut sleep = Parked::new(runtime.sleep(secs(1)));
    assert!(sleep.poll().is_pending());
    sleep.change_task();
    assert!(sleep.poll().is_pending());
    runtime.advance(secs(1));
    assert!(sleep.is_woken());
}

#[test]
fn a_waker_that_panics_does_not_stop_the_clock() {
    let runtime = TestRuntime::new();
    let mut rude = Parked::new(runtime.sleep(secs(1)));
    assert!(rude.poll_with(&panicking_waker()).is_pending());
    let nap = runtime.start(runtime.sleep(secs(1)));
    runtime.advance(secs(1));
    assert!(nap.is_finished());
    assert_eq!(runtime.panics(), ["a waker that panics"]);
}

#[test]
fn an_idle_runtime_does_nothing() {
    let (runtime, gate) = (TestRuntime::new(), Gate::new());
    runtime.start(gate.wait());
    runtime.run_until_idle();
    let before = (runtime.polls(), runtime.wakes(), runtime.sleeps(), runtime.clock_reads());
    runtime.advance(secs(1_000_000));
    assert_eq!((runtime.polls(), runtime.wakes(), runtime.sleeps(), runtime.clock_reads()), before);
}

#[test]
fn handles_wake_and_spawn_from_other_threads() {
    let (runtime, gate) = (TestRuntime::new(), Gate::new());
    let tasks: Vec<_> = (0..8).map(|_| runtime.start(gate.wait())).collect();
    runtime.run_until_idle();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                gate.admit(2);
                runtime.start(async {});
                runtime.run_until_idle();
            });
        }
    });
    runtime.run_until_idle();
    assert!(tasks.iter().all(|task| task.is_finished()));
    assert_eq!(runtime.tasks(), 0);
}

#[test]
fn a_task_may_drive_its_own_runtime() {
    let runtime = TestRuntime::new();
    let inner = runtime.clone();
    let mut outer = runtime.start(async move { inner.block_on(inner.start(async { 5 })) });
    runtime.run_until_idle();
    assert_eq!(outer.take(), Some(Some(5)));
}

#[test]
fn the_public_types_are_send_and_sync() {
    fn check<T: Send + Sync + std::fmt::Debug>() {}
    check::<TestRuntime>();
    check::<Gate>();
    check::<millpond_test::Passage>();
    check::<millpond_test::Sleep>();
    check::<millpond_test::Started<u8>>();
    check::<millpond_test::ScriptedManager>();
    check::<millpond_test::TestResource>();
    check::<millpond_test::Stuck>();
    check::<Parked<std::future::Ready<()>>>();
}
