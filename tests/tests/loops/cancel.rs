//! Dropping a future at any poll, be it a caller's or a task's of the pool, is as if it had never been.

use millpond_test::TestRuntime;
use millpond_tests::callers::{Cut, Reaper, run};
use millpond_tests::fuse::Fuse;
use millpond_tests::scenario::{self, SIZE};

use crate::{Scenario, until_untouched};

fn drop_a_caller(scenario: Scenario, cut: fn(usize) -> Cut) -> usize {
    until_untouched(|n| {
        let (runtime, fuse) = (TestRuntime::new(), Fuse::never());
        let (pool, manager) = scenario::pool(&runtime, runtime.clone(), &fuse);
        let ran = run(&runtime, scenario(&pool, &runtime), cut(n), &fuse);
        assert_eq!(ran.panics, 0);
        scenario::afterwards(&pool, &manager, &runtime);
        assert!(manager.max_open_or_creating_at_once() <= SIZE as u64);
        assert_eq!(runtime.panics(), Vec::<String>::new());
        ran.cut
    })
}

fn drop_a_task(scenario: Scenario, cut: fn(usize) -> Cut) -> usize {
    until_untouched(|n| {
        let (runtime, fuse) = (TestRuntime::new(), Fuse::never());
        let reaper = Reaper::new(runtime.clone(), cut(n));
        let (pool, manager) = scenario::pool(&runtime, reaper.clone(), &fuse);
        let ran = run(&runtime, scenario(&pool, &runtime), Cut::Never, &fuse);
        assert_eq!(ran.panics, 0);
        let cut = reaper.has_cut();
        scenario::afterwards(&pool, &manager, &runtime);
        assert_eq!(runtime.panics(), Vec::<String>::new());
        cut
    })
}

#[test]
fn a_caller_that_is_woken_and_gone_leaves_the_pool_whole() {
    assert!(drop_a_caller(scenario::bustle, Cut::InsteadOf) >= 25);
}

#[test]
fn a_caller_that_is_polled_and_gone_leaves_the_pool_whole() {
    assert!(drop_a_caller(scenario::bustle, Cut::After) >= 25);
}

#[test]
fn a_caller_that_is_gone_does_not_keep_the_pool_from_closing() {
    assert!(drop_a_caller(scenario::farewell, Cut::InsteadOf) >= 25);
    assert!(drop_a_caller(scenario::farewell, Cut::After) >= 25);
}

#[test]
fn a_task_that_is_dropped_before_any_poll_leaves_the_pool_whole() {
    assert!(drop_a_task(scenario::bustle, Cut::InsteadOf) >= 25);
}

#[test]
fn a_task_that_is_dropped_after_any_poll_leaves_the_pool_whole() {
    assert!(drop_a_task(scenario::bustle, Cut::After) >= 25);
}

#[test]
fn a_task_that_is_dropped_does_not_keep_the_pool_from_closing() {
    assert!(drop_a_task(scenario::farewell, Cut::InsteadOf) >= 25);
    assert!(drop_a_task(scenario::farewell, Cut::After) >= 25);
}
