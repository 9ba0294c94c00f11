//! `keepalive`: what lies idle is looked at in time, a part of it at a time, whether or not anybody asks.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs};
use crate::Config;
use crate::io::{Input, Job, Outcome};

/// So many that lie idle in a pool that checks them every 160 seconds, so that looks are ten seconds apart.
fn alive(count: u32, change: impl FnOnce(&mut Config)) -> Rig {
    Rig::filled_with(count, |config| {
        config.keepalive = secs(160);
        (config.idle_timeout, config.max_lifetime) = (Duration::MAX, Duration::MAX);
        change(config);
    })
}

/// Lets time pass; every check that is begun passes at once. How many there were.
fn checks(rig: &mut Rig, time: Duration) -> usize {
    let end = rig.now + time;
    let mut checks = 0;
    while let Some(due) = rig.core.next_timeout().filter(|due| *due <= end) {
        rig.now = rig.now.max(due);
        rig.feed(Input::Tick);
        checks += rig.jobs_of(Job::Check).len();
        rig.run_jobs();
    }
    rig.now = end;
    checks
}

#[test]
fn by_default_nobody_looks() {
    let mut rig = alive(4, |config| config.keepalive = Duration::MAX);
    assert_eq!(checks(&mut rig, secs(24 * 3600)), 0);
}

#[test]
fn what_rests_that_long_is_checked_again_and_again() {
    let mut rig = alive(1, |_| {});
    assert_eq!(checks(&mut rig, secs(159)), 0);
    assert_eq!(checks(&mut rig, secs(1)), 1);
    assert_eq!(checks(&mut rig, secs(159)), 0, "it has just been seen to work");
    assert_eq!(checks(&mut rig, secs(1)), 1);
    assert_eq!(checks(&mut rig, secs(1600)), 10);
}

#[test]
fn a_quarter_is_checked_at_a_time_and_all_before_long() {
    for (count, at_once) in [(1, 1), (2, 1), (4, 1), (5, 2), (8, 2), (20, 5)] {
        let mut rig = alive(count, |_| {});
        rig.pass(secs(160));
        assert_eq!(rig.counts().checking, at_once, "of {count}");
        rig.run_jobs();
        let others = checks(&mut rig, secs(60));
        assert_eq!(others, (count - at_once) as usize, "of {count}");
    }
}

#[test]
fn checks_that_hang_hold_up_the_others_and_not_the_callers() {
    let mut rig = alive(8, |config| config.check_timeout = secs(100));
    rig.pass(secs(160 + 90));
    assert_eq!((rig.counts().checking, rig.idle()), (2, 6));
    rig.pass(secs(10));
    assert_eq!((rig.counts().checking, rig.counts().abandoned), (6, 2), "now all are suspect");
}

#[test]
fn what_was_used_meanwhile_need_not_be_checked() {
    let mut rig = alive(2, |config| config.check_after_idle = Duration::MAX);
    for _ in 0..20 {
        assert_eq!(checks(&mut rig, secs(100)), 0);
        let (first, second) = (rig.lend(), rig.lend());
        rig.home(first);
        rig.home(second);
    }
    let lent = rig.lend();
    assert_eq!(checks(&mut rig, secs(200)), 1, "the other one");
    rig.home(lent);
}

#[test]
fn it_does_not_put_off_the_idle_timeout() {
    let mut rig = alive(3, |config| config.idle_timeout = secs(600));
    assert_eq!(checks(&mut rig, secs(599)), 9);
    assert_eq!(rig.idle(), 3);
    checks(&mut rig, secs(11));
    assert_eq!(rig.idle(), 0);
}

#[test]
fn what_is_kept_idle_is_kept_alive() {
    let mut rig = alive(5, |config| (config.idle_timeout, config.min_idle) = (secs(600), 2));
    checks(&mut rig, secs(700));
    assert_eq!(rig.idle(), 2);
    let day = checks(&mut rig, secs(16_000));
    assert!((180..=200).contains(&day), "{day} checks in a hundred windows");
}

#[test]
fn one_that_fails_makes_the_others_suspect() {
    let mut rig = alive(8, |_| {});
    rig.pass(secs(160));
    assert_eq!(rig.counts().checking, 2);
    rig.pass(ms(1));
    rig.finish(Job::Check, Outcome::Unfit);
    assert_eq!((rig.counts().checking, rig.idle(), rig.counts().closing), (7, 0, 1));
    rig.run_jobs();
    assert_eq!(rig.idle(), 7);
}

#[test]
fn who_asks_for_the_only_one_has_it_after_its_check() {
    let mut rig = alive(1, |_| {});
    rig.pass(secs(160));
    let id = rig.queue();
    assert_eq!(rig.jobs.len(), 1, "no second check, and no creation");
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn what_was_just_kept_alive_is_lent_without_another_check() {
    let mut rig = alive(1, |_| {});
    assert_eq!(checks(&mut rig, secs(160)), 1);
    rig.skip(ms(999));
    assert_eq!(rig.get(), Answer::Lent(0));
}

#[test]
fn without_a_driver_nothing_is_taken_away_to_be_checked() {
    let mut rig = alive(4, |config| config.check_after_idle = Duration::MAX);
    rig.feed(Input::DriverLost);
    rig.pass(secs(1000));
    assert_eq!((rig.idle(), rig.counts().checking), (4, 0));
}

#[test]
fn a_pool_that_is_kept_alive_sleeps_in_between() {
    let mut rig = alive(1, |_| {});
    let mut wakes = 0;
    let end = rig.now + secs(1600);
    while let Some(due) = rig.core.next_timeout().filter(|due| *due <= end) {
        rig.now = due;
        rig.feed(Input::Tick);
        rig.run_jobs();
        wakes += 1;
    }
    assert!(wakes <= 2 * 10 + 1, "{wakes} wake-ups for ten checks");
}
