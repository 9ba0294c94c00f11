//! An error from any call into user code costs at most the resource that it was made for.

use millpond_test::TestRuntime;
use millpond_tests::callers::Cut;
use millpond_tests::fuse::{Fault, Fuse};
use millpond_tests::scenario::{SIZE, Stage};

use crate::{Scenario, play, until_untouched};

fn fail_once(scenario: Scenario, fault: Fault) -> usize {
    until_untouched(|n, observed| {
        let clock = TestRuntime::new();
        let fuse = Fuse::new(fault, n);
        let stage = Stage::new(&clock, clock.clone(), &fuse);
        let ran = play(&stage, &clock, scenario, Cut::Never, &fuse, observed);
        assert_eq!(ran.panics, 0);
        stage.afterwards(1);
        assert!(stage.manager.max_open_or_creating_at_once() <= SIZE as u64);
        assert_eq!(clock.panics(), Vec::<String>::new());
        fuse.blew_in().is_some()
    })
}

#[test]
fn an_error_that_may_pass_from_any_call_leaves_the_pool_whole() {
    assert!(fail_once(Stage::bustle, Fault::Fail) >= 50);
}

#[test]
fn an_error_that_will_not_pass_from_any_call_leaves_the_pool_whole() {
    assert!(fail_once(Stage::bustle, Fault::FailForGood) >= 50);
}

#[test]
fn an_error_from_any_call_does_not_keep_the_pool_from_closing() {
    assert!(fail_once(Stage::farewell, Fault::Fail) >= 20);
    assert!(fail_once(Stage::farewell, Fault::FailForGood) >= 20);
}
