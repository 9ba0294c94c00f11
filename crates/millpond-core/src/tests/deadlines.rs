//! Callers that give up at a time of their own.

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{Input, Job, Outcome, Why};

#[test]
fn a_caller_waits_until_its_deadline_and_no_longer() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let id = rig.queue_within(secs(30));
    rig.pass(secs(30) - ms(1));
    assert_eq!(rig.poll(id), Answer::Pending);
    rig.pass(ms(1));
    assert_eq!(rig.woken(), [id]);
    let refusal = rig.poll(id).refused();
    assert_eq!((refusal.why, refusal.waited, refusal.ahead), (Why::Deadline, secs(30), 0));
}

#[test]
fn a_caller_past_its_deadline_gets_what_lies_idle_and_never_waits() {
    let mut rig = Rig::filled(1);
    assert_eq!(rig.get_within(ms(0)).lent(), 0, "it costs no waiting");
    assert_eq!(rig.get_within(ms(0)).why(), Why::Deadline);
    assert_eq!(rig.counts().waiting, 0);
}

#[test]
fn what_comes_at_the_moment_of_the_deadline_is_not_for_the_late() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let late = rig.queue_within(secs(1));
    let other = rig.queue_within(secs(2));
    rig.skip(secs(1));
    rig.home(lent);
    assert_eq!(rig.woken(), [late, other]);
    assert_eq!(rig.poll(late).why(), Why::Deadline);
    assert_eq!(rig.poll_lent(other), lent);
}

#[test]
fn a_creation_that_ends_after_the_deadline_lies_idle() {
    let mut rig = Rig::new(1);
    let id = rig.queue_within(secs(1));
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.pass(secs(2));
    rig.end(creation, Outcome::Created);
    assert_eq!(rig.idle(), 1);
    assert_eq!(rig.poll(id).why(), Why::Deadline);
}

#[test]
fn the_refusal_says_how_many_stood_ahead() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let ids: Vec<_> = [5, 4, 3].map(|deadline| rig.queue_within(secs(deadline))).to_vec();
    rig.pass(secs(5));
    let ahead = ids.iter().rev().map(|id| rig.poll(*id).refused().ahead);
    assert_eq!(ahead.collect::<Vec<_>>(), [2, 1, 0]);
}

#[test]
fn of_those_ahead_a_thousand_are_counted() {
    let mut rig = Rig::filled_with(1, |config| config.max_waiters = 1002);
    rig.lend();
    rig.queue_many(1001);
    let id = rig.queue_within(secs(1));
    rig.pass(secs(1));
    assert_eq!(rig.poll(id).refused().ahead, 1000);
}

#[test]
fn the_deadline_holds_while_create_check_reset_and_close_never_return() {
    let hang = ms(u64::MAX / 4);
    let never = |config: &mut crate::Config| {
        (config.create_timeout, config.check_timeout) = (hang, hang);
        (config.reset_timeout, config.close_timeout) = (hang, hang);
    };
    let mut creating = Rig::with(never);
    let mut checking = Rig::filled_with(1, never);
    checking.pass(secs(1));
    let mut resetting = Rig::filled_with(1, never);
    let lent = resetting.lend();
    resetting.give_back(lent, crate::GiveBack::Reset);
    let mut closing = Rig::filled_with(1, never);
    let lent = closing.lend();
    closing.give_back(lent, crate::GiveBack::Discard);
    for rig in [&mut creating, &mut checking, &mut resetting, &mut closing] {
        let id = rig.queue_within(secs(30));
        rig.pass(secs(30));
        assert_eq!(rig.poll(id).why(), Why::Deadline);
        assert_eq!(rig.counts().charged(), 1);
    }
}

#[test]
fn deadlines_hold_while_paused() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Pause);
    let id = rig.queue_within(secs(1));
    rig.pass(secs(1));
    assert_eq!(rig.poll(id).why(), Why::Deadline);
}

#[test]
fn of_many_equal_deadlines_each_finds_nobody_ahead() {
    let mut rig = Rig::filled_with(1, |config| config.max_waiters = 1000);
    rig.lend();
    let ids: Vec<_> = (0..1000).map(|_| rig.queue_within(secs(1))).collect();
    rig.pass(secs(1));
    assert_eq!(rig.woken(), ids);
    for id in ids {
        let refusal = rig.poll(id).refused();
        assert_eq!((refusal.why, refusal.ahead), (Why::Deadline, 0));
    }
    assert_eq!(rig.counts().waiting, 0);
}

#[test]
fn a_caller_leaves_no_timer_behind() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let before = rig.core.timers.keys().count();
    let id = rig.queue_within(secs(30));
    rig.home(lent);
    rig.poll_lent(id);
    let id = rig.queue_within(secs(30));
    rig.cancel(id);
    rig.queue_within(secs(30));
    rig.feed(Input::Close);
    assert_eq!(rig.core.timers.keys().count(), before, "neither served, nor left, nor refused");
}
