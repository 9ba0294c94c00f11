//! What surrounds a pool in the models: toys for resources, a clock that stands still unless told otherwise, and tasks that
//! run only when a model says so.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicU64;
use loom::thread::{self, ThreadId};

use crate::{Disposition, Manager, Metrics, Returned, Runtime, SpawnError, Task};

/// Manager and runtime in one. Apart from the clock its state is in `std`'s atomics, which cost no exploration: nothing the
/// pool decides depends on a race about them.
#[derive(Clone, Default)]
pub(super) struct World(Arc<State>);

#[derive(Default)]
struct State {
    /// Since the origin, in nanoseconds. The checker knows it, so that one may look at it early and come to the desk late.
    clock: AtomicU64,
    /// Threads without a runtime.
    barren: Mutex<Vec<ThreadId>>,
    /// What was last slept for.
    asleep_until: Mutex<Option<Instant>>,
    tasks: Mutex<Vec<Task>>,
    born: AtomicUsize,
    gone: AtomicUsize,
    checks: AtomicUsize,
    /// How often a toy was in two hands at once.
    fouls: AtomicUsize,
}

impl World {
    pub(super) fn toy(&self) -> Toy {
        self.0.born.fetch_add(1, Ordering::Relaxed);
        Toy { place: UnsafeCell::new(()), held: false, world: self.clone() }
    }

    /// Moves the clock on.
    pub(super) fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("a short time");
        self.0.clock.fetch_add(nanos, Ordering::SeqCst);
    }

    /// From now on there is no runtime on this thread.
    pub(super) fn lose_runtime(&self) {
        self.0.barren.lock().expect(NO_PANIC).push(thread::current().id());
    }

    /// What the driver last wanted to sleep for.
    pub(super) fn asleep_until(&self) -> Option<Instant> {
        *self.0.asleep_until.lock().expect(NO_PANIC)
    }

    /// How many tasks there are.
    pub(super) fn tasks(&self) -> usize {
        self.0.tasks.lock().expect(NO_PANIC).len()
    }

    /// Puts a task back.
    pub(super) fn keep(&self, task: Task) {
        self.0.tasks.lock().expect(NO_PANIC).push(task);
    }

    pub(super) fn take_tasks(&self) -> Vec<Task> {
        std::mem::take(&mut *self.0.tasks.lock().expect(NO_PANIC))
    }

    /// Polls all tasks until none ends and none is spawned any more.
    pub(super) fn run(&self) {
        loop {
            let tasks = self.take_tasks();
            let before = tasks.len();
            let mut ended = false;
            for mut task in tasks {
                if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                    ended = true;
                } else {
                    self.0.tasks.lock().expect(NO_PANIC).push(task);
                }
            }
            if !ended && self.0.tasks.lock().expect(NO_PANIC).len() == before {
                return;
            }
        }
    }

    /// How many checks were made.
    pub(super) fn checks(&self) -> usize {
        self.0.checks.load(Ordering::Relaxed)
    }

    /// How many toys were opened.
    pub(super) fn born(&self) -> usize {
        self.0.born.load(Ordering::Relaxed)
    }

    /// How many toys are gone.
    pub(super) fn gone(&self) -> usize {
        self.0.gone.load(Ordering::Relaxed)
    }

    pub(super) fn assert_all_gone(&self) {
        assert_eq!(self.0.fouls.load(Ordering::Relaxed), 0, "a toy was in two hands");
        assert_eq!(self.gone(), self.born(), "a toy was lost");
    }
}

impl Runtime for World {
    fn now(&self) -> Instant {
        *ORIGIN + Duration::from_nanos(self.0.clock.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        self.0.asleep_until.lock().expect(NO_PANIC).replace(deadline);
        let world = self.clone();
        Box::pin(poll_fn(
            move |_| {
                if world.now() < deadline { Poll::Pending } else { Poll::Ready(()) }
            },
        ))
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        if self.0.barren.lock().expect(NO_PANIC).contains(&thread::current().id()) {
            return Err(SpawnError::new(task));
        }
        self.0.tasks.lock().expect(NO_PANIC).push(task);
        Ok(())
    }
}

impl Manager for World {
    type Resource = Toy;
    type Error = Broken;

    async fn create(&self) -> Result<Toy, Broken> {
        Ok(self.toy())
    }

    fn on_return(&self, toy: &mut Toy, _: Returned, _: &Metrics) -> Disposition {
        toy.lay_down();
        Disposition::Reuse
    }

    async fn check(&self, _: &mut Toy, _: &Metrics) -> Result<(), Broken> {
        self.0.checks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn close(&self, toy: Toy) {
        drop(toy);
    }
}

/// What the pool lends. Two threads that have it at once, or one after the other without the second knowing what the first
/// did, are a race that the checker sees.
pub(super) struct Toy {
    place: UnsafeCell<()>,
    held: bool,
    world: World,
}

impl Toy {
    /// Somebody has it.
    pub(super) fn pick_up(&mut self) {
        self.place.with_mut(|_| ());
        if std::mem::replace(&mut self.held, true) {
            self.world.0.fouls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Nobody has it.
    pub(super) fn lay_down(&mut self) {
        self.place.with_mut(|_| ());
        self.held = false;
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.place.with_mut(|_| ());
        }
        self.world.0.gone.fetch_add(1, Ordering::Relaxed);
    }
}

/// What keeps a toy from being opened.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl Error for Broken {}

/// One for all executions, which must not differ.
#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
pub(super) static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

const NO_PANIC: &str = "nobody panics";
