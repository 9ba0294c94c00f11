//! A panic in any call into user code costs at most the resource that it was made for.

use std::cell::RefCell;

use millpond_test::TestRuntime;
use millpond_tests::callers::Cut;
use millpond_tests::fuse::{Fault, Fuse};
use millpond_tests::scenario::{SIZE, Stage};

use crate::{Scenario, play, until_untouched};

fn panic_once(scenario: Scenario) -> (usize, Vec<&'static str>) {
    let places = RefCell::new(Vec::new());
    let times = until_untouched(|n, observed| {
        let clock = TestRuntime::new();
        let fuse = Fuse::new(Fault::Panic, n);
        let stage = Stage::new(&clock, clock.clone(), &fuse);
        let ran = play(&stage, &clock, scenario, Cut::Never, &fuse, observed);
        let blew_in = fuse.blew_in();
        // Their own destructor is the one thing of the resource's that callers see panic: after `detach` it is theirs.
        assert!(ran.panics == 0 || blew_in == Some("a destructor"), "{blew_in:?}");
        stage.afterwards(1);
        let open = stage.manager.max_open_or_creating_at_once();
        assert!(open <= SIZE as u64, "{open} at once, after a panic in {blew_in:?}");
        // The sleeps of the callers call their wakers, too; all else that runs there is the pool's.
        let stray = clock.panics().into_iter().find(|panic| panic != "the fuse blew in a waker");
        assert_eq!(stray, None, "a panic got out");
        places.borrow_mut().extend(blew_in);
        blew_in.is_some()
    });
    let mut places = places.into_inner();
    places.sort_unstable();
    places.dedup();
    (times, places)
}

#[test]
fn a_panic_in_any_call_into_user_code_leaves_the_pool_whole() {
    let (times, places) = panic_once(Stage::bustle);
    assert!(times >= 50, "{times}");
    assert_eq!(
        places,
        [
            "a destructor",
            "a waker",
            "an event sink",
            "check, at the beginning",
            "check, at the end",
            "close, at the beginning",
            "close, at the end",
            "create, at the beginning",
            "create, at the end",
            "is_transient",
            "on_return",
            "reset, at the beginning",
            "reset, at the end",
        ],
    );
}

#[test]
fn a_panic_in_any_call_into_user_code_does_not_keep_the_pool_from_closing() {
    let (times, _) = panic_once(Stage::farewell);
    assert!(times >= 20, "{times}");
}
