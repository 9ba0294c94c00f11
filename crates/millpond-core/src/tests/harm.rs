//! Whom a long wait harms, and how many of them make an overload.

use std::time::Duration;

use super::overload::{HOLD, INTERVAL, hand_over, overloaded, strained};
use super::rig::{Rig, ms};
use crate::{Overload, ShedReason, WaiterId, Why};

#[test]
fn a_batch_that_harms_nobody_is_not_shed_however_long_it_waits() {
    let mut rig = strained();
    let batch = rig.queue_many(20);
    for id in batch {
        rig.pass(INTERVAL + ms(1));
        assert!(!rig.is_overloaded(0));
        hand_over(&mut rig, id);
    }
    assert_eq!(rig.core.totals().shed(), 0);
}

#[test]
fn a_wait_is_harmless_up_to_nine_twentieths_of_the_patience() {
    for (patience, trying) in [(ms(1000), 4), (ms(2000), 7), (ms(999), 3), (ms(1999), 6)] {
        let mut rig = strained();
        rig.queue_within(patience);
        rig.pass(INTERVAL * (trying - 1));
        assert!(!rig.is_overloaded(0), "nine twentieths of {patience:?}");
        rig.pass(INTERVAL);
        assert!(rig.is_overloaded(0), "more than that of {patience:?}");
    }
}

#[test]
fn it_is_the_wait_of_who_comes_now_that_counts() {
    for (waiting, trying) in [(9, false), (10, true)] {
        let mut rig = strained();
        for _ in 0..waiting {
            rig.queue_within(20 * HOLD);
        }
        rig.pass(INTERVAL);
        assert_eq!(rig.is_overloaded(0), trying, "behind {waiting} who wait");
    }
}

/// So many who came at once, and are left when one of them has been served.
fn burst(left: usize) -> (Rig, Vec<WaiterId>) {
    let mut rig = strained();
    let served = rig.queue_within(BURST_PATIENCE);
    let left = (0..left).map(|_| rig.queue_within(BURST_PATIENCE)).collect();
    rig.pass(HOLD + ms(1));
    hand_over(&mut rig, served);
    (rig, left)
}

/// Half of what thirteen need if one is served in each interval.
const BURST_PATIENCE: Duration = ms(13 * 150 / 2);

#[test]
fn a_queue_that_will_be_empty_within_twice_the_patience_was_a_burst() {
    for (left, drains) in [(13, true), (14, false)] {
        let (mut rig, _) = burst(left);
        rig.pass(INTERVAL - HOLD - ms(1));
        assert_eq!(rig.is_overloaded(0), !drains, "{left} are left");
    }
}

#[test]
fn a_queue_that_others_join_as_fast_as_it_drains_is_no_burst() {
    for (more, drains) in [(0, false), (1, true)] {
        let (mut rig, left) = burst(13);
        for id in &left[..more] {
            hand_over(&mut rig, *id);
        }
        rig.queue_within(BURST_PATIENCE);
        rig.pass(INTERVAL - HOLD - ms(1));
        assert_eq!(rig.is_overloaded(0), !drains, "{more} more are served, and one comes");
    }
}

#[test]
fn a_burst_has_to_go_on_draining_in_each_interval() {
    for (served, drains) in [(1, true), (0, false)] {
        let (mut rig, mut left) = burst(13);
        for id in left.drain(..2) {
            hand_over(&mut rig, id);
        }
        rig.pass(INTERVAL - HOLD - ms(1));
        assert!(!rig.is_overloaded(0));
        for id in left.drain(..served) {
            hand_over(&mut rig, id);
        }
        // Leases took a little longer, and so does the interval.
        rig.pass(INTERVAL + HOLD);
        assert_eq!(rig.is_overloaded(0), !drains, "{served} served in the second");
    }
}

#[test]
fn a_wait_that_the_user_calls_too_long_is_too_long_for_a_burst_as_well() {
    let mut rig = Rig::strained(HOLD, |config| config.overload = Overload::TargetWait(HOLD));
    let crowd = rig.queue_many(4);
    rig.pass(HOLD + ms(1));
    hand_over(&mut rig, crowd[0]);
    rig.pass(INTERVAL - HOLD - ms(1));
    assert!(rig.is_overloaded(0));
}

#[test]
fn a_caller_that_leaves_after_more_than_the_target_was_harmed() {
    for (after, harmed) in [(HOLD, false), (HOLD + ms(1), true)] {
        let mut rig = strained();
        rig.queue();
        let leaves = rig.queue();
        rig.pass(after);
        rig.cancel(leaves);
        let at_once = rig.queue();
        rig.cancel(at_once);
        rig.pass(INTERVAL - after - ms(1));
        assert!(!rig.is_overloaded(0), "the interval is not over");
        rig.pass(ms(1));
        assert_eq!(rig.is_overloaded(0), harmed, "after {after:?}");
    }
}

#[test]
fn a_caller_that_leaves_what_it_was_offered_was_not_harmed() {
    let mut rig = strained();
    let (leaves, _stays) = (rig.queue(), rig.queue());
    rig.pass(INTERVAL - ms(1));
    rig.home(0);
    rig.cancel(leaves);
    rig.pass(ms(1));
    assert!(!rig.is_overloaded(0));
}

#[test]
fn one_that_times_out_and_one_too_many_were_harmed() {
    let mut rig = strained();
    rig.queue_within(ms(60));
    rig.queue();
    rig.pass(INTERVAL);
    assert!(rig.is_overloaded(0));

    let mut rig = Rig::strained(HOLD, |config| config.max_waiters = 1);
    rig.queue();
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    assert_eq!(rig.get().why(), Why::TooManyWaiters);
    rig.pass(INTERVAL);
    assert!(rig.is_overloaded(0));
}

#[test]
fn who_would_not_wait_at_all_was_not_harmed_and_keeps_nothing_overloaded() {
    let looks = |rig: &mut Rig| {
        for _ in 0..5 {
            rig.pass(HOLD / 5);
            assert_eq!(rig.get_within(Duration::ZERO).why(), Why::Deadline);
        }
    };
    let mut rig = strained();
    for id in rig.queue_many(10) {
        looks(&mut rig);
        assert!(!rig.is_overloaded(0));
        hand_over(&mut rig, id);
    }

    let mut rig = overloaded(|_| {});
    for _ in 0..10 {
        let id = rig.queue();
        looks(&mut rig);
        hand_over(&mut rig, id);
    }
    assert!(!rig.is_overloaded(0));
}

#[test]
fn one_in_a_hurry_among_more_than_ten_who_are_served_makes_no_overload() {
    for (served, harmful) in [(10, true), (11, false)] {
        let mut rig = strained();
        let patient = rig.queue_many(served);
        let leaves = rig.queue();
        rig.queue();
        rig.pass(HOLD + ms(1));
        for id in patient {
            hand_over(&mut rig, id);
        }
        rig.cancel(leaves);
        rig.pass(INTERVAL - HOLD - ms(1));
        assert_eq!(rig.is_overloaded(0), harmful, "{served} are served");
    }
}

#[test]
fn half_of_those_served_in_the_last_interval_still_count() {
    for (served, harmful) in [(21, true), (22, false)] {
        let mut rig = strained();
        let patient = rig.queue_many(served);
        let leaves = rig.queue();
        rig.queue();
        for id in patient {
            hand_over(&mut rig, id);
        }
        rig.pass(INTERVAL);
        assert!(!rig.is_overloaded(0), "some were served promptly");
        rig.cancel(leaves);
        rig.pass(INTERVAL);
        assert_eq!(rig.is_overloaded(0), harmful, "{served} were served");
    }
}

#[test]
fn one_whose_turn_would_come_too_late_was_harmed() {
    let mut rig = strained();
    rig.queue();
    assert_eq!(rig.get_within(ms(99)).why(), Why::Shed(ShedReason::PredictedTooLate));
    rig.pass(INTERVAL);
    assert!(rig.is_overloaded(0));
}
