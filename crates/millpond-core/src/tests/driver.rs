//! Drivers that come and go, and the sleep of the tick.

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{GiveBack, Input, Job, Outcome};
use crate::timers::TimerKey;

#[test]
fn without_a_driver_everyone_comes_to_the_desk() {
    let mut rig = Rig::without_driver(|_| {});
    rig.feed(Input::Tick);
    assert!(rig.bits.attended && !rig.core.has_driver());
    rig.feed(Input::DriverUp);
    assert!(!rig.bits.attended && rig.core.has_driver());
    rig.feed(Input::DriverLost);
    assert!(rig.bits.attended && !rig.core.has_driver());
}

#[test]
fn jobs_are_decided_on_even_while_there_is_no_driver() {
    let mut rig = Rig::without_driver(|_| {});
    let id = rig.queue();
    assert_eq!(rig.jobs.len(), 1, "they wait for one");
    rig.feed(Input::DriverUp);
    rig.create();
    rig.poll_lent(id);
}

#[test]
fn when_the_driver_is_lost_all_who_wait_are_woken_to_find_another() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let ids = [rig.queue(), rig.queue()];
    rig.feed(Input::DriverLost);
    assert_eq!(rig.woken(), ids);
    assert_eq!(rig.poll(ids[0]), Answer::Pending);
}

#[test]
fn what_lay_idle_when_the_driver_was_lost_is_checked_by_the_next() {
    let mut rig = Rig::filled(3);
    let lent = rig.lend();
    rig.feed(Input::DriverLost);
    rig.skip(ms(10));
    rig.home(lent);
    rig.feed(Input::DriverUp);
    assert_eq!(rig.counts().checking, 2);
    assert_eq!(rig.bits.idle, 1 << lent, "what was lent at the time is above suspicion");
    rig.run_jobs();
    assert_eq!(rig.idle(), 3);
}

#[test]
fn while_there_is_no_driver_nothing_suspect_is_lent() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.feed(Input::DriverLost);
    let id = rig.queue();
    assert_eq!((rig.counts().checking, rig.counts().creating), (1, 0));
    rig.skip(ms(10));
    rig.home(lent);
    assert_eq!(rig.poll_lent(id), lent);
}

#[test]
fn jobs_lost_with_the_driver_are_replaced() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(Input::DriverLost);
    rig.end(creation, Outcome::CreateFailed { transient: true });
    rig.feed(Input::DriverUp);
    rig.pass(rig.pause());
    rig.create();
    rig.poll_lent(id);
}

#[test]
fn a_lost_driver_needs_no_tick() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::DriverLost);
    assert_eq!(rig.core.timers.get(TimerKey::Tick), None);
    rig.feed(Input::DriverUp);
    assert_eq!(rig.core.timers.get(TimerKey::Tick), Some(rig.now + ms(250)));
}

#[test]
fn an_overdue_timeout_is_seen_by_the_next_visitor() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let overdue = rig.core.next_timeout().expect("the tick goes while something is lent");
    rig.skip(secs(10));
    assert!(overdue < rig.now);
    rig.queue();
    assert!(rig.core.next_timeout().is_some_and(|next| next > rig.now));
}

#[test]
fn the_tick_goes_while_something_is_lent() {
    let mut rig = Rig::filled(2);
    rig.lend();
    for _ in 0..10 {
        assert_eq!(rig.core.next_timeout(), Some(rig.now + ms(250)));
        rig.pass(ms(250));
    }
}

#[test]
fn a_pool_whose_resources_all_lie_idle_falls_asleep() {
    let mut rig = Rig::filled(2);
    rig.pass(ms(250));
    assert!(rig.bits.attended, "the first visitor has to wake it");
    assert!(
        rig.core.next_timeout().is_none_or(|next| next > rig.now + secs(300)),
        "nothing but the reaper is due"
    );
    rig.skip(ms(600));
    assert_eq!(rig.lend(), 0);
    assert!(!rig.bits.attended);
    assert_eq!(rig.core.next_timeout(), Some(rig.now + ms(250)));
}

#[test]
fn an_empty_pool_falls_asleep_too() {
    let mut rig = Rig::new(1);
    rig.pass(ms(250));
    assert_eq!(rig.core.next_timeout(), None, "a pool at rest causes no wake-ups");
    assert!(rig.bits.attended);
}

#[test]
fn a_tick_that_finds_something_lent_does_not_fall_asleep() {
    let mut rig = Rig::filled(2);
    let taken = rig.bits.take().expect("it lies idle");
    rig.pass(ms(250));
    assert!(!rig.bits.attended);
    rig.home(taken);
    rig.pass(ms(250));
    assert!(rig.bits.attended);
}

#[test]
fn a_pool_with_work_under_way_does_not_fall_asleep() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Discard);
    rig.pass(ms(250));
    assert!(!rig.bits.attended, "a close is under way");
    rig.run_jobs();
    rig.pass(ms(250));
    assert!(rig.bits.attended);
}

#[test]
fn a_pool_that_reaps_while_asleep_stays_asleep() {
    let mut rig = Rig::filled(2);
    rig.pass(secs(700));
    assert_eq!(rig.counts().closing + rig.counts().abandoned, 2);
    for (slot, _) in rig.jobs.clone() {
        rig.end(slot, Outcome::Gone);
    }
    rig.pass(secs(1));
    assert_eq!(rig.core.next_timeout(), None);
}

#[test]
fn a_second_driver_takes_over_without_suspicion() {
    let mut rig = Rig::filled(2);
    rig.feed(Input::DriverUp);
    assert_eq!((rig.idle(), rig.counts().checking), (2, 0));
}
