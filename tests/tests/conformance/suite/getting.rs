//! Asking for a resource: who gets one, which one, and in which order.

use std::sync::{Arc, Mutex};

use millpond::{GetError, Pooled};
use millpond_test::{Op, poll_once};
use millpond_tests::real::{Flavour, Rig, yield_now};

pub(crate) async fn building_opens_nothing(on: Flavour) {
    let (rig, other) = (Rig::of(on, 3), Rig::of(on, 1));
    // Another pool has had time to open one.
    drop(other.take().await);
    assert_eq!((rig.manager.started(Op::Create), rig.pool.status().size), (0, 0));
    other.ends_clean().await;
    rig.ends_clean().await;
}

pub(crate) async fn the_first_get_opens_a_resource_and_lends_it(on: Flavour) {
    let rig = Rig::of(on, 2);
    let pooled = rig.pool.get().await.expect("there is room for two");
    assert_eq!((pooled.id(), rig.manager.opened()), (0, 1));
    assert_eq!((rig.pool.status().leased, rig.pool.status().size), (1, 1));
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn what_came_home_is_lent_again(on: Flavour) {
    let rig = Rig::of(on, 3);
    for use_ in 1..=50 {
        let pooled = rig.take().await;
        assert_eq!((pooled.id(), Pooled::metrics(&pooled).uses()), (0, use_));
    }
    assert_eq!((rig.manager.opened(), rig.pool.status().leases), (1, 50));
    rig.ends_clean().await;
}

pub(crate) async fn what_lies_idle_is_had_by_a_single_poll(on: Flavour) {
    let rig = Rig::of(on, 1);
    drop(rig.take().await);
    for _ in 0..20 {
        assert!(poll_once(rig.pool.get()).is_ready());
        assert!(poll_once(rig.pool.get_owned().label("at the desk")).is_ready());
        yield_now().await;
    }
    rig.ends_clean().await;
}

pub(crate) async fn as_many_as_may_be_are_lent_at_once_and_not_one_more(on: Flavour) {
    let rig = Rig::of(on, 7);
    rig.serves_at_full_size().await;
    let held = rig.take_many(7).await;
    let waiting = rig.wait();
    drop(waiting);
    drop(held);
    assert_eq!((rig.manager.opened(), rig.manager.max_open_or_creating_at_once()), (7, 7));
    rig.ends_clean().await;
}

pub(crate) async fn a_caller_waits_until_somebody_gives_back(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let mut waiting = rig.watch();
    let in_a_task = rig.wait_in_a_task();
    assert_eq!(rig.pool.status().waiting, 2);
    assert!(!waiting.is_woken());
    drop(held);
    assert!(waiting.is_woken());
    let first = waiting.future().expect("it waits").await.expect("it is the first");
    drop(first);
    assert!(in_a_task.await.expect("it does not panic").is_ok());
    assert_eq!(rig.manager.opened(), 1);
    rig.ends_clean().await;
}

pub(crate) async fn tasks_are_served_in_the_order_in_which_they_came(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..30)
        .map(|number| {
            // It has its place before the next one asks, whichever task begins first.
            let (get, order) = (rig.wait(), Arc::clone(&order));
            on.spawn(async move {
                let pooled = get.await.expect("there is time enough");
                order.lock().expect("nobody panics").push(number);
                yield_now().await;
                drop(pooled);
            })
        })
        .collect();
    assert_eq!(rig.pool.status().waiting, 30);
    drop(held);
    for task in tasks {
        task.await.expect("it does not panic");
    }
    let in_order = order.lock().expect("nobody panics").iter().copied().eq(0..30);
    // Whoever does not come for an offer within a second loses its turn, and this machine may be slow.
    assert!(in_order || rig.pool.status().totals.revoked > 0, "{order:?}");
    rig.ends_clean().await;
}

pub(crate) async fn a_newcomer_does_not_overtake_who_waits(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let first = rig.wait();
    drop(held);
    // The resource is set aside: it is not there for others, by whatever way they ask.
    let newcomer = rig.pool.get_owned();
    let newcomer = on.spawn(newcomer);
    assert!(rig.pool.try_get().is_err() || rig.pool.status().totals.revoked > 0);
    let pooled = first.await.expect("it was the first");
    drop(pooled);
    drop(newcomer.await.expect("it does not panic").expect("it was the second"));
    rig.ends_clean().await;
}

pub(crate) async fn a_get_may_own_its_handle(on: Flavour) {
    let Rig { manager, pool, .. } = Rig::of(on, 1);
    let held = pool.get().await.expect("there is one");
    let waiting = on.spawn(pool.get_owned());
    on.eventually(|| pool.status().waiting == 1).await;
    drop(pool);
    // The one that waits keeps the pool open.
    drop(held);
    let pooled = waiting.await.expect("it does not panic").expect("it is served");
    assert_eq!((manager.closed(), pooled.id()), (0, 0));
    drop(pooled);
    on.eventually(|| manager.closed() == 1).await;
}

pub(crate) async fn a_clone_is_a_handle_to_the_same_pool(on: Flavour) {
    let rig = Rig::of(on, 2);
    let clone = rig.pool.clone();
    let (one, other) = (rig.take().await, clone.get().await.expect("there are two"));
    assert_eq!((rig.pool.status().leased, clone.status().leased), (2, 2));
    let waiting = rig.wait();
    drop(clone);
    drop((one, other));
    assert!(waiting.await.is_ok(), "a handle that is dropped closes nothing while another is left");
    rig.ends_clean().await;
}

pub(crate) async fn no_more_wait_than_may(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).max_waiters(2));
    let held = rig.take().await;
    let (first, second) = (rig.wait(), rig.wait());
    let error = rig.refused(rig.pool.get()).await;
    assert!(matches!(error, GetError::TooManyWaiters { limit: 2, .. }), "{error}");
    assert!(error.is_overload() && error.is_retryable());
    assert_eq!((error.snapshot().waiting, rig.pool.status().totals.too_many_waiters), (2, 1));
    drop(first);
    let third = rig.wait();
    drop(held);
    drop(second.await.expect("it was the second"));
    drop(third.await.expect("there was a place for it"));
    rig.ends_clean().await;
}

pub(crate) async fn with_no_waiters_at_all_only_what_is_idle_is_lent(on: Flavour) {
    let rig = Rig::new(on, |builder| builder.max_size(1).max_waiters(0));
    // The first opens one for those who come later.
    let error = rig.refused(rig.pool.get()).await;
    assert!(matches!(error, GetError::TooManyWaiters { limit: 0, .. }), "{error}");
    rig.eventually(|| rig.pool.status().idle == 1).await;
    let pooled = rig.take().await;
    let error = rig.refused(rig.pool.get()).await;
    assert!(matches!(error, GetError::TooManyWaiters { limit: 0, .. }), "{error}");
    drop(pooled);
    drop(rig.take().await);
    rig.ends_clean().await;
}

pub(crate) async fn an_offer_that_nobody_fetches_goes_to_the_next(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let mut first = rig.watch();
    let second = rig.wait_in_a_task();
    drop(held);
    assert!(first.is_woken());
    // It is not polled, for as long as the claim window.
    let pooled = second.await.expect("it does not panic").expect("the first did not come");
    assert!(rig.pool.status().totals.revoked >= 1);
    // Once, that is held in the first one's favour: it is back at the front.
    assert!(first.poll().is_pending());
    let third = rig.wait_in_a_task();
    assert!(!first.is_woken());
    drop(pooled);
    assert!(first.is_woken());
    drop(first.future().expect("it waits").await.expect("it is served"));
    drop(third.await.expect("it does not panic").expect("it is served"));
    rig.ends_clean().await;
}
