//! Guards and callers on any thread, in this runtime, in another, or in none.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::mpsc;
use std::thread;

use futures::channel::mpsc as tasks;
use futures::executor::block_on;
use futures::{SinkExt, StreamExt};
use millpond::{Disposition, Fitness, GetError, Manager, Metrics, Pool, Pooled, Returned};
use millpond_test::{OnReturn, ScriptedManager};
use millpond_tests::real::{Flavour, Rig, yield_now};

use super::witness::{Thing, Witness};
use super::{ms, secs};

/// Opens what it can never clean.
struct Stubborn(Witness);

impl Manager for Stubborn {
    type Resource = Thing;
    type Error = Infallible;

    async fn create(&self) -> Result<Thing, Infallible> {
        Ok(self.0.thing(0))
    }

    fn on_return(&self, _: &mut Thing, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reset
    }

    async fn reset(&self, _: &mut Thing, _: &Metrics) -> Result<Fitness, Infallible> {
        self.0.works_here();
        std::future::pending().await
    }
}

pub(crate) async fn a_guard_may_go_home_from_any_thread(on: Flavour) {
    let rig = Rig::of(on, 5);
    let held = rig.take_many(5).await;
    rig.manager.script_returns([OnReturn::Reuse, OnReturn::Reuse, OnReturn::Reset]);
    let detached = on.on_a_thread(move || {
        let [reused, finished, reset, discarded, detached] =
            <[_; 5]>::try_from(held).expect("there are five");
        drop(reused);
        Pooled::finish(finished);
        drop(reset);
        Pooled::discard(discarded);
        Pooled::detach(detached)
    });
    let mine = detached.await;
    rig.eventually(|| rig.manager.closed() == 1 && rig.pool.status().idle == 3).await;
    assert_eq!((rig.pool.status().leased, rig.manager.resets()), (0, 1));
    rig.serves_at_full_size().await;
    drop(mine);
    rig.ends_clean().await;
}

pub(crate) async fn what_comes_home_from_another_thread_serves_who_waits(on: Flavour) {
    let rig = Rig::of(on, 1);
    for _ in 0..20 {
        let held = rig.take().await;
        let waiting = rig.wait_in_a_task();
        let there = on.on_a_thread(move || drop(held));
        assert!(waiting.await.expect("it does not panic").is_ok());
        there.await;
    }
    assert_eq!(rig.manager.opened(), 1);
    rig.ends_clean().await;
}

pub(crate) async fn a_guard_may_go_home_from_another_runtime(on: Flavour) {
    let rig = Rig::of(on, 2);
    let held = rig.take_many(2).await;
    let there = on.elsewhere(move || async move {
        for pooled in held {
            yield_now().await;
            drop(pooled);
        }
    });
    there.await;
    rig.serves_at_full_size().await;
    assert_eq!(rig.manager.opened(), 2);
    rig.ends_clean().await;
}

pub(crate) async fn a_guard_in_a_thread_local_goes_home_when_its_thread_ends(on: Flavour) {
    thread_local! {
        static KEPT: RefCell<Option<Pooled<ScriptedManager>>> = const { RefCell::new(None) };
    }
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let there = on.on_a_thread(move || KEPT.with(|kept| *kept.borrow_mut() = Some(held)));
    there.await;
    // Destructors of thread-locals run after the thread has said that it is done.
    assert_eq!(rig.take().await.id(), 0);
    rig.ends_clean().await;
}

pub(crate) async fn threads_without_a_runtime_are_served_while_the_pool_is_driven(on: Flavour) {
    let rig = Rig::of(on, 3);
    drop(rig.take().await);
    let threads: Vec<_> = (0..6)
        .map(|number| {
            let pool = rig.pool.clone();
            on.on_a_thread(move || {
                for round in 0..10 {
                    let pooled = block_on(pool.get()).expect("the pool is driven");
                    let sole = pooled.occupy();
                    thread::yield_now();
                    drop(sole);
                    if (number + round) % 4 == 0 {
                        Pooled::discard(pooled);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.await;
    }
    assert!(rig.manager.max_open_or_creating_at_once() <= 3);
    rig.ends_clean().await;
}

pub(crate) async fn a_deadline_is_kept_on_a_thread_without_a_runtime(on: Flavour) {
    let rig = Rig::of(on, 1);
    let held = rig.take().await;
    let pool = rig.pool.clone();
    let there = on.on_a_thread(move || block_on(pool.get().timeout(ms(20))).map(drop));
    let error = there.await.expect_err("all is lent");
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    assert!(error.snapshot().waited >= ms(20));
    drop(held);
    rig.ends_clean().await;
}

pub(crate) async fn guards_are_handed_from_task_to_task(on: Flavour) {
    let rig = Rig::of(on, 4);
    let (mut give, mut take) = tasks::channel::<Pooled<ScriptedManager>>(1);
    let pool = rig.pool.clone();
    let giver = on.spawn(async move {
        for _ in 0..100 {
            let pooled = pool.get().await.expect("there is time enough");
            give.send(pooled).await.expect("somebody takes it");
        }
    });
    let taker = on.spawn(async move {
        let mut taken = 0;
        while let Some(pooled) = take.next().await {
            let _sole = pooled.occupy();
            taken += 1;
            yield_now().await;
        }
        taken
    });
    giver.await.expect("it does not panic");
    assert_eq!(taker.await, Some(100));
    rig.serves_at_full_size().await;
    rig.ends_clean().await;
}

pub(crate) async fn two_runtimes_share_a_pool(on: Flavour) {
    let rig = Rig::of(on, 2);
    drop(rig.take().await);
    let there: Vec<_> = (0..2)
        .map(|_| {
            let pool = rig.pool.clone();
            on.elsewhere(move || async move {
                for round in 0..40 {
                    let pooled = pool.get().await.expect("somebody drives the pool");
                    let sole = pooled.occupy();
                    yield_now().await;
                    drop(sole);
                    if round % 5 == 0 {
                        Pooled::discard(pooled);
                    }
                }
            })
        })
        .collect();
    for _ in 0..40 {
        let pooled = rig.take().await;
        let sole = pooled.occupy();
        yield_now().await;
        drop(sole);
    }
    for runtime in there {
        runtime.await;
    }
    assert!(rig.manager.max_open_or_creating_at_once() <= 2);
    rig.ends_clean().await;
}

pub(crate) async fn the_pool_may_be_looked_at_from_anywhere_meanwhile(on: Flavour) {
    let rig = Rig::of(on, 3);
    let (over, ends) = mpsc::channel::<()>();
    let pool = rig.pool.clone();
    let looks = on.on_a_thread(move || {
        while ends.try_recv() == Err(mpsc::TryRecvError::Empty) {
            let status = pool.status();
            let sum = status.idle
                + status.leased
                + status.creating
                + status.checking
                + status.resetting
                + status.closing
                + status.stuck;
            assert_eq!(status.size, sum, "{status:?}");
            assert!(status.size <= status.max, "{status:?}");
            assert!(pool.holders().len() <= status.max);
            drop(pool.try_get());
            thread::yield_now();
        }
    });
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let pool = rig.pool.clone();
            on.spawn(async move {
                for _ in 0..50 {
                    let pooled = pool.get().label("looked at").await.expect("there is time");
                    let _sole = pooled.occupy();
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    drop(over);
    looks.await;
    rig.ends_clean().await;
}

pub(crate) async fn what_is_given_up_is_dropped_where_it_holds_up_nobody(on: Flavour) {
    let witness = Witness::default();
    let manager = Stubborn(witness.clone());
    let pool = Pool::builder(manager).max_size(4).reset_timeout(ms(20)).build(on);
    let pool = pool.expect("the settings make sense");
    for _ in 0..4 {
        drop(pool.get().await.expect("there is room"));
    }
    on.eventually(|| witness.dropped() == 4).await;
    witness.dropped_nothing_at_work();
    assert!(pool.close(secs(600)).await.drained);
}
