//! A runtime that ends, or stands still, when a test says so. Not every real runtime can be made to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use millpond::{Runtime, SpawnError, Task};

use super::Flavour;

/// Runs its tasks on a real runtime, as long as it lives. The same for all threads.
///
/// - [`end`](Self::end): its tasks are dropped, and it takes no more, as a runtime that was shut down.
/// - [`begin`](Self::begin): from now on there is another one in its place.
/// - [`freeze`](Self::freeze): its tasks exist but are not polled, as on a runtime that nobody drives; another one is in its
///   place. [`thaw`](Self::thaw) ends that.
/// - [`lose_tasks`](Self::lose_tasks): it says that it takes new tasks and drops them unpolled, as tokio does while it shuts
///   down. [`keep_tasks`](Self::keep_tasks) ends that.
#[derive(Clone)]
pub struct Mortal {
    on: Flavour,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// Whether there is a runtime that takes tasks.
    here: bool,
    /// Whether it drops new tasks.
    loses_tasks: bool,
    /// The state of what runs in it.
    life: Arc<Life>,
    /// Those that were frozen.
    frozen: Vec<Arc<Life>>,
}

/// The runtime of some tasks.
#[derive(Debug)]
struct Life {
    number: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pace: Pace,
    tasks: usize,
    /// How many of them are being polled.
    polling: usize,
    /// Those of tasks that would go on if they were polled, or that have to be told of the end.
    wakers: Vec<Waker>,
}

/// *Transitions:* `Runs` ⇄ `Frozen`; both → `Over`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pace {
    #[default]
    Runs,
    Frozen,
    Over,
}

impl Mortal {
    /// A runtime that lives.
    #[must_use]
    pub fn new(on: Flavour) -> Self {
        let shared =
            Shared { here: true, loses_tasks: false, life: Life::new(), frozen: Vec::new() };
        Self { on, shared: Arc::new(Mutex::new(shared)) }
    }

    /// Ends the runtime. When this is over its tasks are gone.
    pub async fn end(&self) {
        let life = {
            let mut shared = self.lock();
            shared.here = false;
            Arc::clone(&shared.life)
        };
        life.go_on(Pace::Over);
        self.on.eventually(|| life.lock().tasks == 0).await;
    }

    /// Puts another runtime in the place of the one that ended.
    pub fn begin(&self) {
        let mut shared = self.lock();
        (shared.here, shared.life) = (true, Life::new());
    }

    /// Has nobody poll the tasks there are; new ones run. When this is over, none of them is being polled any more.
    pub async fn freeze(&self) {
        let life = {
            let mut shared = self.lock();
            let life = std::mem::replace(&mut shared.life, Life::new());
            life.lock().pace = Pace::Frozen;
            shared.frozen.push(Arc::clone(&life));
            life
        };
        self.on.eventually(|| life.lock().polling == 0).await;
    }

    /// What was frozen goes on.
    pub fn thaw(&self) {
        let frozen = std::mem::take(&mut self.lock().frozen);
        frozen.into_iter().for_each(|life| life.go_on(Pace::Runs));
    }

    /// From now on new tasks are dropped unpolled.
    pub fn lose_tasks(&self) {
        self.lock().loses_tasks = true;
    }

    /// From now on new tasks run.
    pub fn keep_tasks(&self) {
        self.lock().loses_tasks = false;
    }

    /// How many tasks run in the present one.
    #[must_use]
    pub fn tasks(&self) -> usize {
        let life = Arc::clone(&self.lock().life);
        let state = life.lock();
        state.tasks
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for Mortal {
    fn now(&self) -> Instant {
        self.on.now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        self.on.sleep_until(deadline)
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        let life = {
            let shared = self.lock();
            if !shared.here {
                return Err(SpawnError::new(task));
            }
            if shared.loses_tasks {
                drop(shared);
                drop(task);
                return Ok(());
            }
            Arc::clone(&shared.life)
        };
        life.lock().tasks += 1;
        (self.on.adapter)().spawn(Box::pin(Lived { task: Some(task), life }))
    }

    fn here(&self) -> u64 {
        let shared = self.lock();
        if shared.here { shared.life.number } else { 0 }
    }

    fn task(&self) -> Option<u64> {
        self.on.task()
    }
}

impl fmt::Debug for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mortal").field("on", &self.on).field("shared", &self.shared).finish()
    }
}

impl Life {
    fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self { number: NEXT.fetch_add(1, Ordering::Relaxed), state: Mutex::default() })
    }

    fn go_on(&self, pace: Pace) {
        let mut state = self.lock();
        state.pace = pace;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task and the runtime it depends on.
struct Lived {
    task: Option<Task>,
    life: Arc<Life>,
}

impl Future for Lived {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let pace = {
            let mut state = self.life.lock();
            if state.pace != Pace::Over && !state.wakers.iter().any(|w| w.will_wake(cx.waker())) {
                state.wakers.push(cx.waker().clone());
            }
            state.polling += usize::from(state.pace == Pace::Runs);
            state.pace
        };
        match (&mut self.task, pace) {
            (_, Pace::Frozen) => Poll::Pending,
            (Some(task), Pace::Runs) => {
                // The tasks of a pool contain their panics, so there is a line after this one.
                let polled = task.as_mut().poll(cx);
                self.life.lock().polling -= 1;
                polled
            }
            (_, Pace::Over) | (None, _) => Poll::Ready(()),
        }
    }
}

impl Drop for Lived {
    fn drop(&mut self) {
        // What the task has goes before the task is said to be gone.
        self.task = None;
        self.life.lock().tasks -= 1;
    }
}
