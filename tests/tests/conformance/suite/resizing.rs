//! Pools that grow and shrink while they are in use: exactly, and without a resource too many.

use millpond::{Builder, Pooled};
use millpond_test::ScriptedManager;
use millpond_tests::real::{Flavour, Rig};

pub(crate) async fn growing_serves_who_waits(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let waiting = [rig.wait_in_a_task(), rig.wait_in_a_task()];
    rig.pool.resize(3).expect("a size that a pool can have");
    let mut all = vec![held];
    for task in waiting {
        all.push(task.await.expect("it does not panic").expect("there is room now"));
    }
    assert_eq!((rig.pool.status().max, rig.pool.status().leased), (3, 3));
    drop(all);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_may_grow_far_beyond_the_size_it_was_built_with(on: Flavour) {
    let rig = Rig::of(on, 1);
    rig.pool.resize(200).expect("a size that a pool can have");
    rig.serves_at_full_size().await;
    rig.pool.resize(3).expect("a size that a pool can have");
    rig.eventually(|| rig.manager.closed() == 197).await;
    assert_eq!(rig.pool.status().idle, 3);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn shrinking_closes_what_is_idle_first(on: Flavour) {
    let rig = Rig::of(on, 4);
    let mut held = rig.take_many(4).await;
    drop(held.split_off(2));
    rig.pool.resize(2).expect("a size that a pool can have");
    rig.eventually(|| rig.pool.status().size == 2).await;
    assert_eq!((rig.pool.status().leased, rig.manager.closed()), (2, 2));
    drop(held);
    assert_eq!(rig.pool.status().idle, 2, "what is within the size stays");
    rig.ends_clean().await;
}

pub(crate) async fn what_is_lent_beyond_the_size_goes_as_it_comes_home(on: Flavour) {
    let rig = Rig::of(on, 5);
    let mut held = rig.take_many(5).await;
    rig.pool.resize(2).expect("a size that a pool can have");
    assert_eq!((rig.pool.status().max, rig.pool.status().size), (2, 5));
    for closed in 1..=3 {
        drop(held.pop());
        rig.eventually(|| rig.manager.closed() == closed).await;
        assert_eq!(rig.pool.status().idle, 0);
    }
    drop(held);
    assert_eq!((rig.pool.status().idle, rig.manager.closed()), (2, 3));
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn nothing_is_created_while_there_is_too_much(on: Flavour) {
    let rig = Rig::of(on, 3);
    let mut held = rig.take_many(3).await;
    rig.pool.resize(1).expect("a size that a pool can have");
    let waiting = rig.wait_in_a_task();
    for closed in 1..=2 {
        held.pop().into_iter().for_each(Pooled::discard);
        rig.eventually(|| rig.manager.closed() == closed).await;
    }
    assert_eq!((rig.manager.opened(), rig.pool.status().waiting), (3, 1));
    drop(held);
    let pooled = waiting.await.expect("it does not panic").expect("the last comes home to it");
    assert_eq!(rig.manager.opened(), 3);
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn a_pool_of_size_zero_lends_nothing_until_it_grows(on: Flavour) {
    let rig = Rig::of(on, 2);
    drop(rig.take_many(2).await);
    rig.pool.resize(0).expect("zero is a size");
    rig.eventually(|| rig.pool.status().size == 0).await;
    let waiting = rig.wait_in_a_task();
    assert!(rig.pool.try_get().is_err());
    assert_eq!((rig.manager.closed(), rig.pool.status().waiting), (2, 1));
    rig.pool.resize(1).expect("a size that a pool can have");
    assert!(waiting.await.expect("it does not panic").is_ok());
    rig.ends_clean().await;
}

pub(crate) async fn a_size_that_flaps_upsets_nothing(on: Flavour) {
    let rig = Rig::of(on, 4);
    let mut held = rig.take_many(4).await;
    let waiting: Vec<_> = (0..4).map(|_| rig.wait_in_a_task()).collect();
    for size in [1, 4, 0, 3, 2, 4, 1, 4] {
        rig.pool.resize(size).expect("a size that a pool can have");
        drop(held.pop());
    }
    for task in waiting {
        drop(task.await.expect("it does not panic").expect("there are four"));
    }
    assert!(rig.manager.max_open_or_creating_at_once() <= 4);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn a_size_that_no_pool_can_have_is_refused_and_changes_nothing(on: Flavour) {
    let rig = Rig::of(on, 2);
    for size in [Builder::<ScriptedManager>::GREATEST_SIZE + 1, usize::MAX] {
        let error = rig.pool.resize(size).expect_err("that is too much");
        let text = error.to_string();
        assert!(text.contains("max_size") && text.contains(&size.to_string()), "{text}");
    }
    assert_eq!(rig.pool.status().max, 2);
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}
