//! What is set aside for a caller, and what happens when it does not come for it.

use super::rig::{Answer, Rig, ms, secs};
use crate::WaiterId;
use crate::io::{Input, Job, Why};
use crate::timers::TimerKey;

/// One resource, set aside for the first of those that queue; the claim window is a second.
fn offered(others: usize) -> (Rig, WaiterId, Vec<WaiterId>) {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let first = rig.queue();
    let others = (0..others).map(|_| rig.queue()).collect();
    rig.home(lent);
    assert_eq!(rig.woken(), [first]);
    rig.log.clear();
    (rig, first, others)
}

#[test]
fn a_resource_set_aside_is_nobody_elses() {
    let (mut rig, first, _) = offered(0);
    assert_eq!((rig.counts().offered, rig.idle()), (1, 0));
    assert!(!rig.bits.attended, "nobody is in the queue");
    assert_eq!(rig.try_get().why(), Why::Exhausted);
    let second = rig.queue();
    rig.pass(ms(999));
    assert_eq!(rig.poll(second), Answer::Pending);
    assert_eq!(rig.poll_lent(first), 0);
}

#[test]
fn after_the_claim_window_the_next_caller_is_served() {
    let (mut rig, first, others) = offered(1);
    rig.pass(secs(1));
    assert_eq!(rig.woken(), others);
    assert_eq!(rig.core.totals().revoked, 1);
    assert_eq!(rig.poll_lent(others[0]), 0);
    assert_eq!(rig.poll(first), Answer::Pending, "the late one queues again");
}

#[test]
fn after_the_claim_window_it_lies_idle_if_nobody_waits() {
    let (mut rig, first, _) = offered(0);
    rig.pass(secs(1));
    assert_eq!((rig.counts().offered, rig.idle()), (0, 1));
    assert_eq!(rig.poll_lent(first), 0, "and the late one finds it there");
}

#[test]
fn a_poll_in_the_same_moment_as_the_window_ends_is_late() {
    let (mut rig, first, others) = offered(1);
    rig.skip(secs(1));
    assert_eq!(rig.poll(first), Answer::Pending);
    assert_eq!(rig.woken(), others);
}

#[test]
fn a_late_poll_goes_to_the_front_once() {
    let (mut rig, first, others) = offered(3);
    rig.pass(secs(1));
    rig.poll(first);
    rig.poll_lent(others[0]);
    rig.home(0);
    assert_eq!(rig.woken(), [others[0], first], "past those who came later");
}

#[test]
fn the_second_late_poll_goes_to_the_back() {
    let (mut rig, first, others) = offered(2);
    rig.pass(secs(1));
    rig.poll(first);
    rig.poll_lent(others[0]);
    rig.home(0);
    rig.pass(secs(1));
    assert_eq!(rig.poll(first), Answer::Pending);
    let last = rig.queue();
    rig.log.clear();
    for id in [others[1], first, last] {
        assert_eq!(rig.poll_lent(id), 0);
        rig.home(0);
    }
}

#[test]
fn one_that_never_polls_again_holds_up_the_others_once() {
    let (mut rig, _, others) = offered(3);
    rig.pass(secs(1));
    for id in others {
        assert_eq!(rig.poll_lent(id), 0);
        rig.pass(ms(900));
        rig.home(0);
    }
    rig.pass(secs(3600));
    assert_eq!(rig.core.totals().revoked, 1);
}

#[test]
fn a_late_poll_after_the_deadline_is_a_timeout() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue_within(secs(3));
    rig.pass(secs(1));
    rig.home(lent);
    rig.pass(secs(1));
    assert_eq!(rig.idle(), 1, "revoked before the deadline");
    rig.pass(secs(1));
    let refusal = rig.poll(id).refused();
    assert_eq!((refusal.why, refusal.waited), (Why::Deadline, secs(3)));
}

#[test]
fn a_deadline_within_the_claim_window_does_not_take_the_offer_back() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue_within(ms(1500));
    rig.pass(secs(1));
    rig.home(lent);
    rig.pass(ms(700));
    assert_eq!(rig.poll_lent(id), lent);
}

#[test]
fn the_end_of_the_claim_window_after_the_deadline_is_a_timeout() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue_within(ms(1500));
    rig.pass(secs(1));
    rig.home(lent);
    rig.pass(secs(1));
    assert_eq!(rig.idle(), 1);
    assert_eq!(rig.poll(id).why(), Why::Deadline);
    assert_eq!(rig.core.totals().timed_out, 1);
}

#[test]
fn a_revoked_offer_is_closed_when_the_pool_closes() {
    let (mut rig, first, _) = offered(0);
    rig.feed(Input::Close);
    assert_eq!(rig.counts().offered, 1, "it is granted already");
    rig.pass(secs(1));
    assert_eq!(rig.poll(first).why(), Why::Closed);
    rig.finish(Job::Close, crate::Outcome::Gone);
    assert!(rig.core.is_drained());
}

#[test]
fn an_offer_made_before_a_pause_or_a_close_may_still_be_claimed() {
    for input in [Input::Pause, Input::Close, Input::Resize(0)] {
        let (mut rig, first, _) = offered(0);
        rig.feed(input);
        assert_eq!(rig.poll_lent(first), 0, "{input:?}");
    }
}

#[test]
fn a_thousand_who_never_come_cost_those_behind_them_about_two_windows() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.queue_many(1000);
    let comes = rig.queue();
    let start = rig.now;
    rig.bring(lent);
    while !rig.core.is_offered(comes) {
        let due = rig.core.next_timeout().expect("somebody is offered something");
        rig.pass(due - rig.now);
    }
    // The windows of the first ten add up to two; after that it is a millisecond for each.
    assert!(rig.now - start < secs(3), "{:?}", rig.now - start);
    assert_eq!(rig.poll_lent(comes), lent);
}

#[test]
fn a_window_is_half_as_long_after_each_round_and_a_thousandth_in_the_end() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.queue_many(20);
    rig.bring(lent);
    for lapsed in 0..20 {
        let window = secs(1) / (1 << lapsed.min(10));
        let offers = rig.core.timers.keys().filter_map(|key| match key {
            TimerKey::Offer(_) => rig.core.timers.get(key),
            _ => None,
        });
        assert_eq!(offers.collect::<Vec<_>>(), [rig.now + window], "after {lapsed}");
        rig.pass(window);
    }
}

#[test]
fn one_that_is_late_once_costs_the_next_nothing() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let _late = rig.queue();
    let (next, last) = (rig.queue(), rig.queue());
    rig.bring(lent);
    rig.pass(secs(1));
    rig.pass(ms(499));
    assert_eq!(rig.poll_lent(next), lent, "half a window is enough for whoever comes");
    rig.home(lent);
    rig.pass(ms(999));
    assert_eq!(rig.poll_lent(last), lent, "and after that it is a whole one again");
}

#[test]
fn offers_that_nobody_came_for_at_the_same_time_are_one_round() {
    let mut rig = Rig::filled(4);
    let lent: Vec<_> = (0..4).map(|_| rig.lend()).collect();
    rig.queue_many(4);
    let (_, last) = (rig.queue(), rig.queue_many(3)[2]);
    for slot in lent {
        rig.bring(slot);
        rig.pass(ms(10));
    }
    rig.pass(ms(990));
    assert!(rig.core.is_offered(last), "none of the four has come");
    rig.pass(ms(499));
    assert!(rig.core.is_offered(last), "it has half a window, not a sixteenth");
}
