//! Callers that go away, in whatever state they are.

use super::rig::{Answer, Rig, secs};
use crate::io::{Input, Job, Why};

#[test]
fn one_that_leaves_the_queue_is_skipped() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let (first, second, third) = (rig.queue(), rig.queue(), rig.queue());
    rig.cancel(second);
    rig.home(lent);
    rig.poll_lent(first);
    rig.home(lent);
    assert_eq!(rig.woken(), [first, third]);
    assert_eq!(rig.core.totals().cancelled, 1);
}

#[test]
fn when_the_last_one_leaves_callers_help_themselves_again() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let id = rig.queue();
    assert!(rig.bits.attended);
    rig.cancel(id);
    assert!(!rig.bits.attended);
}

#[test]
fn what_was_set_aside_for_it_goes_to_the_next_exactly_once() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let (first, second, third) = (rig.queue(), rig.queue(), rig.queue());
    rig.home(lent);
    rig.cancel(first);
    assert_eq!(rig.woken(), [first, second]);
    assert_eq!(rig.poll(third), Answer::Pending);
    assert_eq!(rig.poll_lent(second), lent);
}

#[test]
fn what_was_set_aside_for_it_lies_idle_if_nobody_waits() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let id = rig.queue();
    rig.home(lent);
    rig.cancel(id);
    assert_eq!((rig.idle(), rig.counts().offered), (1, 0));
    assert_eq!(rig.bits.take(), Some(lent));
}

#[test]
fn one_that_lapsed_or_was_refused_leaves_nothing_behind() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    let lapsed = rig.queue();
    rig.home(lent);
    rig.pass(secs(1));
    rig.lend();
    let refused = rig.queue_within(secs(1));
    rig.pass(secs(1));
    rig.cancel(lapsed);
    rig.cancel(refused);
    assert_eq!(rig.core.waiters.all().count(), 0);
    assert_eq!(rig.core.totals().cancelled, 1, "the other was told its timeout");
}

#[test]
fn what_was_set_aside_is_closed_if_the_pool_has_shrunk_or_closed_meanwhile() {
    for input in [Input::Resize(0), Input::Close] {
        let mut rig = Rig::filled(1);
        let lent = rig.lend();
        let id = rig.queue();
        rig.home(lent);
        rig.feed(input);
        rig.cancel(id);
        assert_eq!(rig.job(Job::Close).index(), lent, "{input:?}");
    }
}

#[test]
fn ids_of_those_who_left_are_not_taken_for_their_successors() {
    let mut rig = Rig::filled(1);
    rig.lend();
    let old = rig.queue();
    rig.cancel(old);
    let new = rig.queue();
    assert_eq!(new.index(), old.index());
    assert_ne!(new, old);
    assert!(rig.core.waiters.is_current(new) && !rig.core.waiters.is_current(old));
}

#[test]
fn all_may_leave_at_once_in_any_order() {
    let mut rig = Rig::filled_with(1, |config| config.max_waiters = 10_000);
    let lent = rig.lend();
    let ids: Vec<_> = (0..10_000).map(|_| rig.queue_within(secs(30))).collect();
    let (even, odd): (Vec<_>, Vec<_>) = ids.iter().partition(|id| id.index() % 2 == 0);
    for id in even.into_iter().rev().chain(odd) {
        rig.cancel(id);
    }
    assert_eq!(rig.counts().waiting, 0);
    assert!(!rig.bits.attended);
    rig.home(lent);
    assert_eq!(rig.try_get(), Answer::Lent(lent));
    assert_eq!(rig.get().queued().index(), ids[9999].index(), "places are used again");
    assert_eq!(rig.get_within(secs(0)).why(), Why::Deadline);
}
