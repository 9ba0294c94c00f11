//! Three loops over the whole pool, each over every place where a fault can be: a future that is dropped, a call into user
//! code that panics, one that fails. A loop ends when its scenario was long enough to run through untouched.

mod cancel;
mod fail;
mod panic;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use millpond::{Pool, Task};
use millpond_test::TestRuntime;
use millpond_tests::fuse::Fused;

/// What callers do.
type Scenario = fn(&Pool<Fused>, &TestRuntime) -> Vec<Task>;

/// Runs `attempt` with 0, 1, 2 … until it says that there was nothing left to disturb. Returns how often it did disturb.
#[track_caller]
fn until_untouched(attempt: impl Fn(usize) -> bool) -> usize {
    for n in 0.. {
        match catch_unwind(AssertUnwindSafe(|| attempt(n))) {
            Ok(true) => {}
            Ok(false) => return n,
            Err(panic) => {
                eprintln!("the fault at place {n} was not survived");
                resume_unwind(panic);
            }
        }
    }
    unreachable!("some attempt is the last")
}
