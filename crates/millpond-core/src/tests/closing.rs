//! Pauses, and the end.

use super::rig::{Answer, Rig, secs};
use crate::io::{Action, GiveBack, Input, Job, Outcome, Why};

#[test]
fn a_pause_holds_back_callers_and_its_end_serves_them_in_order() {
    let mut rig = Rig::filled(2);
    rig.feed(Input::Pause);
    assert!(rig.bits.attended && rig.core.is_paused());
    assert_eq!(rig.try_get().why(), Why::Paused);
    let (first, second, third) = (rig.queue(), rig.queue(), rig.queue());
    rig.pass(secs(10));
    assert!(rig.woken().is_empty() && rig.jobs.is_empty());
    rig.feed(Input::Resume);
    rig.run_jobs();
    assert_eq!(rig.woken(), [first, second]);
    assert_eq!(rig.poll(third), Answer::Pending);
}

#[test]
fn what_comes_home_during_a_pause_lies_idle() {
    let mut rig = Rig::filled(2);
    let (first, second) = (rig.lend(), rig.lend());
    let id = rig.queue();
    rig.feed(Input::Pause);
    rig.home(first);
    rig.give_back(second, GiveBack::Reset);
    rig.finish(Job::Reset, Outcome::Fit);
    assert_eq!((rig.idle(), rig.counts().offered), (2, 0));
    assert_eq!(rig.bits.take(), None);
    rig.feed(Input::Resume);
    assert_eq!(rig.woken(), [id]);
}

#[test]
fn a_creation_not_begun_before_a_pause_waits_for_its_end() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    rig.feed(Input::Pause);
    assert!(!rig.begin(creation));
    rig.end(creation, Outcome::Skipped);
    assert!(rig.jobs.is_empty());
    rig.feed(Input::Resume);
    rig.create();
    rig.poll_lent(id);
}

#[test]
fn a_creation_begun_before_a_pause_ends_idle() {
    let mut rig = Rig::new(1);
    rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(Input::Pause);
    rig.end(creation, Outcome::Created);
    assert_eq!((rig.idle(), rig.counts().waiting), (1, 1));
}

#[test]
fn pausing_and_resuming_twice_is_pausing_and_resuming_once() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Pause);
    rig.feed(Input::Pause);
    rig.feed(Input::Resume);
    assert_eq!(rig.lend(), 0);
    rig.home(0);
    rig.feed(Input::Resume);
    assert_eq!(rig.lend(), 0);
}

#[test]
fn closing_tells_everyone_who_waits_and_everyone_who_comes() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let lapsed = rig.queue();
    rig.home(lent);
    rig.pass(secs(1));
    rig.lend();
    let (first, second) = (rig.queue(), rig.queue());
    rig.log.clear();
    rig.feed(Input::Close);
    assert_eq!(rig.log[0], Action::Closing);
    assert_eq!(rig.woken(), [first, second, lapsed]);
    for id in [second, lapsed, first] {
        assert_eq!(rig.poll(id).why(), Why::Closed);
    }
    assert_eq!(rig.get().why(), Why::Closed);
    assert_eq!(rig.try_get().why(), Why::Closed);
    assert_eq!(rig.core.totals().closed_refused, 5);
}

#[test]
fn closing_closes_what_lies_idle_and_what_is_lent_on_its_return() {
    let mut rig = Rig::filled(3);
    let (lent, other) = (rig.lend(), rig.lend());
    rig.feed(Input::Close);
    assert_eq!((rig.counts().closing, rig.counts().live), (1, 2));
    assert!(rig.bits.attended);
    rig.home(lent);
    assert_eq!((rig.counts().closing, rig.counts().live), (2, 1));
    rig.give_back(other, GiveBack::Reset);
    assert_eq!((rig.counts().closing, rig.counts().live), (3, 0));
    rig.run_jobs();
    assert!(rig.core.is_drained());
}

#[test]
fn drained_comes_once_and_only_when_the_last_is_gone() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.feed(Input::Close);
    rig.run_jobs();
    assert_eq!(rig.times(Action::Drained), 0);
    rig.home(lent);
    assert_eq!(rig.times(Action::Drained), 0, "its close has not ended");
    rig.run_jobs();
    assert_eq!(rig.times(Action::Drained), 1);
    for input in [
        Input::Close,
        Input::Tick,
        Input::Take(0),
        Input::Add,
        Input::Resize(5),
        Input::Resume,
        Input::DriverUp,
    ] {
        rig.feed(input);
    }
    assert_eq!((rig.times(Action::Drained), rig.times(Action::Closing)), (1, 1));
}

#[test]
fn an_empty_pool_is_drained_as_soon_as_it_is_closed() {
    let mut rig = Rig::new(1);
    rig.feed(Input::Close);
    assert_eq!(rig.log, [Action::Closing, Action::Drained]);
}

#[test]
fn the_last_one_being_detached_drains_the_pool() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.feed(Input::Close);
    rig.give_back(lent, GiveBack::Detached);
    assert!(rig.core.is_drained());
}

#[test]
fn a_creation_that_ends_after_closing_is_closed_exactly_once() {
    let mut rig = Rig::new(1);
    rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(Input::Close);
    rig.end(creation, Outcome::Created);
    assert_eq!(rig.jobs, [(creation, Job::Close)]);
    rig.finish(Job::Close, Outcome::Gone);
    assert!(rig.core.is_drained());
}

#[test]
fn a_creation_not_begun_before_closing_never_begins() {
    let mut rig = Rig::new(1);
    rig.queue();
    let creation = rig.job(Job::Create);
    rig.feed(Input::Close);
    assert!(!rig.begin(creation));
    rig.end(creation, Outcome::Skipped);
    assert!(rig.core.is_drained());
}

#[test]
fn a_close_that_hangs_does_not_keep_the_pool_from_draining() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Close);
    rig.pass(secs(5));
    assert!(rig.core.is_drained());
    assert_eq!(rig.counts().abandoned, 1);
}

#[test]
fn a_paused_pool_can_be_closed() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Pause);
    let id = rig.queue();
    rig.feed(Input::Close);
    assert_eq!(rig.poll(id).why(), Why::Closed);
    rig.feed(Input::Resume);
    rig.run_jobs();
    assert!(rig.core.is_drained());
}

/// FAULTS 53.
#[test]
fn a_hundred_thousand_waiters_are_told_exactly_once() {
    let mut rig = Rig::filled_with(1, |config| config.max_waiters = u32::MAX);
    rig.lend();
    let ids: Vec<_> = (0..100_000).map(|_| rig.queue_within(secs(30))).collect();
    rig.feed(Input::Close);
    assert_eq!(rig.woken(), ids);
    for (ahead, id) in (0..).zip(ids) {
        let refusal = rig.poll(id).refused();
        assert_eq!((refusal.why, refusal.ahead), (Why::Closed, ahead));
    }
    rig.log.clear();
    rig.pass(secs(60));
    assert!(rig.woken().is_empty());
}
