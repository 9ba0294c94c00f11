//! Who is lent what: first come, first served, and nobody past the queue.

use super::rig::{Rig, secs};
use crate::io::{Action, GiveBack, Input, Job, Why};

#[test]
fn what_lies_idle_is_lent_at_once_the_lowest_first() {
    let mut rig = Rig::filled(3);
    assert_eq!((rig.lend(), rig.lend(), rig.lend()), (0, 1, 2));
    rig.home(1);
    assert_eq!(rig.lend(), 1);
}

#[test]
fn callers_help_themselves_while_nobody_waits() {
    let mut rig = Rig::filled(2);
    assert_eq!(rig.bits.take(), Some(0));
    assert_eq!(rig.bits.take(), Some(1));
    assert_eq!(rig.bits.take(), None);
    rig.home(1);
    assert_eq!(rig.bits.take(), Some(1));
}

#[test]
fn one_that_looks_takes_what_lies_idle_in_a_place_fit_or_not_and_nothing_else() {
    let mut rig = Rig::filled(2);
    rig.lend();
    rig.pass(secs(60));
    assert_eq!(rig.feed(Input::Take(1)), [Action::Lend(rig.core.id(1))]);
    for nothing in [0, 1, 2] {
        assert_eq!(rig.feed(Input::Take(nothing)), [], "in {nothing}");
    }
}

#[test]
fn while_somebody_waits_everyone_comes_to_the_desk() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    assert!(!rig.bits.attended);
    let id = rig.queue();
    assert!(rig.bits.attended);
    rig.home(lent);
    assert_eq!(rig.bits.take(), None, "it is for the caller that waits");
    rig.poll_lent(id);
    assert!(!rig.bits.attended);
}

#[test]
fn callers_are_served_in_the_order_in_which_they_came() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let ids: Vec<_> = (0..5).map(|_| rig.queue()).collect();
    for id in &ids {
        rig.home(lent);
        assert_eq!(rig.poll_lent(*id), lent);
    }
    assert_eq!(rig.woken(), ids);
}

#[test]
fn a_visitor_that_finds_a_bit_serves_the_head_of_the_queue_and_queues() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let first = rig.queue();
    // The borrower has set its bit and is on its way to the desk.
    rig.bits.give_back(lent, rig.now);
    let second = rig.queue();
    assert_eq!(rig.woken(), [first]);
    assert_eq!(rig.counts().waiting, 1);
    assert_eq!(rig.try_get().why(), Why::Exhausted);
    rig.poll_lent(first);
    rig.home(lent);
    assert_eq!(rig.poll_lent(second), lent);
}

#[test]
fn try_does_not_overtake_those_who_wait() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.bits.give_back(lent, rig.now);
    assert_eq!(rig.try_get().why(), Why::Exhausted);
    assert_eq!(rig.woken(), [id]);
}

#[test]
fn a_bit_that_comes_home_unseen_is_found_when_somebody_queues() {
    let mut rig = Rig::filled(2);
    let (first, second) = (rig.lend(), rig.lend());
    rig.bits.give_back(second, rig.now);
    assert_eq!(rig.lend(), second);
    rig.bits.give_back(first, rig.now);
    assert_eq!(rig.lend(), first);
}

#[test]
fn no_more_callers_queue_than_max_waiters() {
    let mut rig = Rig::filled_with(1, |config| config.max_waiters = 2);
    let lent = rig.lend();
    let first = rig.queue();
    rig.queue();
    let refusal = rig.get().refused();
    assert_eq!((refusal.why, refusal.ahead), (Why::TooManyWaiters, 2));
    assert!(refusal.waited.is_zero());
    rig.home(lent);
    rig.poll_lent(first);
    rig.queue();
    assert_eq!(rig.core.totals().too_many_waiters, 1);
}

#[test]
fn polling_early_or_often_changes_nothing() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let (first, second) = (rig.queue(), rig.queue());
    for id in [second, first, second, second, first] {
        assert_eq!(rig.poll(id), super::rig::Answer::Pending);
    }
    rig.home(lent);
    assert_eq!(rig.poll(second), super::rig::Answer::Pending);
    assert_eq!(rig.poll_lent(first), lent);
}

#[test]
fn what_is_given_back_unused_serves_those_who_wait() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.give_back(lent, GiveBack::Unused);
    assert_eq!(rig.poll_lent(id), lent);
}

#[test]
fn what_is_discarded_is_closed_before_its_place_is_used_again() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.give_back(lent, GiveBack::Discard);
    assert_eq!((rig.counts().closing, rig.counts().creating), (1, 0));
    rig.finish(Job::Close, crate::Outcome::Gone);
    assert_eq!((rig.counts().closing, rig.counts().creating), (0, 1));
    rig.create();
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn what_is_detached_frees_its_place_at_once() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.give_back(lent, GiveBack::Detached);
    assert_eq!((rig.counts().live, rig.counts().creating), (0, 1));
    rig.create();
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn what_is_cleaned_goes_to_the_head_of_the_queue_or_lies_idle() {
    let mut rig = Rig::filled(1);
    for waits in [true, false] {
        let lent = rig.lend();
        let id = waits.then(|| rig.queue());
        rig.give_back(lent, GiveBack::Reset);
        assert_eq!(rig.idle(), 0);
        rig.finish(Job::Reset, crate::Outcome::Fit);
        match id {
            Some(id) => {
                let lent = rig.poll_lent(id);
                rig.home(lent);
            }
            None => assert_eq!(rig.idle(), 1),
        }
    }
}

#[test]
fn what_cannot_be_cleaned_is_closed_or_gone() {
    for (outcome, closing) in [(crate::Outcome::Unfit, 1), (crate::Outcome::Gone, 0)] {
        let mut rig = Rig::filled(1);
        let lent = rig.lend();
        rig.give_back(lent, GiveBack::Reset);
        rig.finish(Job::Reset, outcome);
        assert_eq!((rig.counts().closing, rig.counts().charged()), (closing, closing));
    }
}
