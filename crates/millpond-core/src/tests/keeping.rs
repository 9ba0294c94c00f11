//! `min_idle`: enough lies idle, as far as there is room, and what goes is replaced first.

use std::time::Duration;

use super::rig::{Rig, ms, secs};
use crate::Config;
use crate::io::{Action, GiveBack, Input, Job, Outcome};

/// A pool of so many at most, of which so many are to lie idle. None has been opened.
fn keeping(max_size: u32, min_idle: u32) -> Rig {
    keeping_with(max_size, min_idle, |_| {})
}

fn keeping_with(max_size: u32, min_idle: u32, change: impl FnOnce(&mut Config)) -> Rig {
    Rig::with(|config| {
        (config.max_size, config.min_idle, config.max_creating) = (max_size, min_idle, max_size);
        change(config);
    })
}

/// The same with all of them open.
fn kept(max_size: u32, min_idle: u32) -> Rig {
    let mut rig = keeping(max_size, min_idle);
    rig.run_jobs();
    assert_eq!(rig.idle(), min_idle);
    rig
}

#[test]
fn they_are_opened_as_soon_as_there_is_a_driver_so_many_at_a_time() {
    let mut rig = Rig::without_driver(|config| {
        (config.max_size, config.min_idle, config.max_creating) = (10, 5, 2);
    });
    rig.feed(Input::Resume);
    assert!(rig.jobs.is_empty(), "nobody would perform them");
    rig.feed(Input::DriverUp);
    assert_eq!(rig.counts().creating, 2);
    rig.create();
    assert_eq!((rig.counts().creating, rig.idle()), (2, 1));
    rig.run_jobs();
    assert_eq!((rig.counts().charged(), rig.idle()), (5, 5));
    rig.pass(secs(60));
    assert!(rig.jobs.is_empty(), "that is enough");
}

#[test]
fn what_is_taken_is_made_up_for_within_a_tick() {
    let mut rig = kept(10, 3);
    let (first, second) = (rig.lend(), rig.lend());
    rig.give_back(first, GiveBack::Discard);
    assert_eq!(rig.counts().creating, 0, "borrowers come and go");
    rig.pass(ms(250));
    assert_eq!(rig.counts().creating, 2);
    rig.run_jobs();
    assert_eq!((rig.idle(), rig.counts().live), (3, 4));
    rig.home(second);
    rig.pass(secs(1));
    assert_eq!((rig.idle(), rig.counts().live), (4, 4), "what there is stays for a while");
}

#[test]
fn there_are_never_more_than_max_size() {
    let mut rig = kept(5, 4);
    let lent: Vec<_> = (0..3).map(|_| rig.lend()).collect();
    rig.pass(secs(1));
    rig.run_jobs();
    assert_eq!((rig.counts().live, rig.idle()), (5, 2));
    lent.into_iter().for_each(|slot| rig.home(slot));
    assert_eq!(rig.idle(), 5);
}

#[test]
fn while_callers_wait_it_is_they_who_count() {
    let mut rig = kept(10, 2);
    rig.core.pace.assume(ms(400));
    rig.lend();
    rig.lend();
    rig.queue();
    rig.pass(ms(300));
    assert_eq!(rig.counts().creating, 1, "for the one that waits");
    rig.create();
    assert_eq!((rig.counts().offered, rig.counts().creating), (1, 1), "it may soon be back");
    let id = rig.woken()[0];
    rig.poll_lent(id);
    rig.pass(ms(250));
    assert_eq!(rig.counts().creating, 2, "now for those to come");
}

#[test]
fn a_first_caller_takes_one_of_those_that_are_opened_anyway() {
    let mut rig = Rig::without_driver(|config| {
        (config.max_size, config.min_idle, config.max_creating) = (10, 3, 10);
    });
    let id = rig.queue();
    rig.feed(Input::DriverUp);
    assert_eq!(rig.counts().creating, 3);
    rig.run_jobs();
    let lent = rig.poll_lent(id);
    rig.bring(lent);
    rig.pass(secs(1));
    assert_eq!((rig.idle(), rig.core.totals().created), (3, 3));
}

#[test]
fn what_is_being_checked_or_cleaned_will_lie_idle_again() {
    let mut rig = kept(10, 2);
    let lent = rig.lend();
    rig.pass(secs(1));
    rig.run_jobs();
    rig.pass(secs(1));
    rig.try_get();
    rig.give_back(lent, GiveBack::Reset);
    let counts = rig.counts();
    assert_eq!((counts.checking, counts.resetting, rig.idle()), (1, 1, 1));
    rig.pass(secs(1));
    assert_eq!(rig.counts().creating, 0);
}

#[test]
fn what_comes_home_by_way_of_cleaning_is_no_occasion_either() {
    let mut rig = kept(10, 2);
    let (lent, _) = (rig.lend(), rig.lend());
    rig.give_back(lent, GiveBack::Reset);
    rig.finish(Job::Reset, Outcome::Fit);
    assert_eq!((rig.idle(), rig.counts().creating), (1, 0), "a borrower comes and goes");
    rig.pass(ms(250));
    assert_eq!(rig.counts().creating, 1);
}

#[test]
fn a_check_that_costs_the_last_one_is_made_up_for_even_while_the_pool_sleeps() {
    let mut rig = keeping_with(10, 1, |config| config.keepalive = secs(60));
    rig.run_jobs();
    rig.pass(secs(60));
    assert_eq!((rig.counts().checking, rig.bits.attended), (1, true), "asleep");
    rig.pass(secs(3));
    assert_eq!((rig.counts().abandoned, rig.counts().creating), (1, 1));
}

#[test]
fn a_creation_is_not_begun_when_enough_has_come_home_meanwhile() {
    let mut rig = kept(10, 1);
    let lent = rig.lend();
    rig.pass(ms(250));
    let creation = rig.job(Job::Create);
    rig.home(lent);
    assert!(!rig.begin(creation));
    rig.end(creation, Outcome::Skipped);
    assert_eq!((rig.idle(), rig.counts().charged()), (1, 1));
}

/// FAULTS 1.
#[test]
fn a_backend_that_is_down_is_tried_seldom_and_one_at_a_time() {
    let mut rig = keeping(10, 5);
    let start = rig.now;
    let mut attempts = 0;
    while rig.now < start + secs(120) {
        let outstanding = rig.jobs_of(Job::Create);
        assert!(attempts == 0 || outstanding.len() <= 1, "{outstanding:?}");
        for slot in outstanding {
            assert!(rig.begin(slot));
            rig.end(slot, Outcome::CreateFailed { transient: attempts % 2 == 0 });
            attempts += 1;
        }
        let next = rig.core.next_timeout().expect("the pause ends");
        assert!(next > rig.now, "it spins");
        rig.now = next;
        rig.feed(Input::Tick);
    }
    // The pauses are random up to five seconds: one in two and a half on the average.
    assert!((20..=90).contains(&attempts), "{attempts} attempts in two minutes");
    rig.pass(secs(5));
    rig.run_jobs();
    assert_eq!(rig.idle(), 5, "and all are opened when it is back");
}

#[test]
fn between_two_attempts_the_pool_sleeps() {
    let mut rig = keeping_with(10, 5, |config| {
        (config.backoff_base, config.backoff_cap, config.seed) = (secs(100), secs(100), 7);
    });
    let creations = rig.jobs_of(Job::Create);
    for slot in creations {
        assert!(rig.begin(slot));
        rig.end(slot, Outcome::CreateFailed { transient: true });
    }
    assert!(rig.pause() > secs(10));
    rig.pass(secs(1));
    assert_eq!(rig.core.next_timeout(), Some(rig.now + rig.pause()));
}

#[test]
fn idle_timeout_leaves_as_many_as_there_are_to_be() {
    let mut rig = kept(10, 2);
    rig.core.config.max_lifetime = Duration::MAX;
    let mut lent = Vec::new();
    for _ in 0..2 {
        lent.extend([rig.lend(), rig.lend()]);
        rig.pass(ms(250));
        rig.run_jobs();
    }
    assert_eq!((lent.len(), rig.idle()), (4, 2));
    lent.into_iter().for_each(|slot| rig.home(slot));
    assert_eq!(rig.idle(), 6);
    rig.pass(secs(640));
    assert_eq!((rig.idle(), rig.counts().closing + rig.counts().abandoned), (2, 4));
    rig.pass(secs(24 * 3600));
    assert_eq!(rig.idle(), 2);
}

#[test]
fn what_is_kept_is_not_looked_at_again_and_again() {
    let mut rig = kept(10, 3);
    rig.pass(secs(700));
    let next = rig.core.next_timeout().expect("they grow old");
    assert!(next > rig.now + secs(300), "a look in {:?} for nothing", next - rig.now);
    let mut eternal = keeping_with(10, 3, |config| config.max_lifetime = Duration::MAX);
    eternal.run_jobs();
    eternal.pass(secs(700));
    assert_eq!(eternal.core.next_timeout(), None, "a pool at rest causes no wake-ups");
    assert_eq!(eternal.idle(), 3);
}

#[test]
fn what_becomes_spare_after_all_is_closed_in_its_time() {
    let mut rig = keeping_with(10, 1, |config| config.max_lifetime = Duration::MAX);
    rig.run_jobs();
    rig.pass(secs(3000));
    let id = rig.queue();
    rig.finish(Job::Check, Outcome::Fit);
    let lent = rig.poll_lent(id);
    rig.pass(ms(250));
    rig.run_jobs();
    rig.home(lent);
    assert_eq!(rig.idle(), 2);
    rig.pass(secs(1300));
    assert_eq!(rig.idle(), 1);
}

/// Runs the pool for so long, each job taking half a second; the least that ever lay idle.
fn least_idle(rig: &mut Rig, time: Duration) -> u32 {
    let end = rig.now + time;
    let mut least = rig.idle();
    while rig.now < end {
        let jobs: Vec<_> = rig.jobs.clone();
        jobs.iter().for_each(|(slot, _)| assert!(rig.begin(*slot)));
        rig.pass(ms(500));
        for (slot, job) in jobs {
            rig.end(slot, if job == Job::Create { Outcome::Created } else { Outcome::Gone });
        }
        least = least.min(rig.idle());
    }
    least
}

#[test]
fn the_replacement_of_what_grows_old_comes_first() {
    let mut rig = kept(10, 4);
    assert_eq!(least_idle(&mut rig, secs(3 * 3600)), 4);
    let created = rig.core.totals().created;
    assert!(
        (24..=44).contains(&created),
        "{created} opened in three hours, of four at half an hour"
    );
    assert!(rig.idle() <= 6);
}

#[test]
fn where_there_is_no_room_what_grows_old_is_replaced_afterwards() {
    let mut rig = kept(4, 4);
    assert!(least_idle(&mut rig, secs(3600)) < 4);
    assert!(rig.core.totals().created > 4);
    rig.pass(secs(1));
    rig.run_jobs();
    assert_eq!(rig.idle(), 4);
}

#[test]
fn a_replacement_comes_no_earlier_than_in_the_last_quarter_of_a_life() {
    for (create_timeout, at) in [(secs(10), 1760), (Duration::MAX, 1350)] {
        let mut rig = keeping_with(2, 1, |config| {
            (config.create_timeout, config.lifetime_jitter) = (create_timeout, 0);
        });
        rig.run_jobs();
        rig.pass(secs(at - 1));
        assert!(rig.jobs.is_empty());
        rig.pass(secs(1));
        assert_eq!((rig.counts().creating, rig.idle()), (1, 1));
        rig.run_jobs();
        rig.pass(secs(1800 - at - 1));
        assert_eq!((rig.idle(), rig.counts().closing), (2, 0), "the old one has some time left");
        rig.pass(secs(1));
        assert_eq!((rig.idle(), rig.counts().closing), (1, 1));
    }
}

#[test]
fn what_is_replaced_already_does_not_count_as_idle_for_the_next() {
    let mut rig = keeping_with(3, 1, |config| {
        config.lifetime_jitter = 0;
        config.idle_timeout = secs(300);
    });
    rig.run_jobs();
    rig.pass(secs(1775));
    assert_eq!(rig.counts().creating, 1);
    rig.run_jobs();
    rig.pass(secs(26));
    assert_eq!((rig.idle(), rig.core.totals().created), (1, 2));
    let (_, retire_at) = rig.core.tag(rig.bits.idle.trailing_zeros());
    assert!(retire_at.is_some_and(|at| at > rig.now + secs(1000)), "the new one stays");
}

#[test]
fn all_that_is_retired_is_replaced_as_soon_as_there_is_room() {
    let mut rig = kept(5, 3);
    rig.feed(Input::RetireAll { spread: Duration::ZERO });
    assert_eq!((rig.counts().closing, rig.counts().creating), (3, 2));
    rig.run_jobs();
    assert_eq!((rig.idle(), rig.counts().charged()), (3, 3));
    assert!(
        (0..5).filter(|slot| rig.bits.idle & 1 << slot != 0).all(|slot| rig.core.tag(slot).0 == 1)
    );
}

#[test]
fn with_a_spread_the_replacements_come_first() {
    let mut rig = kept(10, 4);
    rig.feed(Input::RetireAll { spread: secs(600) });
    assert_eq!(least_idle(&mut rig, secs(700)), 4);
    assert!((0..10).filter(|slot| rig.bits.idle & 1 << slot != 0).count() >= 4);
    assert_eq!(rig.core.totals().created, 8);
}

#[test]
fn resizing_below_to_nothing_and_back_is_borne() {
    let mut rig = kept(6, 4);
    rig.feed(Input::Resize(2));
    rig.run_jobs();
    assert_eq!((rig.idle(), rig.counts().charged()), (2, 2));
    rig.feed(Input::Resize(0));
    rig.run_jobs();
    rig.pass(secs(60));
    assert_eq!((rig.counts().charged(), rig.jobs.len()), (0, 0));
    rig.feed(Input::Resize(1));
    rig.run_jobs();
    assert_eq!(rig.idle(), 1);
    rig.feed(Input::Resize(6));
    rig.run_jobs();
    assert_eq!(rig.idle(), 4);
}

#[test]
fn a_paused_pool_opens_nothing_and_a_resumed_one_does() {
    let mut rig = kept(6, 2);
    rig.feed(Input::Pause);
    rig.feed(Input::RetireAll { spread: Duration::ZERO });
    rig.run_jobs();
    rig.pass(secs(60));
    assert_eq!(rig.counts().charged(), 0);
    rig.feed(Input::Resume);
    rig.run_jobs();
    assert_eq!(rig.idle(), 2);
}

#[test]
fn a_closing_pool_opens_nothing() {
    let mut rig = keeping(6, 2);
    let creations = rig.jobs_of(Job::Create);
    rig.feed(Input::Close);
    assert!(creations.iter().all(|slot| !rig.begin(*slot)));
    creations.into_iter().for_each(|slot| drop(rig.end(slot, Outcome::Skipped)));
    assert_eq!((rig.times(Action::Drained), rig.jobs.len()), (1, 0));
}

#[test]
fn what_a_failed_check_takes_away_is_opened_anew() {
    let mut rig = kept(6, 3);
    rig.pass(secs(2));
    rig.try_get();
    rig.finish(Job::Check, Outcome::Gone);
    // Its sisters are suspect, but may be fit.
    assert_eq!((rig.counts().checking, rig.counts().creating), (2, 1));
    rig.finish(Job::Check, Outcome::Gone);
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.counts().creating, 2);
    rig.run_jobs();
    assert_eq!((rig.idle(), rig.counts().charged()), (3, 3));
}
