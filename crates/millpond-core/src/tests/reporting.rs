//! Phases, totals and counts.

use std::time::Duration;

use super::rig::{Rig, ms, secs};
use crate::io::{GiveBack, Input, Job, Outcome, Refusal};
use crate::{Phase, Phases};

fn sum(phases: &Phases) -> Duration {
    phases.longest_first().into_iter().map(|(_, time)| time).sum()
}

/// A caller that waits ten seconds in this pool.
fn ten_seconds(rig: &mut Rig) -> Refusal {
    let id = rig.queue_within(secs(10));
    rig.pass(secs(10));
    rig.poll(id).refused()
}

#[test]
fn every_phase_is_told_apart() {
    let mut exhausted = Rig::filled(1);
    exhausted.lend();
    let creating = Rig::with(|config| config.create_timeout = secs(60));
    let mut backing_off = Rig::with(|config| {
        (config.backoff_base, config.backoff_cap, config.seed) = (secs(10_000), secs(10_000), 7);
    });
    backing_off.queue();
    backing_off.fail(true);
    let mut checking = Rig::filled_with(1, |config| config.check_timeout = secs(60));
    checking.pass(secs(1));
    let mut resetting = Rig::filled_with(1, |config| config.reset_timeout = secs(60));
    let lent = resetting.lend();
    resetting.give_back(lent, GiveBack::Reset);
    let mut closing = Rig::filled_with(1, |config| config.close_timeout = secs(60));
    let lent = closing.lend();
    closing.give_back(lent, GiveBack::Discard);
    let mut paused = Rig::filled(1);
    paused.feed(Input::Pause);
    let rigs = [
        (exhausted, Phase::Exhausted),
        (creating, Phase::Creating),
        (backing_off, Phase::BackingOff),
        (checking, Phase::Checking),
        (resetting, Phase::Clearing),
        (closing, Phase::Clearing),
        (paused, Phase::Paused),
    ];
    for (mut rig, phase) in rigs {
        let refusal = ten_seconds(&mut rig);
        assert_eq!(refusal.phases.longest_first(), [(phase, secs(10))]);
    }
}

#[test]
fn phases_add_up_to_the_time_waited() {
    let mut rig = Rig::new(1);
    let id = rig.queue_within(secs(30));
    rig.pass(secs(2));
    rig.fail(true);
    let pause = rig.pause();
    rig.pass(pause + secs(3));
    let creation = rig.job(Job::Create);
    assert!(rig.begin(creation));
    rig.feed(Input::Pause);
    rig.end(creation, Outcome::Created);
    rig.pass(secs(4));
    // Another one comes first: it resumes, and the resource is lent to it.
    rig.feed(Input::Resize(1));
    let refusal = {
        rig.pass(secs(30));
        rig.poll(id).refused()
    };
    assert_eq!(refusal.waited, secs(30));
    assert_eq!(sum(&refusal.phases), refusal.waited);
    assert_eq!(refusal.phases.get(Phase::BackingOff), pause);
    assert_eq!(refusal.phases.get(Phase::Creating), secs(5));
    assert_eq!(refusal.phases.longest_first()[0].0, Phase::Paused);
}

#[test]
fn a_caller_is_told_of_its_own_time_only() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let first = rig.queue_within(secs(20));
    rig.pass(secs(15));
    let second = rig.queue_within(secs(7));
    rig.pass(secs(7));
    assert_eq!(sum(&rig.poll(first).refused().phases), secs(20));
    assert_eq!(sum(&rig.poll(second).refused().phases), secs(7));
}

#[test]
fn no_time_is_counted_while_nobody_waits() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.pass(secs(1));
    rig.home(lent);
    rig.poll_lent(id);
    rig.pass(secs(100));
    let refusal = ten_seconds(&mut rig);
    assert_eq!(refusal.phases.longest_first(), [(Phase::Exhausted, secs(10))]);
}

#[test]
fn the_time_in_which_a_caller_did_not_come_for_its_offer_is_no_phase() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue_within(secs(10));
    rig.pass(secs(4));
    rig.home(lent);
    rig.pass(secs(6));
    let refusal = rig.poll(id).refused();
    assert_eq!((refusal.waited, sum(&refusal.phases)), (secs(10), secs(4)));
}

#[test]
fn a_refusal_on_arrival_has_waited_for_nothing() {
    let mut rig = Rig::filled(1);
    rig.core.lanes[0].settings.max_waiters = 0;
    rig.lend();
    let refusal = rig.get().refused();
    assert_eq!((refusal.waited, sum(&refusal.phases)), (ms(0), ms(0)));
}

#[test]
fn totals_tell_what_happened() {
    let mut rig = Rig::with(|config| (config.max_size, config.max_waiters) = (1, 2));
    let served = rig.queue_within(secs(30));
    rig.fail(true);
    rig.pass(rig.pause());
    rig.create();
    rig.poll_lent(served);
    let late = rig.queue_within(secs(1));
    let gone = rig.queue();
    rig.get().refused();
    rig.pass(secs(1));
    rig.poll(late).refused();
    rig.cancel(gone);
    rig.home(0);
    rig.pass(secs(2));
    let id = rig.queue();
    rig.finish(Job::Check, Outcome::Unfit);
    rig.finish(Job::Close, Outcome::Gone);
    rig.create();
    rig.pass(secs(1));
    rig.cancel(id);
    let id = rig.queue_or_lend();
    rig.feed(Input::Close);
    let totals = rig.core.totals();
    assert_eq!(id, 0);
    assert_eq!((totals.created, totals.create_failed, totals.check_failed), (2, 1, 1));
    assert_eq!((totals.closed, totals.abandoned, totals.revoked), (1, 0, 1));
    assert_eq!((totals.queued, totals.timed_out, totals.too_many_waiters), (4, 1, 1));
    assert_eq!((totals.cancelled, totals.create_refused, totals.closed_refused), (2, 0, 0));
}

impl Rig {
    fn queue_or_lend(&mut self) -> u32 {
        self.get().lent()
    }
}

#[test]
fn counts_tell_where_everything_is() {
    let mut rig = Rig::filled(6);
    rig.feed(Input::Resize(7));
    let lent: Vec<_> = (0..6).map(|_| rig.lend()).collect();
    rig.home(lent[0]);
    rig.pass(secs(1));
    rig.try_get();
    rig.give_back(lent[1], GiveBack::Discard);
    rig.give_back(lent[2], GiveBack::Reset);
    let oldest = rig.now;
    rig.queue();
    rig.pass(ms(1));
    rig.queue();
    rig.queue();
    rig.home(lent[3]);
    let counts = rig.counts();
    assert_eq!((counts.max, counts.live, counts.offered, counts.creating), (7, 2, 1, 1));
    assert_eq!((counts.checking, counts.resetting, counts.closing, counts.stuck), (1, 1, 1, 0));
    assert_eq!((counts.charged(), counts.waiting), (7, 2));
    assert_eq!(counts.oldest_wait, Some(oldest + ms(1)));
}

#[test]
fn phases_start_empty() {
    assert!(Phases::default().longest_first().is_empty());
}
