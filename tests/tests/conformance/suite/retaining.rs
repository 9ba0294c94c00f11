//! A look through what lies idle: what stays, what goes, and what is not looked at.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millpond_tests::real::{Flavour, Rig};

pub(crate) async fn what_nobody_wants_to_keep_is_closed(on: Flavour) {
    let rig = Rig::of(on, 4);
    drop(rig.take_many(4).await);
    let report = rig.pool.retain(|resource, _| resource.id() % 2 == 0);
    assert_eq!((report.kept, report.removed.len()), (2, 2));
    assert!(report.removed.iter().all(|metrics| metrics.uses() == 1));
    rig.eventually(|| rig.manager.closed() == 2).await;
    assert_eq!(rig.pool.status().idle, 2);
    let kept = rig.pool.retain(|_, _| true);
    assert_eq!((kept.kept, kept.removed.len()), (2, 0));
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn what_is_lent_is_not_looked_at(on: Flavour) {
    let rig = Rig::of(on, 2);
    let held = rig.take_many(2).await;
    let report = rig.pool.retain(|_, _| panic!("nothing is idle"));
    assert_eq!((report.kept, report.removed.len()), (0, 0));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn who_comes_during_a_look_is_served_after_it(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    let mut waiting = None;
    let report = rig.pool.retain(|_, _| {
        waiting = Some(rig.wait());
        true
    });
    assert_eq!(report.kept, 1);
    let pooled = waiting.expect("there was one to look at").await.expect("it is back");
    assert_eq!(pooled.id(), 0);
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn a_panic_during_a_look_costs_what_was_looked_at(on: Flavour) {
    let rig = Rig::of(on, 3);
    drop(rig.take_many(3).await);
    let looked = catch_unwind(AssertUnwindSafe(|| {
        rig.pool.retain(|resource, _| {
            assert_ne!(resource.id(), 1, "the one that is not to be looked at");
            true
        })
    }));
    assert!(looked.is_err());
    rig.eventually(|| rig.manager.closed() == 1).await;
    assert_eq!(rig.pool.status().idle, 2);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}
