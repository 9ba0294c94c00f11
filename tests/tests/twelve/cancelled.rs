//! Spec 3: dropping a `get` at any await is as if it had never been called, except that a creation which it began completes
//! and serves the head of the queue.

use std::task::Poll;

use millpond::Status;
use millpond_test::{Gate, Op, Parked, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// What a caller that comes and goes may not change.
fn standing(status: &Status) -> (usize, usize, usize, usize, usize) {
    (status.size, status.idle, status.leased, status.waiting, status.checking)
}

#[test]
fn spec_3_a_get_that_is_never_polled_takes_nothing() {
    let rig = Rig::of(1);
    drop(rig.take());
    let before = standing(&rig.pool.status());
    let get = rig.pool.get();
    assert_eq!(standing(&rig.pool.status()), before);
    drop(get);
    assert_eq!(standing(&rig.pool.status()), before);
    rig.ends_clean();
}

#[test]
fn spec_3_dropping_get_at_any_await_is_as_if_never_called() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut first = rig.wait();
    let before = standing(&rig.pool.status());
    for polls in 1..4 {
        let mut dropped = rig.wait();
        let mut behind = rig.wait();
        for _ in 1..polls {
            assert!(dropped.poll().is_pending());
        }
        drop(dropped);
        assert!(behind.poll().is_pending());
        drop(behind);
        assert_eq!(standing(&rig.pool.status()), before, "after {polls} polls");
    }
    drop(held);
    assert!(first.is_woken());
    assert!(rig.at_once(&mut first.future().expect("it waits")).is_ok());
    rig.ends_clean();
}

#[test]
fn spec_3_what_was_offered_to_a_dropped_get_goes_to_the_next() {
    let rig = Rig::of(1);
    let held = rig.take();
    let (woken, mut next) = (rig.wait(), rig.wait());
    drop(held);
    assert!(woken.is_woken() && !next.is_woken());
    drop(woken);
    assert!(next.is_woken(), "the offer goes to the next at once");
    let Poll::Ready(Ok(pooled)) = next.poll() else { panic!("the next is served") };
    drop(pooled);
    assert_eq!((rig.manager.opened(), rig.pool.status().idle), (1, 1));
    rig.ends_clean();
}

#[test]
fn spec_3_what_was_offered_to_a_dropped_get_lies_idle_if_nobody_else_waits() {
    let rig = Rig::of(1);
    let held = rig.take();
    let woken = rig.wait();
    drop(held);
    drop(woken);
    assert_eq!((rig.pool.status().idle, rig.pool.status().waiting), (1, 0));
    drop(rig.take());
    rig.ends_clean();
}

#[test]
fn spec_3_a_creation_goes_on_without_its_caller_and_serves_the_head_of_the_queue() {
    let rig = Rig::of(1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    let (gone, mut next) = (rig.wait(), rig.wait());
    drop(gone);
    gate.open();
    assert!(rig.at_once(&mut next.future().expect("it waits")).is_ok());
    assert_eq!(rig.manager.opened(), 1, "and no other was begun");
    rig.ends_clean();
}

#[test]
fn spec_3_a_creation_whose_caller_is_gone_ends_as_an_idle_resource() {
    let rig = Rig::of(1);
    let gate = Gate::new();
    rig.manager.script(Op::Create, [Step::Ok.behind(&gate)]);
    drop(rig.wait());
    gate.open();
    rig.runtime.run_until_idle();
    let status = rig.pool.status();
    assert_eq!((status.idle, status.creating, status.size), (1, 0, 1));
    rig.ends_clean();
}

#[test]
fn spec_3_a_creation_that_nobody_wants_any_more_when_it_would_begin_does_not() {
    let rig = Rig::of(1);
    let mut gone = Parked::new(rig.pool.get());
    assert!(gone.poll().is_pending());
    drop(gone);
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.started(Op::Create), rig.pool.status().size), (0, 0));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn spec_3_a_check_goes_on_without_its_caller_and_serves_the_head_of_the_queue() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(ms(100)));
    drop(rig.take());
    rig.runtime.advance(secs(1));
    let gate = Gate::new();
    rig.manager.script(Op::Check, [Step::Ok.behind(&gate)]);
    let (gone, mut next) = (rig.wait(), rig.wait());
    drop(gone);
    gate.open();
    assert!(rig.at_once(&mut next.future().expect("it waits")).is_ok());
    assert_eq!((rig.manager.checks(), rig.manager.opened()), (1, 1));
    rig.ends_clean();
}

#[test]
fn spec_3_ten_thousand_that_give_up_leave_the_queue_to_the_one_that_stays() {
    let rig = Rig::new(|builder| builder.max_size(1).max_waiters(20_000));
    let held = rig.take();
    let before: Vec<_> = (0..5_000).map(|_| rig.wait()).collect();
    let mut stays = rig.wait();
    let behind: Vec<_> = (0..5_000).map(|_| rig.wait()).collect();
    drop(behind);
    drop(before);
    assert_eq!(rig.pool.status().waiting, 1);
    drop(held);
    assert!(rig.at_once(&mut stays.future().expect("it waits")).is_ok());
    rig.ends_clean();
}
