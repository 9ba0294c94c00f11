//! When long waits are no sign of overload: while nobody could be served however fast, and while the backlog of that drains.
//!
//! A resource is held for 50 ms, and there is one. An interval lasts 200 ms or a little more.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{GiveBack, Input, Job, Outcome, Request, Why};
use crate::{ShedReason, WaiterId};

const HOLD: Duration = ms(50);
const INTERVAL: Duration = ms(150);
const TOO_LATE: Why = Why::Shed(ShedReason::PredictedTooLate);

fn strained() -> Rig {
    Rig::strained(HOLD, |config| {
        (config.check_after_idle, config.max_lifetime) = (Duration::MAX, Duration::MAX);
    })
}

/// For so long, or until the lane is overloaded, callers come and leave after a wait that harms them.
fn harm(rig: &mut Rig, time: Duration) {
    let end = rig.now + time;
    while rig.now < end && !rig.is_overloaded(0) {
        let leaves = rig.queue();
        rig.pass(ms(100));
        rig.cancel(leaves);
    }
}

/// What is lent is lost, and nothing can be opened.
fn break_down(rig: &mut Rig) {
    rig.give_back(0, GiveBack::Discard);
    rig.finish(Job::Close, Outcome::Gone);
    stay_down(rig, ms(1));
}

fn stay_down(rig: &mut Rig, time: Duration) {
    let end = rig.now + time;
    while rig.now < end {
        if !rig.jobs_of(Job::Create).is_empty() {
            rig.fail(true);
        }
        rig.pass(ms(1));
    }
}

/// The server is back, and the resource is lent to the first who waits, or to the next.
fn come_back(rig: &mut Rig, first: WaiterId) {
    while rig.jobs_of(Job::Create).is_empty() {
        rig.pass(ms(1));
    }
    rig.create();
    rig.poll_lent(first);
}

/// Once somebody was served promptly, the next queue that harms is overload.
#[track_caller]
fn assert_looked_at_as_usual(rig: &mut Rig) {
    let prompt = rig.queue();
    rig.pass(ms(20));
    rig.home(0);
    rig.poll_lent(prompt);
    rig.queue();
    rig.pass(2 * INTERVAL);
    harm(rig, 2 * INTERVAL);
    assert!(rig.is_overloaded(0));
}

fn turn_overloaded(rig: &mut Rig) {
    rig.queue();
    rig.pass(ms(1));
    harm(rig, secs(10));
    assert!(rig.is_overloaded(0));
    let gone: Vec<_> = rig.core.waiters.all().collect();
    gone.into_iter().for_each(|id| rig.cancel(id));
}

#[test]
fn a_pause_is_no_overload() {
    let mut rig = strained();
    let first = rig.queue_within(secs(5));
    rig.feed(Input::Pause);
    harm(&mut rig, secs(3));
    assert!(!rig.is_overloaded(0));
    rig.feed(Input::Resume);
    assert_eq!(
        rig.poll(first),
        Answer::Pending,
        "it is not refused for a wait that was no fault of the queue's"
    );
    assert_eq!(rig.core.totals().shed(), 0);
}

#[test]
fn a_pause_has_lasted_until_it_ends_and_not_until_the_next_caller_comes() {
    let mut rig = strained();
    rig.feed(Input::Pause);
    let leaves = rig.queue();
    rig.cancel(leaves);
    rig.pass(INTERVAL + ms(10));
    rig.feed(Input::Resume);
    rig.pass(4 * INTERVAL);
    rig.queue();
    harm(&mut rig, 2 * INTERVAL);
    assert!(rig.is_overloaded(0), "four times as long as the pause is over");
}

#[test]
fn the_backlog_of_a_pause_has_four_times_as_long_and_no_moment_more() {
    let mut rig = strained();
    rig.feed(Input::Pause);
    rig.queue();
    rig.pass(ms(90));
    rig.feed(Input::Resume);
    harm(&mut rig, ms(300));
    rig.pass(ms(59));
    assert!(!rig.is_overloaded(0));
    rig.pass(ms(1));
    assert!(rig.is_overloaded(0), "an interval is over, and four times 90 ms are");
}

#[test]
fn an_outage_is_no_overload() {
    let mut rig = strained();
    break_down(&mut rig);
    rig.queue_within(secs(5));
    for _ in 0..10 {
        let leaves = rig.queue();
        stay_down(&mut rig, ms(200));
        rig.cancel(leaves);
    }
    assert!(!rig.is_overloaded(0));
    assert_eq!(rig.core.totals().shed(), 0);
}

#[test]
fn an_overloaded_lane_is_relieved_by_a_pause() {
    let mut rig = strained();
    turn_overloaded(&mut rig);
    rig.feed(Input::Pause);
    rig.queue_many(100);
    rig.pass(2 * INTERVAL);
    assert!(!rig.is_overloaded(0));
}

#[test]
fn nobody_is_refused_for_a_long_wait_while_nothing_is_open() {
    let mut rig = strained();
    turn_overloaded(&mut rig);
    let first = rig.queue();
    break_down(&mut rig);
    assert!(rig.is_overloaded(0));
    rig.skip(3 * HOLD);
    assert_eq!(rig.poll(first), Answer::Pending);
    rig.queue_many(100);
    rig.create();
    assert_eq!(rig.poll_lent(first), 0);
}

/// A pool that may grow to eight has lost its only resource, and so many callers wait while the next is being opened.
fn empty(waiting: usize) -> Rig {
    let mut rig = Rig::strained(HOLD, |config| config.max_creating = 8);
    rig.feed(Input::Resize(8));
    rig.give_back(0, GiveBack::Discard);
    rig.finish(Job::Close, Outcome::Gone);
    rig.queue();
    rig.fail(true);
    rig.queue_many(waiting - 1);
    rig.pass(rig.pause());
    rig
}

#[test]
fn a_pool_that_fills_again_is_up_when_half_of_it_is_open() {
    let mut rig = empty(20);
    for open in 1..4 {
        rig.create();
        rig.get_within(ms(1)).queued();
        assert_eq!(rig.counts().offered, open);
    }
    rig.create();
    assert_eq!(rig.get_within(ms(1)).why(), TOO_LATE);
}

#[test]
fn while_a_pool_fills_nobody_is_refused_in_its_turn() {
    let mut rig = empty(1);
    let deadline = rig.now.checked_add(2 * HOLD);
    let near = rig.ask(Request { deadline, covers_lease: true, lane: 0 }).queued();
    rig.queue_many(8);
    rig.skip(2 * HOLD - ms(1));
    rig.create();
    rig.create();
    assert!(rig.core.is_offered(near));
}

#[test]
fn a_pool_that_needs_no_more_is_up_with_fewer() {
    let mut rig = empty(2);
    rig.create();
    rig.create();
    assert_eq!((rig.counts().offered, rig.counts().creating), (2, 0));
    rig.queue();
    assert_eq!(rig.get_within(ms(1)).why(), TOO_LATE);
}

/// Two wait until the server is back: how long that took, and the one that is not served yet.
fn outage() -> (Rig, Duration, WaiterId) {
    let mut rig = strained();
    break_down(&mut rig);
    let first = rig.queue();
    rig.fail(true);
    let (began, second) = (rig.now, rig.queue());
    stay_down(&mut rig, secs(1));
    come_back(&mut rig, first);
    let lasted = rig.now - began;
    (rig, lasted, second)
}

#[test]
fn after_an_outage_the_backlog_has_four_times_as_long_to_drain() {
    let (mut rig, lasted, _) = outage();
    harm(&mut rig, 4 * lasted - INTERVAL);
    assert!(!rig.is_overloaded(0));
    harm(&mut rig, 3 * INTERVAL);
    assert!(rig.is_overloaded(0));
}

#[test]
fn when_the_backlog_is_gone_the_next_queue_is_looked_at_as_usual() {
    let (mut rig, _, second) = outage();
    rig.home(0);
    rig.poll_lent(second);
    assert_looked_at_as_usual(&mut rig);
}

#[test]
fn a_lane_in_which_nobody_waits_has_no_backlog() {
    let lane = crate::Lane { max_waiters: 9, head_start: Duration::ZERO, reserved: 0 };
    let mut rig = Rig::strained(HOLD, |config| config.lanes = vec![lane]);
    break_down(&mut rig);
    let first = rig.queue();
    stay_down(&mut rig, secs(1));
    come_back(&mut rig, first);
    assert_looked_at_as_usual(&mut rig);
}
