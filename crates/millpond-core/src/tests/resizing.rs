//! A pool that is made larger and smaller while it is used.

use super::rig::{Rig, secs};
use crate::io::{GiveBack, Input, Job, Outcome};

#[test]
fn more_room_serves_those_who_wait() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let id = rig.queue();
    assert!(rig.jobs.is_empty());
    rig.feed(Input::Resize(2));
    rig.create();
    assert_eq!(rig.poll_lent(id), 1);
}

#[test]
fn less_room_closes_what_lies_idle_at_once() {
    let mut rig = Rig::filled(4);
    rig.feed(Input::Resize(1));
    assert_eq!((rig.counts().closing, rig.idle()), (3, 1));
    rig.run_jobs();
    assert_eq!(rig.counts().charged(), 1);
    assert!(!rig.bits.attended);
}

#[test]
fn below_what_is_lent_the_debt_only_falls() {
    let mut rig = Rig::filled(4);
    let lent: Vec<_> = (0..4).map(|_| rig.lend()).collect();
    rig.feed(Input::Resize(2));
    assert!(rig.bits.attended, "everything that comes home is looked at");
    let id = rig.queue();
    let mut charged = rig.counts().charged();
    for slot in lent {
        rig.home(slot);
        rig.run_jobs();
        assert!(rig.counts().charged() <= charged);
        charged = rig.counts().charged();
    }
    assert_eq!(charged, 2);
    rig.poll_lent(id);
}

#[test]
fn nobody_is_served_out_of_what_is_to_go() {
    let mut rig = Rig::filled(2);
    let (first, second) = (rig.lend(), rig.lend());
    let id = rig.queue();
    rig.feed(Input::Resize(1));
    rig.home(first);
    assert_eq!((rig.counts().closing, rig.counts().offered), (1, 0));
    rig.home(second);
    assert_eq!(rig.poll_lent(id), second);
}

#[test]
fn nothing_is_created_while_in_debt() {
    let mut rig = Rig::filled(3);
    let lent: Vec<_> = (0..3).map(|_| rig.lend()).collect();
    rig.queue();
    rig.feed(Input::Resize(1));
    rig.give_back(lent[0], GiveBack::Discard);
    rig.give_back(lent[1], GiveBack::Detached);
    rig.give_back(lent[2], GiveBack::Discard);
    assert_eq!((rig.counts().charged(), rig.counts().creating), (2, 0));
    rig.finish(Job::Close, Outcome::Gone);
    assert_eq!((rig.counts().charged(), rig.counts().creating), (1, 0));
    rig.finish(Job::Close, Outcome::Gone);
    assert_eq!((rig.counts().charged(), rig.counts().creating), (1, 1));
}

#[test]
fn a_creation_decided_on_before_does_not_begin_in_debt() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Resize(2));
    rig.lend();
    rig.queue();
    let creation = rig.job(Job::Create);
    rig.feed(Input::Resize(1));
    assert!(!rig.begin(creation));
}

#[test]
fn a_creation_decided_on_before_does_not_begin_beside_what_is_still_closing() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Resize(2));
    let lent = rig.lend();
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    rig.feed(Input::Resize(1));
    rig.give_back(lent, GiveBack::Discard);
    assert!(!rig.begin(creation), "there would be two while there may be one");
    rig.end(creation, Outcome::Skipped);
    rig.finish(Job::Close, Outcome::Gone);
    rig.create();
    rig.poll_lent(id);
}

#[test]
fn a_creation_begun_before_is_closed_when_it_ends() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Resize(2));
    rig.lend();
    rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(Input::Resize(1));
    rig.end(creation, Outcome::Created);
    assert_eq!((rig.counts().closing, rig.counts().offered), (1, 0));
}

#[test]
fn to_nothing_and_back() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.feed(Input::Resize(0));
    let id = rig.queue_within(secs(60));
    rig.home(lent);
    rig.run_jobs();
    assert_eq!(rig.counts().charged(), 0);
    assert_eq!(rig.try_get().why(), crate::Why::Exhausted);
    rig.feed(Input::Resize(2));
    rig.create();
    rig.poll_lent(id);
}

#[test]
fn what_is_to_be_cleaned_is_closed_right_away_in_debt() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.feed(Input::Resize(0));
    rig.give_back(lent, GiveBack::Reset);
    assert_eq!((rig.counts().resetting, rig.counts().closing), (0, 1));
}

#[test]
fn what_is_being_checked_or_cleaned_is_closed_afterwards_in_debt() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.pass(secs(1));
    rig.queue();
    rig.give_back(lent, GiveBack::Reset);
    rig.feed(Input::Resize(0));
    rig.finish(Job::Check, Outcome::Fit);
    rig.finish(Job::Reset, Outcome::Fit);
    assert_eq!(rig.counts().closing, 2);
}

#[test]
fn a_flapping_size_leaves_the_pool_as_it_should_be() {
    let mut rig = Rig::filled(4);
    let lent = rig.lend();
    for size in [0, 4, 1, 3, 0, 2, 0, 4] {
        rig.feed(Input::Resize(size));
        assert!(rig.counts().charged() - rig.counts().closing <= size.max(1));
    }
    rig.run_jobs();
    rig.home(lent);
    let ids: Vec<_> = (0..4).map(|_| rig.get()).collect();
    assert_eq!(ids[0].lent(), lent);
    rig.run_jobs();
    assert_eq!((rig.counts().charged(), rig.counts().offered), (4, 3));
}
