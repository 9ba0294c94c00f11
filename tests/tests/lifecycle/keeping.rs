//! `min_idle`: enough lies idle before anybody asks, and stays so.

use std::time::Duration;

use millpond::{Builder, Pool};
use millpond_test::{Op, ScriptedManager, Step};
use millpond_tests::hop::Hop;
use millpond_tests::rig::{Rig, serves_at_full_size};

use crate::{ms, secs};

/// A pool of up to ten that keeps four.
fn four_of_ten(set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>) -> Rig {
    Rig::new(|builder| set(builder.max_size(10).min_idle(4)))
}

#[test]
fn they_are_opened_when_the_pool_is_built_so_many_at_a_time() {
    let rig = four_of_ten(|builder| builder.max_creating(2));
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(100)));
    rig.runtime.run_until_idle();
    assert_eq!((rig.pool.status().creating, rig.runtime.tasks()), (2, 3));
    rig.runtime.advance(ms(200));
    assert_eq!((rig.pool.status().idle, rig.manager.opened()), (4, 4));
    assert_eq!(rig.manager.max_running(Op::Create), 2);
    let held = rig.take_many(4);
    assert_eq!(rig.manager.opened(), 4, "nobody had to wait for a creation");
    drop(held);
    rig.ends_clean();
}

#[test]
fn where_there_is_no_runtime_they_wait_for_the_first_caller_that_has_one() {
    let (hop, [first, _]) = Hop::new();
    hop.leave();
    let manager = ScriptedManager::new(hop.clone());
    let builder = Pool::builder(manager.clone()).max_size(5).min_idle(3);
    let pool = builder.build(hop.clone()).expect("the settings make sense");
    assert_eq!((manager.started(Op::Create), pool.status().size), (0, 0));
    hop.enter(0);
    drop(first.block_on(pool.get()).expect("there is one"));
    first.advance(secs(1));
    assert_eq!(pool.status().idle, 3);
    serves_at_full_size(&pool, &first);
    assert!(first.block_on(pool.close(secs(60))).drained);
}

#[test]
fn what_is_taken_is_made_up_for_within_a_tick() {
    let rig = four_of_ten(|builder| builder.check_after_idle(secs(3)));
    rig.runtime.advance(secs(2));
    let held = rig.take_many(3);
    assert_eq!(rig.pool.status().idle, 1);
    rig.runtime.advance(ms(750));
    assert_eq!((rig.pool.status().idle, rig.pool.status().size), (4, 7));
    drop(held);
    rig.runtime.advance(secs(700));
    assert_eq!((rig.pool.status().idle, rig.pool.status().size), (4, 4), "the rest goes in time");
    rig.ends_clean();
}

#[test]
fn lying_idle_for_long_takes_none_of_the_last() {
    let rig = four_of_ten(|builder| builder.idle_timeout(secs(60)).max_lifetime(Duration::MAX));
    drop(rig.take_many(6));
    let opened = rig.manager.opened();
    assert!(opened >= 6);
    rig.runtime.advance(secs(24 * 3600));
    assert_eq!((rig.pool.status().idle, rig.manager.opened()), (4, opened), "the same four");
    rig.ends_clean();
}

#[test]
fn what_grows_too_old_is_replaced_before_it_goes() {
    let rig = four_of_ten(|builder| builder.max_lifetime(secs(600)));
    rig.manager.default_step(Op::Create, Step::Ok.after(secs(2)));
    rig.manager.default_step(Op::Close, Step::Ok.after(ms(10)));
    rig.runtime.advance(secs(10));
    for second in 0..3600 {
        let idle = rig.pool.status().idle;
        assert!((4..=8).contains(&idle), "{idle} lie idle after {second} s");
        rig.runtime.advance(secs(1));
    }
    let opened = rig.manager.opened();
    assert!((24..=44).contains(&opened), "{opened}: each lives for 450 to 600 s");
    rig.ends_clean();
}

#[test]
fn a_server_that_is_down_is_not_stormed_and_all_are_opened_when_it_is_back() {
    let rig = four_of_ten(|builder| builder.max_creating(4));
    rig.manager.default_step(Op::Create, Step::transient());
    rig.runtime.advance(secs(1));
    let before = (rig.manager.started(Op::Create), rig.runtime.polls());
    rig.runtime.advance(secs(600));
    let attempts = rig.manager.started(Op::Create) - before.0;
    assert!((120..=500).contains(&attempts), "{attempts} in ten minutes");
    let polls = rig.runtime.polls() - before.1;
    assert!(polls <= 10 * attempts as usize, "{polls} polls for {attempts} attempts");
    assert_eq!(rig.manager.max_running(Op::Create), 1);
    rig.manager.default_step(Op::Create, Step::Ok);
    rig.runtime.advance(secs(5));
    assert_eq!(rig.pool.status().idle, 4);
    rig.ends_clean();
}

#[test]
fn the_next_runtime_makes_up_for_what_died_with_the_last() {
    let rig = four_of_ten(|builder| builder);
    rig.runtime.advance(secs(1));
    rig.manager.sever();
    rig.runtime.shutdown();
    rig.runtime.restart();
    drop(rig.runtime.block_on(rig.pool.get()).expect("another is opened"));
    rig.runtime.advance(secs(1));
    assert_eq!((rig.pool.status().idle, rig.manager.open_now()), (4, 4));
    assert_eq!(rig.manager.opened(), 8);
    rig.ends_clean();
}

#[test]
fn a_pool_that_is_dropped_closes_what_it_kept() {
    let rig = four_of_ten(|builder| builder);
    rig.runtime.advance(secs(1));
    let Rig { runtime, manager, pool } = rig;
    drop(pool);
    runtime.advance(secs(1));
    assert_eq!((manager.closed(), manager.open_now(), runtime.tasks()), (4, 0, 0));
}
