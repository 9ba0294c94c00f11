//! Idle resources that are looked at before they are lent.

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{Input, Job, Outcome, Why};

#[test]
fn what_lay_idle_a_short_time_is_lent_unchecked() {
    let mut rig = Rig::filled(1);
    rig.pass(ms(999));
    assert_eq!(rig.lend(), 0);
}

#[test]
fn what_lay_idle_longer_is_checked_first_and_goes_to_the_caller() {
    let mut rig = Rig::filled(1);
    rig.pass(secs(1));
    let id = rig.queue();
    assert_eq!((rig.counts().checking, rig.counts().creating), (1, 0));
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn a_fit_one_is_lent_before_one_that_needs_a_check() {
    let mut rig = Rig::filled(2);
    let second = {
        let first = rig.lend();
        let second = rig.lend();
        rig.home(first);
        second
    };
    rig.pass(secs(1));
    rig.home(second);
    assert_eq!(rig.lend(), second);
    assert!(rig.jobs.is_empty());
}

#[test]
fn a_check_is_no_use_so_what_nobody_takes_is_closed_as_idle_all_the_same() {
    let mut rig = Rig::filled(1);
    for _ in 0..5 {
        rig.pass(secs(100));
        assert_eq!(rig.try_get().why(), Why::Checking);
        rig.finish(Job::Check, Outcome::Fit);
    }
    rig.pass(secs(138));
    assert_eq!((rig.idle(), rig.core.totals().closed), (0, 1));
}

#[test]
fn what_has_just_passed_a_check_is_lent_without_another() {
    let mut rig = Rig::filled(1);
    rig.pass(secs(100));
    rig.try_get();
    rig.finish(Job::Check, Outcome::Fit);
    rig.pass(ms(999));
    assert_eq!(rig.try_get(), Answer::Lent(0));
    rig.home(0);
    rig.pass(secs(1));
    assert_eq!(rig.try_get().why(), Why::Checking);
    rig.finish(Job::Check, Outcome::Fit);
    rig.pass(secs(1));
    assert_eq!(rig.try_get().why(), Why::Checking, "the window counts from the check");
}

#[test]
fn what_passed_a_check_after_the_failed_one_began_is_above_suspicion() {
    let mut rig = Rig::filled(3);
    rig.pass(secs(2));
    let (first, second) = (rig.queue(), rig.queue());
    let (fails, passes) = (rig.jobs_of(Job::Check)[0], rig.jobs_of(Job::Check)[1]);
    rig.cancel(first);
    rig.cancel(second);
    rig.pass(ms(1));
    rig.end(passes, Outcome::Fit);
    rig.pass(ms(1));
    rig.end(fails, Outcome::Gone);
    assert_eq!(rig.counts().checking, 1, "the third");
}

#[test]
fn try_has_one_checked_in_the_background_and_says_so() {
    let mut rig = Rig::filled(2);
    rig.pass(secs(1));
    assert_eq!(rig.try_get().why(), Why::Checking);
    assert_eq!(rig.try_get().why(), Why::Checking);
    assert_eq!(rig.counts().checking, 1, "one check will do");
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.try_get(), Answer::Lent(0));
}

#[test]
fn with_max_waiters_zero_the_check_is_done_for_the_next_caller() {
    let mut rig = Rig::filled(1);
    rig.core.lanes[0].settings.max_waiters = 0;
    rig.pass(secs(1));
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.lend(), 0);
}

#[test]
fn as_many_are_checked_as_callers_wait() {
    let mut rig = Rig::filled(4);
    rig.pass(secs(1));
    for expected in 1..=3 {
        rig.queue();
        assert_eq!((rig.counts().checking, rig.idle()), (expected, 4 - expected));
    }
    rig.run_jobs();
    assert_eq!((rig.counts().offered, rig.idle()), (3, 1));
}

#[test]
fn a_waiter_takes_a_return_that_comes_before_its_check_ends() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.pass(secs(1));
    let id = rig.queue();
    rig.home(lent);
    assert_eq!(rig.poll_lent(id), lent);
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.idle(), 1);
}

#[test]
fn what_fails_its_check_is_closed_and_the_caller_gets_another() {
    for (outcome, closing) in [(Outcome::Unfit, 1), (Outcome::Gone, 0)] {
        let mut rig = Rig::filled(1);
        rig.feed(Input::Resize(2));
        rig.pass(secs(1));
        let id = rig.queue();
        rig.finish(Job::Check, outcome);
        assert_eq!((rig.counts().closing, rig.counts().creating), (closing, 1));
        rig.create();
        rig.poll_lent(id);
        assert_eq!(rig.core.totals().check_failed, 1);
    }
}

#[test]
fn one_failed_check_has_all_that_lay_idle_since_before_checked_at_once() {
    let mut rig = Rig::filled(5);
    let late = rig.lend();
    rig.pass(secs(2));
    let id = rig.queue();
    let check = rig.job(Job::Check);
    rig.pass(ms(1));
    // It comes home after the check began, and is lent.
    rig.home(late);
    rig.poll_lent(id);
    rig.home(late);
    rig.pass(ms(1));
    assert!(rig.begin(check));
    rig.end(check, Outcome::Unfit);
    assert_eq!(rig.counts().checking, 3);
    assert_eq!(rig.bits.idle, 1 << late, "what came home since is above suspicion");
}

/// FAULTS 26: a server restarts and all that lies idle is dead.
#[test]
fn many_dead_resources_cost_a_caller_one_failed_check() {
    let mut rig = Rig::filled(8);
    rig.feed(Input::Resize(9));
    rig.pass(secs(2));
    let start = rig.now;
    let id = rig.queue();
    // The peer vanished: the check ends by its deadline.
    rig.pass(secs(3));
    assert_eq!(rig.counts().checking, 7, "the others are checked in parallel");
    assert_eq!(rig.counts().creating, 1, "and nobody counts on them");
    rig.create();
    assert_eq!(rig.now - start, secs(3));
    rig.poll_lent(id);
    rig.pass(secs(3));
    assert_eq!(rig.counts().checking, 0);
    assert_eq!(rig.core.totals().check_failed, 8);
}

#[test]
fn what_suspicion_proved_fit_serves_those_who_wait() {
    let mut rig = Rig::filled(3);
    rig.pass(secs(2));
    let id = rig.queue();
    rig.finish(Job::Check, Outcome::Unfit);
    assert_eq!(
        (rig.counts().checking, rig.counts().creating),
        (2, 0),
        "there is no room to create"
    );
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.woken(), [id]);
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.idle(), 1);
}

#[test]
fn a_check_that_is_not_counted_on_does_not_hold_back_a_creation() {
    let mut rig = Rig::filled(2);
    rig.feed(Input::Resize(4));
    rig.pass(secs(2));
    rig.try_get();
    rig.finish(Job::Check, Outcome::Gone);
    assert_eq!((rig.counts().checking, rig.counts().creating), (1, 0));
    rig.queue();
    assert_eq!((rig.counts().checking, rig.counts().creating), (1, 1));
}
