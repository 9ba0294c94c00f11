//! What failed creations mean for those who wait.

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{GiveBack, Input, Job, Outcome, Why};

#[test]
fn a_failure_that_may_pass_fails_nobody() {
    let mut rig = Rig::new(1);
    let patient = rig.queue_within(secs(300));
    let hasty = rig.queue_within(secs(2));
    for _ in 0..20 {
        rig.pass(ms(1));
        if rig.counts().creating > 0 {
            rig.fail(true);
        }
        rig.pass(rig.pause());
    }
    assert_eq!(rig.poll(patient), Answer::Pending);
    assert_eq!(rig.poll(hasty).why(), Why::Deadline);
    rig.create();
    assert_eq!(rig.poll_lent(patient), 0);
}

/// FAULTS 14: the first success comes at most one pause after the backend is back, and those who wait are served in order.
#[test]
fn when_the_backend_is_back_all_are_served_in_order() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (3, 3));
    let ids: Vec<_> = (0..3).map(|_| rig.queue_within(secs(30))).collect();
    while rig.core.backoff.canonical().0 < 8 {
        rig.pass(ms(1));
        while rig.counts().creating > 0 {
            rig.fail(true);
        }
        rig.pass(rig.pause());
    }
    rig.log.clear();
    let back = rig.now;
    rig.pass(rig.pause());
    rig.run_jobs();
    assert!(rig.now - back <= secs(5));
    assert_eq!(rig.woken(), ids);
}

#[test]
fn a_failure_that_will_not_pass_is_told_at_once_if_nothing_else_can_help() {
    let mut rig = Rig::new(2);
    let (first, second) = (rig.queue(), rig.queue());
    rig.fail(false);
    assert_eq!(rig.counts().creating, 1, "the other attempt was under way already");
    assert_eq!(rig.poll(first), Answer::Pending, "and may work");
    rig.fail(false);
    for (ahead, id) in [first, second].into_iter().enumerate() {
        let refusal = rig.poll(id).refused();
        assert_eq!((refusal.why, refusal.ahead as usize), (Why::CreateFailed, ahead));
    }
    assert_eq!(rig.core.totals().create_refused, 2);
}

#[test]
fn it_is_told_at_once_also_to_those_who_come_during_the_pause() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    rig.fail(false);
    assert_eq!(rig.poll(id).why(), Why::CreateFailed);
    let id = rig.queue();
    assert_eq!(rig.woken()[1], id);
    assert_eq!(rig.poll(id).why(), Why::CreateFailed);
    assert_eq!(rig.try_get().why(), Why::CreateFailed);
    assert!(rig.jobs.is_empty(), "no storm of attempts with a wrong password");
    rig.pass(rig.pause());
    let id = rig.queue();
    rig.create();
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn it_is_not_told_while_something_is_lent_that_may_come_back() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Resize(2));
    let lent = rig.lend();
    let id = rig.queue();
    rig.fail(false);
    assert_eq!(rig.poll(id), Answer::Pending);
    rig.home(lent);
    assert_eq!(rig.poll_lent(id), lent);
}

#[test]
fn it_is_not_told_while_something_is_checked_or_cleaned_that_may_be_fit() {
    for cleaned in [false, true] {
        let mut rig = Rig::filled(1);
        rig.feed(Input::Resize(2));
        if cleaned {
            let lent = rig.lend();
            rig.give_back(lent, GiveBack::Reset);
        } else {
            rig.skip(secs(60));
        }
        let (first, second) = (rig.queue(), rig.queue());
        rig.fail(false);
        let counts = rig.counts();
        assert_eq!((counts.checking, counts.resetting), (u32::from(!cleaned), u32::from(cleaned)));
        assert_eq!((rig.poll(first), rig.poll(second)), (Answer::Pending, Answer::Pending));
    }
}

#[test]
fn it_is_told_when_what_was_lent_is_discarded_during_the_pause() {
    let mut rig = Rig::filled(1);
    rig.feed(Input::Resize(2));
    let lent = rig.lend();
    let id = rig.queue();
    rig.fail(false);
    rig.give_back(lent, GiveBack::Discard);
    assert_eq!(rig.poll(id).why(), Why::CreateFailed);
}

#[test]
fn after_so_many_failures_in_a_row_callers_fail_fast() {
    let mut rig = Rig::with(|config| (config.max_size, config.fail_fast_after) = (4, Some(3)));
    let id = rig.queue();
    for round in 1..=3 {
        assert_eq!(rig.poll(id), Answer::Pending, "round {round}");
        rig.pass(ms(1));
        rig.fail(true);
        if round < 3 {
            rig.pass(rig.pause());
        }
    }
    assert_eq!(rig.poll(id).why(), Why::CreateFailed);
    let id = rig.queue();
    assert_eq!(rig.poll(id).why(), Why::CreateFailed, "told at once");
    assert!(rig.jobs.is_empty(), "no attempt during the pause");
}

#[test]
fn while_failing_fast_a_single_probe_is_sent_and_its_success_ends_it() {
    let mut rig = Rig::with(|config| (config.max_size, config.fail_fast_after) = (4, Some(1)));
    let id = rig.queue();
    rig.fail(true);
    assert_eq!(rig.poll(id).why(), Why::CreateFailed);
    rig.pass(rig.pause());
    assert!(rig.jobs.is_empty(), "nobody asks, nobody probes");
    for _ in 0..5 {
        let id = rig.queue();
        assert_eq!(rig.poll(id).why(), Why::CreateFailed);
        assert_eq!(rig.counts().creating, 1, "one probe for all of them");
    }
    rig.create();
    assert_eq!(rig.idle(), 1);
    assert_eq!(rig.lend(), 0);
    rig.queue();
    assert_eq!(rig.counts().creating, 1, "growing as usual");
}

#[test]
fn a_probe_that_fails_lengthens_the_pause() {
    let mut rig = Rig::with(|config| config.fail_fast_after = Some(1));
    for failures in 1..=6 {
        rig.pass(rig.pause() + ms(1));
        let id = rig.queue();
        rig.fail(true);
        assert_eq!(rig.poll(id).why(), Why::CreateFailed);
        assert_eq!(rig.core.backoff.canonical().0, failures);
    }
}

#[test]
fn nobody_fails_fast_while_something_is_open() {
    let mut rig = Rig::filled(1);
    rig.core.config.max_size = 2;
    rig.core.backoff = crate::backoff::Backoff::new(ms(50), secs(5), Some(1), 0);
    let lent = rig.lend();
    let id = rig.queue();
    rig.fail(true);
    assert_eq!(rig.poll(id), Answer::Pending);
    rig.home(lent);
    assert_eq!(rig.poll_lent(id), lent);
}

#[test]
fn those_held_back_by_a_pause_are_not_told_of_failures() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(Input::Pause);
    rig.end(creation, Outcome::CreateFailed { transient: false });
    assert_eq!(rig.poll(id), Answer::Pending);
    rig.pass(rig.pause());
    rig.feed(Input::Resume);
    rig.create();
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn one_that_does_not_wait_is_told_of_failures_only_if_nothing_is_open() {
    let mut rig = Rig::filled(2);
    let (lent, _) = (rig.lend(), rig.lend());
    rig.feed(Input::Resize(3));
    rig.queue();
    rig.fail(true);
    assert_eq!(rig.try_get().why(), Why::Exhausted, "both are lent");
    rig.bring(lent);
    assert_eq!((rig.counts().live, rig.counts().offered), (1, 1));
    assert_eq!(rig.try_get().why(), Why::Exhausted, "one is lent, and one is set aside");
}
