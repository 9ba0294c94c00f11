//! A pool of scripted resources on a real runtime, with the questions that most tests ask of it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use millpond::{Builder, Get, GetError, Pool, Pooled, Runtime};
use millpond_test::{Parked, ScriptedError, ScriptedManager, poll_once};

use super::{Flavour, Spawned};

/// A runtime, a manager and the pool between them.
///
/// Unless a test sets it otherwise, nothing happens in the pool because of the clock: no `get` times out, and nothing that
/// lies idle is checked or closed.
#[derive(Debug)]
pub struct Rig {
    /// Where the test runs.
    pub on: Flavour,
    /// What opens the pool's resources.
    pub manager: ScriptedManager,
    /// The pool.
    pub pool: Pool<ScriptedManager>,
}

/// The error of a `get` from a [`Rig`].
pub type Refused = GetError<ScriptedError>;

impl Rig {
    /// A pool with the settings that `set` makes.
    pub fn new(
        on: Flavour,
        set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>,
    ) -> Self {
        Self::driven_by(on, on, set)
    }

    /// A pool of at most `max`.
    #[must_use]
    pub fn of(on: Flavour, max: usize) -> Self {
        Self::new(on, |builder| builder.max_size(max).max_creating(max))
    }

    /// A pool on a runtime which the test can meddle with.
    pub fn driven_by(
        on: Flavour,
        driver: impl Runtime,
        set: impl FnOnce(Builder<ScriptedManager>) -> Builder<ScriptedManager>,
    ) -> Self {
        let manager = ScriptedManager::new(on);
        let never = Duration::MAX;
        let builder = Pool::builder(manager.clone())
            .get_timeout(never)
            .create_timeout(never)
            .check_timeout(never)
            .reset_timeout(never)
            .close_timeout(never)
            .check_after_idle(never)
            .idle_timeout(never)
            .max_lifetime(never);
        let pool = set(builder).build(driver).expect("the settings of a test make sense");
        Self { on, manager, pool }
    }

    /// Takes a resource.
    ///
    /// # Panics
    ///
    /// If there is none to be had.
    #[track_caller]
    pub fn take(&self) -> impl Future<Output = Pooled<ScriptedManager>> {
        let caller = Location::caller();
        let get = self.pool.get();
        async move { get.await.unwrap_or_else(|error| panic!("{caller}: {error}")) }
    }

    /// Takes `n` resources, one after the other.
    pub async fn take_many(&self, n: usize) -> Vec<Pooled<ScriptedManager>> {
        let mut taken = Vec::new();
        for _ in 0..n {
            taken.push(self.take().await);
        }
        taken
    }

    /// Asks for a resource that is not to be had.
    ///
    /// # Panics
    ///
    /// If it is.
    #[track_caller]
    pub fn refused(
        &self,
        get: impl Future<Output = Result<Pooled<ScriptedManager>, Refused>>,
    ) -> impl Future<Output = Refused> {
        let caller = Location::caller();
        async move {
            match get.await {
                Ok(pooled) => panic!("{caller}: it was given {pooled:?}"),
                Err(error) => error,
            }
        }
    }

    /// A caller that waits: it was polled once, and has its place in the queue.
    ///
    /// # Panics
    ///
    /// If it did not have to wait.
    #[track_caller]
    pub fn wait(&self) -> Pin<Box<Get<'static, ScriptedManager>>> {
        self.wait_in(self.pool.get_owned())
    }

    /// The same with a `get` that was set up by the test.
    ///
    /// # Panics
    ///
    /// If it did not have to wait.
    #[track_caller]
    pub fn wait_in<'p>(&self, get: Get<'p, ScriptedManager>) -> Pin<Box<Get<'p, ScriptedManager>>> {
        let mut get = Box::pin(get);
        assert!(poll_once(&mut get).is_pending(), "this caller did not have to wait");
        get
    }

    /// The same, watched: it tells whether it was woken.
    ///
    /// # Panics
    ///
    /// If it did not have to wait.
    #[track_caller]
    pub fn watch(&self) -> Parked<Get<'static, ScriptedManager>> {
        let mut get = Parked::new(self.pool.get_owned());
        assert!(get.poll().is_pending(), "this caller did not have to wait");
        get
    }

    /// The same, in a task of its own.
    ///
    /// # Panics
    ///
    /// If it did not have to wait.
    #[track_caller]
    pub fn wait_in_a_task(&self) -> Spawned<Result<Pooled<ScriptedManager>, Refused>> {
        let get = self.wait();
        self.on.spawn(get)
    }

    /// Waits until `come`, see [`Flavour::eventually`].
    #[track_caller]
    pub fn eventually(&self, come: impl FnMut() -> bool) -> impl Future<Output = ()> {
        self.on.eventually(come)
    }

    /// Asserts that the pool serves `max_size` callers at the same moment, each with a resource of its own, and not one
    /// more.
    pub async fn serves_at_full_size(&self) {
        let max = self.pool.status().max;
        let held = self.take_many(max).await;
        let sole: Vec<_> = held.iter().map(|pooled| pooled.occupy()).collect();
        let status = self.pool.status();
        assert_eq!((status.leased, status.waiting), (max, 0), "{status:?}");
        // After a shrink, the last of what was too much may still be closing.
        self.eventually(|| self.pool.status().size == max).await;
        assert!(self.pool.try_get().is_err(), "more than {max} resources are lent");
        drop(sole);
        drop(held);
    }

    /// Closes the pool and asserts that all that was ever opened is gone, and nothing is counted any more.
    pub async fn ends_clean(self) {
        // In vain if a test forgot a guard, and then the report says which.
        let report = self.pool.close(Duration::from_secs(30)).await;
        assert!(report.drained, "{report}");
        let status = self.pool.status();
        assert_eq!((status.size, status.idle, status.leased), (0, 0, 0), "{status:?}");
        assert_eq!((status.waiting, status.stuck), (0, 0), "{status:?}");
        // What was given up goes when it goes, and may be dropped on a thread for blocking work.
        self.eventually(|| self.pool.status().abandoned == 0).await;
        self.eventually(|| self.manager.open_now() == 0).await;
        assert_eq!(self.manager.creating_now(), 0);
    }
}
