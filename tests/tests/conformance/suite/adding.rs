//! Resources that were opened elsewhere and offered to the pool.

use millpond::{AddError, Manager, Pooled};
use millpond_test::{Op, Step};
use millpond_tests::real::{Flavour, Rig};

use super::secs;

pub(crate) async fn what_was_added_is_lent_and_closed_like_any_other(on: Flavour) {
    let rig = Rig::of(on, 2);
    let resource = rig.manager.create().await.expect("the script says so");
    rig.pool.add(resource).expect("there is room");
    assert_eq!((rig.pool.status().idle, rig.pool.status().size), (1, 1));
    let pooled = rig.take().await;
    assert_eq!((pooled.id(), Pooled::metrics(&pooled).uses(), rig.manager.opened()), (0, 1, 1));
    drop(pooled);
    rig.serves_at_full_size().await;
    assert!(rig.pool.close(secs(600)).await.drained);
    assert_eq!(rig.manager.closed(), 2);
    rig.ends_clean().await;
}

pub(crate) async fn what_was_added_goes_to_who_waits(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).create_backoff(secs(3600), secs(3600)));
    let resource = rig.manager.create().await.expect("the script says so");
    rig.manager.default_step(Op::Create, Step::transient());
    let waiting = rig.wait_in_a_task();
    rig.eventually(|| rig.pool.status().totals.create_failed == 1).await;
    rig.pool.add(resource).expect("there is room");
    let pooled = waiting.await.expect("it does not panic").expect("there is one now");
    assert_eq!(pooled.id(), 0);
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn what_finds_no_room_or_a_closed_pool_comes_back(on: Flavour) {
    let rig = Rig::of(on, 1);
    let resource = rig.manager.create().await.expect("the script says so");
    let held = rig.take().await;
    let refused = rig.pool.add(resource).expect_err("there is no room");
    assert!(matches!(refused, AddError::Full { max: 1, .. }), "{refused}");
    let resource = refused.into_resource();
    assert_eq!(resource.id(), 0);
    drop(held);
    assert!(rig.pool.close(secs(600)).await.drained);
    let refused = rig.pool.add(resource).expect_err("the pool is closed");
    assert!(matches!(refused, AddError::Closed { .. }), "{refused}");
    drop(refused.into_resource());
    rig.ends_clean().await;
}
