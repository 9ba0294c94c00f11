//! A runtime that exists but is not driven: the next visitor notices, and drives the pool from its own.

use std::task::Poll;
use std::time::Duration;

use millpond::{GetError, Pool, Pooled};
use millpond_test::{Op, Parked, ScriptedManager, Step, TestRuntime};
use millpond_tests::hop::Hop;
use millpond_tests::rig::{everything_is_gone, serves_at_full_size};

use crate::{ms, secs};

fn pool(max: usize) -> (Hop, [TestRuntime; 2], ScriptedManager, Pool<ScriptedManager>) {
    let (hop, runtimes) = Hop::new();
    let manager = ScriptedManager::new(hop.clone());
    let pool = Pool::builder(manager.clone())
        .max_size(max)
        .idle_timeout(Duration::MAX)
        .max_lifetime(Duration::MAX)
        .build(hop.clone())
        .expect("the settings make sense");
    (hop, runtimes, manager, pool)
}

#[test]
fn self_service_goes_on_while_nobody_drives_the_pool() {
    let (_hop, [first, _second], _manager, pool) = pool(2);
    let held = first.block_on(pool.get()).expect("there are two");
    drop(first.block_on(pool.get()).expect("there are two"));
    for _ in 0..10 {
        assert!(pool.try_get().is_ok());
    }
    drop(held);
}

#[test]
fn an_overdue_deadline_makes_the_next_visitor_start_another_driver() {
    let (hop, [first, second], manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    first.run_until_idle();
    hop.enter(1);
    hop.pass(secs(3));
    let mut waiting = Parked::new(pool.get().timeout(secs(5)));
    assert!(waiting.poll().is_pending());
    second.run_until_idle();
    assert_eq!(second.tasks(), 1, "a driver of its own");
    drop(held);
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    drop(waiting);
    // The first one finds that it was replaced.
    first.run_until_idle();
    assert_eq!(first.tasks(), 0);
    assert!(second.block_on(pool.close(secs(60))).drained);
    everything_is_gone(&pool, &manager);
}

#[test]
fn a_driver_that_is_merely_slow_is_left_alone() {
    let (hop, [first, second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    hop.enter(1);
    hop.pass(ms(900));
    let mut waiting = Parked::new(pool.get());
    assert!(waiting.poll().is_pending());
    second.run_until_idle();
    assert_eq!(second.tasks(), 0);
    drop((held, waiting));
}

#[test]
fn a_deadline_is_kept_by_the_driver_that_took_over() {
    let (hop, [first, second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    first.run_until_idle();
    hop.enter(1);
    hop.pass(secs(3));
    let error = second.block_on(pool.get().timeout(secs(5))).expect_err("all is lent");
    assert_eq!(error.snapshot().waited, secs(5));
    drop(held);
}

#[test]
fn who_waits_elsewhere_when_a_driver_stalls_keeps_the_deadline_without_any_visitor() {
    let (hop, [first, second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    first.run_until_idle();
    hop.enter(1);
    // Not long enough for anybody to suspect anything.
    hop.pass(ms(100));
    let refused = second.try_block_on(pool.get().timeout(secs(5)));
    let Ok(Err(GetError::Timeout(snapshot))) = refused else { panic!("{refused:?}") };
    assert_eq!(snapshot.waited, secs(5));
    drop(held);
}

#[test]
fn a_short_deadline_is_kept_as_exactly_as_a_long_one() {
    let (hop, [first, second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    first.run_until_idle();
    hop.enter(1);
    let refused = second.try_block_on(pool.get().timeout(ms(300)));
    let Ok(Err(GetError::Timeout(snapshot))) = refused else { panic!("{refused:?}") };
    assert_eq!(snapshot.waited, ms(300));
    drop(held);
}

#[test]
fn what_is_to_be_done_for_who_waits_elsewhere_is_done_although_nobody_else_comes() {
    let (hop, [first, second], manager, pool) = pool(1);
    drop(first.block_on(pool.get()).expect("there is one"));
    first.run_until_idle();
    hop.enter(1);
    hop.pass(ms(100));
    pool.retire_all(Duration::ZERO);
    let served = second.try_block_on(pool.get().timeout(secs(5)));
    assert!(matches!(served, Ok(Ok(_))), "{served:?}");
    drop(served);
    assert_eq!((manager.opened(), manager.closed()), (2, 1));
}

#[test]
fn who_waits_where_the_driver_was_keeps_the_deadline_when_the_next_one_stalls() {
    let (hop, [first, second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    let mut waiting = Parked::new(pool.get().timeout(secs(60)));
    assert!(waiting.poll().is_pending());
    first.run_until_idle();
    // The first runtime stalls, so a visitor to the second takes over; then that one stalls, too, and the first goes on.
    hop.enter(1);
    hop.pass(secs(3));
    let mut visitor = Parked::new(pool.get());
    assert!(visitor.poll().is_pending());
    second.run_until_idle();
    assert!(waiting.is_woken(), "to see that it is served from elsewhere now");
    hop.enter(0);
    let refused = first.try_block_on(waiting.future().expect("it waits"));
    let Ok(Err(GetError::Timeout(snapshot))) = refused else { panic!("{refused:?}") };
    assert_eq!(snapshot.waited, secs(60));
    drop((visitor, held));
}

#[test]
fn a_pool_that_drains_elsewhere_is_seen_to_by_who_waits_for_it() {
    let (hop, [first, second], manager, pool) = pool(1);
    drop(first.block_on(pool.get()).expect("there is one"));
    first.run_until_idle();
    hop.enter(1);
    hop.pass(ms(100));
    let closed = second.try_block_on(pool.close(secs(60)));
    assert!(matches!(&closed, Ok(report) if report.drained), "{closed:?}");
    everything_is_gone(&pool, &manager);
}

#[test]
fn who_waits_beside_the_driver_sets_no_timer_of_its_own() {
    let (_hop, [first, _second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    first.run_until_idle();
    let armed = first.timers();
    let mut waiting: Vec<_> = (0..8).map(|_| Parked::new(pool.get())).collect();
    assert!(waiting.iter_mut().all(|get| get.poll().is_pending()));
    first.run_until_idle();
    assert!(first.timers() <= armed.max(1), "one for the whole pool");
    drop((waiting, held));
}

#[test]
fn a_job_that_waits_for_a_stalled_driver_is_done_by_the_next() {
    let (hop, [first, second], manager, pool) = pool(2);
    drop(first.block_on(pool.get()).expect("there are two"));
    let held = first.block_on(pool.get()).expect("there are two");
    Pooled::discard(held);
    assert_eq!(pool.status().closing, 1, "nobody closes it");
    hop.enter(1);
    hop.pass(secs(2));
    serves_at_full_size(&pool, &second);
    assert_eq!(manager.closed(), 1);
    assert!(second.block_on(pool.close(secs(60))).drained);
    everything_is_gone(&pool, &manager);
}

#[test]
fn what_waits_for_a_stalled_task_is_freed_at_the_deadline_of_the_job() {
    let (hop, [first, second], manager, pool) = pool(1);
    manager.script(Op::Create, [Step::Hang]);
    let mut stalled = Parked::new(pool.get());
    assert!(stalled.poll().is_pending());
    first.run_until_idle();
    hop.enter(1);
    hop.pass(secs(4));
    let held = second.block_on(pool.get()).expect("another creation serves the queue");
    drop(held);
    assert!(stalled.is_woken());
    drop(stalled);
    first.run_until_idle();
    assert_eq!(pool.status().abandoned, 0);
    assert!(second.block_on(pool.close(secs(60))).drained);
    everything_is_gone(&pool, &manager);
}

#[test]
fn a_driver_that_took_over_hears_everything_that_is_told_afterwards() {
    // The stalled driver still listens. What is told must not be told to it.
    let (hop, [first, second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    first.run_until_idle();
    hop.enter(1);
    hop.pass(secs(3));
    let mut waiting = Parked::new(pool.get());
    assert!(waiting.poll().is_pending());
    second.run_until_idle();
    assert_eq!(second.tasks(), 1, "there is another driver, and nobody told it anything yet");
    drop(held);
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    drop(waiting);
    // All is quiet until the pool sleeps, and then what lies idle needs a check.
    second.advance(secs(60));
    assert_eq!(second.timers(), 0);
    let served = second.try_block_on(pool.get().timeout(secs(5)));
    assert!(matches!(served, Ok(Ok(_))), "{served:?}");
    assert_eq!(second.elapsed().as_secs() / 10, 6, "at once");
    drop(served);
    assert_eq!(first.tasks(), 1);
}

#[test]
fn a_stalled_driver_that_comes_back_takes_no_message_from_its_successor() {
    for message in [Op::Check, Op::Close] {
        let (hop, [first, second], manager, pool) = pool(1);
        let held = first.block_on(pool.get()).expect("there is one");
        first.run_until_idle();
        hop.enter(1);
        hop.pass(secs(3));
        let mut waiting = Parked::new(pool.get());
        assert!(waiting.poll().is_pending());
        second.run_until_idle();
        drop(waiting);
        if message == Op::Close {
            Pooled::discard(held);
        } else {
            drop(held);
            second.advance(secs(60));
        }
        let mut get = Parked::new(pool.get().timeout(secs(5)));
        assert!(get.poll().is_pending());
        // Both have been told; the one whose time is over comes first.
        first.run_until_idle();
        assert_eq!((first.tasks(), manager.running(Op::Check)), (0, 0), "it only ends");
        second.run_until_idle();
        assert!(matches!(get.poll(), Poll::Ready(Ok(_))), "after {message}");
        drop(get);
        assert!(second.block_on(pool.close(secs(60))).drained);
        everything_is_gone(&pool, &manager);
    }
}

#[test]
fn a_deadline_earlier_than_all_others_reaches_the_driver_although_a_stalled_one_comes_back() {
    let (hop, [first, second], _manager, pool) = pool(1);
    let held = first.block_on(pool.get()).expect("there is one");
    first.run_until_idle();
    hop.enter(1);
    hop.pass(secs(3));
    let mut waiting = Parked::new(pool.get());
    assert!(waiting.poll().is_pending());
    second.run_until_idle();
    // Before the next tick.
    let mut hurried = Parked::new(pool.get().timeout(ms(20)));
    assert!(hurried.poll().is_pending());
    first.run_until_idle();
    second.advance(ms(20));
    assert!(hurried.is_woken());
    drop((held, waiting, hurried));
}
