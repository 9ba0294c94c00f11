//! What becomes of a pool when the code that it was given calls back, closes it, or panics where nobody expects it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use millpond::{Disposition, Fitness, GetError, Manager, Metrics, Pool, Pooled, Returned};
use millpond_test::{OnReturn, ScriptedError, ScriptedManager, TestResource, TestRuntime};
use millpond_tests::rig::until;
use millpond_tokio::Tokio;

use crate::{ms, on_both, secs};

/// Closes its own pool in one of its callbacks.
#[derive(Clone)]
struct Closing {
    inner: ScriptedManager,
    pool: Arc<OnceLock<Pool<Self>>>,
    closes_in: &'static str,
}

impl Closing {
    async fn may_close(&self, place: &'static str) {
        if let Some(pool) = self.pool.get().filter(|_| place == self.closes_in) {
            // It cannot be drained before this returns.
            let report = pool.close(ms(20)).await;
            assert!(!report.drained, "{report}");
        }
    }
}

impl Manager for Closing {
    type Resource = TestResource;
    type Error = ScriptedError;

    async fn create(&self) -> Result<TestResource, ScriptedError> {
        self.may_close("create").await;
        self.inner.create().await
    }

    fn on_return(&self, r: &mut TestResource, returned: Returned, m: &Metrics) -> Disposition {
        if let Some(pool) = self.pool.get().filter(|_| self.closes_in == "on_return") {
            let _ = millpond_test::poll_once(pool.close(ms(20)));
        }
        self.inner.on_return(r, returned, m)
    }

    async fn check(&self, r: &mut TestResource, m: &Metrics) -> Result<(), ScriptedError> {
        self.may_close("check").await;
        self.inner.check(r, m).await
    }

    async fn reset(&self, r: &mut TestResource, m: &Metrics) -> Result<Fitness, ScriptedError> {
        self.may_close("reset").await;
        self.inner.reset(r, m).await
    }

    async fn close(&self, resource: TestResource) {
        self.may_close("close").await;
        self.inner.close(resource).await;
    }
}

/// A callback closes the pool that called it, and waits for that: the wait ends by its patience, everybody is told, and the
/// pool drains once the callback has returned.
#[test]
fn a_callback_may_close_its_own_pool() {
    for closes_in in ["create", "check", "reset", "close", "on_return"] {
        let runtime = TestRuntime::new();
        let inner = ScriptedManager::new(runtime.clone());
        let manager = Closing { inner: inner.clone(), pool: Arc::default(), closes_in };
        let pool = Pool::builder(manager.clone())
            .max_size(2)
            .check_after_idle(ms(10))
            .build(runtime.clone())
            .expect("the settings make sense");
        assert!(manager.pool.set(pool.clone()).is_ok());
        inner.script_returns([OnReturn::Reuse, OnReturn::Reset, OnReturn::Discard]);
        for _ in 0..5 {
            match runtime.block_on(pool.get()) {
                Ok(pooled) => drop(pooled),
                Err(error) => assert!(matches!(error, GetError::Closed(_)), "{error}"),
            }
            runtime.advance(ms(50));
        }
        assert!(runtime.block_on(pool.get()).is_err(), "nothing was closed in {closes_in}");
        assert!(runtime.block_on(pool.close(secs(60))).drained, "after a close in {closes_in}");
        assert_eq!(inner.opened(), inner.closed());
        assert_eq!((inner.open_now(), runtime.panics()), (0, Vec::new()));
    }
}

/// Needs a resource of its own pool to open one.
#[derive(Clone)]
struct Nested {
    inner: ScriptedManager,
    pool: Arc<OnceLock<Pool<Self>>>,
}

impl Manager for Nested {
    type Resource = TestResource;
    type Error = ScriptedError;

    async fn create(&self) -> Result<TestResource, ScriptedError> {
        if let Some(pool) = self.pool.get() {
            let _ = pool.get().timeout(ms(2)).await;
        }
        self.inner.create().await
    }

    fn on_return(&self, r: &mut TestResource, returned: Returned, m: &Metrics) -> Disposition {
        // And looks around, and asks for more, when one comes home.
        if let Some(pool) = self.pool.get() {
            drop(pool.try_get());
            let _ = (pool.status(), pool.holders());
        }
        self.inner.on_return(r, returned, m)
    }
}

/// Callbacks that use their own pool, on real runtimes: they are served, or told by their deadlines, and nobody is locked up.
#[test]
fn callbacks_may_use_their_own_pool() {
    on_both(async || {
        let inner = ScriptedManager::new(Tokio);
        let manager = Nested { inner: inner.clone(), pool: Arc::default() };
        let pool = Pool::builder(manager.clone()).max_size(2).build(Tokio);
        let pool = pool.expect("the settings make sense");
        assert!(manager.pool.set(pool.clone()).is_ok());
        for _ in 0..20 {
            let both = futures::future::join(pool.get(), pool.get()).await;
            let (Ok(one), Ok(other)) = both else { panic!("there are two: {both:?}") };
            drop(one);
            Pooled::discard(other);
        }
        assert!(pool.close(secs(60)).await.drained);
        until(|| inner.open_now() == 0);
    });
}

/// An error that panics when it is dropped.
#[derive(thiserror::Error)]
#[error("an error of a bad sort")]
struct Explosive(Arc<AtomicUsize>);

impl fmt::Debug for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Explosive")
    }
}

impl Drop for Explosive {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if !thread::panicking() {
            panic!("the end of an error");
        }
    }
}

/// Fails so many times, and panics when it is dropped itself.
struct Failing {
    inner: ScriptedManager,
    left: AtomicUsize,
    dropped: Arc<AtomicUsize>,
}

impl Manager for Failing {
    type Resource = TestResource;
    type Error = Explosive;

    async fn create(&self) -> Result<TestResource, Explosive> {
        let left =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if left.is_ok() {
            return Err(Explosive(Arc::clone(&self.dropped)));
        }
        Ok(self.inner.create().await.expect("nothing is scripted to fail"))
    }

    fn on_return(&self, _: &mut TestResource, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }

    async fn check(&self, _: &mut TestResource, _: &Metrics) -> Result<(), Explosive> {
        Err(Explosive(Arc::clone(&self.dropped)))
    }

    async fn close(&self, _: TestResource) {}
}

fn failing(failures: usize) -> (TestRuntime, ScriptedManager, Arc<AtomicUsize>, Pool<Failing>) {
    let (runtime, dropped) = (TestRuntime::new(), Arc::default());
    let inner = ScriptedManager::new(runtime.clone());
    let manager = Failing {
        inner: inner.clone(),
        left: AtomicUsize::new(failures),
        dropped: Arc::clone(&dropped),
    };
    let pool = Pool::builder(manager)
        .max_size(2)
        .check_after_idle(ms(10))
        .build(runtime.clone())
        .expect("the settings make sense");
    (runtime, inner, dropped, pool)
}

/// Errors whose destructors panic cost the pool nothing, whoever drops them: a task, the pool as another takes its place, or
/// the pool as it goes itself.
#[test]
fn errors_that_panic_when_they_are_dropped_cost_nothing() {
    let (runtime, inner, dropped, pool) = failing(3);
    drop(runtime.block_on(pool.get()).expect("the fourth attempt succeeds"));
    // A failed check has one, too.
    runtime.advance(ms(50));
    drop(runtime.block_on(pool.get()).expect("another is opened"));
    assert_eq!(inner.opened(), 2);
    assert!(runtime.block_on(pool.close(secs(60))).drained);
    drop(pool);
    runtime.run_until_idle();
    assert_eq!((dropped.load(Ordering::Relaxed), runtime.tasks()), (4, 0));
    assert_eq!(runtime.panics(), Vec::<String>::new());
}

/// The same where a pool goes that has no runtime any more and has never been closed.
#[test]
fn a_pool_that_goes_with_an_error_at_hand_does_not_panic_with_it() {
    let (runtime, inner, dropped, pool) = failing(usize::MAX);
    let told = runtime.block_on(pool.get().timeout(ms(200)));
    // The pool has the same error, so this is not its end.
    drop(told);
    let before = dropped.load(Ordering::Relaxed);
    runtime.shutdown();
    drop(pool);
    assert_eq!((inner.opened(), dropped.load(Ordering::Relaxed)), (0, before + 1));
}

/// Panics when it is dropped.
struct Brittle;

impl Manager for Brittle {
    type Resource = ();
    type Error = ScriptedError;

    async fn create(&self) -> Result<(), ScriptedError> {
        Ok(())
    }

    fn on_return(&self, (): &mut (), _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("the end of a manager");
    }
}

/// A guard may be the last that is left of its pool, and takes the manager with it: should that panic, the guard does not.
#[test]
fn a_guard_that_takes_a_manager_with_it_that_panics_does_not() {
    for way in [drop, Pooled::discard, |pooled| Pooled::detach(pooled)] {
        let runtime = TestRuntime::new();
        let pool = Pool::builder(Brittle).build(runtime.clone()).expect("the settings make sense");
        let held = runtime.block_on(pool.get()).expect("there is one");
        drop((runtime, pool));
        way(held);
    }
}

/// A resource that must not move in memory once it is pinned: its box may.
#[test]
fn a_resource_that_must_not_move_in_memory_is_pooled_in_its_box() {
    struct Pinned;
    impl Manager for Pinned {
        type Resource = std::pin::Pin<Box<std::marker::PhantomPinned>>;
        type Error = ScriptedError;

        async fn create(&self) -> Result<Self::Resource, ScriptedError> {
            Ok(Box::pin(std::marker::PhantomPinned))
        }

        fn on_return(&self, _: &mut Self::Resource, _: Returned, _: &Metrics) -> Disposition {
            Disposition::Reuse
        }
    }
    let runtime = TestRuntime::new();
    let pool = Pool::builder(Pinned).max_size(1).build(runtime.clone());
    let pool = pool.expect("the settings make sense");
    let place = |pooled: &Pooled<Pinned>| std::ptr::from_ref(&***pooled).addr();
    let first = place(&runtime.block_on(pool.get()).expect("there is one"));
    assert_eq!(place(&runtime.block_on(pool.get()).expect("there is one")), first);
}
