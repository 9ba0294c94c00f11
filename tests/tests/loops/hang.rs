//! A call into user code that never ends costs a place for as long as the deadline of its job, and no caller its own.

use millpond_test::TestRuntime;
use millpond_tests::callers::Cut;
use millpond_tests::fuse::{Fault, Fuse};
use millpond_tests::scenario::Stage;

use crate::{Scenario, play, until_untouched};

fn hang_once(scenario: Scenario) -> usize {
    until_untouched(|n, observed| {
        let clock = TestRuntime::new();
        let fuse = Fuse::new(Fault::Hang, n);
        let stage = Stage::new(&clock, clock.clone(), &fuse);
        let ran = play(&stage, &clock, scenario, Cut::Never, &fuse, observed);
        assert_eq!(ran.panics, 0);
        stage.afterwards(1);
        assert_eq!(clock.panics(), Vec::<String>::new());
        fuse.blew_in().is_some()
    })
}

#[test]
fn a_call_into_user_code_that_hangs_leaves_the_pool_whole() {
    assert!(hang_once(Stage::bustle) >= 50);
}

#[test]
fn a_call_into_user_code_that_hangs_does_not_keep_the_pool_from_closing() {
    assert!(hang_once(Stage::farewell) >= 20);
}
