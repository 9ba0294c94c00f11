//! Pools outlive runtimes: one that shuts down, one after another, none at all.

use std::task::Poll;

use millpond::{GetError, Pool, Pooled, TryGetError};
use millpond_test::{OnReturn, Op, Parked, ScriptedManager, Step, TestRuntime, poll_once};
use millpond_tests::hop::Hop;
use millpond_tests::rig::{Rig, everything_is_gone, serves_at_full_size};

use crate::{ms, secs};

/// A pool on the first of several runtimes.
fn on_two(max: usize) -> (Hop, [TestRuntime; 2], ScriptedManager, Pool<ScriptedManager>) {
    let (hop, runtimes) = Hop::new();
    let manager = ScriptedManager::new(hop.clone());
    let pool = Pool::builder(manager.clone())
        .max_size(max)
        .max_creating(max)
        .build(hop.clone())
        .expect("the settings make sense");
    (hop, runtimes, manager, pool)
}

#[test]
fn a_pool_serves_after_its_runtime_was_shut_down_with_everything_under_way() {
    for restarted in [true, false] {
        let (hop, [first, second], manager, pool) = on_two(6);
        let get = || first.block_on(pool.get()).expect("there is room");
        let (idle, leased, reset, discard) = (get(), get(), get(), get());
        drop(idle);
        for op in [Op::Create, Op::Reset, Op::Close] {
            manager.script(op, [Step::Hang]);
        }
        manager.script_returns([OnReturn::Reset]);
        drop(reset);
        Pooled::discard(discard);
        let taken_again = get();
        // The first of them may count on the reset.
        let (mut waiting, mut creating) = (Parked::new(pool.get()), Parked::new(pool.get()));
        assert!(waiting.poll().is_pending() && creating.poll().is_pending());
        first.run_until_idle();
        let status = pool.status();
        assert_eq!(
            (status.leased, status.creating, status.resetting, status.closing),
            (2, 1, 1, 1),
            "{status:?}"
        );

        first.shutdown();
        // Who waits is woken, to find another runtime by itself.
        assert!(waiting.is_woken() && creating.is_woken());
        let next = if restarted { &first } else { &second };
        if restarted {
            first.restart();
        } else {
            hop.enter(1);
        }
        assert!(next.block_on(waiting.future().expect("it waits")).is_ok());
        assert!(next.block_on(creating.future().expect("it waits")).is_ok());
        drop((waiting, creating));
        drop(leased);
        drop(taken_again);
        serves_at_full_size(&pool, next);
        assert!(next.block_on(pool.close(secs(60))).drained);
        everything_is_gone(&pool, &manager);
    }
}

#[test]
fn tasks_that_were_dropped_before_their_first_poll_cost_no_capacity() {
    let rig = Rig::new(|builder| builder.max_size(2).max_creating(2));
    let (first, second) = (rig.take(), rig.take());
    rig.manager.script_returns([OnReturn::Reset, OnReturn::Discard]);
    drop((first, second));
    // The driver hands out both jobs; their tasks are dropped before anybody polls them.
    let runtime = rig.runtime.clone();
    let shutdown = rig.runtime.start(async move { runtime.shutdown() });
    rig.runtime.run_until_idle();
    assert!(shutdown.is_finished());
    rig.runtime.restart();
    assert_eq!(rig.runtime.elapsed(), secs(0));
    let both = rig.take_many(2);
    assert_eq!(rig.runtime.elapsed(), secs(0), "without waiting for any deadline");
    drop(both);
    rig.ends_clean();
}

#[test]
fn what_lay_idle_when_a_runtime_died_is_checked_before_it_is_lent() {
    let rig = Rig::of(3);
    drop(rig.take_many(3));
    rig.runtime.shutdown();
    rig.runtime.restart();
    let held = rig.take_many(3);
    assert_eq!((rig.manager.checks(), rig.manager.opened()), (3, 3));
    drop(held);
    let again = rig.take_many(3);
    assert_eq!(rig.manager.checks(), 3, "once");
    drop(again);
    rig.ends_clean();
}

#[test]
fn what_was_lent_when_a_runtime_died_is_checked_before_it_is_lent_again() {
    for comes_home_to_none in [false, true] {
        let (hop, [first, second], manager, pool) = on_two(2);
        let held = [(); 2].map(|()| first.block_on(pool.get()).expect("there are two"));
        first.shutdown();
        assert!(held.iter().all(|held| Pooled::metrics(held).epoch() == 0 && held.is_alive()));
        if comes_home_to_none {
            hop.leave();
        } else {
            hop.enter(1);
            pool.resume();
            second.run_until_idle();
        }
        drop(held);
        hop.enter(1);
        let again = [(); 2].map(|()| second.block_on(pool.get()).expect("they are fit"));
        assert_eq!((manager.checks(), manager.opened()), (2, 2));
        drop(again);
        drop([(); 2].map(|()| second.block_on(pool.get()).expect("they are fit")));
        assert_eq!(manager.checks(), 2, "once");
        assert!(second.block_on(pool.close(secs(60))).drained);
        everything_is_gone(&pool, &manager);
    }
}

#[test]
fn what_died_with_a_runtime_while_it_was_lent_is_never_lent_again() {
    let (hop, [first, second], manager, pool) = on_two(2);
    let held = [(); 2].map(|()| first.block_on(pool.get()).expect("there are two"));
    first.shutdown();
    hop.enter(1);
    let mut waiting = Parked::new(pool.get());
    assert!(waiting.poll().is_pending());
    second.run_until_idle();
    manager.sever();
    drop(held);
    let next = second.block_on(waiting.future().expect("it waits")).expect("another is opened");
    assert!(next.is_alive());
    assert_eq!(manager.opened(), 3);
    drop((waiting, next));
    assert!(second.block_on(pool.close(secs(60))).drained);
    everything_is_gone(&pool, &manager);
}

#[test]
fn who_waits_is_served_by_the_runtime_on_which_it_is_polled_next() {
    let (hop, [first, second], manager, pool) = on_two(1);
    let held = first.block_on(pool.get()).expect("there is one");
    let mut waiting = Parked::new(pool.get());
    assert!(waiting.poll().is_pending());
    first.shutdown();
    assert!(waiting.is_woken());
    hop.enter(1);
    assert!(waiting.poll().is_pending());
    drop(held);
    second.run_until_idle();
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    drop(waiting);
    assert!(second.block_on(pool.close(secs(60))).drained);
    everything_is_gone(&pool, &manager);
}

#[test]
fn a_deadline_is_kept_by_the_next_runtime() {
    let (hop, [first, second], _manager, pool) = on_two(1);
    let held = first.block_on(pool.get()).expect("there is one");
    let mut waiting = Parked::new(pool.get().timeout(secs(10)));
    assert!(waiting.poll().is_pending());
    first.advance(secs(4));
    first.shutdown();
    hop.enter(1);
    assert!(waiting.poll().is_pending());
    second.advance(secs(6));
    let Poll::Ready(Err(error)) = waiting.poll() else { panic!("its time is over") };
    assert_eq!((matches!(error, GetError::Timeout(_)), error.snapshot().waited), (true, secs(10)));
    drop(held);
}

#[test]
fn two_runtimes_share_a_pool_and_either_may_die() {
    for dies in [0, 1] {
        let (hop, runtimes, manager, pool) = on_two(4);
        let mut held = Vec::new();
        for number in [0, 1, 0, 1] {
            let mut get = Parked::new(pool.get());
            held.push(loop {
                hop.enter(number);
                if let Poll::Ready(outcome) = get.poll() {
                    break outcome.expect("there are four");
                }
                for (number, runtime) in runtimes.iter().enumerate() {
                    hop.enter(number);
                    runtime.run_until_idle();
                }
            });
        }
        runtimes[dies].shutdown();
        let lives = 1 - dies;
        hop.enter(lives);
        held.clear();
        serves_at_full_size(&pool, &runtimes[lives]);
        assert!(runtimes[lives].block_on(pool.close(secs(60))).drained);
        everything_is_gone(&pool, &manager);
    }
}

#[test]
fn where_there_is_no_runtime_what_lies_idle_is_served() {
    let (hop, [first, _second], manager, pool) = on_two(2);
    drop(first.block_on(pool.get()).expect("there are two"));
    first.shutdown();
    hop.leave();
    hop.pass(ms(1));
    // It may have died with its runtime, so it is checked, by the caller itself.
    let Poll::Ready(Ok(pooled)) = poll_once(pool.get()) else { panic!("it lies there") };
    assert_eq!(manager.checks(), 1);
    drop(pooled);
    for _ in 0..3 {
        assert!(matches!(poll_once(pool.get()), Poll::Ready(Ok(_))));
    }
    assert_eq!(manager.checks(), 1, "once was enough");
}

#[test]
fn who_is_served_where_there_is_a_runtime_again_has_the_pool_driven() {
    let (hop, [first, second], _manager, pool) = on_two(2);
    drop(first.block_on(pool.get()).expect("there are two"));
    first.shutdown();
    hop.leave();
    hop.pass(ms(1));
    assert!(matches!(poll_once(pool.get()), Poll::Ready(Ok(_))));
    hop.enter(1);
    // Nothing is missing, so nobody has to wait; but without a driver everybody would have to come to the desk.
    assert!(matches!(poll_once(pool.get()), Poll::Ready(Ok(_))));
    assert_eq!(second.tasks(), 1);
    second.run_until_idle();
    let reads = second.clock_reads() + first.clock_reads();
    assert!(matches!(poll_once(pool.get()), Poll::Ready(Ok(_))));
    assert_eq!(second.clock_reads() + first.clock_reads(), reads, "self-service again");
}

#[test]
fn where_there_is_no_runtime_nothing_can_be_waited_for() {
    let (hop, [first, second], manager, pool) = on_two(1);
    hop.leave();
    let Poll::Ready(Err(error)) = poll_once(pool.get()) else { panic!("nobody can open one") };
    assert!(matches!(error, GetError::NoRuntime(_)), "{error}");
    assert!(error.is_retryable() && !error.is_overload());
    assert!(error.to_string().contains("no async runtime"), "{error}");
    assert!(matches!(pool.try_get(), Err(TryGetError::Creating | TryGetError::Exhausted)));
    assert_eq!((manager.opened(), pool.status().waiting), (0, 0));

    hop.enter(0);
    let held = first.block_on(pool.get()).expect("now there is somebody to open one");
    hop.leave();
    first.shutdown();
    let Poll::Ready(Err(error)) = poll_once(pool.get()) else { panic!("all is lent") };
    assert!(matches!(error, GetError::NoRuntime(_)), "{error}");
    drop(held);
    hop.enter(1);
    serves_at_full_size(&pool, &second);
}

#[test]
fn where_there_is_no_runtime_a_check_that_would_have_to_wait_gives_the_resource_up() {
    let (hop, [first, second], manager, pool) = on_two(2);
    drop([(); 2].map(|()| first.block_on(pool.get())));
    first.shutdown();
    hop.leave();
    manager.script(Op::Check, [Step::Hang]);
    let Poll::Ready(outcome) = poll_once(pool.get()) else { panic!("nobody can wait here") };
    // The other one may still be fit.
    assert!(outcome.is_ok() || matches!(outcome, Err(GetError::NoRuntime(_))), "{outcome:?}");
    drop(outcome);
    hop.enter(1);
    serves_at_full_size(&pool, &second);
    assert!(second.block_on(pool.close(secs(60))).drained);
    everything_is_gone(&pool, &manager);
}

#[test]
fn what_is_discarded_without_a_runtime_is_closed_by_the_next_driver() {
    let (hop, [first, second], manager, pool) = on_two(2);
    let held = [(); 2].map(|()| first.block_on(pool.get()).expect("there are two"));
    first.shutdown();
    hop.leave();
    held.into_iter().for_each(Pooled::discard);
    assert_eq!((pool.status().closing, manager.open_now()), (2, 2));
    hop.enter(1);
    drop(second.block_on(pool.get()).expect("it is served"));
    second.run_until_idle();
    assert_eq!((manager.closed(), pool.status().closing), (2, 0));
    assert!(second.block_on(pool.close(secs(60))).drained);
}

#[test]
fn try_get_without_a_runtime_leaves_its_wish_for_the_next_driver() {
    let (hop, [first, _second], manager, pool) = on_two(2);
    hop.leave();
    assert!(pool.try_get().is_err());
    hop.enter(0);
    assert!(pool.try_get().is_err());
    first.run_until_idle();
    assert!(pool.try_get().is_ok());
    assert!(manager.opened() <= 2);
}

#[test]
fn a_runtime_may_be_shut_down_and_restarted_many_times() {
    let rig = Rig::new(|builder| builder.max_size(3).max_creating(3));
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(5)));
    for round in 0..20_u64 {
        let held = rig.runtime.block_on(rig.pool.get()).expect("it is served");
        let mut waiting = Parked::new(rig.pool.get());
        let _ = waiting.poll();
        rig.runtime.advance(ms(round % 7));
        rig.runtime.shutdown();
        drop(waiting);
        if round % 2 == 0 {
            drop(held);
            rig.runtime.restart();
        } else {
            rig.runtime.restart();
            Pooled::discard(held);
        }
        rig.serves_at_full_size();
    }
    assert_eq!(rig.runtime.tasks(), 1, "one driver");
    rig.ends_clean();
}

#[test]
fn a_pool_that_is_draining_when_its_runtime_dies_drains_on_the_next() {
    let (hop, [first, second], manager, pool) = on_two(3);
    let held = first.block_on(pool.get()).expect("there are three");
    drop(first.block_on(pool.get()).expect("there are three"));
    manager.script(Op::Close, [Step::Hang]);
    let mut close = Parked::new(pool.close(secs(3600)));
    assert!(close.poll().is_pending());
    first.run_until_idle();
    first.shutdown();
    // Who waits for the end is told that this was not it.
    assert!(close.is_woken());
    assert!(matches!(close.poll(), Poll::Ready(report) if !report.drained));
    drop(held);
    hop.enter(1);
    assert!(second.block_on(pool.close(secs(3600))).drained);
    everything_is_gone(&pool, &manager);
}
