//! Faults at the Nth call: a manager and wakers that count every call into user code, and fail at a chosen one.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use millpond::{Disposition, Event, EventSink, Fitness, Manager, Metrics, Returned};
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
    blew_in: Mutex<Option<&'static str>>,
}

impl Fuse {
    /// Blows at the call of this number, counted from zero.
    #[must_use]
    pub fn new(fault: Fault, blows_at: usize) -> Self {
        let shared =
            Shared { calls: AtomicUsize::new(0), blows_at, fault, blew_in: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Never blows.
    #[must_use]
    pub fn never() -> Self {
        Self::new(Fault::Fail, usize::MAX)
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
        let shared = &self.shared;
        if shared.calls.fetch_add(1, Ordering::Relaxed) != shared.blows_at {
            return Ok(());
        }
        *shared.blew_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        match shared.fault {
            Fault::Panic => panic!("the fuse blew in {place}"),
            Fault::Fail => Err(ScriptedError::transient(place)),
            Fault::FailForGood => Err(ScriptedError::permanent(place)),
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
        self.fuse.call("create, at the beginning")?;
        let inner = self.inner.create().await?;
        let resource = FusedResource { inner: Some(inner), fuse: self.fuse.clone() };
        self.fuse.call("create, at the end")?;
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
        self.fuse.call("check, at the beginning")?;
        self.inner.check(resource, metrics).await?;
        self.fuse.call("check, at the end")
    }

    async fn reset(
        &self,
        resource: &mut FusedResource,
        metrics: &Metrics,
    ) -> Result<Fitness, ScriptedError> {
        self.fuse.call("reset, at the beginning")?;
        let fitness = self.inner.reset(resource, metrics).await?;
        self.fuse.call("reset, at the end")?;
        Ok(fitness)
    }

    async fn close(&self, mut resource: FusedResource) {
        let _ = self.fuse.call("close, at the beginning");
        if let Some(inner) = resource.inner.take() {
            self.inner.close(inner).await;
        }
        let _ = self.fuse.call("close, at the end");
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

const OPEN: &str = "a resource is there until it is closed";
