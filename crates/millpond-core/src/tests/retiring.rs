//! Epochs and lifetimes: what must not be lent again.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{Action, GiveBack, Input, Job, Outcome, Why};

const NOW: Input = Input::RetireAll { spread: Duration::ZERO };

#[test]
fn nothing_of_the_old_epoch_stays_idle() {
    let mut rig = Rig::filled(3);
    rig.feed(NOW);
    assert_eq!((rig.counts().closing, rig.idle()), (3, 0));
}

#[test]
fn what_is_lent_is_closed_instead_of_lent_again() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.feed(NOW);
    let id = rig.queue();
    rig.home(lent);
    assert_eq!((rig.counts().closing, rig.counts().offered), (1, 0));
    rig.run_jobs();
    rig.poll_lent(id);
    assert_eq!(rig.core.tag(0).0, rig.core.epoch());
}

#[test]
fn what_is_out_of_date_is_closed_without_being_cleaned_first() {
    let mut stale = Rig::filled(1);
    let lent = stale.lend();
    stale.feed(NOW);
    stale.give_back(lent, GiveBack::Reset);
    let mut old = Rig::filled_with(1, |config| config.max_lifetime = secs(60));
    let lent = old.lend();
    old.skip(secs(60));
    old.give_back(lent, GiveBack::Reset);
    for rig in [stale, old] {
        assert_eq!((rig.counts().closing, rig.counts().resetting), (1, 0));
    }
}

#[test]
fn a_taker_that_finds_a_stale_one_has_it_closed() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.feed(NOW);
    rig.home(lent);
    let taken = rig.bits.take().expect("it lies idle unseen");
    assert_ne!(rig.core.tag(taken).0, rig.core.epoch());
    rig.give_back(taken, GiveBack::Unused);
    assert_eq!((rig.counts().closing, rig.idle()), (1, 0));
}

#[test]
fn creations_in_flight_are_void() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(NOW);
    rig.end(creation, Outcome::Created);
    assert_eq!((rig.counts().closing, rig.counts().offered), (1, 0));
    rig.run_jobs();
    rig.poll_lent(id);
}

#[test]
fn callers_do_not_wait_for_a_creation_that_is_void() {
    let mut rig = Rig::new(2);
    rig.core.config.max_creating = 1;
    let id = rig.queue();
    let void = rig.job(Job::Create);
    assert!(rig.begin(void));
    rig.feed(NOW);
    let creations = rig.jobs_of(Job::Create);
    let [_, new] = creations[..] else { panic!("another is begun at once: {creations:?}") };
    assert!(rig.begin(new));
    rig.end(new, Outcome::Created);
    assert_eq!(rig.poll_lent(id), new.index(), "while the void one goes on");
    rig.end(void, Outcome::Created);
    assert_eq!((rig.counts().closing, rig.core.totals().created), (1, 2));
}

#[test]
fn a_void_creation_that_fails_says_nothing_about_the_next() {
    for spread in [Duration::ZERO, secs(60)] {
        let mut rig = Rig::new(1);
        let id = rig.queue();
        let void = rig.job(Job::Create);
        assert!(rig.begin(void));
        rig.feed(Input::RetireAll { spread });
        rig.end(void, Outcome::CreateFailed { transient: false });
        assert_eq!(rig.core.totals().create_failed, 1);
        assert!(!rig.core.is_create_failing(), "the old password was wrong, not the new one");
        rig.create();
        rig.poll_lent(id);
    }
}

#[test]
fn a_void_creation_that_hangs_loses_its_place_and_delays_nobody() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    let void = rig.job(Job::Create);
    assert!(rig.begin(void));
    rig.feed(NOW);
    rig.pass(secs(10));
    assert_eq!(rig.times(Action::Abandon(void, Job::Create)), 1);
    assert_eq!((rig.counts().abandoned, rig.pause()), (1, Duration::ZERO));
    let new = rig.job(Job::Create);
    assert!(rig.begin(new));
    rig.end(new, Outcome::Created);
    rig.poll_lent(id);
    assert_eq!((rig.core.totals().closed, rig.core.totals().create_failed), (0, 1));
}

#[test]
fn creations_not_begun_are_of_the_new_epoch() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    rig.feed(NOW);
    rig.create();
    assert_eq!(rig.poll_lent(id), 0);
}

#[test]
fn checks_and_resets_in_flight_do_not_save_a_stale_one() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.pass(secs(1));
    rig.queue();
    rig.give_back(lent, GiveBack::Reset);
    rig.feed(NOW);
    rig.finish(Job::Check, Outcome::Fit);
    rig.finish(Job::Reset, Outcome::Fit);
    assert_eq!((rig.counts().closing, rig.counts().offered), (2, 0));
}

#[test]
fn what_is_set_aside_is_taken_back_and_its_waiters_stand_first_again() {
    let mut rig = Rig::filled(2);
    let (a, b) = (rig.lend(), rig.lend());
    // One takes over the lower place of one that left, so that the order of places is not the order of coming.
    let mut two = [rig.queue(), rig.queue()];
    two.sort_by_key(|id| id.index());
    let [gone, first] = two;
    rig.cancel(gone);
    let (second, third) = (rig.queue(), rig.queue());
    assert!(second.index() < first.index());
    rig.home(a);
    rig.home(b);
    rig.log.clear();
    rig.feed(NOW);
    assert_eq!(rig.counts().closing, 2);
    assert_eq!(rig.poll(first), Answer::Pending);
    rig.run_jobs();
    assert_eq!(rig.woken(), [first, second]);
    assert_eq!(rig.poll(third), Answer::Pending);
}

#[test]
fn one_whose_deadline_has_passed_is_not_put_back_into_the_queue() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue_within(ms(500));
    rig.home(lent);
    rig.pass(ms(700));
    rig.feed(NOW);
    assert_eq!(rig.poll(id).why(), Why::Deadline, "it would wait for ever");
    assert_eq!(rig.counts().waiting, 0);
}

#[test]
fn while_closing_nobody_is_put_back_into_the_queue() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.home(lent);
    rig.feed(Input::Close);
    rig.feed(NOW);
    assert_eq!(rig.poll(id).why(), Why::Closed, "it would wait for ever");
    rig.run_jobs();
    assert!(rig.core.is_drained());
}

#[test]
fn with_a_spread_what_is_open_gets_a_moment_within_it() {
    let mut rig = Rig::filled(8);
    let lent = rig.lend();
    rig.feed(Input::RetireAll { spread: secs(60) });
    assert_eq!(rig.idle(), 7, "nothing happens at once");
    for index in 0..8 {
        let (epoch, retire_at) = rig.core.tag(index);
        assert_eq!(epoch, rig.core.epoch());
        assert!(retire_at.is_some_and(|at| at <= rig.now + secs(60)));
    }
    assert_eq!(rig.log.iter().filter(|action| matches!(action, Action::Retag(_))).count(), 8);
    rig.home(lent);
    // A look that comes no sooner than a sixteenth of the shortest window after the one before.
    rig.pass(secs(60) + secs(600 / 16));
    assert_eq!(rig.idle(), 0);
}

#[test]
fn with_a_spread_creations_in_flight_are_void_too() {
    let mut rig = Rig::new(1);
    rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(Input::RetireAll { spread: secs(60) });
    rig.end(creation, Outcome::Created);
    assert_eq!(rig.counts().closing, 1);
}

#[test]
fn only_what_is_open_changes_its_epoch() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Discard);
    rig.feed(Input::RetireAll { spread: secs(60) });
    assert!(
        !rig.log.iter().any(|action| matches!(action, Action::Retag(_))),
        "it is on its way out"
    );
}

#[test]
fn a_second_spread_never_prolongs_the_first() {
    let mut rig = Rig::filled(4);
    rig.feed(Input::RetireAll { spread: secs(10) });
    let before: Vec<_> = (0..4).map(|index| rig.core.tag(index).1).collect();
    rig.feed(Input::RetireAll { spread: secs(1000) });
    for (index, before) in (0..).zip(before) {
        assert!(rig.core.tag(index).1 <= before);
    }
}

#[test]
fn the_tag_of_a_resource_is_settled_when_its_creation_begins() {
    let mut rig = Rig::new(1);
    rig.queue();
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    let tag = rig.core.tag(creation.index());
    rig.pass(secs(2));
    rig.end(creation, Outcome::Created);
    assert_eq!(rig.core.tag(creation.index()), tag, "who opened it noted that one");
}

#[test]
fn a_spread_does_not_pardon_what_was_retired_at_once_before() {
    let mut rig = Rig::filled(2);
    let (returned, cleaned) = (rig.lend(), rig.lend());
    rig.feed(NOW);
    rig.feed(Input::RetireAll { spread: secs(3600) });
    rig.home(returned);
    rig.queue();
    assert_eq!(rig.counts().closing, 1, "nothing of the epoch before is lent");
    rig.give_back(cleaned, GiveBack::Reset);
    assert_eq!((rig.counts().closing, rig.counts().offered), (2, 0));
}

#[test]
fn a_resource_lives_max_lifetime_less_its_share_of_chance() {
    let mut shortest = secs(1000);
    let mut longest = secs(0);
    for seed in 0..200 {
        let mut rig = Rig::with(|config| {
            (config.max_size, config.seed) = (1, seed);
            (config.max_lifetime, config.lifetime_jitter) = (secs(1000), 25);
        });
        rig.queue();
        rig.create();
        let life = rig.core.tag(0).1.expect("it has one") - rig.now;
        shortest = shortest.min(life);
        longest = longest.max(life);
    }
    assert!(shortest >= secs(750) && longest <= secs(1000));
    assert!(shortest < secs(760) && longest > secs(990), "{shortest:?} to {longest:?}");
}

#[test]
fn what_is_too_old_is_neither_lent_nor_checked() {
    let mut rig =
        Rig::filled_with(2, |config| (config.max_lifetime, config.lifetime_jitter) = (secs(60), 0));
    let lent = rig.lend();
    rig.skip(secs(60));
    let id = rig.queue();
    assert_eq!((rig.counts().closing, rig.counts().checking), (1, 0));
    rig.home(lent);
    assert_eq!(rig.counts().closing, 2);
    rig.run_jobs();
    rig.poll_lent(id);
}
