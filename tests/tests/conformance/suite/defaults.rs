//! A manager that says no more than it must: what the defaults of the other methods come to.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millpond::{Builder, Disposition, Manager, Metrics, Pool, Pooled, Returned};
use millpond_test::poll_once;
use millpond_tests::cells::Cells;
use millpond_tests::real::Flavour;

use super::witness::{Thing, Witness};
use super::{ms, secs};

/// Opens things. Some attempts fail.
#[derive(Clone, Default)]
struct Plain {
    attempts: Arc<AtomicUsize>,
    fail_below: usize,
    threads: Witness,
}

impl Manager for Plain {
    type Resource = Thing;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Thing> {
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        if number < self.fail_below {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(self.threads.thing(number))
    }

    fn on_return(&self, _: &mut Thing, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

impl Plain {
    fn pool(&self, on: Flavour, set: impl FnOnce(Builder<Self>) -> Builder<Self>) -> Pool<Self> {
        let builder = Pool::builder(self.clone()).max_size(1).create_backoff(ms(1), ms(1));
        set(builder).build(on).expect("the settings make sense")
    }
}

pub(crate) async fn by_default_every_check_succeeds(on: Flavour) {
    let manager = Plain::default();
    let pool = manager.pool(on, |builder| builder.check_after_idle(ms(0)));
    for _ in 0..5 {
        assert_eq!(pool.get().await.expect("there is one").number, 0);
    }
    assert!(pool.close(secs(600)).await.drained);
}

pub(crate) async fn by_default_nothing_can_be_cleaned(on: Flavour) {
    let manager = Plain::default();
    let pool = manager.pool(on, |builder| builder);
    let mut pooled = pool.get().await.expect("there is one");
    {
        let half = pin!(Pooled::run(&mut pooled, async |_| std::future::pending::<()>().await));
        assert!(poll_once(half).is_pending());
    }
    drop(pooled);
    // `Reuse` meant `Reset`, and there is none.
    assert_eq!(pool.get().await.expect("another is opened").number, 1);
    assert_eq!(manager.threads.dropped(), 1);
    assert!(pool.close(secs(600)).await.drained);
}

pub(crate) async fn by_default_things_are_dropped_where_that_may_take_its_time(on: Flavour) {
    let manager = Plain::default();
    let pool = manager.pool(on, |builder| builder.max_size(3));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(pool.get().await.expect("there are three"));
    }
    held.into_iter().for_each(Pooled::discard);
    on.eventually(|| manager.threads.dropped() == 3).await;
    manager.threads.dropped_nothing_at_work();
    assert!(pool.close(secs(600)).await.drained);
}

pub(crate) async fn by_default_every_failure_may_pass(on: Flavour) {
    let manager = Plain { fail_below: 3, ..Plain::default() };
    let pool = manager.pool(on, |builder| builder);
    assert_eq!(pool.get().await.expect("it was tried again").number, 3);
    assert!(pool.close(secs(600)).await.drained);
}

pub(crate) async fn a_resource_that_only_one_thread_may_see_at_a_time_goes_from_thread_to_thread(
    on: Flavour,
) {
    let pool = Pool::builder(Cells).max_size(2).build(on).expect("the settings make sense");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            on.spawn(async move {
                for _ in 0..25 {
                    let cell = pool.get().await.expect("there is time enough");
                    cell.set(cell.get() + 1);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    let both = [pool.get().await, pool.get().await].map(|cell| cell.expect("there are two").get());
    assert_eq!(both.iter().sum::<u32>(), 8 * 25);
    assert!(pool.close(secs(600)).await.drained);
}
