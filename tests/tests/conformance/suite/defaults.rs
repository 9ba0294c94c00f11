//! A manager that says no more than it must: what the defaults of the other methods come to.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use millpond::{Builder, Disposition, Manager, Metrics, Pool, Pooled, Returned};
use millpond_test::poll_once;
use millpond_tests::cells::Cells;
use millpond_tests::real::Flavour;

use super::{ms, secs};

/// Opens things. Some attempts fail.
#[derive(Clone, Default)]
struct Plain {
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    attempts: AtomicUsize,
    fail_below: usize,
    /// The threads on which things were dropped.
    dropped_on: Mutex<Vec<ThreadId>>,
}

struct Thing {
    number: usize,
    seen: Arc<Seen>,
}

impl Manager for Plain {
    type Resource = Thing;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Thing> {
        let number = self.seen.attempts.fetch_add(1, Ordering::Relaxed);
        if number < self.seen.fail_below {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(Thing { number, seen: Arc::clone(&self.seen) })
    }

    fn on_return(&self, _: &mut Thing, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        let mut threads = self.seen.dropped_on.lock().unwrap_or_else(PoisonError::into_inner);
        threads.push(thread::current().id());
    }
}

impl Plain {
    fn dropped_on(&self) -> Vec<ThreadId> {
        self.seen.dropped_on.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

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
    assert_eq!(manager.dropped_on().len(), 1);
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
    on.eventually(|| manager.dropped_on().len() == 3).await;
    // Neither where they were discarded, nor where the pool's tasks run.
    let (sender, receiver) = futures::channel::oneshot::channel();
    let told = on.spawn(async move { sender.send(thread::current().id()) });
    let of_a_task = receiver.await.expect("it is told");
    told.await.expect("it does not panic").expect("it was heard");
    let elsewhere = |id: &ThreadId| *id != thread::current().id() && *id != of_a_task;
    assert!(manager.dropped_on().iter().all(elsewhere));
    assert!(pool.close(secs(600)).await.drained);
}

pub(crate) async fn by_default_every_failure_may_pass(on: Flavour) {
    let seen = Seen { fail_below: 3, ..Seen::default() };
    let manager = Plain { seen: Arc::new(seen) };
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
