//! A little of everything that can be done to a pool, as callers that run by turns. The loops over all faults run it again
//! and again; what they assert is here, too.

use std::time::Duration;

use futures::future::{Either, select};
use millpond::{GetError, Phase, Pool, Pooled, Runtime, Task, TryGetError};
use millpond_test::{Occupied, Op, Recorder, ScriptedError, ScriptedManager, Step, TestRuntime};

use crate::fuse::{Fuse, Fused, FusedResource, FusedSink};
use crate::rig::{everything_is_gone, serves_at_full_size};

/// The greatest size that the pool has in the scenario.
pub const SIZE: usize = 2;

/// A pool for the scenario: everything takes its time, and idle resources are checked soon.
#[must_use]
pub fn pool(
    runtime: &TestRuntime,
    driver: impl Runtime,
    fuse: &Fuse,
) -> (Pool<Fused>, ScriptedManager) {
    watched_pool(runtime, driver, fuse, Recorder::new())
}

/// The same, with what remembers its events.
#[must_use]
pub fn watched_pool(
    runtime: &TestRuntime,
    driver: impl Runtime,
    fuse: &Fuse,
    recorder: Recorder,
) -> (Pool<Fused>, ScriptedManager) {
    let manager = ScriptedManager::new(runtime.clone());
    for (op, time) in [(Op::Create, 5), (Op::Check, 2), (Op::Reset, 3), (Op::Close, 1)] {
        manager.default_step(op, Step::Ok.after(ms(time)));
    }
    let fused = Fused { inner: manager.clone(), fuse: fuse.clone() };
    let pool = Pool::builder(fused)
        .max_size(SIZE)
        .max_creating(SIZE)
        .check_after_idle(ms(8))
        .get_timeout(ms(500))
        .event_sink(FusedSink { recorder, fuse: fuse.clone() })
        .build(driver)
        .expect("the settings make sense");
    (pool, manager)
}

/// Callers that use the pool in every way, and an operator that resizes it, pauses it and retires what is open.
#[must_use]
pub fn bustle(pool: &Pool<Fused>, clock: &TestRuntime) -> Vec<Task> {
    vec![
        Box::pin(plain(pool.clone(), clock.clone())),
        Box::pin(now_and_then(pool.clone(), clock.clone())),
        Box::pin(half_way(pool.clone(), clock.clone())),
        Box::pin(in_a_hurry(pool.clone(), clock.clone())),
        Box::pin(destructive(pool.clone(), clock.clone())),
        Box::pin(operator(pool.clone(), clock.clone())),
    ]
}

/// Callers that still want something of a pool while others close it.
#[must_use]
pub fn farewell(pool: &Pool<Fused>, clock: &TestRuntime) -> Vec<Task> {
    let mut callers = bustle(pool, clock);
    callers.push(Box::pin(watcher(pool.clone(), clock.clone())));
    callers.push(Box::pin(closer(pool.clone(), clock.clone(), 9)));
    callers.push(Box::pin(closer(pool.clone(), clock.clone(), 12)));
    callers
}

/// What has to hold whatever happened.
///
/// # Panics
///
/// If it does not.
#[track_caller]
pub fn afterwards(pool: &Pool<Fused>, manager: &ScriptedManager, clock: &TestRuntime) {
    // Whoever had paused or shrunk the pool may be gone. As any call, these two see to it that somebody drives it.
    pool.resume();
    pool.resize(SIZE).expect("it had that size before");
    clock.advance(ms(2_000));
    let status = pool.status();
    assert_eq!((status.leased, status.waiting), (0, 0), "nobody is there any more: {status:?}");
    assert_eq!((status.abandoned, status.stuck), (0, 0), "nothing hung: {status:?}");
    assert_eq!(status.size, status.idle, "everything is at rest: {status:?}");
    assert_eq!(status.totals.revoked, 0, "whoever is gone is offered nothing: {status:?}");
    assert!(pool.holders().is_empty(), "{:?}", pool.holders());
    if !matches!(pool.try_get(), Err(TryGetError::Closed)) {
        serves_at_full_size(pool, clock);
    }
    let report = clock.block_on(pool.close(ms(60_000)));
    assert!(report.drained, "{report}");
    everything_is_gone(pool, manager);
}

/// Uses a resource, and another one through `with`.
async fn plain(pool: Pool<Fused>, clock: TestRuntime) {
    let Some(pooled) = served(pool.get().await) else { return };
    let sole = sole(&pooled);
    clock.sleep(ms(3)).await;
    drop((sole, pooled));
    let _ = pool
        .with(async |resource| {
            let _sole = self::sole(resource);
            clock.sleep(ms(2)).await;
        })
        .await;
}

/// Comes so seldom that what it takes has to be checked.
async fn now_and_then(pool: Pool<Fused>, clock: TestRuntime) {
    for _ in 0..3 {
        let Some(mut pooled) = served(pool.get().label("now and then").await) else { return };
        Pooled::run(&mut pooled, async |resource| {
            let _sole = sole(resource);
            clock.sleep(ms(1)).await;
        })
        .await;
        Pooled::finish(pooled);
        clock.sleep(ms(12)).await;
    }
}

/// Leaves its use unfinished, whatever epoch it falls in.
async fn half_way(pool: Pool<Fused>, clock: TestRuntime) {
    for _ in 0..2 {
        let Some(mut pooled) = served(pool.get().await) else { return };
        let mut run = Box::pin(Pooled::run(&mut pooled, async |resource| {
            let _sole = sole(resource);
            resource.soil();
            clock.sleep(ms(50)).await;
        }));
        let ended = matches!(select(&mut run, clock.sleep(ms(2))).await, Either::Left(_));
        assert!(!ended, "the longer sleep ends last");
        drop(run);
        drop(pooled);
        let _ = served(pool.get().await).map(|pooled| drop(sole(&pooled)));
        clock.sleep(ms(20)).await;
    }
}

/// Has no patience.
async fn in_a_hurry(pool: Pool<Fused>, clock: TestRuntime) {
    for patience in [0, 2, 6] {
        let _ = pool.get_owned().timeout(ms(patience)).await.map(|pooled| drop(sole(&pooled)));
        let _ = pool.try_get().map(|pooled| drop(sole(&pooled)));
        clock.sleep(ms(4)).await;
    }
}

/// Gives nothing back.
async fn destructive(pool: Pool<Fused>, clock: TestRuntime) {
    let Some(pooled) = served(pool.get().await) else { return };
    clock.sleep(ms(1)).await;
    drop(sole(&pooled));
    Pooled::discard(pooled);
    let Some(pooled) = served(pool.get().await) else { return };
    drop(sole(&pooled));
    drop(Pooled::detach(pooled));
}

/// Changes what can be changed.
async fn operator(pool: Pool<Fused>, clock: TestRuntime) {
    clock.sleep(ms(7)).await;
    pool.retire_all(Duration::ZERO);
    clock.sleep(ms(3)).await;
    pool.resize(1).expect("a size that a pool can have");
    clock.sleep(ms(7)).await;
    pool.pause();
    clock.sleep(ms(3)).await;
    pool.resume();
    pool.resize(SIZE).expect("a size that a pool can have");
    pool.retire_all(ms(5));
}

/// Waits for the end. It may never come, if who was to bring it is gone.
async fn watcher(pool: Pool<Fused>, clock: TestRuntime) {
    let _ = select(Box::pin(pool.closing()), clock.sleep(ms(900))).await;
    let _ = select(Box::pin(pool.drained()), clock.sleep(ms(900))).await;
}

async fn closer(pool: Pool<Fused>, clock: TestRuntime, after: u64) {
    clock.sleep(ms(after)).await;
    let _ = pool.close(ms(300)).await;
    assert!(pool.get().await.is_err(), "a closed pool lends nothing");
}

/// A fault may cost a caller an error, but not its patience: nobody waits in vain, unless the pool is paused.
#[track_caller]
fn served(outcome: Result<Pooled<Fused>, GetError<ScriptedError>>) -> Option<Pooled<Fused>> {
    match outcome {
        Ok(pooled) => Some(pooled),
        Err(error) => {
            let paused = error.snapshot().longest_phase() == Some(Phase::Paused);
            assert!(paused || !matches!(error, GetError::Timeout(_)), "{error}");
            None
        }
    }
}

/// Proves that nobody else has it, and that whoever had it before left no trace.
#[track_caller]
fn sole(resource: &FusedResource) -> Occupied {
    assert!(!resource.is_dirty(), "{resource:?} is as its last borrower left it");
    resource.occupy()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
