//! Growth: as many resources as callers need, opened before they are needed or as soon, and not more.

use std::time::Duration;

use millpond_test::{Op, Started, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// A pool of up to fifty with five open, to which a connect takes 150 ms.
fn five_of_fifty() -> Rig {
    let rig = Rig::new(|builder| builder.max_size(50));
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(150)));
    let opening: Vec<_> = (0..5).map(|_| lease(&rig, ms(150))).collect();
    rig.runtime.advance(secs(1));
    assert!(opening.iter().all(Started::is_finished));
    assert_eq!(rig.pool.status().idle, 5);
    rig
}

/// A caller that holds what it gets for so long.
fn lease(rig: &Rig, time: Duration) -> Started<()> {
    let (pool, runtime) = (rig.pool.clone(), rig.runtime.clone());
    rig.runtime.start(async move {
        let pooled = pool.get().await.expect("everybody is served");
        runtime.sleep(time).await;
        drop(pooled);
    })
}

#[test]
fn a_spike_of_short_leases_opens_no_more_than_one() {
    let rig = five_of_fifty();
    let callers: Vec<_> = (0..50).map(|_| lease(&rig, ms(2))).collect();
    rig.runtime.advance(ms(20));
    assert!(callers.iter().all(Started::is_finished), "ten rounds of 2 ms");
    rig.runtime.advance(secs(1));
    assert_eq!((rig.manager.opened(), rig.pool.status().idle), (6, 6));
    rig.ends_clean();
}

#[test]
fn a_spike_of_long_leases_opens_what_it_takes() {
    let rig = five_of_fifty();
    let callers: Vec<_> = (0..20).map(|_| lease(&rig, secs(10))).collect();
    // Fifteen, of which eight at a time, after a quarter of a connect.
    rig.runtime.advance(ms(150) * 2 + ms(150) / 4);
    assert_eq!((rig.manager.opened(), rig.pool.status().leased), (20, 20));
    rig.runtime.advance(secs(10));
    assert!(callers.iter().all(Started::is_finished));
    rig.ends_clean();
}

#[test]
fn a_crowd_that_stays_has_the_pool_at_its_full_size_soon() {
    let rig = five_of_fifty();
    for _ in 0..50 {
        let (pool, runtime) = (rig.pool.clone(), rig.runtime.clone());
        drop(rig.runtime.start(async move {
            for _ in 0..1000 {
                let pooled = pool.get().await.expect("everybody is served");
                runtime.sleep(ms(2)).await;
                drop(pooled);
            }
        }));
    }
    rig.runtime.advance(ms(149));
    assert_eq!((rig.pool.status().size, rig.pool.status().creating), (6, 1), "it may be a spike");
    rig.runtime.advance(ms(1000));
    assert_eq!(rig.pool.status().size, 50, "it is none");
    rig.runtime.advance(secs(20));
    rig.ends_clean();
}

#[test]
fn a_queue_that_lasts_grows_the_pool_one_by_one_until_it_is_gone() {
    let rig = five_of_fifty();
    let callers: Vec<_> = (0..7)
        .map(|_| {
            let (pool, runtime) = (rig.pool.clone(), rig.runtime.clone());
            rig.runtime.start(async move {
                for _ in 0..1000 {
                    let pooled = pool.get().await.expect("everybody is served");
                    runtime.sleep(ms(2)).await;
                    drop(pooled);
                }
            })
        })
        .collect();
    rig.runtime.advance(ms(100));
    assert_eq!((rig.pool.status().size, rig.pool.status().creating), (6, 1));
    rig.runtime.advance(ms(100));
    assert_eq!((rig.pool.status().size, rig.pool.status().creating), (7, 1));
    rig.runtime.advance(secs(3));
    assert!(callers.iter().all(Started::is_finished));
    assert_eq!(rig.manager.opened(), 7, "one each, and not one more");
    rig.ends_clean();
}
