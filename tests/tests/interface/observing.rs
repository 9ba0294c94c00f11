//! What the pool says of itself: numbers, and who holds what.

use std::panic::Location;

use millpond::{Holder, Pooled};
use millpond_test::{OnReturn, Op, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

#[test]
fn status_counts_what_everything_is_doing() {
    let rig = Rig::new(|builder| builder.max_size(6).max_creating(1).check_after_idle(secs(1)));
    let mut held = rig.take_many(5);
    drop(held.split_off(3));
    rig.runtime.advance(secs(2));
    for op in [Op::Create, Op::Check, Op::Reset, Op::Close] {
        rig.manager.default_step(op, Step::Hang);
    }
    rig.manager.script_returns([OnReturn::Reset, OnReturn::Discard]);
    drop(held.pop());
    drop(held.pop());
    let waiting: Vec<_> = (0..5).map(|_| rig.wait()).collect();
    rig.runtime.advance(ms(700));

    let status = rig.pool.status();
    assert_eq!((status.max, status.size), (6, 6));
    assert_eq!((status.leased, status.idle), (1, 0));
    assert_eq!((status.creating, status.checking), (1, 2));
    assert_eq!((status.resetting, status.closing), (1, 1));
    assert_eq!((status.waiting, status.oldest_wait), (5, Some(ms(700))));
    assert_eq!((status.abandoned, status.stuck), (0, 0));
    assert_eq!((status.leases, status.totals.created, status.totals.queued), (5, 5, 10));

    drop(waiting);
    let status = rig.pool.status();
    assert_eq!((status.waiting, status.oldest_wait, status.totals.cancelled), (0, None, 5));
    for op in [Op::Create, Op::Check, Op::Reset, Op::Close] {
        rig.manager.default_step(op, Step::Ok);
    }
    drop(held);
    rig.runtime.advance(secs(20));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn totals_count_what_happened_by_cause() {
    let rig = Rig::new(|builder| {
        builder.max_size(1).max_waiters(1).check_after_idle(secs(1)).create_backoff(ms(1), ms(1))
    });
    rig.manager.script(Op::Create, [Step::transient(), Step::permanent()]);
    let _ = rig.runtime.block_on(rig.pool.get());
    rig.runtime.advance(ms(5));
    let held = rig.runtime.block_on(rig.pool.get()).expect("the third attempt succeeds");
    assert!(rig.runtime.block_on(rig.pool.get().timeout(ms(50))).is_err());
    let waiting = rig.wait();
    assert!(rig.at_once(rig.pool.get()).is_err());
    drop(waiting);
    drop(held);
    rig.runtime.advance(secs(5));
    rig.manager.script(Op::Check, [Step::transient()]);
    drop(rig.take());
    rig.ends_clean();
    assert!(rig.at_once(rig.pool.get()).is_err());

    let totals = rig.pool.status().totals;
    assert_eq!((totals.created, totals.create_failed, totals.create_refused), (2, 2, 1));
    assert_eq!((totals.check_failed, totals.closed, totals.abandoned), (1, 2, 0));
    assert_eq!((totals.timed_out, totals.too_many_waiters), (1, 1));
    assert_eq!((totals.cancelled, totals.closed_refused, totals.revoked), (1, 1, 0));
}

#[test]
fn holders_are_told_by_place_time_and_label() {
    let rig = Rig::new(|builder| builder.max_size(4).check_after_idle(ms(400)));
    let (first, at_first) = (rig.at_once(rig.pool.get()).expect("there are four"), here());
    rig.runtime.advance(secs(10));
    let (second, at_second) =
        (rig.at_once(rig.pool.get_owned().label("export")).expect("there are four"), here());
    rig.runtime.advance(secs(5));
    drop(rig.take());
    let (third, at_third) = (rig.pool.try_get().expect("one is idle"), here());

    let holders = rig.pool.holders();
    let lines: Vec<_> = holders.iter().map(|holder| holder.location.line()).collect();
    assert_eq!(lines, [at_first.line(), at_second.line(), at_third.line()], "the longest first");
    assert!(holders.iter().all(|holder| holder.location.file() == file!()));
    let labels: Vec<_> = holders.iter().map(|holder| holder.label.as_deref()).collect();
    assert_eq!(labels, [None, Some("export"), None]);
    let times: Vec<_> = holders.iter().map(|holder| holder.held_for).collect();
    for (time, expected) in times.iter().zip([secs(15), secs(5), secs(0)]) {
        assert!(*time <= expected && *time + ms(100) >= expected, "{time:?}, not {expected:?}");
    }
    let text = holders[1].to_string();
    assert!(text.starts_with("for 5s by ") && text.ends_with("(export)"), "{text}");

    drop((first, second, third));
    assert!(rig.pool.holders().is_empty());
    rig.ends_clean();
}

#[test]
fn with_is_told_by_the_place_of_its_call() {
    let rig = Rig::of(1);
    let (with, at) = (rig.pool.with(async |_| rig.pool.holders()), here());
    let holders: Vec<Holder> = rig.at_once(with).expect("there is one");
    assert_eq!((holders.len(), holders[0].location.line()), (1, at.line()));
    rig.ends_clean();
}

#[test]
fn a_label_ends_with_its_lease() {
    let rig = Rig::of(1);
    drop(rig.at_once(rig.pool.get().label("once")).expect("there is one"));
    let held = rig.take();
    assert_eq!(rig.pool.holders()[0].label, None);
    drop(held);
    let held = rig.at_once(rig.pool.get().label(String::from("twice"))).expect("there is one");
    assert_eq!(rig.pool.holders()[0].label.as_deref(), Some("twice"));
    drop(held);
    rig.ends_clean();
}

#[test]
fn the_hour_of_a_holder_is_its_own_and_not_that_of_its_predecessor() {
    let rig = Rig::of(1);
    let held = rig.take();
    rig.runtime.advance(secs(1000));
    drop(held);
    let held = rig.take();
    rig.runtime.advance(secs(3));
    let holder = &rig.pool.holders()[0];
    assert!(holder.held_for >= secs(3) && holder.held_for <= secs(4), "{holder:?}");
    drop(held);
    rig.ends_clean();
}

#[test]
fn what_is_detached_is_held_by_nobody() {
    let rig = Rig::of(1);
    let mine = Pooled::detach(rig.take());
    assert!(rig.pool.holders().is_empty());
    drop(mine);
    rig.ends_clean();
}

#[test]
fn what_was_offered_and_not_fetched_is_leased_to_nobody_yet() {
    let rig = Rig::of(1);
    let held = rig.take();
    let woken = rig.wait();
    drop(held);
    assert_eq!((rig.pool.status().leased, rig.pool.holders().len()), (1, 0));
    drop(woken);
    rig.ends_clean();
}
