//! An error from any call into user code costs at most the resource that it was made for.

use millpond_test::TestRuntime;
use millpond_tests::callers::{Cut, run};
use millpond_tests::fuse::{Fault, Fuse};
use millpond_tests::scenario::{self, SIZE};

use crate::{Scenario, until_untouched};

fn fail_once(scenario: Scenario, fault: Fault) -> usize {
    until_untouched(|n| {
        let runtime = TestRuntime::new();
        let fuse = Fuse::new(fault, n);
        let (pool, manager) = scenario::pool(&runtime, runtime.clone(), &fuse);
        let ran = run(&runtime, scenario(&pool, &runtime), Cut::Never, &fuse);
        assert_eq!(ran.panics, 0);
        scenario::afterwards(&pool, &manager, &runtime);
        assert!(manager.max_open_or_creating_at_once() <= SIZE as u64);
        assert_eq!(runtime.panics(), Vec::<String>::new());
        fuse.blew_in().is_some()
    })
}

#[test]
fn an_error_that_may_pass_from_any_call_leaves_the_pool_whole() {
    assert!(fail_once(scenario::bustle, Fault::Fail) >= 50);
}

#[test]
fn an_error_that_will_not_pass_from_any_call_leaves_the_pool_whole() {
    assert!(fail_once(scenario::bustle, Fault::FailForGood) >= 50);
}

#[test]
fn an_error_from_any_call_does_not_keep_the_pool_from_closing() {
    assert!(fail_once(scenario::farewell, Fault::Fail) >= 25);
}
