//! Time that jumps: a machine that was suspended, a process that was stopped, a clock that is set.
//!
//! A clock that goes back at any one look is a loop of its own, in `loops`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millpond::{Disposition, Manager, Metrics, Pool, Pooled, Returned, Runtime, SpawnError, Task};
use millpond_test::{ScriptedError, ScriptedManager, TestRuntime};
use millpond_tests::rig::Rig;
use millpond_tokio::Tokio;

use crate::{ms, on_both, secs};

/// Tokio, with a clock that a test can set forward. As after a suspension, timers know nothing of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jumping {
    /// In nanoseconds.
    ahead: Arc<AtomicU64>,
}

impl Jumping {
    pub(crate) fn jump(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("a test has not that much time");
        self.ahead.fetch_add(nanos, Ordering::Relaxed);
    }

    fn ahead(&self) -> Duration {
        Duration::from_nanos(self.ahead.load(Ordering::Relaxed))
    }
}

impl Runtime for Jumping {
    fn now(&self) -> Instant {
        Tokio.now() + self.ahead()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        Tokio.sleep_until(deadline - self.ahead())
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        Tokio.spawn(task)
    }
}

fn jumping(max: usize) -> (Jumping, ScriptedManager, Pool<ScriptedManager>) {
    let clock = Jumping::default();
    let manager = ScriptedManager::new(clock.clone());
    let pool = Pool::builder(manager.clone()).max_size(max).max_creating(2).build(clock.clone());
    (clock, manager, pool.expect("the settings make sense"))
}

/// A process that stood still for a minute, its pool in the middle of its work: once the pool has been looked at, nothing that
/// lay idle is lent without a check, and what is lent stays lent.
#[test]
fn after_a_minute_in_which_the_process_was_stopped_what_lay_idle_is_checked() {
    on_both(async || {
        let (clock, manager, pool) = jumping(4);
        let held = pool.get().await.expect("there are four");
        let idle = [pool.get().await, pool.get().await, pool.get().await];
        drop(idle);
        clock.jump(secs(60));
        assert_eq!(pool.status().leased, 1);
        let all = [pool.get().await, pool.get().await, pool.get().await];
        assert!(all.iter().all(Result::is_ok));
        assert_eq!((manager.checks(), manager.opened()), (3, 4));
        drop((held, all));
        assert!(pool.close(secs(60)).await.drained);
    });
}

/// A machine that slept for eight hours: all that lay idle has outlived its time and is closed, and who comes is served by
/// what is opened, two at a time and no faster; what is lent is left alone.
#[test]
fn after_eight_hours_of_sleep_all_is_replaced_without_a_storm() {
    on_both(async || {
        let (clock, manager, pool) = jumping(6);
        let held = pool.get().await.expect("there are six");
        let mut idle = Vec::new();
        for _ in 0..5 {
            idle.push(pool.get().await.expect("there are six"));
        }
        drop(idle);
        clock.jump(secs(8 * 3600));
        assert_eq!(pool.status().leased, 1);
        let all = futures::future::join_all((0..5).map(|_| pool.get())).await;
        let all: Vec<_> = all.into_iter().map(|get| get.expect("others are opened")).collect();
        assert!(all.iter().all(|pooled| pooled.id() >= 6), "{all:?}");
        assert!(manager.max_creating_at_once() <= 2);
        assert!(held.is_alive() && held.id() == 0);
        drop((held, all));
        assert!(pool.close(secs(60)).await.drained);
    });
}

/// Cuts off what has lain idle for longer than a balancer's patience, without a word to either side.
#[derive(Clone)]
struct Balanced {
    inner: ScriptedManager,
    clock: TestRuntime,
    patience: Duration,
}

/// A connection through it.
struct Through {
    used: Instant,
}

impl Balanced {
    /// Whether a packet still gets through.
    fn passes(&self, connection: &mut Through) -> bool {
        let now = self.clock.now();
        let lain = now - std::mem::replace(&mut connection.used, now);
        lain < self.patience
    }
}

impl Manager for Balanced {
    type Resource = Through;
    type Error = ScriptedError;

    async fn create(&self) -> Result<Through, ScriptedError> {
        self.inner.create().await.map(|_| Through { used: self.clock.now() })
    }

    fn on_return(&self, _: &mut Through, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }

    async fn close(&self, _: Through) {}
}

/// A balancer forgets connections after 350 seconds without a packet, and drops what is sent on them then. With an idle timeout
/// below that, no borrower meets such a connection, even where nothing is ever checked.
#[test]
fn an_idle_timeout_below_the_patience_of_a_balancer_keeps_its_dead_from_borrowers() {
    let clock = TestRuntime::new();
    let inner = ScriptedManager::new(clock.clone());
    let manager = Balanced { inner, clock: clock.clone(), patience: secs(350) };
    let pool = Pool::builder(manager.clone())
        .max_size(3)
        .max_lifetime(Duration::MAX)
        .check_after_idle(Duration::MAX)
        .idle_timeout(secs(300))
        .build(clock.clone())
        .expect("the settings make sense");
    let mut random = 1_u64;
    for visit in 0..2_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut held = Vec::new();
        for _ in 0..=visit % 3 {
            let mut pooled = clock.block_on(pool.get()).expect("there are three");
            assert!(manager.passes(&mut pooled), "a dead connection was lent");
            held.push(pooled);
        }
        drop(held);
        clock.advance(secs((random >> 33) % 700));
    }
    assert!(manager.inner.opened() > 100, "many did not outlive their idle timeout");
}

/// A time that no clock can show, wherever a time may be given once the pool is in use.
#[test]
fn times_beyond_every_clock_are_borne() {
    let rig = Rig::of(2);
    drop(rig.take_many(2));
    rig.pool.retire_all(Duration::MAX);
    rig.runtime.advance(secs(3600));
    drop(rig.at_once(rig.pool.get().timeout(Duration::MAX)).expect("there are two"));
    let mut pooled = rig.take();
    rig.runtime.block_on(Pooled::run(&mut pooled, async |_| rig.runtime.sleep(ms(1)).await));
    drop(pooled);
    let mut close = millpond_test::Parked::new(rig.pool.close(Duration::MAX));
    assert!(close.poll().is_pending());
    rig.ends_clean();
}
