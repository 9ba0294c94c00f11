//! The pause after failed creations.

use proptest::prelude::*;

use super::rig::{Rig, ms, secs, some_instant};
use crate::backoff::Backoff;
use crate::io::{Job, Outcome};

/// The longest pause after each of `rounds` failures in a row, found by trying many beginnings of the random numbers.
fn longest(base: u64, cap: u64, rounds: usize) -> Vec<std::time::Duration> {
    let mut longest = vec![ms(0); rounds];
    for seed in 0..500 {
        let mut backoff = Backoff::new(ms(base), ms(cap), None, seed);
        let mut now = some_instant();
        for longest in &mut longest {
            now += ms(10);
            let pause = backoff.fail(now - ms(1), now, true);
            *longest = pause.max(*longest);
        }
    }
    longest
}

#[test]
fn pauses_double_up_to_the_cap_with_full_jitter() {
    let limits = [50, 100, 200, 400, 500, 500, 500].map(ms);
    for (pause, limit) in longest(50, 500, 7).into_iter().zip(limits) {
        assert!(pause <= limit, "{pause:?} exceeds {limit:?}");
        assert!(pause > limit * 95 / 100, "of 500 pauses none was near {limit:?}: {pause:?}");
    }
}

#[test]
fn half_of_the_pauses_are_shorter_than_half_the_limit() {
    let short = (0..1000u64).filter(|seed| {
        let now = some_instant();
        Backoff::new(ms(100), ms(100), None, *seed).fail(now, now, true) < ms(50)
    });
    assert!((400..=600).contains(&short.count()));
}

/// The numbers that its authors' code begins with.
#[test]
fn the_random_numbers_are_those_of_split_mix_64() {
    let mut backoff = Backoff::new(ms(1), ms(1), None, 1_234_567);
    for number in [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
    {
        let longest = std::time::Duration::from_nanos(u64::MAX);
        assert_eq!(backoff.up_to(longest), std::time::Duration::from_nanos(number));
    }
}

#[test]
fn failures_that_overlap_are_one_round() {
    let mut backoff = Backoff::new(ms(50), secs(5), Some(2), 0);
    let now = some_instant();
    for _ in 0..8 {
        backoff.fail(now, now + ms(1), true);
    }
    assert!(backoff.is_failing() && !backoff.is_tripped());
    backoff.fail(now + ms(2), now + ms(3), true);
    assert!(backoff.is_tripped());
}

#[test]
fn a_success_ends_it_all() {
    let mut backoff = Backoff::new(ms(50), secs(5), Some(1), 0);
    let now = some_instant();
    backoff.fail(now, now, false);
    assert!(
        backoff.is_running()
            && backoff.is_failing()
            && backoff.is_tripped()
            && backoff.is_hopeless()
    );
    backoff.succeed();
    assert_eq!(backoff.canonical(), (0, 2, false, false));
    assert!(backoff.fail(now, now, true) <= ms(50), "it begins anew");
}

proptest! {
    #[test]
    fn a_length_cut_short_stays_within_the_percentage(seed: u64, nanos in 0..u64::MAX / 2, percent in 0u32..=200) {
        let length = std::time::Duration::from_nanos(nanos);
        let mut backoff = Backoff::new(ms(1), ms(1), None, seed);
        let cut = backoff.shortened(length, percent);
        prop_assert!(cut <= length);
        prop_assert!(cut >= length - length / 100 * percent.min(100), "more than all is all");
    }
}

#[test]
fn nothing_is_created_during_the_pause_and_one_right_after() {
    let mut rig = Rig::new(4);
    rig.queue();
    rig.fail(true);
    let pause = rig.pause();
    assert!(!pause.is_zero() && pause <= ms(50));
    rig.queue();
    rig.pass(pause - std::time::Duration::from_nanos(1));
    assert!(rig.jobs.is_empty());
    rig.pass(std::time::Duration::from_nanos(1));
    assert_eq!(rig.counts().creating, 1);
}

#[test]
fn one_probe_at_a_time_while_creating_fails() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (8, 4));
    rig.queue_many(8);
    assert_eq!(rig.counts().creating, 4);
    for _ in 0..4 {
        rig.fail(true);
    }
    rig.pass(rig.pause());
    assert_eq!(rig.counts().creating, 1);
    rig.pass(ms(1));
    rig.fail(true);
    rig.pass(rig.pause());
    assert_eq!(rig.counts().creating, 1);
    rig.create();
    assert_eq!(rig.counts().creating, 2, "twice as many with each round, from one");
    rig.create();
    rig.create();
    assert_eq!(rig.counts().creating, 4, "and no more than usual");
}

#[test]
fn before_the_first_failure_nothing_but_the_limit_bounds_creations() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (16, 8));
    rig.queue_many(16);
    assert_eq!(rig.counts().creating, 8);
    rig.create();
    assert_eq!(rig.counts().creating, 8);
}

#[test]
fn after_an_outage_each_round_of_creations_is_twice_as_many() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (64, 8));
    rig.queue_many(64);
    for _ in 0..8 {
        rig.fail(true);
    }
    rig.pass(rig.pause());
    for round in [1, 2, 4, 8, 8] {
        assert_eq!(rig.counts().creating, round);
        for _ in 0..round {
            rig.create();
        }
    }
}

#[test]
fn a_failure_on_the_way_up_begins_anew() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (64, 8));
    rig.queue_many(64);
    for _ in 0..8 {
        rig.fail(true);
    }
    rig.pass(rig.pause());
    for _ in 0..3 {
        rig.create();
    }
    assert_eq!(rig.counts().creating, 4);
    for _ in 0..4 {
        rig.fail(true);
    }
    rig.pass(rig.pause());
    assert_eq!(rig.counts().creating, 1);
}

#[test]
fn four_refused_at_once_pause_as_long_as_one() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (8, 4));
    rig.queue_many(8);
    let creations = rig.jobs_of(Job::Create);
    assert!(creations.iter().all(|creation| rig.begin(*creation)));
    rig.pass(ms(5));
    for creation in creations {
        rig.end(creation, Outcome::CreateFailed { transient: true });
        assert!(rig.pause() <= ms(50));
    }
    assert_eq!(rig.core.backoff.canonical().0, 1);
}

#[test]
fn a_success_during_the_pause_ends_it() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (8, 2));
    rig.queue_many(4);
    let creations = rig.jobs_of(Job::Create);
    assert!(creations.iter().all(|creation| rig.begin(*creation)));
    rig.end(creations[0], Outcome::CreateFailed { transient: true });
    assert_eq!(rig.counts().creating, 1);
    rig.end(creations[1], Outcome::Created);
    assert_eq!(rig.counts().creating, 2);
    assert!(rig.pause().is_zero());
}

#[test]
fn returns_are_handed_over_during_the_pause() {
    let mut rig = Rig::filled(1);
    rig.feed(crate::Input::Resize(2));
    let lent = rig.lend();
    let (first, second) = (rig.queue(), rig.queue());
    rig.fail(true);
    rig.home(lent);
    assert_eq!(rig.poll_lent(first), lent);
    rig.home(lent);
    assert_eq!(rig.poll_lent(second), lent);
}

#[test]
fn a_creation_past_its_deadline_is_a_failure_that_may_pass() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.pass(secs(10));
    assert_eq!(rig.core.totals().create_failed, 1);
    assert_eq!(rig.poll(id), super::rig::Answer::Pending);
    rig.pass(rig.pause());
    assert_eq!(rig.counts().creating, 1);
}
