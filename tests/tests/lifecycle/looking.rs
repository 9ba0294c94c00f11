//! Looking through what lies idle: what is kept, what goes, and what a look leaves behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use millpond::{Pool, Pooled};
use millpond_test::ScriptedManager;
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[test]
fn what_is_not_kept_is_closed_and_reported_and_the_rest_is_lent_as_before() {
    let rig = Rig::of(4);
    let lent = rig.take();
    let others = rig.take_many(3);
    let ids: Vec<_> = others.iter().map(|pooled| pooled.id()).collect();
    drop(others);
    let mut seen = Vec::new();
    let report = rig.pool.retain(|resource, metrics| {
        seen.push((resource.id(), metrics.uses()));
        resource.id() == ids[1]
    });
    seen.sort_unstable();
    assert_eq!(seen, ids.iter().map(|id| (*id, 1)).collect::<Vec<_>>(), "the idle, and only those");
    assert_eq!((report.kept, report.removed.len()), (1, 2));
    assert!(report.removed.iter().all(|metrics| metrics.uses() == 1));
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.closed(), rig.pool.status().idle), (2, 1), "closed, not dropped");
    assert_eq!(rig.take().id(), ids[1]);
    drop(lent);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_look_is_no_use() {
    let rig = Rig::new(|builder| builder.max_size(1).idle_timeout(secs(60)));
    drop(rig.take());
    for _ in 0..5 {
        rig.runtime.advance(secs(10));
        assert_eq!(rig.pool.retain(|_, _| true).kept, 1);
    }
    let leases = Pooled::metrics(&rig.take()).uses();
    assert_eq!(leases, 2, "the first and this one");
    rig.runtime.advance(secs(50));
    rig.pool.retain(|_, _| true);
    rig.runtime.advance(secs(30));
    assert_eq!(rig.pool.status().idle, 0, "it was not used for longer than it may lie there");
    rig.ends_clean();
}

#[test]
fn what_is_being_looked_at_counts_as_lent_to_who_looks() {
    let rig = Rig::of(1);
    drop(rig.take());
    let line = line!() + 1;
    rig.pool.retain(|_, _| {
        let holders = rig.pool.holders();
        assert_eq!((holders.len(), holders[0].location.line()), (1, line));
        assert_eq!((rig.pool.status().idle, rig.pool.status().leased), (0, 1));
        assert!(rig.pool.try_get().is_err(), "and nobody else has it");
        true
    });
    assert_eq!(rig.pool.status().idle, 1);
    rig.ends_clean();
}

#[test]
fn who_came_during_a_look_is_served_after_it() {
    let rig = Rig::of(1);
    drop(rig.take());
    let mut waiting = None;
    rig.pool.retain(|_, _| {
        waiting = Some(rig.wait());
        true
    });
    let waiting = waiting.as_mut().expect("there was one to look at");
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    rig.ends_clean();
}

#[test]
fn who_waits_is_served_by_the_place_of_what_was_removed() {
    let rig = Rig::of(1);
    drop(rig.take());
    let mut waiting = None;
    rig.pool.retain(|_, _| {
        waiting = Some(rig.wait());
        false
    });
    let waiting = waiting.as_mut().expect("there was one to look at");
    rig.runtime.run_until_idle();
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    assert_eq!((rig.manager.opened(), rig.manager.closed()), (2, 1));
    rig.ends_clean();
}

#[test]
fn a_look_that_panics_costs_what_it_was_looking_at() {
    let rig = Rig::of(3);
    drop(rig.take_many(3));
    let mut looks = 0;
    let looked = catch_unwind(AssertUnwindSafe(|| {
        rig.pool.retain(|_, _| {
            looks += 1;
            assert!(looks < 2, "planned");
            true
        })
    }));
    assert!(looked.is_err());
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.closed(), rig.pool.status().idle), (1, 2));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_sleeping_a_paused_a_closed_pool_may_be_looked_through() {
    let rig = Rig::of(2);
    drop(rig.take_many(2));
    rig.runtime.advance(secs(30));
    assert_eq!(rig.runtime.timers(), 1, "only the look for what lay idle too long is left");
    assert_eq!(rig.pool.retain(|_, _| true).kept, 2);
    rig.pool.pause();
    assert_eq!(rig.pool.retain(|_, _| true).kept, 2);
    rig.pool.resume();
    rig.serves_at_full_size();
    rig.ends_clean();
    assert_eq!(rig.pool.retain(|_, _| true).kept, 0);
}

#[test]
fn what_was_removed_is_replaced_only_on_demand() {
    let rig = Rig::of(2);
    drop(rig.take_many(2));
    assert_eq!(rig.pool.retain(|_, _| false).removed.len(), 2);
    rig.runtime.advance(ms(1));
    assert_eq!((rig.pool.status().size, rig.manager.opened()), (0, 2));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_weak_handle_neither_keeps_a_pool_open_nor_outlives_it() {
    let Rig { runtime, manager, pool } = Rig::of(1);
    let weak = pool.downgrade();
    let again: Pool<ScriptedManager> = weak.clone().upgrade().expect("it is open");
    drop(pool);
    drop(runtime.block_on(again.get()).expect("one handle is left"));
    assert!(weak.upgrade().is_some());
    drop(again);
    assert!(weak.upgrade().is_none());
    runtime.run_until_idle();
    assert_eq!((manager.opened(), manager.closed()), (1, 1), "the last handle closed it");
}

#[test]
fn a_pool_that_was_closed_is_still_there_for_a_weak_handle() {
    let rig = Rig::of(1);
    let weak = rig.pool.downgrade();
    rig.ends_clean();
    let pool = weak.upgrade().expect("a handle is left");
    assert!(rig.at_once(pool.get()).is_err_and(|error| !error.is_retryable()));
}
