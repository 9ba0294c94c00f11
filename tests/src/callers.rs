//! Callers that are polled by hand, so that one of them can be dropped at a chosen poll; and a runtime that drops tasks so.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// A moment at which a run may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Somebody was polled.
    Step,
    /// Nothing will move any more unless time passes.
    Rest,
}

struct Caller {
    future: Option<Task>,
    waker: Arc<FusedWaker>,
}

/// Runs callers and the runtime by turns until all callers have ended or were dropped. Time passes when none of them can go
/// on without. `look` is called at each [`Moment`].
///
/// # Panics
///
/// If callers are left that nothing will ever wake.
#[track_caller]
pub fn run(
    runtime: &TestRuntime,
    callers: Vec<Task>,
    cut: Cut,
    fuse: &Fuse,
    look: impl Fn(Moment),
) -> Ran {
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
            look(Moment::Step);
        }
        // The reach of the cut is known by the number of polls, whether or not the last one left somebody waiting.
        ran.cut |= matches!(cut, Cut::After(n) if n < polls);
        first = false;
        runtime.run_until_idle();
        look(if idle { Moment::Rest } else { Moment::Step });
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

/// Which tasks a [`Reaper`] drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// The one whose poll it is, as one that is aborted.
    One,
    /// All there are, as by a runtime that shuts down; what is spawned afterwards is on the next runtime.
    All,
}

/// A runtime that drops tasks of its own at a chosen poll.
#[derive(Clone)]
pub struct Reaper {
    inner: TestRuntime,
    reaped: Reaped,
    cut: Cut,
    spared: Arc<AtomicBool>,
    polls: Arc<AtomicUsize>,
    tasks: Arc<Mutex<Vec<Slot>>>,
}

/// A task, while it is neither being polled nor over.
type Slot = Arc<Mutex<Option<Task>>>;

impl Reaper {
    /// Spawns on `inner`, which is given as a handle.
    #[must_use]
    pub fn new(inner: TestRuntime, reaped: Reaped, cut: Cut) -> Self {
        let (spared, polls, tasks) = Default::default();
        Self { inner, reaped, cut, spared, polls, tasks }
    }

    /// Drops nothing any more.
    pub fn spare(&self) {
        self.spared.store(true, Ordering::Relaxed);
    }

    /// Whether there were polls enough for the cut.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        let polls = self.polls.load(Ordering::Relaxed);
        matches!(self.cut, Cut::InsteadOf(n) | Cut::After(n) if n < polls)
    }

    fn reap(&self, one: &Slot) {
        if self.spared.load(Ordering::Relaxed) {
            return;
        }
        drop(take(one));
        if self.reaped == Reaped::All {
            let all =
                std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
            // One by one, the oldest first: a destructor may look at what is left, and spawn.
            all.iter().for_each(|slot| drop(take(slot)));
        }
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
        let slot = Arc::new(Mutex::new(Some(task)));
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&slot));
        self.inner.spawn(Mortal { slot, reaper: self.clone() })
    }
}

impl fmt::Debug for Reaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaper").field("cut", &self.cut).field("polls", &self.polls).finish()
    }
}

/// A task that may be dropped.
struct Mortal {
    slot: Slot,
    reaper: Reaper,
}

impl Future for Mortal {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = self.reaper.polls.fetch_add(1, Ordering::Relaxed);
        if self.reaper.cut == Cut::InsteadOf(poll) {
            self.reaper.reap(&self.slot);
        }
        let Some(mut task) = take(&self.slot) else { return Poll::Ready(()) };
        let polled = task.as_mut().poll(cx);
        if polled.is_pending() {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
        if self.reaper.cut == Cut::After(poll) {
            self.reaper.reap(&self.slot);
        }
        polled
    }
}

fn take(slot: &Slot) -> Option<Task> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}
