//! Specs 6 and 7: peers that no longer answer cost callers and borrowers little, and the pool its slot for a while only.

use std::thread;

use millpond::Pooled;
use millpond_test::{OnReturn, Op, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// A pool of `n` that all lie idle long enough to need a check.
fn all_idle(n: usize) -> Rig {
    let rig = Rig::new(|builder| {
        builder.max_size(n).max_creating(n).check_after_idle(secs(1)).check_timeout(secs(3))
    });
    drop(rig.take_many(n));
    rig.runtime.advance(secs(30));
    assert_eq!(rig.pool.status().idle, n);
    rig
}

#[test]
fn spec_6_many_dead_idle_resources_cost_a_caller_one_check_deadline() {
    let rig = all_idle(8);
    rig.manager.default_step(Op::Check, Step::Hang);
    let started = rig.runtime.elapsed();
    let pooled = rig.runtime.block_on(rig.pool.get()).expect("a new one is opened");
    assert_eq!(rig.runtime.elapsed() - started, secs(3), "one deadline, not eight");
    assert_eq!(pooled.id(), 8);
    // The others are found out meanwhile, at the same time, and nobody waits for them.
    rig.runtime.advance(secs(3));
    let status = rig.pool.status();
    assert_eq!((status.size, status.checking, rig.manager.max_running(Op::Check)), (1, 0, 7));
    drop(pooled);
    rig.manager.default_step(Op::Check, Step::Ok);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn spec_6_resources_cut_off_by_a_restart_cost_no_caller_an_error() {
    let rig = all_idle(8);
    rig.manager.sever();
    let held: Vec<_> = rig.take_many(8);
    assert!(held.iter().all(|pooled| pooled.is_alive()));
    assert_eq!(rig.manager.max_open_or_creating_at_once(), 8);
    drop(held);
    rig.ends_clean();
}

#[test]
fn spec_6_one_dead_resource_does_not_condemn_the_living() {
    let rig = all_idle(4);
    rig.manager.script(Op::Check, [Step::transient()]);
    let held = rig.take_many(4);
    assert_eq!((rig.manager.opened(), rig.manager.dropped()), (5, 1));
    drop(held);
    rig.ends_clean();
}

#[test]
fn spec_7_a_reset_that_hangs_frees_its_slot_at_the_deadline() {
    let rig = Rig::new(|builder| builder.max_size(1).reset_timeout(secs(3)));
    rig.manager.default_step(Op::Reset, Step::Hang).default_return(OnReturn::Reset);
    drop(rig.take());
    let started = rig.runtime.elapsed();
    assert_eq!(rig.pool.status().resetting, 1, "the borrower was not held up by it");
    let pooled = rig.runtime.block_on(rig.pool.get()).expect("the slot is free again");
    assert_eq!(rig.runtime.elapsed() - started, secs(3));
    assert_eq!(rig.pool.status().totals.abandoned, 1);
    Pooled::discard(pooled);
    rig.ends_clean();
}

#[test]
fn spec_7_a_close_that_hangs_frees_its_slot_at_the_deadline() {
    let rig = Rig::new(|builder| builder.max_size(1).close_timeout(secs(5)));
    rig.manager.script(Op::Close, [Step::Hang]);
    Pooled::discard(rig.take());
    let started = rig.runtime.elapsed();
    assert_eq!(rig.pool.status().closing, 1);
    let pooled = rig.runtime.block_on(rig.pool.get()).expect("the slot is free again");
    assert_eq!(rig.runtime.elapsed() - started, secs(5));
    drop(pooled);
    rig.ends_clean();
}

#[test]
fn spec_7_a_return_to_a_hung_peer_is_over_at_once_on_any_thread() {
    let rig = Rig::new(|builder| builder.max_size(3));
    rig.manager.default_step(Op::Reset, Step::Hang).default_return(OnReturn::Reset);
    rig.manager.default_step(Op::Close, Step::Hang);
    let mut held = rig.take_many(3);
    let (here, there, broken) = (held.pop(), held.pop(), held.pop());
    drop(here);
    let elsewhere = thread::spawn(move || {
        drop(there);
        broken.into_iter().for_each(Pooled::discard);
    });
    elsewhere.join().expect("a thread that knows no runtime gives back as well");
    let status = rig.pool.status();
    assert_eq!((status.leased, status.resetting, status.closing), (0, 2, 1));
    rig.runtime.advance(secs(5));
    assert_eq!((rig.pool.status().size, rig.pool.status().abandoned), (0, 0));
    rig.manager.default_step(Op::Close, Step::Ok).default_return(OnReturn::Reuse);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn spec_7_a_return_to_a_hung_peer_is_over_at_once_where_there_is_no_runtime() {
    let rig = Rig::new(|builder| builder.max_size(1));
    rig.manager.script(Op::Reset, [Step::Hang]).script_returns([OnReturn::Reset]);
    let pooled = rig.take();
    rig.runtime.shutdown();
    drop(pooled);
    assert_eq!(rig.pool.status().resetting, 1, "kept for whoever drives the pool next");
    rig.runtime.restart();
    let next = rig.runtime.block_on(rig.pool.get()).expect("the slot is free after the deadline");
    assert!(rig.runtime.elapsed() <= secs(3) + ms(1));
    drop(next);
    rig.ends_clean();
}
