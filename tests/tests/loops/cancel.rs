//! Dropping a future at any poll, be it a caller's or a task's of the pool, is as if it had never been.

use millpond_test::TestRuntime;
use millpond_tests::callers::{Cut, Reaped, Reaper, run};
use millpond_tests::fuse::Fuse;
use millpond_tests::scenario::{SIZE, Stage};

use crate::{Scenario, play, until_untouched};

fn drop_a_caller(scenario: Scenario, cut: fn(usize) -> Cut) -> usize {
    until_untouched(|n, observed| {
        let (clock, fuse) = (TestRuntime::new(), Fuse::never());
        let stage = Stage::new(&clock, clock.clone(), &fuse);
        let ran = play(&stage, &clock, scenario, cut(n), &fuse, observed);
        assert_eq!(ran.panics, 0);
        stage.afterwards(0);
        assert!(stage.manager.max_open_or_creating_at_once() <= SIZE as u64);
        assert_eq!(clock.panics(), Vec::<String>::new());
        ran.cut
    })
}

/// The last handle goes with the last caller.
fn drop_a_caller_and_all_handles(cut: fn(usize) -> Cut) -> usize {
    until_untouched(|n, _| {
        let (clock, fuse) = (TestRuntime::new(), Fuse::never());
        let stage = Stage::new(&clock, clock.clone(), &fuse);
        let ran = run(&clock, stage.bustle(), cut(n), &fuse, |_| ());
        assert_eq!(ran.panics, 0);
        let manager = stage.manager.clone();
        stage.afterwards_without_handles(0);
        assert!(manager.max_open_or_creating_at_once() <= SIZE as u64);
        assert_eq!(clock.panics(), Vec::<String>::new());
        ran.cut
    })
}

fn drop_tasks(scenario: Scenario, reaped: Reaped, cut: fn(usize) -> Cut) -> usize {
    until_untouched(|n, observed| {
        let (clock, fuse) = (TestRuntime::new(), Fuse::never());
        let reaper = Reaper::new(clock.clone(), reaped, cut(n));
        let stage = Stage::new(&clock, reaper.clone(), &fuse);
        let ran = play(&stage, &clock, scenario, Cut::Never, &fuse, observed);
        assert_eq!(ran.panics, 0);
        let cut = reaper.has_cut();
        reaper.spare();
        // What the dropped tasks had in their hands is dropped, and not closed.
        stage.afterwards(if reaped == Reaped::One { 1 } else { SIZE as u64 });
        assert_eq!(clock.panics(), Vec::<String>::new());
        cut
    })
}

#[test]
fn a_caller_that_is_woken_and_gone_leaves_the_pool_whole() {
    assert!(drop_a_caller(Stage::bustle, Cut::InsteadOf) >= 30);
}

#[test]
fn a_caller_that_is_polled_and_gone_leaves_the_pool_whole() {
    assert!(drop_a_caller(Stage::bustle, Cut::After) >= 30);
}

#[test]
fn a_caller_that_is_gone_does_not_keep_the_pool_from_closing() {
    assert!(drop_a_caller(Stage::farewell, Cut::InsteadOf) >= 20);
    assert!(drop_a_caller(Stage::farewell, Cut::After) >= 20);
}

#[test]
fn a_caller_that_is_gone_does_not_keep_the_pool_from_ending_with_its_last_handle() {
    assert!(drop_a_caller_and_all_handles(Cut::InsteadOf) >= 30);
    assert!(drop_a_caller_and_all_handles(Cut::After) >= 30);
}

#[test]
fn a_task_that_is_dropped_before_any_poll_leaves_the_pool_whole() {
    assert!(drop_tasks(Stage::bustle, Reaped::One, Cut::InsteadOf) >= 30);
}

#[test]
fn a_task_that_is_dropped_after_any_poll_leaves_the_pool_whole() {
    assert!(drop_tasks(Stage::bustle, Reaped::One, Cut::After) >= 30);
}

#[test]
fn a_task_that_is_dropped_does_not_keep_the_pool_from_closing() {
    assert!(drop_tasks(Stage::farewell, Reaped::One, Cut::InsteadOf) >= 20);
    assert!(drop_tasks(Stage::farewell, Reaped::One, Cut::After) >= 20);
}

#[test]
fn a_runtime_that_dies_at_any_poll_leaves_the_pool_whole() {
    assert!(drop_tasks(Stage::bustle, Reaped::All, Cut::InsteadOf) >= 30);
    assert!(drop_tasks(Stage::bustle, Reaped::All, Cut::After) >= 30);
}

#[test]
fn a_runtime_that_dies_at_any_poll_does_not_keep_the_pool_from_closing() {
    assert!(drop_tasks(Stage::farewell, Reaped::All, Cut::InsteadOf) >= 20);
    assert!(drop_tasks(Stage::farewell, Reaped::All, Cut::After) >= 20);
}
