//! When a lane counts as overloaded, what becomes of its callers then, and when it is over.
//!
//! In most of these tests a resource is held for 50 ms: that is the target, too, and an interval lasts three times as long.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{GiveBack, Input, Refusal, Why};
use crate::timers::TimerKey;
use crate::{Config, Note, Overload, ShedReason, WaiterId};

pub(super) const HOLD: Duration = ms(50);
pub(super) const INTERVAL: Duration = ms(150);

pub(super) fn strained() -> Rig {
    Rig::strained(HOLD, |_| {})
}

/// A pool that has just turned overloaded, and has refused everybody who waited.
pub(super) fn overloaded(change: impl FnOnce(&mut Config)) -> Rig {
    let mut rig = Rig::strained(HOLD, change);
    let (first, second) = (rig.queue(), rig.queue());
    rig.pass(HOLD + ms(1));
    rig.cancel(second);
    rig.pass(INTERVAL - HOLD - ms(1));
    assert!(rig.is_overloaded(0));
    assert_eq!(rig.poll(first).why(), WAITED);
    rig.log.clear();
    rig
}

/// The resource comes home and is lent to this caller.
pub(super) fn hand_over(rig: &mut Rig, id: WaiterId) {
    rig.home(0);
    assert_eq!(rig.poll_lent(id), 0);
}

const WAITED: Why = Why::Shed(ShedReason::WaitedTooLong);
const NO_ROOM: Why = Why::Shed(ShedReason::Overloaded);

#[test]
fn one_prompt_hand_over_in_an_interval_is_enough() {
    for (waited, prompt) in [(HOLD, true), (HOLD + ms(1), false)] {
        let mut rig = strained();
        let (first, leaves) = (rig.queue(), rig.queue());
        rig.queue();
        rig.pass(waited);
        hand_over(&mut rig, first);
        rig.pass(ms(60));
        rig.cancel(leaves);
        rig.pass(INTERVAL - waited - ms(60));
        assert_eq!(rig.is_overloaded(0), !prompt, "after {waited:?}");
    }
}

#[test]
fn neither_another_prompt_hand_over_nor_a_late_one_undoes_that() {
    let mut rig = strained();
    let first = rig.queue();
    rig.pass(HOLD / 2);
    let [second, leaves, late, _waits] = [(); 4].map(|()| rig.queue());
    rig.pass(HOLD / 2);
    hand_over(&mut rig, first);
    hand_over(&mut rig, second);
    rig.pass(ms(60));
    rig.cancel(leaves);
    hand_over(&mut rig, late);
    rig.pass(INTERVAL - HOLD - ms(60));
    assert!(!rig.is_overloaded(0));
}

#[test]
fn what_is_there_for_the_asking_is_prompt_at_the_desk_and_beside_it() {
    for self_service in [true, false] {
        let mut rig = Rig::strained(HOLD, |config| config.self_service = self_service);
        let first = rig.queue();
        rig.pass(ms(60));
        rig.cancel(first);
        rig.home(0);
        let taken = if self_service { rig.bits.take() } else { Some(rig.lend()) };
        assert_eq!(taken, Some(0));
        let leaves = rig.queue();
        rig.queue();
        rig.pass(ms(60));
        rig.cancel(leaves);
        rig.pass(INTERVAL - ms(120));
        assert!(!rig.is_overloaded(0));
    }
}

#[test]
fn a_queue_that_forms_in_an_interval_that_began_without_one_is_looked_at_like_any_other() {
    let mut rig = Rig::strained(HOLD, |config| config.max_waiters = 1);
    let leaves = rig.queue();
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    rig.cancel(leaves);
    rig.pass(INTERVAL + ms(10));
    assert!(!rig.is_overloaded(0));
    rig.queue();
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    rig.pass(INTERVAL - ms(10));
    assert!(rig.is_overloaded(0));
}

#[test]
fn the_front_caller_has_waited_no_longer_than_it_has() {
    let mut rig = strained();
    let first = rig.queue();
    rig.pass(INTERVAL - HOLD);
    rig.queue();
    rig.cancel(first);
    rig.pass(HOLD);
    assert!(!rig.is_overloaded(0));
}

#[test]
fn an_interval_lasts_three_times_the_target_and_not_less_than_a_tenth_of_a_second() {
    for (hold, interval) in [(ms(1), ms(100)), (ms(20), ms(100)), (ms(40), ms(120))] {
        let mut rig = Rig::strained(hold, |_| {});
        rig.queue();
        assert_eq!(rig.core.timers.get(TimerKey::Overload), Some(rig.now + interval));
    }
    let mut rig = Rig::strained(secs(1), |_| {});
    rig.queue_within(secs(2));
    let end = rig.core.timers.get(TimerKey::Overload);
    assert_eq!(end, Some(rig.now + ms(1200)), "a fifth of the patience bounds the target");
}

#[test]
fn an_interval_lasts_a_minute_at_most_and_then_the_refused_are_forgotten() {
    for target in [secs(20), secs(21), Duration::MAX] {
        let mut rig = Rig::strained(HOLD, |config| {
            (config.overload, config.max_waiters) = (Overload::TargetWait(target), 1);
        });
        let mut waits = rig.queue();
        assert_eq!(rig.core.timers.get(TimerKey::Overload), Some(rig.now + secs(60)));
        for _ in 0..100 {
            assert_eq!(rig.get().why(), Why::TooManyWaiters);
        }
        for _ in 0..130 {
            rig.pass(secs(1));
            hand_over(&mut rig, waits);
            waits = rig.queue();
        }
        // One waits, and one is refused.
        let hold = rig.core.hold().map_or(Duration::ZERO, |hold| hold.mean);
        assert!(rig.get().refused().retry_after <= 2 * 2 * hold, "{target:?}");
    }
}

#[test]
fn the_target_is_five_milliseconds_at_least() {
    for (after, harmed) in [(ms(5), false), (ms(6), true)] {
        let mut rig = Rig::strained(ms(1), |_| {});
        rig.queue();
        let leaves = rig.queue();
        rig.pass(after);
        rig.cancel(leaves);
        rig.pass(ms(100) - after);
        assert_eq!(rig.is_overloaded(0), harmed, "after {after:?}");
    }
}

#[test]
fn before_anything_was_measured_nothing_is_overload() {
    let mut rig = Rig::filled_with(1, |config| config.overload = Overload::Auto);
    rig.lend();
    rig.queue_within(secs(5));
    rig.queue_within(ms(300));
    rig.pass(secs(4));
    assert!(!rig.is_overloaded(0));
    assert_eq!(rig.core.totals().timed_out, 1);
}

#[test]
fn turning_overloaded_refuses_who_waited_for_more_than_twice_the_target() {
    let mut rig = strained();
    let long = rig.queue();
    rig.pass(HOLD);
    let (leaves, short) = (rig.queue(), rig.queue());
    rig.pass(HOLD + ms(1));
    rig.cancel(leaves);
    rig.pass(INTERVAL - 2 * HOLD - ms(1));
    assert_eq!(rig.woken(), [long]);
    let refusal = rig.poll(long).refused();
    assert_eq!((refusal.why, refusal.waited), (WAITED, INTERVAL));
    assert_eq!(rig.poll(short), Answer::Pending, "it has waited for exactly twice the target");
    rig.pass(INTERVAL);
    assert_eq!(rig.poll(short).why(), WAITED);
    assert_eq!(rig.core.totals().shed_waited_too_long, 2);
}

#[test]
fn what_comes_home_goes_past_those_who_have_waited_too_long() {
    let mut rig = overloaded(|_| {});
    let long = rig.queue();
    rig.skip(HOLD * 2);
    let short = rig.queue();
    rig.skip(HOLD);
    rig.home(0);
    assert_eq!(rig.woken(), [long, short]);
    assert_eq!(rig.poll(long).why(), WAITED);
    assert_eq!(rig.poll_lent(short), 0);
}

#[test]
fn an_overloaded_lane_has_room_for_five() {
    let mut rig = overloaded(|_| {});
    rig.queue_many(5);
    let Refusal { why, ahead, waited, .. } = rig.get().refused();
    assert_eq!((why, ahead, waited), (NO_ROOM, 5, Duration::ZERO));
    assert_eq!(rig.core.totals().shed_overloaded, 1);
}

#[test]
fn a_large_pool_has_room_for_half_as_many_as_its_size() {
    let mut rig = overloaded(|_| {});
    rig.feed(Input::Resize(32));
    rig.queue_many(16);
    assert_eq!(rig.get().why(), NO_ROOM);
}

#[test]
fn the_room_doubles_with_the_first_interval_in_which_nobody_had_to_wait_and_the_second_ends_it() {
    let mut rig = overloaded(|_| {});
    let since = rig.core.lane(0).overloaded_since;
    for room in [5, 10] {
        assert_eq!(rig.core.lane(0).overloaded_since, since);
        let waiting = rig.queue_many(room);
        let mut other = Rig { core: rig.core.clone(), bits: rig.bits.clone(), ..strained() };
        other.now = rig.now;
        assert_eq!(other.get().why(), NO_ROOM, "beyond {room}");
        waiting.into_iter().for_each(|id| rig.cancel(id));
        rig.pass(INTERVAL);
    }
    assert!(!rig.is_overloaded(0));
    assert!(rig.core.timers.get(TimerKey::Overload).is_none());
}

#[test]
fn a_lane_whose_last_caller_was_served_is_relieved_all_the_same() {
    let mut rig = strained();
    let leaves = rig.queue();
    rig.pass(ms(90));
    let last = rig.queue();
    rig.cancel(leaves);
    rig.pass(INTERVAL - ms(90));
    assert!(rig.is_overloaded(0));
    hand_over(&mut rig, last);
    rig.pass(3 * INTERVAL);
    assert!(!rig.is_overloaded(0), "two are over, of which one is longer than usual");
}

#[test]
fn an_interval_with_waits_and_a_refusal_takes_the_relief_back() {
    let mut rig = overloaded(|_| {});
    rig.pass(INTERVAL);
    rig.queue_many(10);
    assert_eq!(rig.get().why(), NO_ROOM);
    rig.pass(INTERVAL);
    rig.queue_many(5);
    assert_eq!(rig.get().why(), NO_ROOM);
}

#[test]
fn a_refusal_in_an_interval_in_which_hardly_anybody_waits_is_no_sign_of_overload() {
    for (calm, over) in [(INTERVAL / 5 * 2, true), (INTERVAL / 5 * 2 - ms(1), false)] {
        let mut rig = overloaded(|_| {});
        rig.pass(INTERVAL + calm);
        let waiting = rig.queue_many(10);
        assert_eq!(rig.get().why(), NO_ROOM);
        rig.pass(INTERVAL - calm - ms(1));
        waiting.into_iter().for_each(|id| rig.cancel(id));
        rig.feed(Input::Tick);
        rig.queue();
        rig.pass(ms(1));
        assert_eq!(!rig.is_overloaded(0), over, "nobody waited for {calm:?}");
    }
}

#[test]
fn two_fifths_of_an_interval_without_a_wait_are_relief_whoever_was_refused() {
    for (calm, room) in [(INTERVAL * 2 / 5, 10), (INTERVAL * 2 / 5 - ms(1), 5)] {
        let mut rig = overloaded(|_| {});
        rig.pass(calm);
        rig.queue_many(5);
        assert_eq!(rig.get().why(), NO_ROOM);
        rig.pass(INTERVAL - calm);
        rig.queue_many(room - 5);
        assert_eq!(rig.get().why(), NO_ROOM, "beyond {room} after {calm:?}");
    }
}

#[test]
fn the_beginning_and_the_end_are_told() {
    let mut rig = strained();
    rig.queue();
    let leaves = rig.queue_many(2);
    rig.pass(INTERVAL - ms(1));
    leaves.into_iter().for_each(|id| rig.cancel(id));
    rig.pass(ms(1));
    let notes: Vec<_> = rig.core.notes().collect();
    assert_eq!(notes, [Note::Overloaded { lane: 0, waiting: 1 }]);
    rig.pass(2 * INTERVAL);
    let notes: Vec<_> = rig.core.notes().collect();
    assert_eq!(notes, [Note::Relieved { lane: 0, lasted: 2 * INTERVAL }]);
    rig.pass(INTERVAL);
    assert_eq!(rig.core.notes().count(), 0);
}

#[test]
fn a_pool_whose_callers_are_gone_sleeps_without_a_timer() {
    for mut rig in [strained(), overloaded(|_| {})] {
        rig.home(0);
        let lent = rig.lend();
        let waits = rig.queue();
        rig.pass(ms(10));
        rig.home(lent);
        assert_eq!(rig.poll_lent(waits), lent);
        rig.home(lent);
        rig.pass(secs(5));
        assert!(rig.core.is_asleep());
        assert!(rig.core.timers.get(TimerKey::Overload).is_none());
    }
}

#[test]
fn one_that_comes_back_to_the_queue_is_watched_like_any_other() {
    let mut rig = Rig::strained(HOLD, |config| config.claim_window = secs(1));
    let late = rig.queue();
    rig.home(0);
    rig.pass(secs(1));
    assert_eq!((rig.lend(), rig.core.timers.get(TimerKey::Overload)), (0, None));
    assert_eq!(rig.poll(late), Answer::Pending);
    assert!(rig.core.timers.get(TimerKey::Overload).is_some());
}

#[test]
fn first_come_first_served_means_that_nothing_is_watched() {
    let mut rig = Rig::filled_with(1, |config| config.max_waiters = 2);
    let lent = rig.lend();
    rig.queue_within(secs(1));
    let last = rig.queue_within(secs(10));
    assert_eq!(rig.core.timers.get(TimerKey::Overload), None);
    rig.pass(secs(1));
    rig.queue_within(secs(1));
    assert_eq!(rig.get().refused().retry_after, Duration::ZERO);
    rig.pass(secs(8));
    rig.give_back(lent, GiveBack::Unused);
    rig.finish(crate::Job::Check, crate::Outcome::Fit);
    assert_eq!(rig.poll_lent(last), lent);
    assert_eq!(rig.core.totals().shed(), 0);
}
