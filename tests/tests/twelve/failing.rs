//! Specs 4 and 5: what callers learn of creations that fail, and how soon the pool is back once they succeed.

use std::error::Error as _;
use std::task::Poll;
use std::time::Duration;

use millpond::GetError;
use millpond_test::{Op, ScriptedError, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[test]
fn spec_4_an_error_that_will_not_pass_reaches_who_depends_on_it_at_once() {
    let rig = Rig::of(4);
    rig.manager.default_step(Op::Create, Step::permanent().after(ms(20)));
    let mut waiting: Vec<_> = (0..10).map(|_| rig.wait()).collect();
    rig.runtime.advance(ms(20));
    for get in &mut waiting {
        assert!(get.is_woken());
        let Poll::Ready(Err(error)) = get.poll() else { panic!("all of them are told") };
        assert!(matches!(error, GetError::Create(..)), "{error}");
        assert!(!error.is_retryable() && !error.is_overload());
        let cause = error.source().and_then(|cause| cause.downcast_ref::<ScriptedError>());
        assert_eq!(cause, Some(&ScriptedError::permanent("scripted failure, permanent")));
    }
    assert_eq!(rig.manager.started(Op::Create), 1, "one attempt was enough to know");
    rig.ends_clean();
}

#[test]
fn spec_4_who_comes_while_a_wrong_password_is_known_is_told_without_another_attempt() {
    let rig = Rig::new(|builder| builder.max_size(4).create_backoff(secs(4), secs(4)));
    rig.manager.default_step(Op::Create, Step::permanent());
    assert!(rig.at_once(rig.pool.get()).is_err());
    let attempts = rig.manager.started(Op::Create);
    for _ in 0..100 {
        let error = rig.at_once(rig.pool.get()).expect_err("nothing can be opened");
        assert!(matches!(error, GetError::Create(..)), "{error}");
    }
    assert_eq!(rig.manager.started(Op::Create), attempts);
    rig.ends_clean();
}

#[test]
fn spec_4_who_can_be_served_by_a_return_is_not_told_of_a_failed_creation() {
    let rig = Rig::of(2);
    let held = rig.take();
    rig.manager.default_step(Op::Create, Step::permanent());
    let mut waiting = rig.wait();
    assert!(waiting.poll().is_pending(), "what is lent will come back");
    drop(held);
    assert!(rig.at_once(&mut waiting.future().expect("it waits")).is_ok());
    rig.manager.default_step(Op::Create, Step::Ok);
    rig.ends_clean();
}

#[test]
fn spec_4_a_repaired_password_works_at_the_next_attempt() {
    let rig = Rig::of(1);
    rig.manager.script(Op::Create, [Step::permanent()]);
    assert!(rig.at_once(rig.pool.get()).is_err());
    rig.runtime.advance(secs(5));
    drop(rig.take());
    rig.ends_clean();
}

#[test]
fn spec_4_with_fail_fast_so_many_failures_in_a_row_are_told_at_once() {
    let rig = Rig::new(|builder| {
        builder.max_size(4).fail_fast_after(3).create_backoff(ms(10), ms(40)).get_timeout(secs(60))
    });
    rig.manager.default_step(Op::Create, Step::transient());
    let started = rig.runtime.elapsed();
    let error = rig.runtime.block_on(rig.pool.get()).expect_err("nothing can be opened");
    assert!(matches!(error, GetError::Create(..)), "{error}");
    assert!(error.is_retryable(), "it may pass");
    assert!(rig.runtime.elapsed() - started <= ms(10 + 20), "two pauses, and not the timeout");
    assert_eq!(rig.manager.started(Op::Create), 3);

    // While it is so, callers do not wait at all, and one creation at a time finds out when it ends.
    for _ in 0..50 {
        let refused = rig.at_once(rig.pool.get()).expect_err("nothing can be opened");
        assert!(matches!(refused, GetError::Create(..)), "{refused}");
        rig.runtime.advance(ms(10));
    }
    assert_eq!(rig.manager.max_creating_at_once(), 1);

    rig.manager.default_step(Op::Create, Step::Ok);
    let back = rig.runtime.elapsed();
    while rig.at_once(rig.pool.get()).is_err() {
        rig.runtime.advance(ms(1));
    }
    assert!(rig.runtime.elapsed() - back <= ms(40 + 1), "the pause, and the next who asks");
    rig.ends_clean();
}

/// Callers that stay through an outage of `down`; how long after its end the first of them is served, and all.
fn recovery(down: Duration) -> (Duration, Duration) {
    let rig = Rig::new(|builder| {
        builder
            .max_size(8)
            .max_creating(3)
            .get_timeout(Duration::MAX)
            .create_backoff(ms(50), secs(5))
    });
    rig.manager.default_step(Op::Create, Step::transient().after(ms(30)));
    let mut waiting: Vec<_> = (0..8).map(|_| rig.wait()).collect();
    rig.runtime.advance(down);
    assert!(waiting.iter().all(|get| !get.is_woken()), "an outage costs waiting, and no errors");
    assert!(rig.manager.started(Op::Create) > 3, "it is tried again and again");

    rig.manager.default_step(Op::Create, Step::Ok.after(ms(30)));
    let back = rig.runtime.elapsed();
    let mut first = None;
    let mut held = Vec::new();
    for get in &mut waiting {
        let get = get.future().expect("it waits");
        held.push(rig.runtime.block_on(get).expect("the server is back"));
        first.get_or_insert(rig.runtime.elapsed() - back);
    }
    assert!(rig.manager.max_creating_at_once() <= 3, "never more attempts than allowed");
    let all = rig.runtime.elapsed() - back;
    drop(held);
    rig.ends_clean();
    (first.expect("there was one"), all)
}

#[test]
fn spec_5_after_an_outage_the_first_success_comes_within_the_longest_pause() {
    for outage in [secs(1), secs(60), secs(3600)] {
        for _ in 0..4 {
            let (first, all) = recovery(outage);
            // An attempt that began before the end of the outage may still fail; then comes the pause, then the connect.
            assert!(first <= ms(30) + secs(5) + ms(30), "{first:?} after {outage:?}");
            // Three at a time: the rest follows at once.
            assert!(all <= first + ms(30) * 3, "{all:?} for all, {first:?} for the first");
        }
    }
}

#[test]
fn spec_5_while_creating_fails_one_attempt_at_a_time_finds_out_when_that_ends() {
    let rig = Rig::new(|builder| builder.max_size(8).max_creating(8).get_timeout(Duration::MAX));
    rig.manager.default_step(Op::Create, Step::transient());
    rig.manager.script(Op::Create, [Step::transient()]);
    let waiting: Vec<_> = (0..8).map(|_| rig.wait()).collect();
    rig.runtime.advance(secs(10));
    let before = rig.manager.max_creating_at_once();
    rig.manager.default_step(Op::Create, Step::transient().after(secs(1)));
    rig.runtime.advance(secs(100));
    assert!(rig.manager.max_creating_at_once() <= before.max(1));
    drop(waiting);
    rig.manager.default_step(Op::Create, Step::Ok);
    rig.ends_clean();
}
