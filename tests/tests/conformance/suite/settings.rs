//! What a builder takes and refuses, and that all of it can be set. What each knob does is shown by the tests of its topic.

use std::time::Duration;

use millpond::{BuildError, Builder, Pool};
use millpond_test::ScriptedManager;
use millpond_tests::real::{Flavour, Rig, yield_now};

use super::{ms, secs};

pub(crate) async fn settings_that_no_pool_can_have_are_refused_by_name(on: Flavour) {
    type Set = fn(Builder<ScriptedManager>) -> Builder<ScriptedManager>;
    let cases: [(Set, BuildErrorKind, &str); 10] = [
        (|b| b.max_size(0), BuildErrorKind::OutOfRange, "max_size"),
        (|b| b.max_waiters(usize::MAX), BuildErrorKind::OutOfRange, "max_waiters"),
        (|b| b.max_creating(0), BuildErrorKind::OutOfRange, "max_creating"),
        (|b| b.lifetime_jitter(101), BuildErrorKind::OutOfRange, "lifetime_jitter"),
        (|b| b.fail_fast_after(0), BuildErrorKind::OutOfRange, "fail_fast_after"),
        (|b| b.get_timeout(Duration::ZERO), BuildErrorKind::Zero, "get_timeout"),
        (|b| b.leak_after(Duration::ZERO), BuildErrorKind::Zero, "leak_after"),
        (|b| b.max_size(3).min_idle(4), BuildErrorKind::Contradiction, "min_idle"),
        (|b| b.max_size(3).max_creating(4), BuildErrorKind::Contradiction, "max_creating"),
        (|b| b.create_backoff(secs(9), secs(2)), BuildErrorKind::Contradiction, "create_backoff"),
    ];
    for (set, kind, name) in cases {
        let builder = set(Pool::builder(ScriptedManager::new(on)));
        let error = builder.build(on).expect_err("no pool can have these settings");
        assert_eq!(BuildErrorKind::of(&error), kind);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[derive(Debug, PartialEq, Eq)]
enum BuildErrorKind {
    OutOfRange,
    Zero,
    Contradiction,
}

impl BuildErrorKind {
    fn of(error: &BuildError) -> Self {
        match error {
            BuildError::OutOfRange { .. } => Self::OutOfRange,
            BuildError::Zero { .. } => Self::Zero,
            BuildError::Contradiction { .. } => Self::Contradiction,
            _ => panic!("a kind of error that this test does not know: {error}"),
        }
    }
}

pub(crate) async fn a_pool_with_nothing_but_defaults_works(on: Flavour) {
    let manager = ScriptedManager::new(on);
    let pool = Pool::builder(manager.clone()).build(on).expect("defaults make sense");
    assert_eq!(pool.status().max, 10);
    let rig = Rig { on, manager, pool };
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_with_every_time_as_short_as_can_be_works(on: Flavour) {
    let least = Duration::from_nanos(1);
    let rig = Rig::new(on, |builder| {
        builder
            .max_size(2)
            .create_timeout(least)
            .check_timeout(least)
            .reset_timeout(least)
            .close_timeout(least)
            .check_after_idle(least)
            .idle_timeout(least)
            .max_lifetime(least)
            .lifetime_jitter(100)
            .create_backoff(least, least)
    });
    // Nothing can be done in no time; what matters is that callers are told, and nothing is lost.
    for _ in 0..20 {
        drop(rig.pool.get().timeout(ms(2)).await);
    }
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_has_the_name_it_was_given(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.name("mill").max_size(1));
    let held = rig.take().await;
    assert!(format!("{:?}", rig.pool).contains("\"mill\""));
    assert!(format!("{held:?}").contains("\"mill\""));
    let error = rig.refused(rig.pool.get().timeout(ms(1))).await;
    assert!(error.to_string().starts_with("pool `mill`"), "{error}");
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn the_last_of_several_settings_holds(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_creating(5).max_size(2).max_size(7));
    assert_eq!(rig.pool.status().max, 7);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_without_self_service_serves_as_well(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(3).max_creating(3).without_self_service());
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let pool = rig.pool.clone();
            on.spawn(async move {
                for _ in 0..30 {
                    let pooled = pool.get().await.expect("there is time enough");
                    let _sole = pooled.occupy();
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    rig.serves_at_full_size().await;
    assert_eq!(rig.pool.status().leases, 8 * 30 + 3);
    rig.ends_clean().await;
}
