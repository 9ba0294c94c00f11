//! `keepalive`: what lies idle is looked at in time, so that it is not a caller who finds out.

use std::task::Poll;
use std::time::Duration;

use millpond_test::{Op, Parked, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// Eight that lie idle in a pool that looks at them every two minutes.
fn eight() -> Rig {
    let rig = Rig::new(|builder| {
        builder.max_size(8).max_creating(8).keepalive(secs(120)).max_lifetime(Duration::MAX)
    });
    drop(rig.take_many(8));
    rig
}

#[test]
fn what_lies_idle_is_checked_every_so_often() {
    let rig = eight();
    rig.manager.default_step(Op::Check, Step::Ok.after(ms(100)));
    rig.runtime.advance(secs(119));
    assert_eq!(rig.manager.checks(), 0);
    rig.runtime.advance(secs(60));
    assert_eq!((rig.manager.checks(), rig.manager.max_running(Op::Check)), (8, 2));
    rig.runtime.advance(secs(120));
    assert_eq!((rig.manager.checks(), rig.pool.status().idle), (16, 8));
    rig.ends_clean();
}

#[test]
fn callers_lose_no_time_by_it() {
    let rig = eight();
    rig.manager.default_step(Op::Check, Step::Ok.after(secs(1)));
    rig.runtime.advance(secs(120));
    assert_eq!(rig.pool.status().checking, 2);
    let mut waiting: Vec<_> = (0..8).map(|_| rig.wait()).collect();
    assert_eq!(rig.pool.status().checking, 8);
    rig.runtime.advance(secs(1));
    let held: Vec<_> = waiting.iter_mut().map(Parked::poll).collect();
    assert!(held.iter().all(Poll::is_ready), "no later than after a check of their own");
    assert_eq!((rig.manager.checks(), rig.manager.opened()), (8, 8));
    drop((held, waiting));
    rig.ends_clean();
}

#[test]
fn what_nobody_uses_is_closed_in_its_time_all_the_same() {
    let rig = eight();
    rig.runtime.advance(secs(599));
    assert_eq!(rig.pool.status().idle, 8);
    rig.runtime.advance(secs(1 + 120 / 16 + 1));
    assert_eq!((rig.pool.status().size, rig.manager.closed()), (0, 8));
    rig.ends_clean();
}

#[test]
fn what_died_while_it_lay_idle_is_found_out_at_once_when_one_is() {
    let rig = eight();
    rig.runtime.advance(secs(60));
    rig.manager.sever();
    rig.runtime.advance(secs(60));
    assert_eq!((rig.manager.open_now(), rig.manager.checks()), (0, 8), "all of them");
    let started = rig.runtime.elapsed();
    drop(rig.take_many(8));
    assert_eq!(rig.runtime.elapsed(), started, "callers never see it");
    rig.ends_clean();
}

#[test]
fn a_use_counts_as_a_sign_of_life() {
    let rig = eight();
    for _ in 0..10 {
        rig.runtime.advance(ms(900));
        drop(rig.take_many(8));
    }
    rig.runtime.advance(secs(119));
    assert_eq!(rig.manager.checks(), 0);
    rig.runtime.advance(secs(1));
    assert!(rig.manager.checks() > 0);
    rig.ends_clean();
}

#[test]
fn the_pool_sleeps_between_two_looks() {
    let rig = eight();
    rig.runtime.advance(secs(150));
    let before = rig.runtime.timers_fired();
    rig.runtime.advance(secs(90));
    let timers = rig.runtime.timers_fired() - before;
    assert!(timers <= 1, "{timers} timers while nothing is due");
    rig.ends_clean();
}
