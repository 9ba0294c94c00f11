//! Loops over the whole pool, each over every place where a fault can be: a future that is dropped, a call into user code
//! that panics, fails or hangs, a runtime that panics, refuses or dies. A loop ends when its scenario was long enough to
//! run through untouched.
//!
//! What holds at each step (slots conserved, a debt that only falls, everything bounded) and whenever nothing moves (nobody
//! waits in vain) is asserted by looking at the pool after every poll. Because a look is a visit, and a visit may set right
//! what would stay wrong unseen, each loop also runs unobserved. The callers themselves assert that nobody else has what
//! they have, that nobody left it half-way, and that they do not wait beyond their deadlines. What holds in the end stands
//! in `Stage::afterwards`.

mod cancel;
mod fail;
mod hang;
mod panic;
mod runtime;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use millpond::Task;
use millpond_test::TestRuntime;
use millpond_tests::callers::{Cut, Ran, run};
use millpond_tests::fuse::Fuse;
use millpond_tests::scenario::Stage;

/// What callers do.
type Scenario = fn(&Stage) -> Vec<Task>;

/// Runs `attempt` with 0, 1, 2 … until it says that there was nothing left to disturb, unobserved and then observed. Returns
/// how often it did disturb.
#[track_caller]
fn until_untouched(attempt: impl Fn(usize, Observed) -> bool) -> usize {
    let count = |observed| (0..).take_while(|n| disturbs(*n, observed, &attempt)).count();
    count(Observed::No).min(count(Observed::Yes))
}

#[track_caller]
fn disturbs(n: usize, observed: Observed, attempt: impl Fn(usize, Observed) -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(|| attempt(n, observed))).unwrap_or_else(|panic| {
        eprintln!("the fault at place {n} was not survived (observed: {observed:?})");
        resume_unwind(panic)
    })
}

/// Whether somebody looks at the pool after every poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observed {
    Yes,
    No,
}

#[track_caller]
fn play(
    stage: &Stage,
    clock: &TestRuntime,
    scenario: Scenario,
    cut: Cut,
    fuse: &Fuse,
    observed: Observed,
) -> Ran {
    let watch = stage.watch();
    let look = |moment| {
        if observed == Observed::Yes {
            watch.look(moment);
        }
    };
    run(clock, scenario(stage), cut, fuse, look)
}
