//! Who may queue, who is refused at once because its turn would come too late, and when it may come again.
//!
//! A resource is held for 50 ms in these tests, and there is one, unless said otherwise.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{GiveBack, Input, Job, Outcome, Request, Why};
use crate::{Lane, Overload, ShedReason};

const HOLD: Duration = ms(50);
const TOO_LATE: Why = Why::Shed(ShedReason::PredictedTooLate);
const TOO_CLOSE: Why = Why::Shed(ShedReason::DeadlineTooClose);

fn strained() -> Rig {
    Rig::strained(HOLD, |_| {})
}

fn ask(rig: &mut Rig, time: Duration, lane: u32, covers_lease: bool) -> Answer {
    rig.ask(Request { lane, deadline: rig.now.checked_add(time), covers_lease })
}

#[test]
fn one_whose_turn_would_come_after_its_deadline_is_refused_at_once() {
    let mut rig = strained();
    rig.queue_many(3);
    let refusal = rig.get_within(4 * HOLD - ms(1)).refused();
    assert_eq!((refusal.why, refusal.ahead, refusal.waited), (TOO_LATE, 3, Duration::ZERO));
    rig.queue_within(4 * HOLD);
    assert_eq!(rig.core.totals().shed_predicted_too_late, 1);
}

#[test]
fn the_first_in_the_queue_is_never_refused_for_that() {
    let mut rig = strained();
    rig.queue_within(ms(1));
    assert_eq!(rig.get_within(ms(1)).why(), TOO_LATE);
}

#[test]
fn without_a_deadline_no_turn_comes_too_late() {
    let mut rig = strained();
    rig.queue_many(1000);
}

#[test]
fn before_anything_was_measured_nothing_is_predicted() {
    let mut rig = Rig::filled_with(1, |config| config.overload = Overload::Auto);
    rig.lend();
    rig.queue();
    rig.queue_within(Duration::from_nanos(1));
}

#[test]
fn who_needs_time_for_its_lease_too_is_refused_that_much_earlier() {
    let mut rig = strained();
    rig.queue();
    let p90 = rig.core.hold().expect("it was measured").p90;
    assert!(!p90.is_zero());
    let time = 2 * HOLD + p90;
    assert_eq!(ask(&mut rig, time - ms(1), 0, true).why(), TOO_LATE);
    ask(&mut rig, time, 0, true).queued();
    ask(&mut rig, time + HOLD - ms(1), 0, false).queued();
}

#[test]
fn all_resources_there_may_be_share_the_work() {
    let mut rig = strained();
    rig.queue_many(7);
    assert_eq!(rig.get_within(ms(399)).why(), TOO_LATE);
    rig.feed(Input::Resize(4));
    rig.queue_within(ms(100));
    assert_eq!(rig.get_within(ms(112)).why(), TOO_LATE, "nine times 50 ms for four");
    rig.queue_within(ms(113));
}

#[test]
fn while_creating_fails_only_what_is_open_counts() {
    let mut rig = strained();
    rig.feed(Input::Resize(4));
    rig.queue_many(3);
    rig.fail(true);
    assert_eq!(rig.get_within(4 * HOLD - ms(1)).why(), TOO_LATE);
    rig.queue_within(4 * HOLD);
}

#[test]
fn those_of_lanes_with_less_of_a_head_start_are_not_ahead() {
    let lane = |head_start| Lane { max_waiters: 10, head_start, reserved: 0 };
    let mut rig = Rig::strained(HOLD, |config| {
        config.lanes = vec![lane(secs(1)), lane(secs(2)), lane(secs(1))];
    });
    for lane in 0..4 {
        rig.get_in(lane).queued();
    }
    for (lane, ahead) in [(0, 4), (1, 3), (2, 1), (3, 3)] {
        let time = HOLD * (ahead + 1);
        assert_eq!(ask(&mut rig, time - ms(1), lane, false).why(), TOO_LATE, "lane {lane}");
        let mut other = Rig { core: rig.core.clone(), bits: rig.bits.clone(), ..strained() };
        other.now = rig.now;
        ask(&mut other, time, lane, false).queued();
    }
}

#[test]
fn who_has_too_little_time_left_for_a_lease_is_refused_when_its_turn_comes() {
    let mut rig = strained();
    let p90 = rig.core.hold().expect("it was measured").p90;
    let near = ask(&mut rig, HOLD + p90, 0, true).queued();
    let next = rig.queue();
    rig.skip(HOLD + ms(1));
    rig.home(0);
    assert_eq!(rig.woken(), [near, next]);
    let refusal = rig.poll(near).refused();
    assert_eq!((refusal.why, refusal.waited), (TOO_CLOSE, HOLD + ms(1)));
    assert_eq!(rig.core.totals().shed_deadline_too_close, 1);
    assert_eq!(rig.poll_lent(next), 0);
}

#[test]
fn who_has_just_enough_left_is_served() {
    let mut rig = strained();
    let id = ask(&mut rig, secs(1), 0, true).queued();
    rig.skip(HOLD);
    rig.home(0);
    assert_eq!(rig.poll_lent(id), 0);
    let p90 = rig.core.hold().expect("it was measured").p90;
    let id = ask(&mut rig, HOLD + p90, 0, true).queued();
    rig.skip(HOLD);
    let mut before = Rig { core: rig.core.clone(), bits: rig.bits.clone(), ..strained() };
    before.now = rig.now;
    before.home(0);
    let p90 = before.core.hold().expect("it was measured").p90;
    let left = rig.core.deadline(id).expect("it has one") - rig.now;
    assert_eq!(matches!(before.poll(id), Answer::Lent(0)), left >= p90);
}

#[test]
fn one_that_is_refused_in_its_turn_is_no_harm_and_does_not_undo_that_to_others() {
    for harmed in [false, true] {
        let mut rig = strained();
        let near = ask(&mut rig, ms(110), 0, true).queued();
        let (leaves, next, _last) = (rig.queue(), rig.queue(), rig.queue());
        rig.pass(if harmed { ms(60) } else { ms(10) });
        rig.cancel(leaves);
        rig.pass(if harmed { ms(20) } else { ms(70) });
        rig.home(0);
        assert_eq!((rig.poll(near).why(), rig.poll_lent(next)), (TOO_CLOSE, 0));
        assert!(!rig.is_overloaded(0));
        rig.pass(ms(20));
        assert_eq!(rig.is_overloaded(0), harmed, "an interval of 100 ms is over");
    }
}

#[test]
fn a_lease_that_would_not_have_fitted_without_any_wait_is_the_callers_own_affair() {
    for (fits, served) in [(false, true), (true, false)] {
        let mut rig = strained();
        let p90 = rig.core.hold().expect("it was measured").p90;
        let time = if fits { p90 + ms(1) } else { p90 - ms(3) };
        let id = ask(&mut rig, time, 0, true).queued();
        rig.skip(ms(4));
        rig.home(0);
        assert_eq!(matches!(rig.poll(id), Answer::Lent(0)), served, "{time:?} for {p90:?}");
    }
}

#[test]
fn a_lease_that_just_fits_leaves_no_time_to_wait() {
    let after = |rig: &mut Rig| {
        rig.skip(ms(4));
        rig.home(0);
        rig.core.hold().expect("it was measured").p90
    };
    let mut probe = strained();
    probe.queue();
    let p90 = after(&mut probe);
    let mut rig = strained();
    let id = ask(&mut rig, p90, 0, true).queued();
    assert_eq!(after(&mut rig), p90);
    assert_eq!(rig.poll(id).why(), TOO_CLOSE);
}

#[test]
fn who_waits_for_its_turn_only_is_served_up_to_its_deadline() {
    let mut rig = strained();
    let id = rig.queue_within(HOLD + Duration::from_nanos(1));
    rig.skip(HOLD);
    rig.home(0);
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn the_refused_may_come_again_when_all_are_served_who_wait_and_were_refused() {
    let mut rig = strained();
    rig.queue_many(3);
    for refused in 1..=40 {
        let retry_after = rig.get_within(ms(1)).refused().retry_after;
        let time = HOLD * (3 + refused);
        assert!(retry_after >= time && retry_after <= 2 * time, "{retry_after:?} for {time:?}");
    }
}

#[test]
fn they_are_told_different_times_between_one_and_two_of_that() {
    let (mut least, mut most) = (f64::MAX, 0f64);
    for seed in 0..200 {
        let mut rig = Rig::strained(HOLD, |config| config.seed = seed);
        rig.queue();
        let retry_after = rig.get_within(ms(1)).refused().retry_after;
        let share = retry_after.as_secs_f64() / (2 * HOLD).as_secs_f64();
        (least, most) = (least.min(share), most.max(share));
    }
    assert!((1.0..1.05).contains(&least) && (1.95..2.0).contains(&most), "{least} to {most}");
}

#[test]
fn those_refused_in_the_last_interval_count_and_those_before_do_not() {
    let mut rig = strained();
    rig.queue();
    for _ in 0..100 {
        rig.get_within(ms(1)).refused();
    }
    let after = |rig: &mut Rig| rig.get_within(ms(1)).refused().retry_after;
    rig.pass(ms(200));
    rig.queue();
    assert!(after(&mut rig) >= HOLD * 101);
    rig.pass(ms(200));
    rig.queue();
    assert!(after(&mut rig) <= HOLD * 2 * 6);
}

#[test]
fn one_too_many_is_told_when_to_come_again_and_who_timed_out_is_not() {
    let mut rig = Rig::strained(HOLD, |config| config.max_waiters = 1);
    let id = rig.queue_within(ms(99));
    let refusal = rig.get().refused();
    assert_eq!(refusal.why, Why::TooManyWaiters);
    assert!(refusal.retry_after >= 2 * HOLD && refusal.retry_after < 4 * HOLD);
    rig.pass(ms(99));
    let refusal = rig.poll(id).refused();
    assert_eq!((refusal.why, refusal.retry_after), (Why::Deadline, Duration::ZERO));
}

#[test]
fn nobody_else_is_told_when_to_come_again() {
    let mut rig = strained();
    rig.queue();
    assert_eq!(rig.try_get().refused().retry_after, Duration::ZERO);
    rig.feed(Input::Close);
    assert_eq!(rig.get().refused().retry_after, Duration::ZERO);
}

/// A lane whose callers may not wait at all.
#[test]
fn refusals_are_forgotten_also_while_nobody_waits() {
    let none = Lane { max_waiters: 0, head_start: Duration::ZERO, reserved: 0 };
    let mut rig = Rig::strained(HOLD, |config| config.lanes = vec![none]);
    for _ in 0..1000 {
        let refusal = rig.get_in(1).refused();
        assert_eq!(refusal.why, Why::TooManyWaiters);
        assert!(refusal.retry_after <= HOLD * 2 * 25, "{:?}", refusal.retry_after);
        rig.pass(ms(20));
    }
    rig.home(0);
    rig.pass(secs(5));
    assert!(
        rig.core.is_asleep() && rig.core.timers.get(crate::timers::TimerKey::Overload).is_none()
    );
    let retry_after = rig.get_in(1).refused().retry_after;
    assert!(retry_after <= HOLD * 2, "{retry_after:?} long after all the others");
}

#[test]
fn first_come_first_served_means_that_nothing_is_predicted_and_nobody_refused_in_its_turn() {
    let mut rig = Rig::strained(HOLD, |config| config.overload = Overload::Fifo);
    let near = ask(&mut rig, 2 * HOLD, 0, true).queued();
    ask(&mut rig, ms(1), 0, true).queued();
    rig.skip(2 * HOLD - ms(1));
    rig.home(0);
    assert_eq!(rig.poll_lent(near), 0);
}

/// A strained pool that has lost its only resource and cannot open another, with so many who wait.
fn down(waiting: usize) -> (Rig, Vec<crate::WaiterId>) {
    let mut rig = strained();
    rig.give_back(0, GiveBack::Discard);
    rig.finish(Job::Close, Outcome::Gone);
    let ids = rig.queue_many(waiting);
    rig.fail(true);
    (rig, ids)
}

#[test]
fn while_nothing_is_open_nothing_is_predicted() {
    let (mut rig, _) = down(3);
    ask(&mut rig, ms(1), 0, true).queued();
}

#[test]
fn while_the_pool_is_paused_nothing_is_predicted() {
    let mut rig = strained();
    rig.feed(Input::Pause);
    rig.queue_many(3);
    ask(&mut rig, ms(1), 0, true).queued();
}
