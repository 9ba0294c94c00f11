//! Self-service costs no allocation and no look at the clock; and this test would notice either.

use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use futures::FutureExt;
use millpond::{Pool, Pooled, Runtime};
use millpond_test::{Recorder, ScriptedManager, TestRuntime};
use millpond_tests::cells::Cells;
use millpond_tests::rig::until;

/// How often each is tried: enough for tables that grow.
const TIMES: usize = 1000;

fn pool(runtime: &TestRuntime, max: usize) -> Pool<Cells> {
    let pool = Pool::builder(Cells)
        .max_size(max)
        .max_waiters(8)
        .build(runtime.clone())
        .expect("the settings make sense");
    let all: Vec<_> = (0..max.min(70)).map(|_| runtime.block_on(pool.get())).collect();
    drop(all);
    runtime.run_until_idle();
    pool
}

/// What `TIMES` rounds of `checkout` cost on this thread: allocations, and looks at the clock.
fn cost(runtime: &TestRuntime, mut checkout: impl FnMut()) -> (u64, usize) {
    for _ in 0..3 {
        checkout();
    }
    let reads = runtime.clock_reads();
    let allocations = measure(|| (0..TIMES).for_each(|_| checkout()));
    (allocations.count_total, runtime.clock_reads() - reads)
}

#[test]
fn get_and_drop_allocate_nothing_and_read_no_clock() {
    for max in [1, 10, 63, 64, 1000] {
        let runtime = TestRuntime::new();
        let pool = pool(&runtime, max);
        let cost = cost(&runtime, || {
            let pooled = pool.get().now_or_never().expect("it lies idle").expect("it is fresh");
            pooled.set(pooled.get() + 1);
            drop(pooled);
        });
        assert_eq!(cost, (0, 0), "with max_size {max}");
    }
}

#[test]
fn try_get_and_drop_allocate_nothing_and_read_no_clock() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 10);
    let cost = cost(&runtime, || drop(pool.try_get().expect("it lies idle")));
    assert_eq!(cost, (0, 0));
}

#[test]
fn with_allocates_nothing_and_reads_no_clock() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 10);
    let cost = cost(&runtime, || {
        let used = pool.with(async |cell| cell.replace(1)).now_or_never();
        used.expect("it lies idle").expect("it is fresh");
    });
    assert_eq!(cost, (0, 0));
}

#[test]
fn settings_of_a_call_that_do_not_need_the_desk_cost_nothing() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 10);
    let deadline = runtime.now() + std::time::Duration::from_secs(1);
    let cost = cost(&runtime, || {
        let get = pool.get().timeout(std::time::Duration::from_secs(1)).deadline(deadline);
        drop(get.now_or_never().expect("it lies idle").expect("it is fresh"));
        drop(pool.get_owned().now_or_never().expect("it lies idle").expect("it is fresh"));
    });
    assert_eq!(cost, (0, 0));
}

#[test]
fn what_a_guard_tells_and_finishing_it_cost_nothing() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 10);
    let cost = cost(&runtime, || {
        let pooled = pool.try_get().expect("it lies idle");
        assert!(Pooled::metrics(&pooled).uses() > 0);
        Pooled::finish(pooled);
    });
    assert_eq!(cost, (0, 0));
}

#[test]
fn it_is_as_cheap_while_somebody_watches() {
    let runtime = TestRuntime::new();
    let recorder = Recorder::new();
    let pool = Pool::builder(Cells)
        .event_sink(recorder.clone())
        .build(runtime.clone())
        .expect("the settings make sense");
    drop(runtime.block_on(pool.get()).expect("there is one"));
    assert!(!recorder.take().is_empty());
    let cost = cost(&runtime, || drop(pool.try_get().expect("it lies idle")));
    assert_eq!((cost, recorder.take().len()), ((0, 0), 0));
}

#[test]
fn it_is_as_cheap_on_a_thread_that_knows_no_runtime() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 64);
    let there = std::thread::scope(|scope| {
        scope.spawn(|| cost(&runtime, || drop(pool.try_get()))).join().expect("it does not panic")
    });
    assert_eq!(there, (0, 0));
}

#[test]
fn a_hand_over_through_the_queue_allocates_nothing_once_warm() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 1);
    let mut context = Context::from_waker(Waker::noop());
    let mut held = Some(runtime.block_on(pool.get()).expect("there is one"));
    let (allocations, reads) = cost(&runtime, || {
        let mut get = std::pin::pin!(pool.get());
        assert!(get.as_mut().poll(&mut context).is_pending());
        drop(held.take());
        let Poll::Ready(Ok(next)) = get.poll(&mut context) else { panic!("it was handed over") };
        held = Some(next);
    });
    assert_eq!(allocations, 0);
    assert!(reads <= 3 * TIMES, "{reads} looks at the clock");
}

#[test]
fn a_caller_that_is_turned_away_costs_no_more_than_its_error() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 1);
    let held = runtime.block_on(pool.get()).expect("there is one");
    let (allocations, _) = cost(&runtime, || drop(pool.try_get()));
    assert_eq!(allocations, 0);
    drop(held);
}

// From here on: the counters see what they are there to see.

#[test]
fn a_labelled_get_visits_the_desk_and_is_seen_to() {
    let runtime = TestRuntime::new();
    let pool = pool(&runtime, 10);
    let (allocations, reads) = cost(&runtime, || {
        let get = pool.get().label("seen").now_or_never();
        drop(get.expect("it lies idle").expect("it is fresh"));
    });
    assert!(allocations >= TIMES as u64, "{allocations}");
    assert!(reads >= TIMES, "{reads}");
}

#[test]
fn a_get_that_needs_a_check_visits_the_desk_and_is_seen_to() {
    let runtime = TestRuntime::new();
    let manager = ScriptedManager::new(runtime.clone());
    let pool = Pool::builder(manager.clone())
        .check_after_idle(std::time::Duration::ZERO)
        .build(runtime.clone())
        .expect("the settings make sense");
    drop(runtime.block_on(pool.get()));
    let (allocations, reads) = cost(&runtime, || drop(runtime.block_on(pool.get())));
    assert!(allocations >= TIMES as u64 && reads >= TIMES, "{allocations} and {reads}");
    assert!(manager.checks() >= TIMES as u64);
    until(|| manager.open_now() == 1);
}

#[test]
fn a_reading_of_the_clock_is_seen() {
    let runtime = TestRuntime::new();
    let (allocations, reads) = cost(&runtime, || {
        let _ = Runtime::now(&runtime);
    });
    assert_eq!((allocations, reads), (0, TIMES));
}
