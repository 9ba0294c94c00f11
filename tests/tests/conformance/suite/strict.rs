//! The knob `strict_return`: a use counts as finished only if somebody says so.

use millpond::{Pooled, Returned};
use millpond_tests::real::{Flavour, Rig};

fn strict(on: Flavour) -> Rig {
    Rig::new(on, |builder| builder.max_size(1).strict_return())
}

pub(crate) async fn a_guard_that_is_merely_dropped_was_cancelled(on: Flavour) {
    let rig = strict(on);
    let mut pooled = rig.take().await;
    pooled.soil();
    drop(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    assert!(!rig.take().await.is_dirty(), "it was cleaned before it was lent again");
    rig.ends_clean().await;
}

pub(crate) async fn finish_run_and_with_say_that_a_use_is_finished(on: Flavour) {
    let rig = strict(on);
    Pooled::finish(rig.take().await);
    let mut pooled = rig.take().await;
    Pooled::run(&mut pooled, async |_| ()).await;
    drop(pooled);
    rig.pool.with(async |resource| resource.soil()).await.expect("there is one");
    assert_eq!(rig.manager.returns(), [Returned::Finished; 3]);
    assert_eq!(rig.manager.resets(), 0);
    rig.ends_clean().await;
}

pub(crate) async fn a_use_after_a_finished_one_has_to_be_finished_itself(on: Flavour) {
    let rig = strict(on);
    let mut pooled = rig.take().await;
    Pooled::run(&mut pooled, async |_| ()).await;
    assert!(pooled.is_alive());
    drop(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    rig.ends_clean().await;
}
