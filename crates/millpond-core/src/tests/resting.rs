//! When long waits are no sign of overload: while nobody could be served however fast, and while the backlog of that drains.
//!
//! A resource is held for 50 ms, and there is one. An interval lasts 200 ms or a little more.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs};
use crate::WaiterId;
use crate::io::{GiveBack, Input, Job, Outcome};

const HOLD: Duration = ms(50);
const INTERVAL: Duration = ms(150);

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
        if rig.jobs_of(Job::Create).is_empty() {
            rig.pass(ms(1));
        } else {
            rig.fail(true);
        }
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
    while !rig.is_overloaded(0) {
        harm(rig, ms(100));
    }
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

/// After an outage of a second: whether the lane is overloaded after so long, while callers come to harm.
fn is_overloaded_after(time: Duration) -> bool {
    let mut rig = strained();
    break_down(&mut rig);
    let first = rig.queue();
    rig.queue();
    stay_down(&mut rig, secs(1));
    come_back(&mut rig, first);
    harm(&mut rig, time);
    rig.is_overloaded(0)
}

#[test]
fn after_an_outage_the_backlog_has_four_times_as_long_to_drain() {
    assert!(!is_overloaded_after(ms(3900)));
    assert!(is_overloaded_after(ms(7000)));
}

/// However long it was down, whoever came at first has gone.
#[test]
fn a_backlog_is_as_old_as_those_who_wait_and_not_as_the_outage() {
    let mut rig = Rig::strained(HOLD, |config| config.backoff_cap = config.backoff_base);
    break_down(&mut rig);
    let end = rig.now + secs(60);
    while rig.now < end {
        rig.queue_within(ms(500));
        stay_down(&mut rig, ms(100));
    }
    let first = rig.core.waiters.front(0).expect("the last five still wait");
    rig.queue();
    come_back(&mut rig, first);
    harm(&mut rig, ms(1200));
    assert!(!rig.is_overloaded(0), "four times what they have waited is not over");
    harm(&mut rig, secs(5));
    assert!(rig.is_overloaded(0));
}

#[test]
fn when_the_backlog_is_gone_the_next_queue_is_looked_at_as_usual() {
    let mut rig = strained();
    break_down(&mut rig);
    let first = rig.queue();
    let second = rig.queue();
    stay_down(&mut rig, secs(1));
    come_back(&mut rig, first);
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
