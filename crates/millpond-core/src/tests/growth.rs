//! When resources are opened, and when not after all.

use super::rig::{Rig, secs};
use crate::io::{GiveBack, Job, Outcome, Why};

#[test]
fn nothing_is_opened_before_somebody_asks() {
    let mut rig = Rig::new(4);
    rig.pass(secs(10));
    assert_eq!(rig.counts().charged(), 0);
    assert!(rig.jobs.is_empty());
}

#[test]
fn a_caller_that_finds_nothing_queues_for_a_creation() {
    let mut rig = Rig::new(4);
    let id = rig.queue();
    let slot = rig.create();
    assert_eq!(rig.woken(), [id]);
    assert_eq!(rig.poll_lent(id), slot.index());
    assert_eq!(rig.counts().live, 1);
}

#[test]
fn every_caller_without_a_creation_of_its_own_starts_one_up_to_max_creating() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (10, 3));
    for expected in [1, 2, 3, 3, 3] {
        rig.queue();
        assert_eq!(rig.counts().creating, expected);
    }
    rig.create();
    assert_eq!(
        (rig.counts().creating, rig.counts().offered),
        (3, 1),
        "the next one starts when one ends"
    );
}

#[test]
fn no_more_are_opened_than_max_size() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (2, 8));
    let ids: Vec<_> = (0..5).map(|_| rig.queue()).collect();
    rig.run_jobs();
    assert_eq!(rig.counts().charged(), 2);
    rig.poll_lent(ids[0]);
    rig.poll_lent(ids[1]);
    assert!(rig.jobs.is_empty());
}

#[test]
fn a_creation_is_not_begun_when_a_return_came_first() {
    let mut rig = Rig::filled(1);
    rig.feed(crate::Input::Resize(2));
    let lent = rig.lend();
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    rig.home(lent);
    assert_eq!(rig.poll_lent(id), lent);
    assert!(!rig.begin(creation), "nobody waits any more");
    rig.end(creation, Outcome::Skipped);
    assert_eq!(rig.counts().charged(), 1);
}

#[test]
fn a_creation_not_begun_is_started_anew_when_somebody_wants_it_again() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    rig.cancel(id);
    assert!(!rig.begin(creation));
    rig.queue();
    assert_eq!(rig.jobs.len(), 1, "the place is still taken");
    rig.end(creation, Outcome::Skipped);
    assert_ne!(rig.job(Job::Create), creation);
}

#[test]
fn a_creation_that_was_begun_ends_idle_when_its_caller_has_left() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.cancel(id);
    rig.end(creation, Outcome::Created);
    assert_eq!(rig.idle(), 1);
    assert!(!rig.bits.attended);
}

#[test]
fn a_creation_goes_to_the_next_caller_when_its_own_was_served_by_a_return() {
    let mut rig = Rig::filled(1);
    rig.feed(crate::Input::Resize(2));
    let lent = rig.lend();
    let (first, second) = (rig.queue(), rig.queue());
    rig.home(lent);
    rig.create();
    assert_eq!(rig.woken(), [first, second]);
}

#[test]
fn what_is_being_checked_or_cleaned_counts_as_coming() {
    let mut rig = Rig::filled(2);
    rig.feed(crate::Input::Resize(8));
    let (first, second) = (rig.lend(), rig.lend());
    rig.give_back(first, GiveBack::Reset);
    rig.queue();
    assert_eq!(rig.counts().creating, 0, "the reset is for the first caller");
    rig.home(second);
    assert_eq!(rig.counts().offered, 1);
    rig.queue();
    assert_eq!(rig.counts().creating, 0, "the reset is now for the second caller");
    rig.queue();
    assert_eq!(rig.counts().creating, 1);
}

#[test]
fn try_opens_one_in_the_background_and_says_so() {
    let mut rig = Rig::new(4);
    assert_eq!(rig.try_get().why(), Why::Creating);
    assert_eq!(rig.try_get().why(), Why::Creating);
    assert_eq!(rig.counts().creating, 1, "one will do");
    rig.create();
    assert_eq!(rig.idle(), 1);
    assert_eq!(rig.try_get().lent(), 0);
    assert_eq!(rig.try_get().why(), Why::Creating);
}

#[test]
fn try_says_exhausted_when_all_are_lent() {
    let mut rig = Rig::filled(1);
    rig.lend();
    assert_eq!(rig.try_get().why(), Why::Exhausted);
    assert!(rig.jobs.is_empty());
}

#[test]
fn with_max_waiters_zero_nobody_waits_but_the_pool_grows() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_waiters) = (2, 0));
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    rig.create();
    assert_eq!(rig.lend(), 0);
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    rig.create();
    assert_eq!(rig.lend(), 1);
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    assert!(rig.jobs.is_empty());
}

#[test]
fn nobody_takes_what_an_unwaiting_caller_caused_before_those_who_queue() {
    let mut rig = Rig::new(1);
    assert_eq!(rig.try_get().why(), Why::Creating);
    let id = rig.queue();
    assert_eq!(rig.counts().creating, 1, "the creation under way is for whoever queues");
    rig.create();
    assert_eq!(rig.woken(), [id]);
    assert_eq!(rig.try_get().why(), Why::Exhausted);
}
