//! A pool at rest causes no wake-ups: no timer, no poll, no look at the clock.

use std::time::Duration;

use millpond_test::{Op, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// A pool that never has a reason of its own to do anything.
fn quiet(max: usize) -> Rig {
    Rig::new(|builder| {
        builder.max_size(max).idle_timeout(Duration::MAX).max_lifetime(Duration::MAX)
    })
}

fn activity(rig: &Rig) -> (usize, usize, usize, usize, usize) {
    let runtime = &rig.runtime;
    (
        runtime.timers_fired(),
        runtime.wakes(),
        runtime.polls(),
        runtime.sleeps(),
        runtime.clock_reads(),
    )
}

#[test]
fn a_pool_that_was_never_used_has_no_task() {
    let rig = quiet(4);
    rig.runtime.advance(secs(3600));
    assert_eq!((rig.runtime.tasks(), activity(&rig).1), (0, 0));
    assert_eq!(rig.manager.opened(), 0, "and opens nothing");
}

#[test]
fn a_pool_at_rest_falls_asleep_and_causes_no_wake_ups() {
    let rig = quiet(4);
    drop(rig.take_many(4));
    rig.runtime.advance(secs(2));
    let before = activity(&rig);
    rig.runtime.advance(secs(24 * 3600));
    assert_eq!(activity(&rig), before);
    assert_eq!((rig.runtime.timers(), rig.pool.status().idle), (0, 4));
    // It wakes with the first visitor.
    drop(rig.take_many(4));
    rig.ends_clean();
}

#[test]
fn it_falls_asleep_again_and_again() {
    let rig = quiet(2);
    for _ in 0..10 {
        drop(rig.take());
        rig.runtime.advance(secs(2));
        let before = activity(&rig);
        rig.runtime.advance(secs(3600));
        assert_eq!(activity(&rig), before);
    }
    rig.ends_clean();
}

#[test]
fn a_pool_with_idle_timeouts_wakes_up_for_those_alone() {
    let rig = Rig::new(|builder| builder.max_size(4).idle_timeout(secs(600)));
    drop(rig.take_many(4));
    rig.runtime.advance(secs(2));
    let before = rig.runtime.timers_fired();
    rig.runtime.advance(secs(590));
    assert_eq!(rig.runtime.timers_fired(), before);
    rig.runtime.advance(secs(3600));
    assert_eq!((rig.manager.closed(), rig.runtime.timers()), (4, 0));
    let fired = rig.runtime.timers_fired() - before;
    assert!(fired <= 2, "{fired} timers for one look");
    rig.ends_clean();
}

#[test]
fn a_pool_that_keeps_some_idle_wakes_up_only_to_replace_them() {
    let eternal = Rig::new(|builder| {
        builder.max_size(4).min_idle(3).idle_timeout(secs(600)).max_lifetime(Duration::MAX)
    });
    eternal.runtime.advance(secs(700));
    let before = activity(&eternal);
    eternal.runtime.advance(secs(24 * 3600));
    assert_eq!((activity(&eternal), eternal.pool.status().idle), (before, 3));
    eternal.ends_clean();

    let mortal = Rig::new(|builder| builder.max_size(4).min_idle(3).lifetime_jitter(0));
    mortal.runtime.advance(secs(700));
    let before = activity(&mortal);
    // 1800 s, less 10 s for the creation and 30 s for the next look.
    mortal.runtime.advance(secs(1800 - 40 - 700 - 1));
    assert_eq!(activity(&mortal), before);
    let before = mortal.runtime.timers_fired();
    mortal.runtime.advance(secs(24 * 3600));
    let (timers, opened) = (mortal.runtime.timers_fired() - before, mortal.manager.opened());
    assert!(timers as u64 <= 6 * opened, "{timers} timers for {opened} replacements");
    mortal.ends_clean();
}

#[test]
fn while_something_is_lent_the_tick_goes_on_and_no_faster_than_it_must() {
    let rig = Rig::new(|builder| {
        builder
            .max_size(4)
            .check_after_idle(secs(8))
            .idle_timeout(Duration::MAX)
            .max_lifetime(Duration::MAX)
    });
    let held = rig.take();
    let before = rig.runtime.timers_fired();
    rig.runtime.advance(secs(100));
    let ticks = rig.runtime.timers_fired() - before;
    assert!((90..=110).contains(&ticks), "one a second at most, for `holders`: {ticks}");
    drop(held);
    rig.ends_clean();
}

#[test]
fn one_sleep_is_armed_however_many_wait() {
    let rig = Rig::of(1);
    let held = rig.take();
    let waiting: Vec<_> =
        (0..100).map(|n| rig.wait_in(rig.pool.get_owned().timeout(secs(100 + n)))).collect();
    assert_eq!(rig.runtime.timers(), 1);
    drop((held, waiting));
    rig.ends_clean();
}

#[test]
fn a_pool_whose_server_is_down_rests_once_nobody_waits_any_more() {
    let rig = quiet(4);
    rig.manager.default_step(Op::Create, Step::transient());
    let error = rig.runtime.block_on(rig.pool.get().timeout(secs(60)));
    assert!(error.is_err());
    rig.runtime.advance(secs(10));
    let (before, attempts) = (activity(&rig), rig.manager.started(Op::Create));
    rig.runtime.advance(secs(3600));
    assert_eq!((activity(&rig), rig.manager.started(Op::Create)), (before, attempts));
    rig.manager.default_step(Op::Create, Step::Ok);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_pool_that_sleeps_with_its_machine_checks_what_it_has_before_it_lends_it() {
    let rig = quiet(2);
    drop(rig.take_many(2));
    rig.runtime.advance(ms(300));
    // Nothing runs meanwhile, neither timers nor tasks.
    rig.runtime.set_now(rig.runtime.now() + secs(60));
    drop(rig.take_many(2));
    assert_eq!(rig.manager.checks(), 2);
    rig.ends_clean();
}

#[test]
fn a_sleeping_pool_does_not_take_old_for_new() {
    let rig = quiet(1);
    drop(rig.take());
    rig.runtime.advance(ms(300));
    // Asleep by now, and the published time stands still; the window of one second does not.
    rig.runtime.advance(ms(900));
    drop(rig.take());
    assert_eq!(rig.manager.checks(), 1);
    rig.ends_clean();
}
