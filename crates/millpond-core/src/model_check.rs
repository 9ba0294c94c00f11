//! Every reachable state of the core, for few resources and few callers: each is visited, and in each the rules hold (`rules.rs`).
//!
//! Time does not pass in the model: instead any timer may fire at any moment, in any order, which covers more than any clock can do. What
//! happens between two visits to the desk are steps of their own: a bit is set now and told of later, a task begins and ends. What happens on
//! other threads *during* a visit is a race (`shelf.rs`). From every state, everybody doing what is best serves everybody.
//!
//! The whole product of what can happen is too large to visit, so there are several searches, each with all of some kinds of steps. What a
//! search covers is said where it is declared.
//!
//! `cargo test --release -p millpond-core model_check -- --nocapture` prints what was visited. Without `--release` a search ends after so many
//! states, and says so.

mod explore;
mod key;
mod planted;
mod rules;
mod scope;
mod shelf;
mod step;
mod world;

use std::time::Instant;

use self::explore::{Found, search};
use self::planted::Defect;
use self::scope::{Also, Scope};
use crate::tests::some_instant;

/// How many states a search visits at most.
const LIMIT: usize = if cfg!(debug_assertions) { 4_000 } else { usize::MAX };

/// Size, number of callers, and the settings most searches share.
const fn scope(name: &'static str, size: u32, callers: usize, also: &'static [Also]) -> Scope {
    Scope { name, size, callers, max_creating: 1, max_waiters: 3, fail_fast_after: None, also }
}

const LENDING: Scope = scope(
    "lending",
    2,
    3,
    &[Also::Deadlines, Also::Tries, Also::Takes, Also::Failures, Also::Hangs, Also::Discards],
);

#[expect(clippy::print_stdout, reason = "what was covered is a result")]
fn report(scope: &Scope, found: &Found, start: Instant) {
    let seconds = (some_instant() - start).as_secs_f64();
    let bound = if found.complete { "all" } else { "not all (bounded without --release)" };
    println!(
        "model: {:<12} size <= {}, callers <= {}, {:?}: {} states ({bound}), {} transitions, {seconds:.1} s",
        scope.name, scope.size, scope.callers, scope.also, found.states, found.transitions,
    );
}

fn check(scope: &Scope) {
    let start = some_instant();
    let found = search(scope, start, None, LIMIT);
    report(scope, &found, start);
    if let Some(failure) = found.failure {
        panic!("{failure}");
    }
    assert!(found.complete || cfg!(debug_assertions), "the search was cut short");
}


use Also::*;
const S: [Scope; 14] = [
    scope("base", 2, 3, &[Deadlines, Takes]),
    scope("races", 2, 3, &[Deadlines, Takes, Races]),
    scope("tries", 2, 3, &[Deadlines, Takes, Tries]),
    scope("fail", 2, 3, &[Deadlines, Takes, Failures]),
    scope("failperm", 2, 3, &[Deadlines, Takes, Failures, Permanent]),
    scope("hangs", 2, 3, &[Deadlines, Takes, Hangs]),
    scope("back", 2, 3, &[Deadlines, Takes, Resets, Discards, Detaches]),
    scope("checks", 2, 3, &[Deadlines, Takes, Checks]),
    scope("resize", 2, 3, &[Deadlines, Takes, Resizes]),
    scope("pause-close", 2, 3, &[Deadlines, Takes, Pauses, Closing]),
    scope("epochs", 2, 3, &[Deadlines, Takes, Epochs]),
    scope("lifetimes", 2, 3, &[Deadlines, Takes, Lifetimes]),
    scope("drivers", 2, 3, &[Deadlines, Takes, Drivers, Checks]),
    scope("sleep", 2, 3, &[Deadlines, Takes, Sleep, Sweeps, Checks]),
];
#[test]
fn model_check_sizes() {
    for s in S { let start = some_instant(); let f = search(&s, start, None, 3_000_000); report(&s, &f, start); if let Some(f) = f.failure { println!("{}", f.lines().take(40).collect::<Vec<_>>().join("\n")); } }
}
