//! A resource that is set aside for a caller waits for it for the claim window, and no longer: a future that exists but is
//! never polled holds up nobody.

use std::task::Poll;

use millpond::GetError;
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// How long an offer stands.
const WINDOW: std::time::Duration = std::time::Duration::from_secs(1);

#[test]
fn an_offer_to_a_future_that_is_never_polled_goes_to_the_next_after_the_claim_window() {
    let rig = Rig::of(1);
    let held = rig.take();
    let (asleep, mut next) = (rig.wait(), rig.wait());
    drop(held);
    assert!(asleep.is_woken());
    rig.runtime.advance(WINDOW - ms(1));
    assert!(!next.is_woken());
    rig.runtime.advance(ms(1));
    assert!(next.is_woken());
    assert_eq!(rig.pool.status().totals.revoked, 1);
    assert!(rig.at_once(next.future().expect("it waits")).is_ok());
    drop(asleep);
    rig.ends_clean();
}

#[test]
fn an_offer_that_nobody_wants_lies_idle_after_the_claim_window() {
    let rig = Rig::of(1);
    let held = rig.take();
    let asleep = rig.wait();
    drop(held);
    rig.runtime.advance(WINDOW);
    assert_eq!(rig.pool.status().idle, 1);
    drop(rig.take());
    drop(asleep);
    rig.ends_clean();
}

#[test]
fn a_late_poll_is_served_at_once_if_something_is_idle() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut late = rig.wait();
    drop(held);
    rig.runtime.advance(WINDOW);
    assert!(matches!(late.poll(), Poll::Ready(Ok(_))));
    rig.ends_clean();
}

#[test]
fn a_late_poll_returns_to_the_front_of_the_queue_once() {
    let rig = Rig::of(1);
    let held = rig.take();
    let (mut late, mut second, third) = (rig.wait(), rig.wait(), rig.wait());
    drop(held);
    rig.runtime.advance(WINDOW);
    let Poll::Ready(Ok(held)) = second.poll() else { panic!("the second has it now") };

    // Before the third, although that one came before this poll.
    assert!(late.poll().is_pending());
    drop(held);
    assert!(late.is_woken() && !third.is_woken());
    rig.runtime.advance(WINDOW);
    assert!(third.is_woken(), "late again");

    // Now it is behind whoever waits.
    let mut fourth = rig.wait();
    assert!(late.poll().is_pending());
    drop(third);
    assert!(fourth.is_woken() && !late.is_woken());
    drop(fourth.poll());
    assert!(late.is_woken());
    assert!(matches!(late.poll(), Poll::Ready(Ok(_))));
    rig.ends_clean();
}

#[test]
fn a_poll_that_comes_after_offer_and_deadline_have_passed_is_told_so() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut late = rig.wait_in(rig.pool.get_owned().timeout(secs(2)));
    drop(held);
    rig.runtime.advance(secs(10));
    let Poll::Ready(Err(error)) = late.poll() else { panic!("its time is over") };
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    drop(rig.take());
    rig.ends_clean();
}

#[test]
fn what_was_offered_in_time_may_be_fetched_after_the_deadline_within_the_claim_window() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut get = rig.wait_in(rig.pool.get_owned().timeout(ms(500)));
    rig.runtime.advance(ms(400));
    drop(held);
    rig.runtime.advance(ms(300));
    assert!(matches!(get.poll(), Poll::Ready(Ok(_))));
    rig.ends_clean();
}

#[test]
fn a_task_that_waits_for_a_second_resource_while_it_keeps_a_woken_future_is_not_locked_for_ever() {
    // The "futurelock": one future of a task owns the offer, and the task polls only the other one.
    let rig = Rig::of(1);
    let held = rig.take();
    let kept = rig.wait();
    let mut other = rig.wait();
    drop(held);
    assert!(rig.runtime.block_on(other.future().expect("it waits")).is_ok());
    assert_eq!(rig.runtime.elapsed(), WINDOW);
    drop(kept);
    rig.ends_clean();
}
