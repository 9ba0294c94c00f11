//! Drivers that come and go, and the sleep of the tick.

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{Action, GiveBack, Input, Job, Outcome};
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
    rig.feed(Input::DriverLost);
    rig.feed(Input::DriverUp);
    assert_eq!((rig.counts().checking, rig.idle()), (3, 0));
    rig.run_jobs();
    assert_eq!(rig.idle(), 3);
    assert_eq!(rig.lend(), 0, "once is enough");
}

#[test]
fn what_was_lent_when_the_driver_was_lost_is_checked_when_it_comes_home() {
    for waits in [false, true] {
        let mut rig = Rig::filled(2);
        let (first, second) = (rig.lend(), rig.lend());
        rig.feed(Input::DriverLost);
        rig.feed(Input::DriverUp);
        rig.pass(secs(60));
        let waiter = waits.then(|| rig.queue());
        rig.give_back(first, GiveBack::Unused);
        assert_eq!((rig.counts().checking, rig.counts().offered), (1, 0));
        rig.run_jobs();
        assert_eq!(waiter.map(|id| rig.poll_lent(id)), waits.then_some(first));
        // It is trusted again, and the other is not.
        let again = if waits { first } else { rig.lend() };
        rig.give_back(again, GiveBack::Unused);
        rig.give_back(second, GiveBack::Unused);
        assert_eq!((rig.idle(), rig.counts().checking), (1, 1));
    }
}

#[test]
fn what_was_lent_when_the_driver_was_lost_and_fails_its_check_is_replaced() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.feed(Input::DriverLost);
    rig.feed(Input::DriverUp);
    rig.give_back(lent, GiveBack::Unused);
    rig.finish(Job::Check, Outcome::Gone);
    rig.create();
    rig.poll_lent(id);
    assert!(!rig.core.is_suspect(0), "a new one");
}

#[test]
fn what_was_set_aside_when_the_driver_was_lost_is_checked_and_its_waiter_stands_first_again() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let (first, second) = (rig.queue(), rig.queue());
    rig.home(lent);
    rig.feed(Input::DriverLost);
    assert_eq!((rig.counts().offered, rig.counts().checking), (0, 1));
    assert_eq!(rig.poll(first), Answer::Pending, "it may be dead");
    rig.feed(Input::DriverUp);
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.poll_lent(first), lent);
    assert_eq!(rig.poll(second), Answer::Pending);
}

#[test]
fn what_was_in_work_when_the_driver_was_lost_is_checked_before_it_is_lent() {
    // The task may have been in its last poll when its runtime was shut down.
    let mut opened = Rig::new(1);
    let in_opening = opened.queue();
    let creation = opened.job(Job::Create);
    assert!(opened.begin(creation));
    let mut cleaned = Rig::filled(1);
    let lent = cleaned.lend();
    cleaned.give_back(lent, GiveBack::Reset);
    let in_cleaning = cleaned.queue();
    let mut checked = Rig::filled(1);
    checked.pass(secs(1));
    let in_check = checked.queue();
    let cases = [
        (opened, in_opening, Outcome::Created),
        (cleaned, in_cleaning, Outcome::Fit),
        (checked, in_check, Outcome::Fit),
    ];
    for (mut rig, waiter, outcome) in cases {
        let (slot, job) = rig.jobs[0];
        rig.feed(Input::DriverLost);
        rig.end(slot, outcome);
        assert_eq!((rig.counts().checking, rig.counts().offered), (1, 0), "after {job:?}");
        rig.feed(Input::DriverUp);
        rig.finish(Job::Check, Outcome::Fit);
        rig.poll_lent(waiter);
    }
}

#[test]
fn a_creation_that_the_next_driver_begins_is_above_suspicion() {
    let mut rig = Rig::without_driver(|_| {});
    let id = rig.queue();
    rig.feed(Input::DriverUp);
    rig.feed(Input::DriverLost);
    rig.feed(Input::DriverUp);
    rig.create();
    rig.poll_lent(id);
}

#[test]
fn those_who_help_themselves_are_told_of_suspicion_and_of_its_end() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let told = |rig: &mut Rig| {
        let retags = rig.log.iter().filter(|action| matches!(action, Action::Retag(_))).count();
        rig.log.clear();
        (retags, rig.core.is_suspect(0))
    };
    rig.feed(Input::DriverLost);
    assert_eq!(told(&mut rig), (1, true));
    rig.feed(Input::DriverUp);
    assert_eq!(told(&mut rig), (0, true));
    rig.give_back(lent, GiveBack::Unused);
    assert_eq!(told(&mut rig), (1, false));
}

#[test]
fn what_is_on_its_way_out_when_the_driver_is_lost_is_not_checked() {
    let mut rig = Rig::filled(2);
    let (discarded, too_many) = (rig.lend(), rig.lend());
    rig.give_back(discarded, GiveBack::Discard);
    rig.feed(Input::DriverLost);
    assert!(!rig.core.is_suspect(discarded) && rig.core.is_suspect(too_many));
    rig.feed(Input::Resize(0));
    rig.give_back(too_many, GiveBack::Unused);
    assert_eq!((rig.counts().closing, rig.counts().checking), (2, 0));
}

#[test]
fn while_there_is_no_driver_nothing_suspect_is_lent() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.feed(Input::DriverLost);
    rig.queue();
    assert_eq!((rig.counts().checking, rig.counts().creating), (1, 0));
    rig.give_back(lent, GiveBack::Unused);
    assert_eq!((rig.counts().checking, rig.counts().offered), (2, 0));
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
