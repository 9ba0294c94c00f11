//! A new epoch: what belongs to the old one goes, and is not lent again.

use std::task::Poll;
use std::time::Duration;

use millpond::Pooled;
use millpond_test::{Gate, OnReturn, Op, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[test]
fn a_creation_in_flight_is_void_when_a_new_epoch_begins() {
    let rig = Rig::of(1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let mut waiting = rig.wait();
    rig.pool.retire_all(Duration::ZERO);
    gate.open();
    let pooled = rig.at_once(waiting.future().expect("it waits")).expect("another is opened");
    assert_eq!((pooled.id(), rig.manager.closed()), (1, 1), "the old one is closed, unseen");
    assert_eq!(Pooled::metrics(&pooled).epoch(), 1);
    drop(pooled);
    rig.ends_clean();
}

#[test]
fn a_void_creation_that_hangs_keeps_nobody_waiting() {
    let rig = Rig::new(|builder| builder.max_size(2).max_creating(1).create_timeout(secs(10)));
    rig.manager.script(Op::Create, [Step::Hang]);
    let mut waiting = rig.wait();
    rig.pool.retire_all(Duration::ZERO);
    drop(rig.at_once(waiting.future().expect("it waits")).expect("another is opened at once"));
    rig.runtime.advance(secs(10));
    let totals = rig.pool.status().totals;
    assert_eq!((totals.abandoned, totals.create_failed), (1, 1));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_password_that_was_wrong_before_says_nothing_of_the_new_one() {
    let rig = Rig::of(1);
    rig.manager.script(Op::Create, [Step::permanent().after(secs(1))]);
    let mut waiting = rig.wait();
    rig.pool.retire_all(Duration::ZERO);
    rig.runtime.advance(secs(1));
    assert!(rig.at_once(waiting.future().expect("it waits")).is_ok(), "without a pause");
    rig.ends_clean();
}

#[test]
fn what_is_idle_goes_at_once() {
    let rig = Rig::of(3);
    drop(rig.take_many(3));
    rig.pool.retire_all(Duration::ZERO);
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.closed(), rig.pool.status().size), (3, 0));
    assert_eq!(rig.take().id(), 3);
    rig.ends_clean();
}

#[test]
fn what_is_lent_goes_when_it_comes_home_however_it_comes() {
    for answer in [OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard] {
        let rig = Rig::of(1);
        let held = rig.take();
        rig.pool.retire_all(Duration::ZERO);
        assert!(held.is_alive());
        rig.manager.script_returns([answer]);
        let mut waiting = rig.wait();
        drop(held);
        let next = rig.at_once(waiting.future().expect("it waits")).expect("another is opened");
        assert_eq!(next.id(), 1, "after {answer:?}");
        drop(next);
        rig.ends_clean();
    }
}

#[test]
fn what_was_offered_but_not_fetched_is_of_the_old_epoch() {
    let rig = Rig::of(1);
    let held = rig.take();
    let (mut woken, next) = (rig.wait(), rig.wait());
    drop(held);
    rig.pool.retire_all(Duration::ZERO);
    assert!(woken.poll().is_pending(), "nothing of the old epoch is lent after the call");
    let pooled = rig.at_once(woken.future().expect("it waits")).expect("it is still the first");
    assert_eq!(pooled.id(), 1);
    drop((pooled, next));
    rig.ends_clean();
}

#[test]
fn what_is_being_checked_or_cleaned_is_of_the_old_epoch() {
    for op in [Op::Check, Op::Reset] {
        let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)));
        let gate = Gate::new();
        rig.manager.default_step(op, Step::Ok.behind(&gate));
        if op == Op::Reset {
            rig.manager.script_returns([OnReturn::Reset]);
        }
        drop(rig.take());
        rig.runtime.advance(secs(1));
        let mut waiting = rig.wait();
        rig.pool.retire_all(Duration::ZERO);
        gate.open();
        let next = rig.at_once(waiting.future().expect("it waits")).expect("another is opened");
        assert_eq!(next.id(), 1, "{op} was under way");
        drop(next);
        rig.ends_clean();
    }
}

#[test]
fn a_spread_replaces_them_a_few_at_a_time() {
    let rig = Rig::new(|builder| builder.max_size(16).check_after_idle(secs(3600)));
    drop(rig.take_many(16));
    rig.pool.retire_all(secs(100));
    assert!(rig.take().id() < 16, "what is open may be lent meanwhile");
    let mut gone = Vec::new();
    for _ in 0..24 {
        rig.runtime.advance(secs(10));
        gone.push(rig.manager.closed());
    }
    assert_eq!(gone.last(), Some(&16));
    gone.dedup();
    assert!(gone.len() > 3, "they went a few at a time: {gone:?}");
    rig.ends_clean();
}

#[test]
fn a_short_spread_is_over_when_it_is_over() {
    let rig = Rig::of(8);
    drop(rig.take_many(8));
    rig.pool.retire_all(secs(5));
    let mut left = Vec::new();
    for _ in 0..50 {
        rig.runtime.advance(ms(100));
        left.push(rig.pool.status().idle);
    }
    assert_eq!((left.last(), rig.manager.closed()), (Some(&0), 8), "{left:?}");
    left.dedup();
    assert!(left.len() > 3, "one after the other: {left:?}");
    rig.ends_clean();
}

#[test]
fn what_is_lent_during_a_spread_is_closed_when_its_time_has_come() {
    let rig = Rig::of(1);
    let held = rig.take();
    rig.pool.retire_all(secs(10));
    rig.runtime.advance(secs(11));
    assert!(held.is_alive());
    drop(held);
    assert_eq!(rig.take().id(), 1);
    rig.ends_clean();
}

#[test]
fn a_creation_in_flight_is_void_with_a_spread_too() {
    let rig = Rig::of(1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let mut waiting = rig.wait();
    rig.pool.retire_all(secs(100));
    gate.open();
    let pooled = rig.at_once(waiting.future().expect("it waits")).expect("another is opened");
    assert_eq!(pooled.id(), 1);
    drop(pooled);
    rig.ends_clean();
}

#[test]
fn epochs_may_follow_each_other_at_any_pace() {
    let rig = Rig::of(4);
    for n in 0..50_u64 {
        let held = rig.take();
        rig.pool.retire_all(Duration::ZERO);
        rig.pool.retire_all(Duration::ZERO);
        assert_eq!(Pooled::metrics(&held).epoch(), n * 2);
        drop(held);
        rig.runtime.run_until_idle();
        assert_eq!(rig.pool.status().size, 0);
    }
    rig.ends_clean();
}

#[test]
fn a_paused_pool_retires_what_it_has() {
    let rig = Rig::of(2);
    drop(rig.take_many(2));
    rig.pool.pause();
    rig.pool.retire_all(Duration::ZERO);
    rig.runtime.run_until_idle();
    assert_eq!(rig.manager.closed(), 2);
    rig.pool.resume();
    let mut get = rig.wait();
    assert!(matches!(get.poll(), Poll::Ready(Ok(_))));
    rig.ends_clean();
}
