//! A runtime that panics in any call of the pool, or refuses any task, costs at most the job that it was to do: whoever comes
//! next has the pool driven again.

use millpond_test::TestRuntime;
use millpond_tests::callers::Cut;
use millpond_tests::fuse::{Fault, Fuse, FusedRuntime};
use millpond_tests::scenario::Stage;

use crate::{Scenario, play, until_untouched};

fn fault_once(scenario: Scenario, fault: Fault) -> usize {
    until_untouched(|n, observed| {
        let (clock, fuse) = (TestRuntime::new(), Fuse::new(fault, n));
        let runtime = FusedRuntime::new(clock.clone(), fuse.clone());
        let stage = Stage::new(&clock, runtime.clone(), &Fuse::never()).excuse(&fuse);
        runtime.arm();
        let ran = play(&stage, &clock, scenario, Cut::Never, &Fuse::never(), observed);
        assert_eq!(ran.panics, 0, "a caller saw a panic in {:?}", fuse.blew_in());
        stage.afterwards(1);
        fuse.blew_in().is_some()
    })
}

#[test]
fn a_runtime_that_panics_in_any_call_leaves_the_pool_whole() {
    assert!(fault_once(Stage::bustle, Fault::Panic) >= 50);
}

#[test]
fn a_runtime_that_panics_in_any_call_does_not_keep_the_pool_from_closing() {
    assert!(fault_once(Stage::farewell, Fault::Panic) >= 20);
}

#[test]
fn a_runtime_that_refuses_any_task_leaves_the_pool_whole() {
    assert!(fault_once(Stage::bustle, Fault::Fail) >= 20);
    assert!(fault_once(Stage::farewell, Fault::Fail) >= 10);
}
