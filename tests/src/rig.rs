//! A pool of scripted resources on a virtual clock, with the questions that most tests ask of it.

use std::future::Future;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use millpond::{Builder, Get, GetError, Pool, Pooled};
use millpond_test::{Parked, ScriptedError, ScriptedManager, TestRuntime};

/// A runtime, a manager and the pool between them.
///
/// Tests that take away nothing end with [`Rig::ends_clean`], so each of them looks for leaks, too.
#[derive(Debug)]
pub struct Rig {
    /// What drives the pool.
    pub runtime: TestRuntime,
    /// What opens its resources.
    pub manager: ScriptedManager,
    /// The pool.
    pub pool: Pool<ScriptedManager>,
}

/// The error of a `get` from a [`Rig`].
pub type Refused = GetError<ScriptedError>;

impl Rig {
    /// A pool with the settings that `set` makes.
    pub fn new(set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>) -> Self {
        let runtime = TestRuntime::new();
        let manager = ScriptedManager::new(runtime.clone());
        let pool = set(Pool::builder(manager.clone()))
            .build(runtime.clone())
            .expect("the settings of a test make sense");
        Self { runtime, manager, pool }
    }

    /// A pool of at most `max`, otherwise with default settings.
    pub fn of(max: usize) -> Self {
        Self::new(|builder| builder.max_size(max))
    }

    /// Runs `future` to its end without letting any time pass.
    ///
    /// # Panics
    ///
    /// If it would have to wait.
    #[track_caller]
    pub fn at_once<F: Future>(&self, future: F) -> F::Output {
        let before = self.runtime.elapsed();
        let mut future = Parked::new(future);
        loop {
            if let Poll::Ready(output) = future.poll() {
                assert_eq!(self.runtime.elapsed(), before, "time passed meanwhile");
                return output;
            }
            self.runtime.run_until_idle();
            assert!(
                future.is_woken(),
                "this would have to wait; the pool: {:?}",
                self.pool.status()
            );
        }
    }

    /// Takes a resource, without letting any time pass.
    ///
    /// # Panics
    ///
    /// If there is none to be had at once.
    #[track_caller]
    pub fn take(&self) -> Pooled<ScriptedManager> {
        self.at_once(self.pool.get()).expect("the pool has a resource to lend")
    }

    /// Takes `n` resources, without letting any time pass.
    #[track_caller]
    pub fn take_many(&self, n: usize) -> Vec<Pooled<ScriptedManager>> {
        (0..n).map(|_| self.take()).collect()
    }

    /// A caller that waits: it was polled once, and everything that this started was run.
    ///
    /// # Panics
    ///
    /// If it did not have to wait.
    #[track_caller]
    pub fn wait(&self) -> Parked<Get<'static, ScriptedManager>> {
        self.wait_in(self.pool.get_owned())
    }

    /// The same with a `get` that was set up by the test.
    #[track_caller]
    pub fn wait_in<'p>(&self, get: Get<'p, ScriptedManager>) -> Parked<Get<'p, ScriptedManager>> {
        let mut get = Parked::new(get);
        assert!(get.poll().is_pending(), "this caller did not have to wait");
        self.runtime.run_until_idle();
        get
    }

    /// Asserts that the pool serves `max_size` callers at the same moment, each with a resource of its own, and not one
    /// more; and that nothing is left of it afterwards.
    #[track_caller]
    pub fn serves_at_full_size(&self) {
        serves_at_full_size(&self.pool, &self.runtime);
    }

    /// Closes the pool and asserts that all that was ever opened is gone and nothing is counted any more.
    #[track_caller]
    pub fn ends_clean(&self) {
        let report = self.runtime.block_on(self.pool.close(Duration::from_secs(3600)));
        assert!(report.drained, "{report}");
        everything_is_gone(&self.pool, &self.manager);
        assert_eq!(self.runtime.panics(), Vec::<String>::new(), "no task of the pool panics");
    }

    /// Waits until so many resources were dropped, be it on a thread for blocking work.
    #[track_caller]
    pub fn until_dropped(&self, dropped: u64) {
        until(|| self.manager.dropped() == dropped);
    }
}

/// See [`Rig::serves_at_full_size`].
#[track_caller]
pub fn serves_at_full_size<M: millpond::Manager>(pool: &Pool<M>, runtime: &TestRuntime) {
    let max = pool.status().max;
    let all: Vec<_> = (0..max)
        .map(|n| match runtime.block_on(pool.get().timeout(Duration::from_secs(600))) {
            Ok(pooled) => pooled,
            Err(error) => panic!("the pool lends {n} of {max} resources, then: {error}"),
        })
        .collect();
    let status = pool.status();
    assert_eq!((status.leased, status.size, status.waiting), (max, max, 0), "{status:?}");
    assert!(pool.try_get().is_err(), "more than {max} resources are lent");
    drop(all);
    runtime.run_until_idle();
    let status = pool.status();
    assert_eq!((status.leased, status.waiting, status.oldest_wait), (0, 0, None), "{status:?}");
}

/// Asserts that a pool that was closed counts nothing, and that its manager's resources are all gone.
#[track_caller]
pub fn everything_is_gone<M: millpond::Manager>(pool: &Pool<M>, manager: &ScriptedManager) {
    let status = pool.status();
    assert_eq!((status.size, status.idle, status.leased), (0, 0, 0), "{status:?}");
    assert_eq!((status.waiting, status.abandoned, status.stuck), (0, 0, 0), "{status:?}");
    // What was not closed in a task is dropped on a thread for blocking work.
    until(|| manager.open_now() == 0);
    assert_eq!(manager.creating_now(), 0);
}

/// Waits for something that other threads bring about.
///
/// # Panics
///
/// If it has not come about when they have had plenty of turns.
#[track_caller]
pub fn until(come: impl Fn() -> bool) {
    for _ in 0..TURNS {
        if come() {
            return;
        }
        thread::yield_now();
    }
    panic!("this does not come about");
}

/// Some minutes on a busy machine.
const TURNS: usize = 100_000_000;
