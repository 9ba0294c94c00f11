//! A runtime that panics in any call of the pool, or refuses any task, costs at most the job that it was to do: whoever comes
//! next has the pool driven again. And one whose clock goes back costs no more.

use millpond_test::TestRuntime;
use millpond_tests::callers::Cut;
use millpond_tests::fuse::{Breaks, Fuse, FusedRuntime};
use millpond_tests::scenario::Stage;

use crate::{Scenario, play, until_untouched};

fn break_once(scenario: Scenario, breaks: Breaks) -> usize {
    until_untouched(|n, observed| {
        let clock = TestRuntime::new();
        let runtime = FusedRuntime::new(clock.clone(), breaks, n);
        let stage = Stage::new(&clock, runtime.clone(), &Fuse::never()).excuse(runtime.fuse());
        if breaks == Breaks::Clock {
            // From now on the pool knows the time.
            stage.pool.resume();
        }
        runtime.arm();
        let ran = play(&stage, &clock, scenario, Cut::Never, &Fuse::never(), observed);
        assert_eq!(ran.panics, 0, "a caller saw a panic in {:?}", runtime.fuse().blew_in());
        stage.afterwards(1);
        runtime.fuse().blew_in().is_some()
    })
}

#[test]
fn a_runtime_that_panics_in_any_call_leaves_the_pool_whole() {
    assert!(break_once(Stage::bustle, Breaks::Calls) >= 50);
}

#[test]
fn a_runtime_that_panics_in_any_call_does_not_keep_the_pool_from_closing() {
    assert!(break_once(Stage::farewell, Breaks::Calls) >= 20);
}

#[test]
fn a_runtime_that_refuses_any_task_leaves_the_pool_whole() {
    assert!(break_once(Stage::bustle, Breaks::Spawns) >= 20);
    assert!(break_once(Stage::farewell, Breaks::Spawns) >= 10);
}

#[test]
fn a_clock_that_goes_back_at_any_look_leaves_the_pool_whole() {
    assert!(break_once(Stage::bustle, Breaks::Clock) >= 50);
    assert!(break_once(Stage::farewell, Breaks::Clock) >= 20);
}
