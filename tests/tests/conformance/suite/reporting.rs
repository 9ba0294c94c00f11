//! What the pool says of itself: numbers, and who holds what.

use std::panic::Location;

use millpond::{Holder, Pooled};
use millpond_test::{Gate, OnReturn, Op, Step};
use millpond_tests::real::{Flavour, Rig};

use super::ms;

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

pub(crate) async fn status_counts_what_everything_is_doing(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(6).max_creating(1).check_after_idle(ms(0)));
    let gate = Gate::new();
    let mut held = rig.take_many(5).await;
    drop(held.pop());
    for op in [Op::Create, Op::Check, Op::Reset, Op::Close] {
        rig.manager.default_step(op, Step::Ok.behind(&gate));
    }
    rig.manager.script_returns([OnReturn::Reset, OnReturn::Discard]);
    drop(held.pop());
    drop(held.pop());
    let waiting: Vec<_> = (0..5).map(|_| rig.wait()).collect();
    rig.eventually(|| gate.waiting() == 4).await;
    let status = rig.pool.status();
    assert_eq!((status.max, status.size), (6, 6));
    assert_eq!((status.leased, status.idle), (2, 0));
    assert_eq!((status.creating, status.checking), (1, 1));
    assert_eq!((status.resetting, status.closing), (1, 1));
    assert_eq!((status.abandoned, status.stuck), (0, 0));
    assert_eq!(status.waiting, 5);
    assert!(status.oldest_wait.is_some());
    assert_eq!((status.leases, status.totals.created, status.totals.queued), (5, 5, 10));
    drop(waiting);
    let status = rig.pool.status();
    assert_eq!((status.waiting, status.oldest_wait, status.totals.cancelled), (0, None, 5));
    gate.open();
    drop(held);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn totals_count_what_happened_by_cause(on: Flavour) {
    let rig = Rig::new(on, |builder| {
        builder.max_size(1).max_waiters(1).check_after_idle(ms(0)).create_backoff(ms(1), ms(1))
    });
    rig.manager.script(Op::Create, [Step::transient()]);
    let held = rig.take().await;
    drop(rig.refused(rig.pool.get().timeout(ms(5))).await);
    let waiting = rig.wait();
    drop(rig.refused(rig.pool.get()).await);
    drop(waiting);
    drop(held);
    rig.manager.script(Op::Check, [Step::transient()]);
    drop(rig.take().await);
    drop(rig.pool.close(ms(0)).await);
    drop(rig.refused(rig.pool.get()).await);
    rig.pool.drained().await;
    let totals = rig.pool.status().totals;
    assert_eq!((totals.created, totals.create_failed, totals.create_refused), (2, 1, 0));
    assert_eq!((totals.check_failed, totals.closed, totals.abandoned), (1, 2, 0));
    assert_eq!((totals.timed_out, totals.too_many_waiters), (1, 1));
    assert_eq!((totals.cancelled, totals.closed_refused), (1, 1));
    rig.ends_clean().await;
}

pub(crate) async fn holders_are_told_by_place_time_and_label(on: Flavour) {
    let rig = Rig::of(on, 3);
    let (get, at_first) = (rig.pool.get(), here());
    let first = get.await.expect("there is room");
    on.pass(ms(20)).await;
    let (get, at_second) = (rig.pool.get_owned().label("export"), here());
    let second = get.await.expect("there is room");
    drop(rig.take().await);
    on.pass(ms(20)).await;
    let (third, at_third) = (rig.pool.try_get().expect("one is idle"), here());

    let holders = rig.pool.holders();
    assert_eq!(holders.len(), 3);
    let by_line = |line: u32| -> &Holder {
        let mut found = holders.iter().filter(|holder| holder.location.line() == line);
        found.next().expect("who holds is named by the place of its call")
    };
    assert!(holders.iter().all(|holder| holder.location.file() == file!()));
    assert!(holders.is_sorted_by_key(|holder| std::cmp::Reverse(holder.held_for)));
    assert_eq!(holders[0].location.line(), at_first.line(), "the longest first");
    assert!(by_line(at_first.line()).held_for >= ms(40));
    let labelled = by_line(at_second.line());
    assert_eq!(labelled.label.as_deref(), Some("export"));
    assert!(labelled.to_string().ends_with("(export)"), "{labelled}");
    assert_eq!(by_line(at_third.line()).label, None);
    drop((first, second, third));
    assert!(rig.pool.holders().is_empty());
    rig.ends_clean().await;
}

pub(crate) async fn with_is_told_by_the_place_of_its_call(on: Flavour) {
    let rig = Rig::of(on, 1);
    let (with, at) = (rig.pool.with(async |_| rig.pool.holders()), here());
    let holders = with.await.expect("there is one");
    assert_eq!((holders.len(), holders[0].location.line()), (1, at.line()));
    rig.ends_clean().await;
}

pub(crate) async fn a_label_ends_with_its_lease(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.pool.get().label("once").await.expect("there is one"));
    let held = rig.take().await;
    assert_eq!(rig.pool.holders()[0].label, None);
    let waiting = on.spawn(rig.pool.get_owned().label(String::from("twice")));
    rig.eventually(|| rig.pool.status().waiting == 1).await;
    drop(held);
    let held = waiting.await.expect("it does not panic").expect("it is served");
    assert_eq!(rig.pool.holders()[0].label.as_deref(), Some("twice"));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn nobody_holds_what_lies_idle_was_detached_or_goes(on: Flavour) {
    let rig = Rig::of(on, 3);
    let gate = Gate::new();
    let mut held = rig.take_many(3).await;
    assert_eq!(rig.pool.holders().len(), 3);
    rig.manager.script(Op::Close, [Step::Ok.behind(&gate)]);
    held.pop().into_iter().for_each(Pooled::discard);
    assert_eq!(rig.pool.holders().len(), 2);
    let mine = held.pop().map(Pooled::detach);
    assert_eq!(rig.pool.holders().len(), 1);
    drop(held);
    assert!(rig.pool.holders().is_empty());
    gate.open();
    drop(mine);
    rig.ends_clean().await;
}
