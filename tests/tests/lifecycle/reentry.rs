//! Callbacks may call the pool that called them: no lock is held meanwhile.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use millpond::{Disposition, Fitness, GetError, Manager, Metrics, Pool, Pooled, Returned};
use millpond_test::{ScriptedError, ScriptedManager, TestResource, TestRuntime};
use millpond_tests::rig::until;

use crate::{ms, secs};

/// Calls its own pool in every callback.
#[derive(Clone)]
struct Meddler {
    inner: ScriptedManager,
    pool: Arc<OnceLock<Pool<Self>>>,
    /// Where it was called from, and whether a lease is given back there.
    calls: Arc<Mutex<Vec<&'static str>>>,
    kept: Arc<Mutex<Option<Pooled<Self>>>>,
}

/// A resource whose destructor calls the pool, too.
struct Meddling {
    inner: Option<TestResource>,
    manager: Meddler,
}

impl Meddler {
    fn meddle(&self, place: &'static str) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(pool) = self.pool.get() else { return };
        // Gives back a resource inside the callback, and takes another, which is given back in the next.
        drop(kept);
        let taken = pool.try_get().ok();
        if place == "create" {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = taken;
        }
        let _ = millpond_test::poll_once(pool.get());
        let _ = (pool.status(), pool.holders(), format!("{pool:?}"));
        pool.pause();
        pool.resume();
        pool.resize(pool.status().max).expect("the size it has");
    }

    fn calls(&self) -> Vec<&'static str> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        calls.sort_unstable();
        calls.dedup();
        calls
    }
}

impl Drop for Meddling {
    fn drop(&mut self) {
        self.manager.meddle("drop");
    }
}

impl Manager for Meddler {
    type Resource = Meddling;
    type Error = ScriptedError;

    async fn create(&self) -> Result<Meddling, ScriptedError> {
        self.meddle("create");
        if let Some(pool) = self.pool.get() {
            // A creation that needs a resource of the same pool gets one, or is told by its own deadline that it does not.
            let _ = pool.get().timeout(ms(5)).await;
        }
        let inner = self.inner.create().await?;
        Ok(Meddling { inner: Some(inner), manager: self.clone() })
    }

    fn on_return(&self, resource: &mut Meddling, returned: Returned, m: &Metrics) -> Disposition {
        self.meddle("on_return");
        match &mut resource.inner {
            Some(inner) => self.inner.on_return(inner, returned, m),
            None => Disposition::Discard,
        }
    }

    async fn check(&self, _: &mut Meddling, _: &Metrics) -> Result<(), ScriptedError> {
        self.meddle("check");
        Ok(())
    }

    async fn reset(&self, _: &mut Meddling, _: &Metrics) -> Result<Fitness, ScriptedError> {
        self.meddle("reset");
        Ok(Fitness::Clean)
    }

    async fn close(&self, mut resource: Meddling) {
        self.meddle("close");
        if let Some(inner) = resource.inner.take() {
            self.inner.close(inner).await;
        }
    }

    fn is_transient(&self, error: &ScriptedError) -> bool {
        self.meddle("is_transient");
        error.is_transient()
    }
}

fn meddled(max: usize) -> (TestRuntime, Meddler) {
    let runtime = TestRuntime::new();
    let manager = Meddler {
        inner: ScriptedManager::new(runtime.clone()),
        pool: Arc::default(),
        calls: Arc::default(),
        kept: Arc::default(),
    };
    let pool = Pool::builder(manager.clone())
        .max_size(max)
        .check_after_idle(ms(100))
        .build(runtime.clone())
        .expect("the settings make sense");
    let set = manager.pool.set(pool);
    assert!(set.is_ok());
    (runtime, manager)
}

#[test]
fn every_callback_may_call_the_pool() {
    use millpond_test::{OnReturn, Op, Step};
    let (runtime, manager) = meddled(3);
    let pool = manager.pool.get().expect("it was set").clone();
    manager.inner.script(Op::Create, [Step::Ok, Step::transient()]);
    manager.inner.script_returns([OnReturn::Reset, OnReturn::Reuse, OnReturn::Discard]);
    for _ in 0..40 {
        let held = [pool.get(), pool.get()].map(|get| runtime.block_on(get));
        drop(held);
        runtime.advance(ms(120));
    }
    assert_eq!(
        manager.calls(),
        ["check", "close", "create", "drop", "is_transient", "on_return", "reset"]
    );
    drop(manager.kept.lock().unwrap_or_else(PoisonError::into_inner).take());
    let all: Vec<_> = (0..3).map(|_| runtime.block_on(pool.get())).collect();
    assert!(all.iter().all(Result::is_ok), "it still serves at full size");
    drop(all);
    drop(manager.kept.lock().unwrap_or_else(PoisonError::into_inner).take());
    let report = runtime.block_on(pool.close(secs(60)));
    assert!(report.drained, "{report}");
    until(|| manager.inner.open_now() == 0);
    assert_eq!(runtime.panics(), Vec::<String>::new());
}

#[test]
fn a_creation_that_needs_a_resource_of_a_full_pool_is_told_by_a_deadline_and_blocks_nobody() {
    let (runtime, manager) = meddled(1);
    let pool = manager.pool.get().expect("it was set").clone();
    let pooled = runtime.block_on(pool.get().timeout(secs(5)));
    assert!(pooled.is_ok(), "the creation went on after its own get had failed");
    drop(pooled);
    assert!(runtime.block_on(pool.close(secs(60))).drained);
    let error: GetError<_> = runtime.block_on(pool.get()).expect_err("it is closed");
    assert!(matches!(error, GetError::Closed(_)));
}
