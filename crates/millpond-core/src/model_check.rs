//! Every reachable state of the core, for few resources and few callers: each is visited, and in each the rules hold
//! (`rules.rs`).
//!
//! Time does not pass in the model: instead any timer may fire at any moment, in any order, which covers more than any clock
//! can do. What happens between two visits to the desk are steps of their own: a bit is set, a task begins and ends. What happens on other threads *during* a visit is a race (`shelf.rs`). From every state, everybody doing
//! what is best serves everybody.
//!
//! The product of everything that can happen is too large to visit in a minute, so there are several searches, each complete
//! for the kinds of steps that it names, and one bounded search through all of them together.
//!
//! `cargo test --release -p millpond-core model_check -- --nocapture` prints what was visited. `MILLPOND_MODEL_STATES` bounds the
//! two searches that are too long for a minute; `MILLPOND_MODEL_STATES=3000000` before the command above, with
//! `model_check_deep` in it, brings the deep one to its end (minutes and gigabytes). Without `--release` every search is
//! bounded, and says so.

mod cast;
mod explore;
mod key;
mod planted;
mod policy;
mod rules;
mod scope;
mod shelf;
mod step;
mod world;

use std::time::{Duration, Instant};

use self::explore::{Found, Search};
use self::planted::Defect;
use self::scope::Also::{self, *};
use self::scope::Scope;
use crate::Overload;
use crate::tests::some_instant;

/// Everything about the life of resources and callers while the pool is open, and what other threads do meanwhile.
const LENDING: Scope = Scope::new(
    "lending",
    2,
    3,
    &[Deadlines, Tries, Takes, Races, Failures, Hangs, Losses, Resets, Discards],
);

/// Somebody else looks at what is idle, and brings what was opened elsewhere.
const LOOKING: Scope =
    Scope::new("looking", 2, 3, &[Deadlines, Tries, Takes, Races, Checks, Looks, Resizes, Closing]);

/// The pool changes its size, closes, begins new epochs.
const SIZES: Scope =
    Scope::new("sizes", 2, 3, &[Deadlines, Takes, Races, Discards, Resizes, Closing, Epochs]);

/// The same with pauses, callers that do not wait, and jobs that hang, but no deadlines.
const MODES: Scope =
    Scope::new("modes", 2, 3, &[Tries, Takes, Failures, Hangs, Detaches, Resizes, Pauses, Closing]);

/// Epochs and lifetimes, and what they find in whose hands.
const RETIRING: Scope = Scope::new("retiring", 2, 3, &[Deadlines, Takes, Races, Epochs, Lifetimes]);

/// Drivers are lost and come, resources become suspect, checks fail.
const DRIVERS: Scope =
    Scope::new("drivers", 2, 3, &[Deadlines, Takes, Races, Checks, Drivers, Losses]);

/// The tick falls asleep and is woken, the reaper looks.
const SLEEP: Scope =
    Scope::new("sleep", 2, 3, &[Tries, Takes, Races, Checks, Discards, Lifetimes, Sleep, Sweeps]);

/// Creations fail in every way, two at a time, and after two failures in a row callers fail fast.
const FAILING: Scope = Scope {
    max_creating: 2,
    fail_fast_after: Some(2),
    ..Scope::new("failing", 2, 3, &[Tries, Takes, Failures, Permanent, Hangs, Losses, Discards])
};

/// Creations take long, and returns are counted before further ones begin.
const PACED: Scope = Scope {
    max_creating: 3,
    ..Scope::new("paced", 3, 3, &[Paced, Tries, Takes, Failures, Resets, Discards])
};

/// One is to lie idle: it is opened unasked, stays, is checked where it lies, and is replaced when it grows old.
const KEEPING: Scope = Scope {
    min_idle: 1,
    max_creating: 2,
    ..Scope::new(
        "keeping",
        2,
        2,
        &[Takes, Races, Checks, Keepalive, Failures, Discards, Resizes, Lifetimes, Sleep, Sweeps],
    )
};

/// Only one caller may queue.
const CROWD: Scope = Scope {
    max_waiters: 1,
    ..Scope::new("crowd", 2, 3, &[Deadlines, Tries, Takes, Races, Checks, Discards])
};

/// The queue does not drain: who may wait, who is refused, when it ends.
const SHEDDING: Scope = Scope {
    overload: Overload::TargetWait(Duration::ZERO),
    ..Scope::new("shedding", 1, 2, &[Tires, Deadlines, Failures, Discards, Pauses, Closing])
};

/// Two lanes, one with a resource of its own, and all ways in which it comes back.
const LANES: Scope =
    Scope { lanes: true, ..Scope::new("lanes", 2, 2, &[Tires, Takes, Discards, Epochs]) };

/// Two lanes, one of them or both overloaded.
const UNEQUAL: Scope = Scope {
    lanes: true,
    overload: Overload::TargetWait(Duration::ZERO),
    ..Scope::new("unequal", 1, 3, &[Tires, Discards])
};

/// Timers are noticed late, by whatever comes next.
const LATE: Scope = Scope::new("late", 2, 3, &[Deadlines, Takes, Hangs, Late]);

/// Everything together but timers that are noticed late, on one resource.
const SMALL: Scope = Scope::new("small", 1, 2, EVERYTHING);

/// Everything together, as far as the bound reaches.
const WIDE: Scope = Scope::new("wide", 2, 3, EVERYTHING);

/// Most of it together: 2 525 230 states and 42 193 985 transitions, if one waits for them.
const DEEP: Scope = Scope::new(
    "deep",
    2,
    3,
    &[Deadlines, Tries, Takes, Failures, Resets, Discards, Resizes, Pauses, Closing, Epochs],
);

const EVERYTHING: &[Also] = &[
    Deadlines, Tries, Takes, Races, Failures, Permanent, Hangs, Losses, Resets, Discards, Detaches,
    Looks, Checks, Keepalive, Resizes, Pauses, Closing, Epochs, Lifetimes, Drivers, Sleep, Sweeps,
];

#[test]
fn model_check_lending() {
    to_the_end(&LENDING);
}

#[test]
fn model_check_looking() {
    to_the_end(&LOOKING);
}

#[test]
fn model_check_sizes() {
    to_the_end(&SIZES);
}

#[test]
fn model_check_modes() {
    to_the_end(&MODES);
}

#[test]
fn model_check_retiring() {
    to_the_end(&RETIRING);
}

#[test]
fn model_check_drivers() {
    to_the_end(&DRIVERS);
}

#[test]
fn model_check_sleep() {
    to_the_end(&SLEEP);
}

#[test]
fn model_check_failing() {
    to_the_end(&FAILING);
}

#[test]
fn model_check_paced() {
    to_the_end(&PACED);
}

#[test]
fn model_check_keeping() {
    to_the_end(&KEEPING);
}

#[test]
fn model_check_crowd() {
    to_the_end(&CROWD);
}

#[test]
fn model_check_shedding() {
    to_the_end(&SHEDDING);
}

#[test]
fn model_check_lanes() {
    to_the_end(&LANES);
}

#[test]
fn model_check_unequal() {
    to_the_end(&UNEQUAL);
}

#[test]
fn model_check_late() {
    to_the_end(&LATE);
}

#[test]
fn model_check_small() {
    to_the_end(&SMALL);
}

#[test]
fn model_check_wide() {
    within(&WIDE, bound());
}

#[test]
fn model_check_deep() {
    within(&DEEP, bound());
}

/// The checker is worth what it finds: each planted defect, in a search that finds nothing without it.
#[test]
fn model_check_finds_every_planted_defect() {
    for defect in Defect::ALL {
        let scope = defect.scope();
        let bound = Bound(if cfg!(debug_assertions) { 1_000 } else { 20_000 });
        let sound = search(&scope, None, bound);
        assert!(sound.failure.is_none(), "{}", sound.failure.unwrap_or_default());
        let found = search(&scope, Some(defect), bound);
        let Some(failure) = found.failure else { panic!("{defect:?} is not found") };
        let why = failure.lines().next().unwrap_or_default();
        say(&format!("{defect:?} is found after {} states: {why}", found.states));
    }
}

/// Two states that the key does not tell apart have the same future: the searches may drop the second.
#[test]
fn model_check_key_tells_all_that_matters() {
    let small = Scope { name: "small, twice", callers: 3, ..SMALL };
    let wide = Scope { name: "wide, twice", ..WIDE };
    let paced = Scope { name: "paced, twice", ..PACED };
    let keeping = Scope { name: "keeping, twice", callers: 3, ..KEEPING };
    let shedding = Scope { name: "shedding, twice", ..SHEDDING };
    let lanes = Scope { name: "lanes, twice", ..LANES };
    let unequal = Scope { name: "unequal, twice", ..UNEQUAL };
    for scope in [small, wide, paced, keeping, shedding, lanes, unequal] {
        let start = some_instant();
        let limit = if cfg!(debug_assertions) { 300 } else { 2_000 };
        let mut search = Search::new(&scope, start, None);
        let outcome = search.compare_futures(limit);
        report(&scope, &search.found(Ok(false)), start);
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }
}

/// How many states a search visits at most.
#[derive(Clone, Copy)]
struct Bound(usize);

const NO_BOUND: Bound = Bound(usize::MAX);

/// Where the searches end that are too long for a minute.
fn bound() -> Bound {
    let asked = std::env::var("MILLPOND_MODEL_STATES").ok().and_then(|states| states.parse().ok());
    Bound(asked.unwrap_or(150_000))
}

fn to_the_end(scope: &Scope) {
    let found = within(scope, NO_BOUND);
    assert!(found.complete || cfg!(debug_assertions), "the search was cut short");
}

fn within(scope: &Scope, bound: Bound) -> Found {
    let start = some_instant();
    let bound = if cfg!(debug_assertions) { Bound(bound.0.min(2_000)) } else { bound };
    let found = search(scope, None, bound);
    report(scope, &found, start);
    match found.failure {
        Some(failure) => panic!("{failure}"),
        None => found,
    }
}

fn search(scope: &Scope, planted: Option<Defect>, bound: Bound) -> Found {
    let mut search = Search::new(scope, some_instant(), planted);
    let outcome = search.run(bound.0);
    search.found(outcome)
}

fn report(scope: &Scope, found: &Found, start: Instant) {
    let seconds = (some_instant() - start).as_secs_f64();
    let Scope { name, size, callers, also, .. } = scope;
    let (states, transitions) = (found.states, found.transitions);
    let bound = if found.complete { "all" } else { "bounded" };
    say(&format!(
        "{name}: size <= {size}, callers <= {callers}: {states} states ({bound}), {transitions} transitions, {seconds:.1} s, {also:?}",
    ));
}

#[expect(clippy::print_stdout, reason = "what was covered is a result of the test")]
fn say(text: &str) {
    println!("model: {text}");
}
