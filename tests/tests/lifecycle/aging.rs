//! Resources grow old: by lying idle, and by living. And what lies idle for a while is looked at before it is lent.

use std::time::Duration;

use millpond::Pooled;
use millpond_test::{Op, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[test]
fn what_lies_idle_too_long_is_closed() {
    let rig = Rig::new(|builder| builder.max_size(3).idle_timeout(secs(600)));
    drop(rig.take_many(3));
    rig.runtime.advance(secs(600) - ms(1));
    assert_eq!(rig.pool.status().idle, 3);
    // A look comes a sixteenth of the window later at most.
    rig.runtime.advance(secs(600) / 16 + ms(1));
    assert_eq!((rig.pool.status().size, rig.manager.closed()), (0, 3));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn what_is_used_now_and_then_is_not_closed_as_idle_but_what_lies_beside_it_is() {
    let rig = Rig::new(|builder| builder.max_size(2).idle_timeout(secs(60)));
    drop(rig.take_many(2));
    for _ in 0..20 {
        rig.runtime.advance(secs(10));
        // The low slots are taken first, so that the high ones can cool.
        assert_eq!(rig.take().id(), 0);
    }
    assert_eq!((rig.pool.status().size, rig.manager.closed()), (1, 1));
    rig.ends_clean();
}

#[test]
fn what_has_lived_long_enough_is_closed_even_if_it_is_always_in_use() {
    let rig = Rig::new(|builder| {
        builder.max_size(1).max_lifetime(secs(1000)).lifetime_jitter(0).check_after_idle(secs(5))
    });
    let mut ids = Vec::new();
    for _ in 0..250 {
        let pooled = rig.take();
        ids.push(pooled.id());
        rig.runtime.advance(secs(9));
        drop(pooled);
        rig.runtime.advance(secs(1));
    }
    ids.dedup();
    assert_eq!(ids, [0, 1, 2], "one after another");
    rig.ends_clean();
}

#[test]
fn what_is_lent_may_grow_older_than_its_lifetime_and_is_closed_when_it_comes_home() {
    let rig = Rig::new(|builder| builder.max_size(1).max_lifetime(secs(100)));
    let pooled = rig.take();
    rig.runtime.advance(secs(10_000));
    assert!(pooled.is_alive() && rig.manager.dropped() == 0);
    drop(pooled);
    rig.runtime.advance(secs(10));
    assert_eq!(rig.manager.closed(), 1, "it is not lent again");
    assert_eq!(rig.take().id(), 1);
    rig.ends_clean();
}

#[test]
fn what_was_opened_together_does_not_end_together() {
    let rig = Rig::new(|builder| {
        builder
            .max_size(20)
            .max_lifetime(secs(1000))
            .lifetime_jitter(50)
            .idle_timeout(Duration::MAX)
    });
    drop(rig.take_many(20));
    rig.runtime.advance(secs(499));
    assert_eq!(rig.manager.closed(), 0, "none ends before the least lifetime");
    let mut ends = Vec::new();
    for _ in 0..60 {
        rig.runtime.advance(secs(10));
        ends.push(rig.manager.closed());
    }
    assert_eq!(ends.last(), Some(&20), "all have ended after the longest");
    ends.dedup();
    assert!(ends.len() > 5, "they ended a few at a time: {ends:?}");
    rig.ends_clean();
}

#[test]
fn what_was_used_a_moment_ago_is_lent_without_a_check() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)));
    drop(rig.take());
    for _ in 0..100 {
        rig.runtime.advance(ms(500));
        drop(rig.take());
    }
    assert_eq!(rig.manager.checks(), 0);
    rig.ends_clean();
}

#[test]
fn what_lay_idle_for_the_window_is_checked_before_it_is_lent() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)));
    drop(rig.take());
    for checks in 1..20 {
        rig.runtime.advance(secs(1));
        drop(rig.take());
        assert_eq!(rig.manager.checks(), checks);
    }
    assert_eq!(rig.manager.opened(), 1);
    rig.ends_clean();
}

#[test]
fn a_check_that_nobody_waited_for_is_no_use() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)));
    drop(rig.take());
    let returned = rig.runtime.now();
    rig.runtime.advance(secs(60));
    assert!(rig.pool.try_get().is_err());
    rig.runtime.run_until_idle();
    let pooled = rig.pool.try_get().expect("it is fit");
    assert_eq!(Pooled::metrics(&pooled).last_used(), returned);
    drop(pooled);
    rig.ends_clean();
}

#[test]
fn what_lay_idle_for_the_window_is_checked_however_old_the_published_time_is() {
    for offset in (0..250).step_by(7) {
        let rig = Rig::new(|builder| builder.max_size(2).check_after_idle(secs(1)));
        // The tick goes on while something is lent.
        let (held, idle) = (rig.take(), rig.take());
        rig.runtime.advance(ms(offset));
        let _ = rig.pool.status();
        drop(idle);
        rig.runtime.advance(secs(1));
        drop(rig.take());
        assert_eq!(rig.manager.checks(), 1, "given back {offset} ms after a tick");
        drop(held);
        rig.ends_clean();
    }
}

#[test]
fn a_window_of_zero_checks_before_every_lease() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(Duration::ZERO));
    drop(rig.take());
    for checks in 0..10 {
        assert_eq!(rig.manager.checks(), checks);
        drop(rig.take());
    }
    rig.ends_clean();
}

#[test]
fn what_fails_its_check_is_closed_and_the_caller_is_served_by_another() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)));
    drop(rig.take());
    rig.runtime.advance(secs(5));
    rig.manager.script(Op::Check, [Step::transient()]);
    let pooled = rig.take();
    assert_eq!((pooled.id(), rig.manager.closed()), (1, 1));
    assert_eq!(rig.pool.status().totals.check_failed, 1);
    drop(pooled);
    rig.ends_clean();
}

#[test]
fn a_jump_of_the_clock_expires_nothing_that_is_in_use_and_serves_who_asks() {
    let rig = Rig::of(3);
    let held = rig.take();
    drop(rig.take_many(2));
    rig.runtime.set_now(rig.runtime.now() + secs(8 * 3600));
    assert!(held.is_alive());
    let other = rig.runtime.block_on(rig.pool.get()).expect("the pool goes on");
    assert!(other.id() != held.id());
    drop((held, other));
    rig.runtime.advance(secs(60));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_clock_that_goes_back_upsets_nothing() {
    let rig = Rig::of(2);
    let held = rig.take();
    rig.runtime.advance(secs(100));
    rig.runtime.set_now(rig.runtime.now() - secs(1000));
    drop(held);
    let held = rig.take_many(2);
    let mut waiting = rig.wait();
    rig.runtime.set_now(rig.runtime.now() - secs(1000));
    drop(held);
    assert!(rig.at_once(waiting.future().expect("it waits")).is_ok());
    let status = rig.pool.status();
    assert_eq!((status.size, status.oldest_wait), (2, None));
    rig.runtime.advance(secs(5000));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_resource_tells_its_age_and_its_uses() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(ms(400)));
    let opened = rig.runtime.now();
    let pooled = rig.take();
    assert_eq!((Pooled::metrics(&pooled).created(), Pooled::metrics(&pooled).uses()), (opened, 1));
    rig.runtime.advance(secs(7));
    drop(pooled);
    let pooled = rig.take();
    let metrics = Pooled::metrics(&pooled);
    assert_eq!((metrics.created(), metrics.uses(), metrics.epoch()), (opened, 2, 0));
    let used = metrics.last_used();
    assert!(used <= opened + secs(7) && used >= opened + secs(7) - ms(100), "by a tick at most");
    drop(pooled);
    rig.ends_clean();
}
