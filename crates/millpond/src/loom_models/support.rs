//! A pool in miniature for the models: toys for resources, a clock that stands still unless told otherwise, and tasks that
//! run only when a model says so.
//!
//! What is built before the first thread is spawned, and what is taken down after the last was joined, costs no exploration.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::future::AbortHandle;
use loom::cell::UnsafeCell;
use loom::thread::{self, ThreadId};
use millpond_core::{Config, Core, Input, Outcome, SlotId};

use crate::common::Common;
use crate::desk::Hub;
use crate::{
    Disposition, Get, GetError, Manager, Metrics, Pool, Pooled, Returned, Runtime, SpawnError,
    Task, TryGetError,
};

/// Explores every execution of `body` in which threads are preempted so often at most.
pub(super) fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    let executions = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&executions);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        body();
    });
    eprintln!("{} executions", executions.load(Ordering::Relaxed));
}

/// A pool, its driver up but polled by nobody, and the world around it.
pub(super) struct Rig {
    pub(super) pool: Pool<World>,
    pub(super) hub: Arc<Hub<World>>,
    pub(super) world: World,
}

impl Rig {
    /// A pool of up to `size` toys on shelves of `width`. Nothing is open.
    pub(super) fn new(width: u32, size: u32) -> Self {
        Self::with(width, Config { max_size: size, ..settings() })
    }

    /// The same with other settings.
    pub(super) fn with(width: u32, config: Config) -> Self {
        let rig = Self::undriven(width, config);
        rig.hub.ensure_driver().expect("the world spawns");
        rig.hub.drive(1, true);
        rig
    }

    /// The same without a driver.
    pub(super) fn undriven(width: u32, config: Config) -> Self {
        let world = World::default();
        let common = Common::new(
            world.clone(),
            String::new(),
            false,
            *ORIGIN,
            config.check_after_idle,
            config.tick,
        );
        let runtime = Box::new(world.clone());
        let hub = Hub::new(Core::new(config), common, width, runtime, None);
        Self { pool: Pool::new(Arc::clone(&hub)), hub, world }
    }

    /// Opens a toy and lends it.
    pub(super) fn lend(&self) -> Pooled<World> {
        assert_eq!(self.pool.try_get().err(), Some(TryGetError::Creating), "nothing is idle");
        let id = self.begin();
        self.hub.ended(id, Outcome::Created, Some(self.world.toy()));
        self.pool.try_get().expect("it has just been opened")
    }

    /// Opens so many toys that lie idle.
    pub(super) fn lay_out(&self, toys: usize) {
        let lent: Vec<_> = (0..toys).map(|_| self.lend()).collect();
        drop(lent);
    }

    /// Takes the next order and begins its job.
    pub(super) fn begin(&self) -> SlotId {
        let order = self.hub.take_order(|_| true).expect("there is an order");
        let begun = self.hub.begin(order.id, AbortHandle::new_pair().0);
        assert!(begun, "the job is wanted");
        order.id
    }

    /// A caller that has not been polled yet.
    pub(super) fn caller(&self) -> Caller {
        Caller { get: Some(self.pool.get_owned()), tally: Arc::default() }
    }

    /// A caller that waits.
    pub(super) fn waiter(&self) -> Caller {
        let mut caller = self.caller();
        assert!(caller.poll().is_pending(), "nothing can be had");
        caller
    }

    /// So much time goes by, and the pool takes notice.
    pub(super) fn pass(&self, time: Duration) {
        self.world.advance(time);
        self.hub.drive(1, false);
        // Wakes the pool, should it have fallen asleep.
        self.hub.tell(Input::Resume);
        self.hub.drive(1, false);
    }

    /// Whether callers may help themselves to what lies idle.
    pub(super) fn takes_by_itself(&self) -> bool {
        let Some((claim, _)) = self.hub.shelves.take() else { return false };
        claim.put().is_ok()
    }

    /// How many resources the pool is charged with.
    pub(super) fn charged(&self) -> u32 {
        self.hub.read(|desk| desk.core.counts().charged())
    }

    /// At rest no caller waits beside an idle resource, nor beside free capacity with nothing coming (I3).
    pub(super) fn assert_at_rest(&self) {
        let (counts, backoff) =
            self.hub.read(|desk| (desk.core.counts(), desk.core.backoff_ends()));
        if counts.waiting > 0 {
            assert_eq!(self.hub.shelves.count(), 0, "somebody waits beside an idle resource");
            let coming = counts.creating + counts.checking + counts.resetting;
            let free = counts.charged() < counts.max;
            assert!(!free || coming > 0 || backoff.is_some(), "somebody waits for nothing");
        }
    }

    /// Ends the pool and lets its driver close everything: each toy must be gone exactly once, and never have been in two hands.
    pub(super) fn end(self) {
        let Self { pool, hub, world } = self;
        drop(pool);
        world.run();
        assert!(
            hub.read(|desk| desk.core.is_drained()),
            "capacity is lost: {:?}",
            hub.read(|desk| desk.core.counts())
        );
        drop(world.take_tasks());
        drop(hub);
        world.assert_all_gone();
    }
}

/// A caller with a waker that counts.
pub(super) struct Caller {
    get: Option<Get<'static, World>>,
    pub(super) tally: Arc<Tally>,
}

/// What a caller is told.
pub(super) type Told = Result<Pooled<World>, GetError<Broken>>;

impl Caller {
    pub(super) fn map(self, f: impl FnOnce(Get<'static, World>) -> Get<'static, World>) -> Self {
        Self { get: self.get.map(f), tally: self.tally }
    }

    pub(super) fn poll(&mut self) -> Poll<Told> {
        let get = self.get.as_mut().expect("not told yet");
        self.tally.polled_by.lock().expect(NO_PANIC).replace(thread::current().id());
        let waker = Waker::from(Arc::clone(&self.tally));
        let told = Pin::new(get).poll(&mut Context::from_waker(&waker));
        self.tally.polled_by.lock().expect(NO_PANIC).take();
        if told.is_ready() {
            self.get = None;
        }
        told
    }

    /// What a runtime does: polls again if it was woken, until it is told or nothing wakes it any more.
    pub(super) fn run(&mut self) -> Poll<Told> {
        while self.tally.take() > 0 {
            let told = self.poll();
            if told.is_ready() {
                return told;
            }
        }
        Poll::Pending
    }

    /// Polls once, then as often as it is woken; for the end of a model.
    pub(super) fn finish(&mut self, first: Poll<Told>) -> Poll<Told> {
        if first.is_ready() { first } else { self.run() }
    }

    /// Goes on with another waker.
    pub(super) fn move_on(&mut self) {
        self.tally = Arc::default();
    }
}

/// How often its waker was woken.
#[derive(Default)]
pub(super) struct Tally {
    wakes: AtomicUsize,
    /// Whether it was woken by the very thread that was polling it.
    by_itself: AtomicBool,
    polled_by: Mutex<Option<ThreadId>>,
}

impl Tally {
    /// How often since last asked.
    pub(super) fn take(&self) -> usize {
        self.wakes.swap(0, Ordering::Relaxed)
    }

    pub(super) fn was_woken_by_itself(&self) -> bool {
        self.by_itself.load(Ordering::Relaxed)
    }
}

impl Wake for Tally {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        if *self.polled_by.lock().expect(NO_PANIC) == Some(thread::current().id()) {
            self.by_itself.store(true, Ordering::Relaxed);
        }
    }
}

/// Manager and runtime in one. Apart from the clock its state is in `std`'s atomics, which cost no exploration: nothing the
/// pool decides depends on a race about them.
#[derive(Clone, Default)]
pub(super) struct World(Arc<State>);

#[derive(Default)]
struct State {
    /// Since the origin, in nanoseconds. The checker knows it, so that one may look at it early and come to the desk late.
    clock: loom::sync::atomic::AtomicU64,
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

/// A resource that lay idle so long is checked.
pub(super) const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

/// One for all executions, which must not differ.
#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The defaults with little to explore: one creation at a time, and nothing left to chance.
pub(super) fn settings() -> Config {
    Config {
        max_creating: 1,
        lifetime_jitter: 0,
        check_after_idle: CHECK_AFTER_IDLE,
        tick: CHECK_AFTER_IDLE / 4,
        ..Config::default()
    }
}

const NO_PANIC: &str = "nobody panics";
