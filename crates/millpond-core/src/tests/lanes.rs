//! Who goes first where there are several queues, and which resources are kept for whom.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{Action, GiveBack, Idle, Input, Job, Outcome, Request, Why};
use crate::{Config, Lane, WaiterId};

/// A lane with this head start and so many reserved.
fn lane(head_start: Duration, reserved: u32) -> Lane {
    Lane { max_waiters: 10, head_start, reserved }
}

/// So many resources, all lent to callers of the default lane, and these lanes.
fn lent(count: u32, lanes: impl IntoIterator<Item = Lane>) -> Rig {
    let mut rig = Rig::filled_with(count, |config| config.lanes = lanes.into_iter().collect());
    for _ in 0..count {
        rig.lend();
    }
    rig
}

fn queue_in(rig: &mut Rig, lane: u32) -> WaiterId {
    rig.get_in(lane).queued()
}

/// Lends one to a caller of a lane that finds it idle.
fn lend_in(rig: &mut Rig, lane: u32) -> u32 {
    rig.get_in(lane).lent()
}

/// How many resources are tied to a lane, by what is known of the resources.
fn tied(rig: &Rig) -> usize {
    rig.core.slots.indices().filter(|slot| rig.core.is_tied(*slot)).count()
}

/// The next that comes home is for a caller of the default lane, so nothing is reserved at present.
#[track_caller]
fn owes_nothing(rig: &mut Rig, slot: u32) {
    let (ordinary, reserved) = (queue_in(rig, 0), queue_in(rig, 1));
    rig.log.clear();
    rig.home(slot);
    assert_eq!(rig.woken(), [ordinary]);
    rig.cancel(reserved);
    assert_eq!(rig.poll_lent(ordinary), slot);
}

#[test]
fn within_a_lane_and_across_lanes_that_are_equal_it_is_first_come_first_served() {
    let mut rig = lent(1, [lane(Duration::ZERO, 0), lane(Duration::ZERO, 0)]);
    let order = [1, 0, 2, 0, 1, 1, 2];
    let ids: Vec<_> = order
        .iter()
        .map(|lane| {
            rig.skip(ms(1));
            queue_in(&mut rig, *lane)
        })
        .collect();
    for id in ids {
        rig.home(0);
        assert_eq!(rig.poll_lent(id), 0);
    }
}

#[test]
fn of_those_who_came_in_the_same_moment_the_default_lane_goes_first() {
    let mut rig = lent(1, [lane(Duration::ZERO, 0)]);
    let (other, default) = (queue_in(&mut rig, 1), queue_in(&mut rig, 0));
    rig.home(0);
    assert_eq!(rig.woken(), [default]);
    rig.poll_lent(default);
    rig.home(0);
    assert_eq!(rig.woken(), [default, other]);
}

#[test]
fn a_head_start_puts_before_those_who_came_that_much_earlier_and_no_more() {
    for (earlier, first) in [(ms(1999), 1), (ms(2001), 0)] {
        let mut rig = lent(1, [lane(secs(2), 0)]);
        let ordinary = queue_in(&mut rig, 0);
        rig.skip(earlier);
        let ahead = queue_in(&mut rig, 1);
        rig.bring(0);
        let expected = if first == 1 { ahead } else { ordinary };
        assert_eq!(rig.woken(), [expected], "{earlier:?}");
    }
}

#[test]
fn a_head_start_beyond_every_clock_is_for_ever() {
    let mut rig = lent(1, [lane(Duration::MAX, 0)]);
    let ordinary = queue_in(&mut rig, 0);
    rig.skip(secs(1000));
    let first = queue_in(&mut rig, 1);
    rig.bring(0);
    assert_eq!(rig.woken(), [first]);
    rig.poll_lent(first);
    rig.home(0);
    assert_eq!(rig.woken(), [first, ordinary]);
}

#[test]
fn of_two_lanes_that_always_go_first_it_is_first_come_first_served() {
    let mut rig = lent(1, [lane(Duration::MAX, 0), lane(Duration::MAX, 0)]);
    let ids = [2, 1, 2].map(|lane| {
        rig.skip(ms(1));
        queue_in(&mut rig, lane)
    });
    for id in ids {
        rig.home(0);
        assert_eq!(rig.poll_lent(id), 0);
    }
}

#[test]
fn each_lane_has_its_own_bound() {
    let full = Lane { max_waiters: 0, head_start: Duration::ZERO, reserved: 0 };
    let two = Lane { max_waiters: 2, ..full.clone() };
    let mut rig = lent(1, [two, full]);
    rig.core.lanes[0].settings.max_waiters = 1;
    let ids = [queue_in(&mut rig, 0), queue_in(&mut rig, 1), queue_in(&mut rig, 1)];
    for lane in 0..3 {
        let refusal = rig.get_in(lane).refused();
        assert_eq!((refusal.why, refusal.ahead), (Why::TooManyWaiters, [1, 2, 0][lane as usize]));
    }
    rig.cancel(ids[1]);
    queue_in(&mut rig, 1);
}

#[test]
fn what_is_known_of_a_lane_is_its_own() {
    let mut rig = lent(1, [lane(ms(1), 0)]);
    queue_in(&mut rig, 0);
    rig.skip(secs(1));
    let came = rig.now;
    let first = queue_in(&mut rig, 1);
    rig.skip(secs(1));
    rig.ask(Request { lane: 1, ..Request::until(Some(rig.now + secs(1))) }).queued();
    rig.skip(secs(1));
    rig.feed(Input::Tick);
    let counts = rig.core.lane(1);
    assert_eq!((counts.max_waiters, counts.waiting, counts.queued), (10, 1, 2));
    assert_eq!(
        (counts.oldest_wait, counts.refused, counts.overloaded_since),
        (Some(came), 1, None)
    );
    rig.cancel(first);
    assert_eq!((rig.core.lane(1).waiting, rig.core.lane(1).oldest_wait), (0, None));
    let other = rig.core.lane(0);
    assert_eq!((other.waiting, other.queued, other.refused), (1, 2, 0), "one when it was filled");
    assert_eq!(rig.core.lane(2), crate::LaneCounts::default());
    assert_eq!(rig.try_get().why(), Why::Exhausted);
    assert_eq!(rig.core.lane(0).refused, 0, "who only tries is not refused");
}

#[test]
fn a_lane_with_too_few_of_its_reserved_goes_first_whoever_came_first() {
    let mut rig = lent(2, [lane(Duration::ZERO, 1)]);
    let ordinary = queue_in(&mut rig, 0);
    rig.skip(ms(500));
    let first = queue_in(&mut rig, 1);
    let second = queue_in(&mut rig, 1);
    rig.bring(0);
    assert_eq!(rig.woken(), [first], "what others had borrowed comes back first");
    rig.bring(1);
    assert_eq!(rig.woken(), [first, ordinary], "it has its one");
    rig.poll_lent(first);
    rig.home(0);
    assert_eq!(rig.woken(), [first, ordinary, second]);
}

#[test]
fn while_a_lane_is_idle_others_borrow_all_of_it() {
    let mut rig = Rig::filled_with(2, |config| config.lanes = vec![lane(Duration::ZERO, 2)]);
    assert_eq!((rig.lend(), rig.lend()), (0, 1));
    let next = queue_in(&mut rig, 0);
    rig.home(0);
    assert_eq!(rig.poll_lent(next), 0);
}

#[test]
fn only_what_a_lane_with_reserved_ones_has_is_tied() {
    let mut rig = Rig::filled_with(3, |config| {
        config.lanes = vec![lane(Duration::ZERO, 1), lane(Duration::ZERO, 0)];
    });
    rig.feed(Input::Try);
    rig.log.clear();
    let slot = lend_in(&mut rig, 2);
    assert!(!rig.core.is_tied(slot) && rig.log.len() == 1);
    let slot = lend_in(&mut rig, 1);
    assert!(rig.core.is_tied(slot));
    assert_eq!(rig.times(Action::Retag(rig.core.id(slot))), 1, "it must come home by the desk");
}

/// One of two resources is lent to a caller of a lane that one is reserved for; the other is in other hands. Its number.
fn with_its_own() -> (Rig, u32) {
    let mut rig = Rig::filled_with(2, |config| {
        config.lanes = vec![lane(Duration::ZERO, 1)];
        config.claim_window = secs(1);
    });
    let own = lend_in(&mut rig, 1);
    rig.lend();
    assert_eq!(tied(&rig), 1);
    owes_nothing(&mut rig, 1 - own);
    (rig, own)
}

/// The lane has none of its own any more, so that it goes first again; and nothing counts for it.
#[track_caller]
fn is_released(rig: &mut Rig, other: u32) {
    assert_eq!(tied(rig), 0);
    let (_ordinary, reserved) = (queue_in(rig, 0), queue_in(rig, 1));
    rig.log.clear();
    rig.bring(other);
    assert_eq!(rig.woken(), [reserved]);
}

#[test]
fn a_resource_no_longer_counts_for_a_lane_once_it_was_given_back() {
    for how in [GiveBack::Unused, GiveBack::Reset, GiveBack::Discard, GiveBack::Detached] {
        let (mut rig, own) = with_its_own();
        rig.bits.give_back(own, rig.now);
        rig.bits.claim(own);
        rig.log.clear();
        let id = rig.core.id(own);
        rig.give_back(own, how);
        assert_eq!(rig.times(Action::Retag(id)), 1, "it may come home by its bit again");
        // Who comes now finds nothing idle.
        if how == GiveBack::Unused {
            rig.lend();
        }
        is_released(&mut rig, 1 - own);
    }
}

/// The same, but it is set aside for a caller of the lane, which has not come for it yet.
fn with_an_offer() -> (Rig, WaiterId, u32) {
    let (mut rig, own) = with_its_own();
    let id = queue_in(&mut rig, 1);
    rig.log.clear();
    rig.bring(own);
    assert_eq!((rig.woken(), tied(&rig)), (vec![id], 1));
    (rig, id, own)
}

#[test]
fn a_caller_that_leaves_its_offer_releases_it() {
    let (mut rig, id, own) = with_an_offer();
    rig.cancel(id);
    assert_eq!(rig.lend(), own);
    is_released(&mut rig, 1 - own);
}

#[test]
fn a_caller_that_never_comes_for_its_offer_releases_it() {
    let (mut rig, _, own) = with_an_offer();
    rig.pass(secs(1));
    assert_eq!(rig.lend(), own);
    is_released(&mut rig, 1 - own);
}

#[test]
fn an_offer_that_was_claimed_still_counts() {
    let (mut rig, id, own) = with_an_offer();
    assert_eq!(rig.poll_lent(id), own);
    owes_nothing(&mut rig, 1 - own);
    assert_eq!(tied(&rig), 1);
}

#[test]
fn what_is_offered_when_everything_is_retired_is_released() {
    let (mut rig, id, own) = with_an_offer();
    rig.feed(Input::RetireAll { spread: Duration::ZERO });
    rig.cancel(id);
    assert_eq!(rig.counts().closing, 1, "of slot {own}");
    assert_eq!(tied(&rig), 0);
    assert_eq!(rig.core.lanes[1].held, 0);
}

#[test]
fn what_is_offered_when_the_driver_is_lost_is_released_and_tied_again_when_it_is_offered_again() {
    let (mut rig, id, _) = with_an_offer();
    rig.feed(Input::DriverLost);
    assert_eq!((tied(&rig), rig.core.lanes[1].held), (0, 0));
    rig.feed(Input::DriverUp);
    rig.finish(Job::Check, Outcome::Fit);
    assert!(rig.core.is_offered(id));
    assert_eq!((tied(&rig), rig.core.lanes[1].held), (1, 1));
}

#[test]
fn an_offer_of_what_must_be_closed_is_released_when_its_caller_leaves() {
    let ways: [fn(&mut Rig); 3] = [
        |rig| drop(rig.feed(Input::Close)),
        |rig| drop(rig.feed(Input::Resize(1))),
        |rig| {
            rig.feed(Input::RetireAll { spread: Duration::from_nanos(1) });
            rig.skip(ms(1));
        },
    ];
    for way in ways {
        let (mut rig, id, own) = with_an_offer();
        way(&mut rig);
        rig.cancel(id);
        assert_eq!(rig.counts().closing, 1, "of slot {own}");
        assert_eq!((tied(&rig), rig.core.lanes[1].held), (0, 0));
    }
}

#[test]
fn a_forgotten_head_start_does_not_help_a_lane_whose_caller_was_late_twice() {
    let mut rig = lent(1, [lane(Duration::ZERO, 0)]);
    let late = queue_in(&mut rig, 1);
    let waits = queue_in(&mut rig, 1);
    rig.bring(0);
    rig.pass(secs(1));
    assert_eq!(rig.poll(late), Answer::Pending);
    assert_eq!(rig.poll_lent(waits), 0);
    rig.home(0);
    assert_eq!(rig.poll_lent(late), 0);
}

#[test]
fn a_lane_is_overloaded_by_its_own_queue_and_only_while_it_has_one() {
    let mut rig = Rig::strained(ms(50), |config| config.lanes = vec![lane(Duration::ZERO, 0)]);
    queue_in(&mut rig, 0);
    let left = queue_in(&mut rig, 1);
    rig.pass(ms(60));
    rig.cancel(left);
    rig.pass(ms(140));
    assert!(!rig.is_overloaded(0), "nobody of this lane came to harm");
    assert!(!rig.is_overloaded(1), "nobody of this lane waits");
}

#[test]
fn everybody_of_every_lane_is_told_that_the_pool_closes() {
    let mut rig = lent(1, [lane(ms(5), 1), lane(ms(9), 0)]);
    let ids = [0, 1, 2, 1, 0].map(|lane| queue_in(&mut rig, lane));
    rig.feed(Input::Close);
    for (id, ahead) in ids.into_iter().zip([0, 0, 0, 1, 1]) {
        let refusal = rig.poll(id).refused();
        assert_eq!((refusal.why, refusal.ahead), (Why::Closed, ahead));
    }
}

#[test]
fn a_pool_without_reserved_ones_ties_nothing() {
    let mut rig = Rig::filled_with(1, |config: &mut Config| config.lanes = vec![lane(ms(1), 0)]);
    lend_in(&mut rig, 1);
    assert_eq!(tied(&rig), 0);
    let id = queue_in(&mut rig, 1);
    rig.home(0);
    rig.poll_lent(id);
    assert_eq!((tied(&rig), rig.core.lanes[1].held), (0, 0));
}
