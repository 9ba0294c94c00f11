//! A guard may be dropped anywhere, at any time: it never blocks, spawns or panics, and needs no runtime.

use std::cell::RefCell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use millpond::Pooled;
use millpond_test::{OnReturn, ScriptedManager};
use millpond_tests::rig::{Rig, until};

use crate::secs;

/// The three ways in which a guard comes to the pool, or goes from it.
const WAYS: [fn(Pooled<ScriptedManager>); 3] =
    [drop, Pooled::discard, |pooled| drop(Pooled::detach(pooled))];

#[test]
fn dropping_a_guard_spawns_nothing_and_arms_no_timer() {
    let rig = Rig::new(|builder| builder.max_size(2));
    for answer in [OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard] {
        let pooled = rig.take();
        rig.manager.script_returns([answer]);
        let before = (rig.runtime.tasks(), rig.runtime.sleeps(), rig.runtime.polls());
        drop(pooled);
        assert_eq!(before, (rig.runtime.tasks(), rig.runtime.sleeps(), rig.runtime.polls()));
    }
    rig.ends_clean();
}

#[test]
fn a_guard_may_be_dropped_on_a_thread_that_knows_no_runtime() {
    for way in WAYS {
        let rig = Rig::of(2);
        let held = rig.take_many(2);
        let mut waiting = rig.wait();
        thread::spawn(move || held.into_iter().for_each(way)).join().expect("it does not panic");
        assert!(rig.at_once(waiting.future().expect("it waits")).is_ok());
        rig.serves_at_full_size();
        rig.ends_clean();
    }
}

#[test]
fn a_guard_may_be_dropped_after_its_runtime() {
    for way in WAYS {
        let rig = Rig::of(2);
        let held = rig.take_many(2);
        rig.runtime.shutdown();
        held.into_iter().for_each(way);
        assert_eq!(rig.pool.status().leased, 0);
        rig.runtime.restart();
        rig.serves_at_full_size();
        rig.ends_clean();
    }
}

#[test]
fn a_guard_may_be_dropped_after_its_pool_and_its_resource_is_closed() {
    let Rig { runtime, manager, pool } = Rig::of(2);
    let held = [(); 2].map(|()| runtime.block_on(pool.get()).expect("there are two"));
    drop(pool);
    runtime.run_until_idle();
    assert_eq!(manager.open_now(), 2, "it waits for its borrowers");
    drop(held);
    runtime.run_until_idle();
    assert_eq!((manager.closed(), runtime.tasks()), (2, 0), "and the driver ends with the last");
}

#[test]
fn a_guard_may_be_dropped_after_both_its_pool_and_its_runtime() {
    for way in WAYS {
        let Rig { runtime, manager, pool } = Rig::of(2);
        let held = [(); 2].map(|()| runtime.block_on(pool.get()).expect("there are two"));
        drop(pool);
        drop(runtime);
        held.into_iter().for_each(way);
        until(|| manager.open_now() == 0);
    }
}

#[test]
fn a_pool_dropped_after_its_runtime_drops_what_lies_idle() {
    let Rig { runtime, manager, pool } = Rig::of(2);
    let held = runtime.block_on(pool.get()).expect("there are two");
    drop(runtime.block_on(pool.get()).expect("there are two"));
    drop(runtime);
    drop(pool);
    until(|| manager.dropped() == 1);
    assert!(held.is_alive());
    drop(held);
    until(|| manager.open_now() == 0);
}

#[test]
fn a_guard_may_be_dropped_while_its_thread_unwinds() {
    let rig = Rig::of(1);
    for _ in 0..3 {
        let pooled = rig.take();
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _pooled = pooled;
            panic!("the borrower gives up");
        }));
        assert!(panicked.is_err());
    }
    rig.serves_at_full_size();
    rig.ends_clean();
}

thread_local! {
    static KEPT: RefCell<Vec<Pooled<ScriptedManager>>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn a_guard_may_be_dropped_by_the_destructor_of_a_thread_local() {
    for answer in [OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard, OnReturn::Panic] {
        let rig = Rig::of(3);
        let held = rig.take_many(3);
        rig.manager.default_return(answer);
        let thread = thread::spawn(move || KEPT.with_borrow_mut(|kept| kept.extend(held)));
        thread.join().expect("its destructors do not panic");
        assert_eq!(rig.pool.status().leased, 0);
        rig.manager.default_return(OnReturn::Reuse);
        rig.runtime.advance(secs(10));
        rig.serves_at_full_size();
        rig.ends_clean();
    }
}

#[test]
fn a_guard_may_be_the_last_of_its_pool_in_the_destructor_of_a_thread_local() {
    let Rig { runtime, manager, pool } = Rig::of(2);
    let held = [(); 2].map(|()| runtime.block_on(pool.get()).expect("there are two"));
    drop((pool, runtime));
    let thread = thread::spawn(move || KEPT.with_borrow_mut(|kept| kept.extend(held)));
    thread.join().expect("its destructors do not panic");
    until(|| manager.open_now() == 0);
}

#[test]
fn a_get_may_be_polled_by_the_destructor_of_a_thread_local() {
    /// Asks once more when its thread is at its end.
    struct AtTheEnd(millpond::Pool<ScriptedManager>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            drop(self.0.try_get());
            let _ = millpond_test::poll_once(self.0.get());
        }
    }
    thread_local!(static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });
    // More than one shelf, so that the thread's home shelf is asked for.
    let rig = Rig::of(64);
    drop(rig.take_many(3));
    let pool = rig.pool.clone();
    thread::spawn(move || LAST.set(Some(AtTheEnd(pool)))).join().expect("it does not panic");
    assert_eq!(rig.pool.status().leases, 3 + 2);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_forgotten_guard_costs_its_slot_and_is_named_to_the_last() {
    let rig = Rig::of(2);
    mem::forget(rig.take());
    let line = line!() - 1;
    for _ in 0..3 {
        let other = rig.take();
        assert_eq!(other.id(), 1, "the forgotten one is never lent again");
        assert!(rig.pool.try_get().is_err());
        drop(other);
    }
    let report = rig.runtime.block_on(rig.pool.close(secs(1)));
    assert!(!report.drained);
    assert_eq!((report.still_held.len(), report.still_held[0].location.line()), (1, line));
    assert_eq!((rig.manager.closed(), rig.manager.open_now()), (1, 1));
}
