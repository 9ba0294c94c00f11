//! Faults at the Nth call: a manager, wakers and a runtime that count every call into them, and fail at a chosen one.

use std::fmt;
use std::future::pending;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::time::{Duration, Instant};

use millpond::{
    Disposition, Event, EventSink, Fitness, Manager, Metrics, Returned, Runtime, SpawnError, Task,
};
use millpond_test::{Recorder, ScriptedError, ScriptedManager, TestResource};

/// What a call into user code does when the fuse blows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It panics.
    Panic,
    /// It fails, with an error after which trying again may help. What cannot fail just ends.
    Fail,
    /// It fails, with an error after which trying again is pointless.
    FailForGood,
    /// It never ends. What is not a future goes on.
    Hang,
}

/// Counts calls, and blows at one of them.
#[derive(Clone, Debug)]
pub struct Fuse {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    calls: AtomicUsize,
    blows_at: usize,
    fault: Fault,
    spared: AtomicBool,
    blew_in: Mutex<Option<&'static str>>,
}

impl Fuse {
    /// Blows at the call of this number, counted from zero.
    #[must_use]
    pub fn new(fault: Fault, blows_at: usize) -> Self {
        let shared = Shared {
            calls: AtomicUsize::new(0),
            blows_at,
            fault,
            spared: AtomicBool::new(false),
            blew_in: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Never blows.
    #[must_use]
    pub fn never() -> Self {
        Self::new(Fault::Fail, usize::MAX)
    }

    /// Does not blow any more.
    pub fn spare(&self) {
        self.shared.spared.store(true, Ordering::Relaxed);
    }

    /// What it does when it blows.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.shared.fault
    }

    /// The call in which it blew, if it did.
    #[must_use]
    pub fn blew_in(&self) -> Option<&'static str> {
        *self.shared.blew_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call into user code.
    ///
    /// # Errors
    ///
    /// If it is the one, and failing is what it does.
    ///
    /// # Panics
    ///
    /// If it is the one, and panicking is what it does.
    fn call(&self, place: &'static str) -> Result<(), ScriptedError> {
        if self.blows(place) { self.fail(place) } else { Ok(()) }
    }

    /// The same in a future, which may hang.
    async fn pass(&self, place: &'static str) -> Result<(), ScriptedError> {
        if !self.blows(place) {
            return Ok(());
        }
        if self.fault() == Fault::Hang {
            pending::<()>().await;
        }
        self.fail(place)
    }

    /// Counts a call; whether it is the one.
    fn blows(&self, place: &'static str) -> bool {
        let shared = &self.shared;
        if shared.spared.load(Ordering::Relaxed) {
            return false;
        }
        let blows = shared.calls.fetch_add(1, Ordering::Relaxed) == shared.blows_at;
        if blows {
            *shared.blew_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        }
        blows
    }

    fn fail(&self, place: &'static str) -> Result<(), ScriptedError> {
        match self.fault() {
            Fault::Panic => panic!("the fuse blew in {place}"),
            Fault::Fail => Err(ScriptedError::transient(place)),
            Fault::FailForGood => Err(ScriptedError::permanent(place)),
            Fault::Hang => Ok(()),
        }
    }
}

/// A [`ScriptedManager`] each of whose calls goes through a [`Fuse`], at its beginning and, if it is a future, at its end.
#[derive(Clone, Debug)]
pub struct Fused {
    /// Does the work, and counts.
    pub inner: ScriptedManager,
    /// Decides.
    pub fuse: Fuse,
}

/// What [`Fused`] opens. Its destructor is a call, too.
#[derive(Debug)]
pub struct FusedResource {
    /// `Some` until it is closed.
    inner: Option<TestResource>,
    fuse: Fuse,
    /// Whether somebody is in the middle of something with it.
    in_use: bool,
}

impl FusedResource {
    /// Begins something that must not be left half-way.
    pub fn begin(&mut self) {
        self.in_use = true;
    }

    /// Ends it.
    pub fn end(&mut self) {
        self.in_use = false;
    }

    /// Whether somebody left it half-way.
    #[must_use]
    pub fn is_half_way(&self) -> bool {
        self.in_use
    }
}

impl Deref for FusedResource {
    type Target = TestResource;

    fn deref(&self) -> &TestResource {
        self.inner.as_ref().expect(OPEN)
    }
}

impl DerefMut for FusedResource {
    fn deref_mut(&mut self) -> &mut TestResource {
        self.inner.as_mut().expect(OPEN)
    }
}

impl Drop for FusedResource {
    fn drop(&mut self) {
        // A second panic in one thread would end the process, in this as in any destructor.
        if !std::thread::panicking() {
            let _ = self.fuse.call("a destructor");
        }
    }
}

impl Manager for Fused {
    type Resource = FusedResource;
    type Error = ScriptedError;

    async fn create(&self) -> Result<FusedResource, ScriptedError> {
        self.fuse.pass("create, at the beginning").await?;
        let inner = self.inner.create().await?;
        let resource = FusedResource { inner: Some(inner), fuse: self.fuse.clone(), in_use: false };
        self.fuse.pass("create, at the end").await?;
        Ok(resource)
    }

    fn on_return(
        &self,
        resource: &mut FusedResource,
        returned: Returned,
        metrics: &Metrics,
    ) -> Disposition {
        match self.fuse.call("on_return") {
            Ok(()) => self.inner.on_return(resource, returned, metrics),
            Err(_) => Disposition::Discard,
        }
    }

    async fn check(
        &self,
        resource: &mut FusedResource,
        metrics: &Metrics,
    ) -> Result<(), ScriptedError> {
        self.fuse.pass("check, at the beginning").await?;
        self.inner.check(resource, metrics).await?;
        self.fuse.pass("check, at the end").await
    }

    async fn reset(
        &self,
        resource: &mut FusedResource,
        metrics: &Metrics,
    ) -> Result<Fitness, ScriptedError> {
        self.fuse.pass("reset, at the beginning").await?;
        let fitness = self.inner.reset(resource, metrics).await?;
        self.fuse.pass("reset, at the end").await?;
        if fitness == Fitness::Clean {
            resource.end();
        }
        Ok(fitness)
    }

    async fn close(&self, mut resource: FusedResource) {
        let _ = self.fuse.pass("close, at the beginning").await;
        if let Some(inner) = resource.inner.take() {
            self.inner.close(inner).await;
        }
        let _ = self.fuse.pass("close, at the end").await;
    }

    fn is_transient(&self, error: &ScriptedError) -> bool {
        let _ = self.fuse.call("is_transient");
        error.is_transient()
    }
}

/// A [`Recorder`], each call of which goes through a [`Fuse`], after it has done its duty.
#[derive(Clone, Debug)]
pub struct FusedSink {
    /// Remembers.
    pub recorder: Recorder,
    /// Decides.
    pub fuse: Fuse,
}

impl EventSink for FusedSink {
    fn on_event(&self, event: &Event<'_>) {
        self.recorder.on_event(event);
        let _ = self.fuse.call("an event sink");
    }
}

/// A waker, each call of which goes through a [`Fuse`], after it has done its duty.
#[derive(Debug)]
pub struct FusedWaker {
    woken: AtomicBool,
    fuse: Fuse,
}

impl FusedWaker {
    /// Not called yet.
    #[must_use]
    pub fn new(fuse: Fuse) -> Self {
        Self { woken: AtomicBool::new(false), fuse }
    }

    /// Whether it was called since this was last asked.
    pub fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for FusedWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let _ = self.fuse.call("a waker");
    }
}

/// What goes wrong with a [`FusedRuntime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// Any of its calls panics, the first poll of a sleep included.
    Calls,
    /// It refuses a task.
    Spawns,
    /// Its clock goes back by a second, for one look.
    Clock,
}

/// A runtime in which something goes wrong once, at a chosen call after it was armed.
#[derive(Clone)]
pub struct FusedRuntime<R> {
    inner: R,
    breaks: Breaks,
    fuse: Fuse,
    armed: Arc<AtomicBool>,
}

impl<R> FusedRuntime<R> {
    /// Calls `inner`, and does not count yet.
    pub fn new(inner: R, breaks: Breaks, at: usize) -> Self {
        let fault = if breaks == Breaks::Calls { Fault::Panic } else { Fault::Fail };
        Self { inner, breaks, fuse: Fuse::new(fault, at), armed: Arc::default() }
    }

    /// Counts from now on.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    /// Tells whether it was this one's fault.
    pub fn fuse(&self) -> &Fuse {
        &self.fuse
    }

    /// A call that is one of those which may break.
    fn call(&self, which: Breaks, place: &'static str) -> Result<(), ScriptedError> {
        let counts = self.breaks == which && self.armed.load(Ordering::Relaxed);
        if counts { self.fuse.call(place) } else { Ok(()) }
    }
}

impl<R: Runtime + Clone> Runtime for FusedRuntime<R> {
    fn now(&self) -> Instant {
        let _ = self.call(Breaks::Calls, CLOCK);
        let now = self.inner.now();
        match self.call(Breaks::Clock, CLOCK) {
            Ok(()) => now,
            Err(_) => now - Duration::from_secs(1),
        }
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        let _ = self.call(Breaks::Calls, "the making of a sleep");
        let (this, sleep) = (self.clone(), self.inner.sleep_until(deadline));
        Box::pin(async move {
            let _ = this.call(Breaks::Calls, "a sleep");
            sleep.await;
        })
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        let _ = self.call(Breaks::Calls, SPAWN);
        match self.call(Breaks::Spawns, SPAWN) {
            Ok(()) => self.inner.spawn(task),
            Err(_) => Err(SpawnError::new(task)),
        }
    }
}

impl<R> fmt::Debug for FusedRuntime<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FusedRuntime").field("fuse", &self.fuse).finish_non_exhaustive()
    }
}

/// The place of a fuse that blew when the pool started a task.
pub const SPAWN: &str = "a spawn";
const CLOCK: &str = "the clock";

const OPEN: &str = "a resource is there until it is closed";
