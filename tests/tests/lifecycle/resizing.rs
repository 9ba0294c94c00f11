//! A pool that is resized, paused and resumed while it is in use.

use std::task::Poll;
use std::time::Duration;

use millpond::{GetError, Phase, TryGetError};
use millpond_test::{OnReturn, Op, Parked, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[test]
fn a_shrink_is_exact_with_leases_out() {
    let rig = Rig::of(5);
    let mut held = rig.take_many(5);
    rig.pool.resize(2).expect("a size that a pool can have");
    assert_eq!((rig.pool.status().max, rig.pool.status().size), (2, 5));
    for left in (2..5).rev() {
        drop(held.pop());
        rig.runtime.run_until_idle();
        let status = rig.pool.status();
        assert_eq!((status.size, status.idle, rig.manager.open_now()), (left, 0, left as u64));
    }
    drop(held);
    assert_eq!(rig.pool.status().idle, 2, "what is within the limit stays");
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_shrink_closes_the_idle_first() {
    let rig = Rig::of(4);
    let held = rig.take_many(2);
    drop(rig.take_many(2));
    rig.pool.resize(2).expect("a size that a pool can have");
    rig.runtime.run_until_idle();
    let status = rig.pool.status();
    assert_eq!((status.leased, status.idle, rig.manager.closed()), (2, 0, 2));
    drop(held);
    assert_eq!(rig.pool.status().idle, 2);
    rig.ends_clean();
}

#[test]
fn a_pool_that_was_shrunk_before_it_was_filled_lends_exactly_the_new_size() {
    let rig = Rig::of(10);
    rig.pool.resize(3).expect("a size that a pool can have");
    let held = rig.take_many(3);
    assert!(rig.wait().poll().is_pending());
    drop(held);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn nothing_is_created_while_in_debt() {
    let rig = Rig::of(3);
    let mut held = rig.take_many(3);
    rig.pool.resize(1).expect("a size that a pool can have");
    let mut waiting = rig.wait();
    for _ in 0..2 {
        rig.manager.script_returns([OnReturn::Discard]);
        drop(held.pop());
        rig.runtime.run_until_idle();
        assert_eq!((rig.manager.opened(), waiting.is_woken()), (3, false));
    }
    drop(held.pop());
    assert!(rig.at_once(waiting.future().expect("it waits")).is_ok());
    assert_eq!(rig.manager.opened(), 3);
    rig.ends_clean();
}

#[test]
fn a_creation_in_flight_when_the_pool_shrinks_is_not_kept() {
    let rig = Rig::new(|builder| builder.max_size(2).max_creating(2));
    rig.manager.default_step(Op::Create, Step::Ok.after(secs(1)));
    let waiting = [rig.wait(), rig.wait()];
    assert_eq!(rig.pool.status().creating, 2);
    rig.pool.resize(1).expect("a size that a pool can have");
    rig.runtime.advance(secs(1));
    assert_eq!((rig.pool.status().size, rig.manager.open_now()), (1, 1));
    drop(waiting);
    rig.ends_clean();
}

#[test]
fn growing_serves_who_waits_at_once() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut waiting: Vec<_> = (0..3).map(|_| rig.wait()).collect();
    rig.pool.resize(3).expect("a size that a pool can have");
    rig.runtime.run_until_idle();
    let served: Vec<_> = waiting.iter_mut().map(Parked::poll).collect();
    assert!(matches!(served[..], [Poll::Ready(Ok(_)), Poll::Ready(Ok(_)), Poll::Pending]));
    drop((held, served, waiting));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_pool_may_grow_far_beyond_the_size_it_was_built_with() {
    let rig = Rig::of(1);
    let held = rig.take();
    rig.pool.resize(500).expect("a size that a pool can have");
    let more = rig.take_many(499);
    assert_eq!(rig.pool.status().leased, 500);
    drop((held, more));
    rig.pool.resize(3).expect("a size that a pool can have");
    rig.runtime.run_until_idle();
    assert_eq!((rig.pool.status().idle, rig.manager.closed()), (3, 497));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_pool_of_size_zero_lends_nothing_until_it_grows() {
    let rig = Rig::of(2);
    drop(rig.take_many(2));
    rig.pool.resize(0).expect("zero is a size");
    rig.runtime.run_until_idle();
    assert_eq!((rig.pool.status().size, rig.manager.closed()), (0, 2));
    let mut waiting = rig.wait();
    rig.runtime.advance(secs(1));
    assert!(!waiting.is_woken());
    rig.pool.resize(1).expect("a size that a pool can have");
    assert!(rig.at_once(waiting.future().expect("it waits")).is_ok());
    rig.ends_clean();
}

#[test]
fn a_size_that_flaps_upsets_nothing() {
    let rig = Rig::of(4);
    let mut held = rig.take_many(4);
    let mut waiting: Vec<_> = (0..4).map(|_| rig.wait()).collect();
    for size in [1, 4, 0, 3, 2, 4, 1, 4] {
        rig.pool.resize(size).expect("a size that a pool can have");
        drop(held.pop());
        rig.runtime.run_until_idle();
        assert!(rig.manager.open_now() <= 4);
    }
    for get in &mut waiting {
        drop(rig.at_once(get.future().expect("it waits")).expect("there are four"));
    }
    assert!(rig.manager.max_open_or_creating_at_once() <= 4);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_size_that_no_pool_can_have_is_refused_and_changes_nothing() {
    let rig = Rig::of(2);
    let error = rig.pool.resize(usize::MAX).expect_err("that is too much");
    assert!(error.to_string().contains(&usize::MAX.to_string()), "{error}");
    assert!(error.to_string().contains("max_size"), "{error}");
    assert_eq!(rig.pool.status().max, 2);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn while_paused_nobody_is_served_and_what_is_lent_stays_lent() {
    let rig = Rig::of(2);
    let held = rig.take();
    drop(rig.take());
    rig.pool.pause();
    rig.pool.pause();
    let mut waiting = rig.wait();
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Paused));
    assert!(held.is_alive());
    drop(held);
    assert!(!waiting.is_woken());
    assert_eq!(rig.pool.status().idle, 2);
    rig.pool.resume();
    assert!(rig.at_once(waiting.future().expect("it waits")).is_ok());
    rig.pool.resume();
    rig.ends_clean();
}

#[test]
fn timeouts_run_while_paused_and_say_so() {
    let rig = Rig::of(1);
    drop(rig.take());
    rig.pool.pause();
    let error = rig
        .runtime
        .block_on(rig.pool.get().timeout(secs(3)))
        .expect_err("nobody is served while paused");
    assert!(matches!(error, GetError::Timeout(_)));
    assert_eq!(error.snapshot().phases, [(Phase::Paused, secs(3))]);
    assert!(error.to_string().contains("paused"), "{error}");
    assert!(!error.is_overload());
    rig.pool.resume();
    rig.ends_clean();
}

#[test]
fn a_pause_starts_no_creation_and_keeps_what_was_being_created() {
    let rig = Rig::of(2);
    rig.manager.default_step(Op::Create, Step::Ok.after(secs(1)));
    let mut waiting = rig.wait();
    rig.pool.pause();
    let other = rig.wait();
    rig.runtime.advance(secs(1));
    assert_eq!((rig.pool.status().idle, rig.manager.started(Op::Create)), (1, 1));
    assert!(!waiting.is_woken());
    rig.pool.resume();
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    drop(other);
    rig.ends_clean();
}

#[test]
fn an_offer_made_before_the_pause_may_still_be_fetched() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut woken = rig.wait();
    drop(held);
    rig.pool.pause();
    assert!(matches!(woken.poll(), Poll::Ready(Ok(_))));
    rig.pool.resume();
    rig.ends_clean();
}

#[test]
fn a_long_pause_does_not_spare_the_check() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(ms(500)));
    drop(rig.take());
    rig.pool.pause();
    rig.runtime.advance(secs(60));
    rig.pool.resume();
    drop(rig.take());
    assert_eq!(rig.manager.checks(), 1);
    rig.pool.retire_all(Duration::ZERO);
    rig.ends_clean();
}
