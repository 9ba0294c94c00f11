//! Settings that no pool can have are refused by name, and every extreme that one can have is borne.

use std::time::Duration;

use millpond::{BuildError, Builder, Lane, Overload, Pool};
use millpond_test::{ScriptedManager, TestRuntime};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

type Set = fn(Builder<ScriptedManager>) -> Builder<ScriptedManager>;

fn refused(set: Set) -> BuildError {
    let runtime = TestRuntime::new();
    let builder = Pool::builder(ScriptedManager::new(runtime.clone()));
    set(builder).build(runtime.clone()).expect_err("no pool can have these settings")
}

#[test]
fn a_number_out_of_range_is_refused_by_name_with_its_range() {
    let cases: [(Set, &str, &str); 10] = [
        (|b| b.max_size(0), "max_size", "0"),
        (|b| b.max_size(u32::MAX as usize), "max_size", "4294967295"),
        (|b| b.max_size(usize::MAX), "max_size", "18446744073709551615"),
        (|b| b.min_idle(usize::MAX), "min_idle", "18446744073709551615"),
        (|b| b.max_waiters(usize::MAX), "max_waiters", "18446744073709551615"),
        (|b| b.max_creating(0), "max_creating", "0"),
        (|b| b.max_creating(usize::MAX), "max_creating", "18446744073709551615"),
        (|b| b.lifetime_jitter(101), "lifetime_jitter", "101"),
        (|b| b.lifetime_jitter(u32::MAX), "lifetime_jitter", "4294967295"),
        (|b| b.fail_fast_after(0), "fail_fast_after", "0"),
    ];
    for (set, name, value) in cases {
        let error = refused(set);
        assert!(
            matches!(&error, BuildError::OutOfRange { setting, .. } if *setting == name),
            "{error:?}"
        );
        let message = error.to_string();
        assert!(message.starts_with(&format!("{name} is {value}, but must be from ")), "{message}");
    }
}

#[test]
fn a_time_in_which_nothing_can_happen_is_refused_by_name() {
    let cases: [(Set, &str); 10] = [
        (|b| b.get_timeout(Duration::ZERO), "get_timeout"),
        (|b| b.create_timeout(Duration::ZERO), "create_timeout"),
        (|b| b.check_timeout(Duration::ZERO), "check_timeout"),
        (|b| b.reset_timeout(Duration::ZERO), "reset_timeout"),
        (|b| b.close_timeout(Duration::ZERO), "close_timeout"),
        (|b| b.keepalive(Duration::ZERO), "keepalive"),
        (|b| b.idle_timeout(Duration::ZERO), "idle_timeout"),
        (|b| b.max_lifetime(Duration::ZERO), "max_lifetime"),
        (|b| b.create_backoff(Duration::ZERO, secs(1)), "create_backoff"),
        (|b| b.overload(Overload::TargetWait(Duration::ZERO)), "the target wait of overload"),
    ];
    for (set, name) in cases {
        let error = refused(set);
        assert_eq!(error, refused(set));
        assert!(matches!(error, BuildError::Zero { setting, .. } if setting == name), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_contradiction_is_refused_by_both_names_and_values() {
    let cases: [(Set, [&str; 4]); 7] = [
        (|b| b.max_size(3).max_creating(4), ["max_creating", "4", "max_size", "3"]),
        (|b| b.min_idle(8).max_size(7), ["min_idle", "8", "max_size", "7"]),
        (|b| b.keepalive(secs(601)), ["keepalive", "601s", "idle_timeout", "600s"]),
        (
            |b| b.idle_timeout(Duration::MAX).keepalive(secs(9)).max_lifetime(secs(8)),
            ["keepalive", "9s", "max_lifetime", "8s"],
        ),
        (
            |b| b.min_idle(1).keepalive(secs(9)).max_lifetime(secs(8)),
            ["keepalive", "9s", "max_lifetime", "8s"],
        ),
        (|b| b.create_backoff(secs(9), secs(2)), ["first", "9s", "longest", "2s"]),
        (
            |b| b.max_size(5).lane(Lane::new("a").reserved(2)).lane(Lane::new("b").reserved(4)),
            ["reserved", "6", "max_size", "5"],
        ),
    ];
    for (set, parts) in cases {
        let error = refused(set);
        assert!(matches!(error, BuildError::Contradiction { .. }), "{error:?}");
        let message = error.to_string();
        let places: Vec<_> = parts.iter().map(|part| message.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{message}");
    }
}

#[test]
fn a_lane_that_no_pool_can_have_is_refused_by_its_name() {
    let cases: [(Set, &str); 7] = [
        (|b| b.lane(Lane::new("")), "a lane has no name"),
        (
            |b| b.lane(Lane::new("a")).lane(Lane::new("b")).lane(Lane::new("a")),
            "more than one lane is called `a`",
        ),
        (|b| b.lane(Lane::new("default")), "more than one lane is called `default`"),
        (
            |b| b.lane(Lane::new("a").max_waiters(usize::MAX)),
            "lane `a`: max_waiters is 18446744073709551615, but must be from 0 to 2147483647",
        ),
        (
            |b| b.lane(Lane::new("a").reserved(usize::MAX)),
            "lane `a`: reserved is 18446744073709551615, but must be from 0 to 1048576",
        ),
        (
            |b| (0..100).fold(b, |b, n| b.lane(Lane::new(n.to_string()))),
            "the number of lanes is 100, but must be from 0 to 16",
        ),
        (
            |b| (0..17).fold(b, |b, n| b.lane(Lane::new(n.to_string()))),
            "the number of lanes is 17, but must be from 0 to 16",
        ),
    ];
    for (set, message) in cases {
        assert_eq!(refused(set).to_string(), message);
    }
}

#[test]
fn as_many_lanes_as_may_be_share_everything() {
    let rig = Rig::new(|builder| {
        let lane = |n: usize| Lane::new(n.to_string()).reserved(1).head_start(Duration::MAX);
        (0..Lane::MOST).fold(builder.max_size(16).max_creating(16), |b, n| b.lane(lane(n)))
    });
    let held: Vec<_> = (0..Lane::MOST)
        .map(|n| rig.at_once(rig.pool.get().lane(n.to_string())).expect("there is one for each"))
        .collect();
    assert_eq!((rig.pool.status().leased, rig.pool.status().lanes.len()), (16, 17));
    drop(held);
    rig.serves_at_full_size();
    rig.ends_clean();
}

/// Takes, gives back, checks, waits and closes.
fn lives(rig: &Rig) {
    for _ in 0..3 {
        let held = rig.take();
        if rig.pool.status().max == 1 {
            let refused = rig.runtime.block_on(rig.pool.get().timeout(secs(2)));
            assert!(refused.is_err());
        }
        drop(held);
        rig.runtime.advance(secs(3));
    }
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn every_time_may_be_endless() {
    let max = Duration::MAX;
    let rig = Rig::new(|builder| {
        builder
            .max_size(1)
            .get_timeout(max)
            .create_timeout(max)
            .check_timeout(max)
            .reset_timeout(max)
            .close_timeout(max)
            .check_after_idle(max)
            .keepalive(max)
            .idle_timeout(max)
            .max_lifetime(max)
            .create_backoff(max, max)
    });
    lives(&rig);
    assert_eq!((rig.manager.checks(), rig.manager.opened()), (0, 1));
}

#[test]
fn every_time_may_be_as_short_as_can_be() {
    let least = Duration::from_nanos(1);
    let rig = Rig::new(|builder| {
        builder
            .max_size(1)
            .create_timeout(least)
            .check_timeout(least)
            .reset_timeout(least)
            .close_timeout(least)
            .check_after_idle(least)
            .keepalive(least)
            .idle_timeout(least)
            .max_lifetime(least)
            .lifetime_jitter(100)
            .create_backoff(least, least)
    });
    for _ in 0..5 {
        // What a virtual clock does in no time is in time, however short; but it is old when it is back.
        drop(rig.runtime.block_on(rig.pool.get()));
        rig.runtime.advance(ms(50));
    }
    assert!(rig.manager.opened() >= 1);
    rig.ends_clean();
}

#[test]
fn every_number_may_be_as_great_as_can_be() {
    let greatest = Builder::<ScriptedManager>::GREATEST_SIZE;
    let rig = Rig::new(|builder| {
        builder
            .max_size(greatest)
            .min_idle(200)
            .max_creating(greatest)
            .max_waiters(u32::MAX as usize / 2)
            .fail_fast_after(u32::MAX as usize)
            .lifetime_jitter(100)
    });
    let held = rig.take_many(200);
    assert_eq!((rig.pool.status().max, rig.pool.status().leased), (greatest, 200));
    drop(held);
    rig.ends_clean();
}

#[test]
fn what_min_idle_keeps_may_be_kept_alive_beyond_the_idle_timeout() {
    let rig = Rig::new(|b| b.min_idle(1).idle_timeout(secs(60)).keepalive(secs(90)));
    rig.runtime.advance(secs(100));
    assert_eq!((rig.manager.checks(), rig.manager.opened()), (1, 1));
    rig.ends_clean();
}

#[test]
fn what_is_built_with_defaults_works() {
    lives(&Rig::new(|builder| builder));
}

#[test]
fn building_opens_nothing_and_spawns_nothing() {
    let rig = Rig::of(10);
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.started(millpond_test::Op::Create), rig.runtime.tasks()), (0, 0));
    assert_eq!((rig.pool.status().size, rig.pool.status().max), (0, 10));
    rig.ends_clean();
}

#[test]
fn a_setting_may_be_made_in_any_order_and_the_last_one_holds() {
    let rig =
        Rig::new(|builder| builder.max_creating(5).max_size(2).max_size(7).name("a").name("b"));
    assert_eq!(rig.pool.status().max, 7);
    assert!(format!("{:?}", rig.pool).contains("\"b\""));
}
