//! Callers that are polled by hand, so that one of them can be dropped at a chosen poll; and a runtime that drops tasks so.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use millpond::{Runtime, SpawnError, Task};
use millpond_test::TestRuntime;

use crate::fuse::{Fuse, FusedWaker};

/// Where a future is dropped. Polls are counted from zero over all futures together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    Never,
    /// When it would be polled for the nth time: it was woken, and does not come.
    InsteadOf(usize),
    /// When the nth poll has left it waiting.
    After(usize),
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// Whether it was long enough for the cut.
    pub cut: bool,
    /// How often a caller panicked.
    pub panics: usize,
}

struct Caller {
    future: Option<Task>,
    waker: Arc<FusedWaker>,
}

/// Runs callers and the runtime by turns until all callers have ended or were dropped. Time passes when none of them can go
/// on without.
///
/// # Panics
///
/// If callers are left that nothing will ever wake.
#[track_caller]
pub fn run(runtime: &TestRuntime, callers: Vec<Task>, cut: Cut, fuse: &Fuse) -> Ran {
    let waker = || Arc::new(FusedWaker::new(fuse.clone()));
    let mut callers: Vec<_> =
        callers.into_iter().map(|future| Caller { future: Some(future), waker: waker() }).collect();
    let mut ran = Ran { cut: false, panics: 0 };
    let mut polls = 0;
    let mut first = true;
    loop {
        let mut idle = true;
        for caller in &mut callers {
            if caller.future.is_none() || !(caller.waker.take() || first) {
                continue;
            }
            idle = false;
            if cut == Cut::InsteadOf(polls) {
                caller.future = None;
                ran.cut = true;
            }
            ran.panics += usize::from(caller.poll());
            if cut == Cut::After(polls) && caller.future.is_some() {
                caller.future = None;
                ran.cut = true;
            }
            polls += 1;
        }
        // The reach of the cut is known by the number of polls, whether or not the last one left somebody waiting.
        ran.cut |= matches!(cut, Cut::After(n) if n < polls);
        first = false;
        runtime.run_until_idle();
        if callers.iter().all(|caller| caller.future.is_none()) {
            return ran;
        }
        if idle {
            let next = runtime.next_timer().expect("callers are left that nothing can wake");
            runtime.advance(next.saturating_duration_since(runtime.now()));
        }
    }
}

impl Caller {
    /// Says whether it panicked.
    fn poll(&mut self) -> bool {
        let Some(future) = &mut self.future else { return false };
        let waker = Waker::from(Arc::clone(&self.waker));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        if !matches!(polled, Ok(Poll::Pending)) {
            self.future = None;
        }
        polled.is_err()
    }
}

/// A runtime that drops one of its tasks at a chosen poll, as one that shuts down, or a task that is aborted.
#[derive(Clone)]
pub struct Reaper {
    inner: TestRuntime,
    cut: Cut,
    polls: Arc<AtomicUsize>,
}

impl Reaper {
    /// Spawns on `inner`, which is given as a handle.
    #[must_use]
    pub fn new(inner: TestRuntime, cut: Cut) -> Self {
        Self { inner, cut, polls: Arc::default() }
    }

    /// Whether there were polls enough for the cut.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        let polls = self.polls.load(Ordering::Relaxed);
        matches!(self.cut, Cut::InsteadOf(n) | Cut::After(n) if n < polls)
    }
}

impl Runtime for Reaper {
    fn now(&self) -> Instant {
        self.inner.now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        Runtime::sleep_until(&self.inner, deadline)
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        let mortal = Mortal { task: Some(task), cut: self.cut, polls: Arc::clone(&self.polls) };
        self.inner.spawn(mortal)
    }
}

impl fmt::Debug for Reaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaper").field("cut", &self.cut).field("polls", &self.polls).finish()
    }
}

/// A task that may be dropped.
struct Mortal {
    task: Option<Task>,
    cut: Cut,
    polls: Arc<AtomicUsize>,
}

impl Future for Mortal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = self.polls.fetch_add(1, Ordering::Relaxed);
        if self.cut == Cut::InsteadOf(poll) {
            self.task = None;
        }
        let Some(task) = &mut self.task else { return Poll::Ready(()) };
        let polled = task.as_mut().poll(cx);
        if polled.is_ready() || self.cut == Cut::After(poll) {
            self.task = None;
            return Poll::Ready(());
        }
        polled
    }
}
