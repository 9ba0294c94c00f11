//! A little of everything that can be done to a pool, as callers that run by turns. The loops over all faults run it again
//! and again; what they assert afterwards is here, too, and what they assert meanwhile in [`watch`](crate::watch).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, select};
use millpond::{Get, GetError, Lane, Phase, Pool, Pooled, Runtime, Task, TryGetError};
use millpond_test::{
    Occupied, Op, Parked, Recorder, ScriptedError, ScriptedManager, Step, TestRuntime,
};

use crate::fuse::{Fault, Fuse, Fused, FusedResource, FusedSink, SPAWN};
use crate::rig::{everything_is_gone, serves_at_full_size, until};
use crate::watch::Watch;

/// The greatest size that the pool has in the scenario.
pub const SIZE: usize = 2;

/// A pool for the scenario, and what its callers share.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The pool.
    pub pool: Pool<Fused>,
    /// What opens its resources.
    pub manager: ScriptedManager,
    clock: TestRuntime,
    fuse: Fuse,
    /// That of the runtime, see [`Stage::excuse`].
    runtime: Fuse,
    /// Whether the operator has paused it.
    paused: Arc<AtomicBool>,
}

impl Stage {
    /// Everything takes its time, idle resources are checked soon, and each kind of job fails once by itself.
    #[must_use]
    pub fn new(clock: &TestRuntime, driver: impl Runtime, fuse: &Fuse) -> Self {
        Self::watched(clock, driver, fuse, Recorder::new())
    }

    /// The same, with what remembers the pool's events.
    #[must_use]
    pub fn watched(
        clock: &TestRuntime,
        driver: impl Runtime,
        fuse: &Fuse,
        recorder: Recorder,
    ) -> Self {
        let manager = ScriptedManager::new(clock.clone());
        for (op, time, script) in [
            (Op::Create, 5, vec![Step::Ok, Step::transient()]),
            (Op::Check, 2, vec![Step::Ok, Step::transient()]),
            (Op::Reset, 3, vec![Step::Ok, Step::Unfit]),
            (Op::Close, 1, Vec::new()),
        ] {
            manager.script(op, script.into_iter().map(|step| step.after(ms(time))));
            manager.default_step(op, Step::Ok.after(ms(time)));
        }
        let fused = Fused { inner: manager.clone(), fuse: fuse.clone() };
        let pool = Pool::builder(fused)
            .max_size(SIZE)
            .max_creating(SIZE)
            .check_after_idle(ms(8))
            .max_lifetime(ms(120))
            .lifetime_jitter(0)
            // What is left to chance lasts a nanosecond, so that each run is like the one before.
            .create_backoff(NEXT_TO_NOTHING, NEXT_TO_NOTHING)
            // Shorter than the patience of any caller but the hurried ones, so that a job that hangs costs no more than that.
            .create_timeout(ms(60))
            .check_timeout(ms(40))
            .reset_timeout(ms(40))
            .close_timeout(ms(40))
            .get_timeout(PATIENCE)
            .lane(Lane::new(FIRST).head_start(ms(10)).reserved(1))
            .event_sink(FusedSink { recorder, fuse: fuse.clone() })
            .build(driver)
            .expect("the settings make sense");
        let (clock, fuse) = (clock.clone(), fuse.clone());
        Self { pool, manager, clock, fuse, runtime: Fuse::never(), paused: Arc::default() }
    }

    /// A runtime in which this fuse blows when the pool spawns excuses that callers are told that there is none.
    #[must_use]
    pub fn excuse(self, runtime: &Fuse) -> Self {
        Self { runtime: runtime.clone(), ..self }
    }

    /// Callers that use the pool in every way, and an operator that resizes it, pauses it and retires what is open.
    #[must_use]
    pub fn bustle(&self) -> Vec<Task> {
        vec![
            Box::pin(self.clone().plain()),
            Box::pin(self.clone().now_and_then()),
            Box::pin(self.clone().half_way()),
            Box::pin(self.clone().in_a_hurry()),
            Box::pin(self.clone().destructive()),
            Box::pin(self.clone().clumsy()),
            Box::pin(self.clone().operator()),
        ]
    }

    /// Callers that still want something of a pool while others close it.
    #[must_use]
    pub fn farewell(&self) -> Vec<Task> {
        let mut callers = self.bustle();
        callers.push(Box::pin(self.clone().watcher()));
        callers.push(Box::pin(self.clone().closer(25)));
        callers.push(Box::pin(self.clone().closer(28)));
        callers
    }

    /// Looks at the pool while the scenario runs.
    #[must_use]
    pub fn watch(&self) -> Watch<'_, Fused> {
        Watch::new(&self.pool, &self.paused)
    }

    /// What has to hold whatever happened. `lost`: how many resources may be gone without having been closed, beside the one
    /// that a caller keeps.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn afterwards(&self, lost: u64) {
        let Self { pool, manager, clock, .. } = self;
        self.fuse.spare();
        self.runtime.spare();
        // Whoever had paused or shrunk the pool may be gone. As any call, these two see to it that somebody drives it.
        pool.resume();
        pool.resize(SIZE).expect("it had that size before");
        clock.advance(ms(2_000));
        let status = pool.status();
        assert_eq!((status.leased, status.waiting), (0, 0), "nobody is there any more: {status:?}");
        assert_eq!((status.abandoned, status.stuck), (0, 0), "nothing is left behind: {status:?}");
        assert_eq!(status.size, status.idle, "everything is at rest: {status:?}");
        assert_eq!(status.totals.revoked, 0, "whoever is gone is offered nothing: {status:?}");
        assert!(pool.holders().is_empty(), "{:?}", pool.holders());
        if !matches!(pool.try_get(), Err(TryGetError::Closed)) {
            serves_at_full_size(pool, clock);
            self.keeps_what_is_reserved();
        }
        let report = clock.block_on(pool.close(ms(60_000)));
        assert!(report.drained, "{report}");
        everything_is_gone(pool, manager);
        all_but(lost, manager);
    }

    /// The same once the last handle is gone, and nobody has closed the pool.
    ///
    /// # Panics
    ///
    /// If it does not hold.
    #[track_caller]
    pub fn afterwards_without_handles(self, lost: u64) {
        self.pool.resume();
        let Self { pool, manager, clock, .. } = self;
        drop(pool);
        clock.advance(ms(2_000));
        assert_eq!((clock.tasks(), clock.timers()), (0, 0), "the driver ends with the last");
        until(|| manager.open_now() == 0);
        all_but(lost, &manager);
    }

    /// The first that comes home goes to the lane that one is reserved for, and the next to who came before.
    #[track_caller]
    fn keeps_what_is_reserved(&self) {
        let Self { pool, clock, .. } = self;
        let take = |_| clock.block_on(pool.get()).expect("nothing is lent");
        let mut held: Vec<_> = (0..SIZE).map(take).collect();
        let wait = |get: Get<'static, Fused>| {
            let mut waiting = Parked::new(get);
            assert!(waiting.poll().is_pending(), "everything is lent");
            // Beyond the head start of the lane, within the patience of all.
            clock.advance(ms(20));
            waiting
        };
        let ordinary = wait(pool.get_owned());
        let mut first = wait(pool.get_owned().lane(FIRST));
        let second = wait(pool.get_owned().lane(FIRST));
        held.pop();
        clock.advance(ms(20));
        assert!(first.is_woken() && !ordinary.is_woken(), "one is reserved");
        let Poll::Ready(Ok(own)) = first.poll() else { panic!("it was offered one") };
        held.pop();
        clock.advance(ms(20));
        assert!(ordinary.is_woken() && !second.is_woken(), "and no more");
        drop((ordinary, second, own));
        clock.advance(ms(100));
    }

    /// Uses a resource, and another one through `with`.
    async fn plain(self) {
        let Some(pooled) = self.served(self.pool.get(), PATIENCE).await else { return };
        let sole = sole(&pooled);
        self.clock.sleep(ms(3)).await;
        drop((sole, pooled));
        let with = self.pool.with(async |resource| {
            let _sole = self::sole(resource);
            resource.begin();
            self.clock.sleep(ms(2)).await;
            resource.end();
        });
        let _ = with.await;
    }

    /// Comes so seldom that what it takes has to be checked.
    async fn now_and_then(self) {
        for _ in 0..6 {
            let get = self.pool.get().lane(FIRST).label("now and then");
            let Some(mut pooled) = self.served(get, PATIENCE).await else { return };
            Pooled::run(&mut pooled, async |resource| {
                let _sole = sole(resource);
                resource.begin();
                self.clock.sleep(ms(1)).await;
                resource.end();
            })
            .await;
            Pooled::finish(pooled);
            self.clock.sleep(ms(12)).await;
        }
    }

    /// Leaves its use unfinished.
    async fn half_way(self) {
        for _ in 0..2 {
            let Some(mut pooled) = self.served(self.pool.get(), PATIENCE).await else { return };
            let mut run = Box::pin(Pooled::run(&mut pooled, async |resource| {
                let _sole = sole(resource);
                resource.begin();
                self.clock.sleep(ms(50)).await;
            }));
            let ended = matches!(select(&mut run, self.clock.sleep(ms(2))).await, Either::Left(_));
            assert!(!ended, "the longer sleep ends last");
            drop(run);
            drop(pooled);
            self.clock.sleep(ms(30)).await;
        }
        let get = self.pool.get();
        let _ = self.served(get, PATIENCE).await.map(|pooled| drop(sole(&pooled)));
    }

    /// Has no patience.
    async fn in_a_hurry(self) {
        for patience in [0, 2, 6] {
            let get = self.pool.get_owned().timeout(ms(patience));
            let _ = self.in_time(get, ms(patience)).await.map(|pooled| drop(sole(&pooled)));
            let deadline = self.clock.now() + ms(patience);
            let get = self.pool.get_owned().lane(FIRST).deadline(deadline);
            let _ = self.in_time(get, ms(patience)).await.map(|pooled| drop(sole(&pooled)));
            let _ = self.pool.try_get().map(|pooled| drop(sole(&pooled)));
            self.clock.sleep(ms(4)).await;
        }
    }

    /// Gives nothing back.
    async fn destructive(self) {
        let Some(pooled) = self.served(self.pool.get().lane(FIRST), PATIENCE).await else { return };
        self.clock.sleep(ms(1)).await;
        drop(sole(&pooled));
        Pooled::discard(pooled);
        let Some(pooled) = self.served(self.pool.get().lane(FIRST), PATIENCE).await else { return };
        drop(sole(&pooled));
        drop(Pooled::detach(pooled));
    }

    /// Panics with a resource in its hands.
    async fn clumsy(self) {
        self.clock.sleep(ms(4)).await;
        let Some(mut pooled) = self.served(self.pool.get(), PATIENCE).await else {
            return;
        };
        self.clock.sleep(ms(1)).await;
        let panics = catch_unwind(AssertUnwindSafe(move || {
            let _sole = sole(&pooled);
            pooled.begin();
            // Without a word from the panic hook.
            resume_unwind(Box::new("the borrower gives up"));
        }));
        assert!(panics.is_err());
    }

    /// Changes what can be changed.
    async fn operator(self) {
        let pool = &self.pool;
        self.clock.sleep(ms(7)).await;
        pool.retire_all(Duration::ZERO);
        self.clock.sleep(ms(3)).await;
        pool.resize(1).expect("a size that a pool can have");
        self.clock.sleep(ms(7)).await;
        self.paused.store(true, Ordering::Relaxed);
        pool.pause();
        self.clock.sleep(ms(3)).await;
        pool.resume();
        self.paused.store(false, Ordering::Relaxed);
        pool.resize(SIZE).expect("a size that a pool can have");
        pool.retire_all(NEXT_TO_NOTHING);
        assert!(pool.resize(usize::MAX).is_err());
    }

    /// Waits for the end. It may never come, if who was to bring it is gone.
    async fn watcher(self) {
        let _ = select(Box::pin(self.pool.closing()), self.clock.sleep(ms(900))).await;
        let _ = select(Box::pin(self.pool.drained()), self.clock.sleep(ms(900))).await;
    }

    async fn closer(self, after: u64) {
        self.clock.sleep(ms(after)).await;
        let started = self.clock.elapsed();
        let _ = self.pool.close(ms(300)).await;
        assert!(self.clock.elapsed() <= started + ms(300), "close outlasts its patience");
        assert!(self.pool.get().await.is_err(), "a closed pool lends nothing");
    }

    /// A fault may cost a caller an error, but not its patience: nobody waits in vain, unless the pool is paused.
    async fn served(&self, get: Get<'_, Fused>, patience: Duration) -> Option<Pooled<Fused>> {
        match self.in_time(get, patience).await {
            Ok(pooled) => Some(pooled),
            Err(error) => {
                let known = match &error {
                    GetError::Timeout(snapshot) => snapshot.longest_phase() == Some(Phase::Paused),
                    GetError::Create(..) => self.fuse.fault() == Fault::FailForGood,
                    GetError::NoRuntime(_) => self.runtime.blew_in() == Some(SPAWN),
                    GetError::Closed(_) => true,
                    _ => false,
                };
                assert!(known, "{error}");
                None
            }
        }
    }

    /// Waits as long as it takes, which is never longer than the patience of the caller.
    async fn in_time(
        &self,
        get: Get<'_, Fused>,
        patience: Duration,
    ) -> Result<Pooled<Fused>, GetError<ScriptedError>> {
        let started = self.clock.elapsed();
        let outcome = get.await;
        assert!(self.clock.elapsed() <= started + patience, "a get outlasts its deadline");
        outcome
    }
}

/// All were closed but the one that a caller keeps, and those that the fault may have cost.
#[track_caller]
fn all_but(lost: u64, manager: &ScriptedManager) {
    let not_closed = manager.opened() - manager.closed();
    assert!(not_closed <= lost + 1, "{not_closed} were not closed");
}

/// Proves that nobody else has it, and that whoever had it before left no trace.
#[track_caller]
fn sole(resource: &FusedResource) -> Occupied {
    assert!(!resource.is_half_way(), "{resource:?} is as its last borrower left it");
    resource.occupy()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A lane that something is reserved for.
const FIRST: &str = "first";
const PATIENCE: Duration = Duration::from_millis(500);
const NEXT_TO_NOTHING: Duration = Duration::from_nanos(1);
