//! A pool in miniature for the models, and callers whose wakers count.
//!
//! What is built before the first thread is spawned, and what is taken down after the last was joined, costs no exploration.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::AbortHandle;
use loom::thread::{self, ThreadId};
use millpond_core::{Config, Core, Input, Outcome, SlotId};

use super::world::{Broken, ORIGIN, Toy, World};
use crate::common::Common;
use crate::desk::{Care, Hub};
use crate::{Get, GetError, Pool, Pooled, TryGetError};

/// Explores every execution of `body`.
pub(super) fn model(body: impl Fn() + Send + Sync + 'static) {
    explore(None, body);
}

/// Explores every execution of `body` in which threads are preempted so often at most.
pub(super) fn model_within(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    explore(Some(preemptions), body);
}

fn explore(preemptions: Option<usize>, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
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
        let hub = Hub::new(Core::new(config), common, width, runtime, Care::default());
        Self { pool: Pool::new(Arc::clone(&hub)), hub, world }
    }

    /// Opens a toy and lends it.
    pub(super) fn lend(&self) -> Pooled<World> {
        assert_eq!(self.pool.try_get().err(), Some(TryGetError::Creating), "nothing is idle");
        let (id, _) = self.begin();
        self.hub.ended(id, Outcome::Created, Some(self.world.toy()));
        self.pool.try_get().expect("it has just been opened")
    }

    /// Opens so many toys that lie idle.
    pub(super) fn lay_out(&self, toys: usize) {
        let lent: Vec<_> = (0..toys).map(|_| self.lend()).collect();
        drop(lent);
    }

    /// Takes the next order, and begins its job with what it works on.
    pub(super) fn begin(&self) -> (SlotId, Option<Toy>) {
        let order = self.hub.take_order(|_| true).expect("there is an order");
        assert!(self.hub.begin(order.id, AbortHandle::new_pair().0), "the job is wanted");
        (order.id, order.work.into_resource())
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
        self.tally.polled_by.lock().expect(NO_PANIC).replace(thread::current().id());
        let told = self.poll_with(&Waker::from(Arc::clone(&self.tally)));
        self.tally.polled_by.lock().expect(NO_PANIC).take();
        told
    }

    /// Polls with a waker of the model's own.
    pub(super) fn poll_with(&mut self, waker: &Waker) -> Poll<Told> {
        let get = self.get.as_mut().expect("not told yet");
        let told = Pin::new(get).poll(&mut Context::from_waker(waker));
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

/// A resource that lay idle so long is checked.
pub(super) const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

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
