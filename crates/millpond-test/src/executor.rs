//! The state behind every handle of a `TestRuntime`: tasks, ready queue, timers and clock. Called by `runtime`, `sleep`, `started`.
//!
//! *Invariant:* no user code runs under the lock: futures are polled, dropped and woken, and wakers are dropped, outside it.
//! *Invariant:* an id is in `ready` at most once, and never while its task is being polled; a wake-up then is kept in
//! `Entry::woken` and takes effect when the poll ends.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use millpond::Task;

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    /// Shared by tasks and timers, so that both are ordered by age.
    next_id: u64,
    pub(crate) tasks: BTreeMap<u64, Entry>,
    ready: VecDeque<u64>,
    pub(crate) timers: BTreeMap<(Instant, u64), Waker>,
    /// Set by `shut_down`, cleared by `restart`: no task is taken, no sleep ends.
    pub(crate) down: bool,
    pub(crate) panics: Vec<String>,
    pub(crate) counts: Counts,
    /// What is being polled, and where.
    current: Option<(ThreadId, u64)>,
}

/// One task that is alive. `task` is `None` while somebody polls it.
pub(crate) struct Entry {
    task: Option<Task>,
    woken: bool,
    waker: Waker,
}

/// What happened so far; only ever grows.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) clock_reads: usize,
    pub(crate) sleeps: usize,
    pub(crate) timers_fired: usize,
    pub(crate) wakes: usize,
    pub(crate) polls: usize,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "std offers no other way to make a first `Instant`"
        )]
        let real = Instant::now();
        // Far ahead of the real clock: a stray reading of that one stands out, and there is room for going back.
        let start = real + HEAD_START;
        Arc::new(Self {
            state: Mutex::new(State {
                start,
                now: start,
                next_id: 0,
                tasks: BTreeMap::new(),
                ready: VecDeque::new(),
                timers: BTreeMap::new(),
                down: false,
                panics: Vec::new(),
                counts: Counts::default(),
                current: None,
            }),
        })
    }

    /// Takes `task` in, or gives it back if the runtime is down.
    pub(crate) fn spawn(self: &Arc<Self>, task: Task) -> Result<u64, Task> {
        let mut state = self.lock();
        if state.down {
            return Err(task);
        }
        let id = state.id();
        let waker = Waker::from(Arc::new(TaskWaker { id, shared: Arc::clone(self) }));
        state.tasks.insert(id, Entry { task: Some(task), woken: true, waker });
        state.ready.push_back(id);
        Ok(id)
    }

    /// Polls the task that has been ready longest. `false` if none is.
    pub(crate) fn poll_one(&self) -> bool {
        let Some((id, mut task, waker)) = self.lock().take_ready() else { return false };
        let mut context = Context::from_waker(&waker);
        let polled = self.guard(|| self.run_as(id, || task.as_mut().poll(&mut context)));
        let mut state = self.lock();
        if matches!(polled, Some(Poll::Pending)) {
            if let Some(entry) = state.tasks.get_mut(&id) {
                entry.task = Some(task);
                if entry.woken {
                    state.ready.push_back(id);
                }
                return true;
            }
            // Aborted, or the runtime was shut down, while it was being polled.
        }
        let entry = state.tasks.remove(&id);
        drop(state);
        self.guard(|| drop((task, entry)));
        true
    }

    /// Polls something that has this id from now on until it is done.
    pub(crate) fn run_as<T>(&self, id: u64, poll: impl FnOnce() -> T) -> T {
        let current = Some((thread::current().id(), id));
        let before = mem::replace(&mut self.lock().current, current);
        let _restore = Restore { shared: self, before };
        poll()
    }

    /// Fires what is due, in the order of deadline and registration.
    pub(crate) fn fire_due(&self) {
        let mut state = self.lock();
        let now = state.now;
        let later = state.timers.split_off(&(now, u64::MAX));
        let due = mem::replace(&mut state.timers, later);
        state.counts.timers_fired += due.len();
        drop(state);
        for waker in due.into_values() {
            self.guard(|| waker.wake());
        }
    }

    /// Moves the clock to the next timer, if there is one no later than `limit`, and fires what is due then.
    pub(crate) fn jump(&self, limit: Option<Instant>) -> bool {
        let mut state = self.lock();
        let Some(&(deadline, _)) = state.timers.keys().next() else { return false };
        if limit.is_some_and(|limit| limit < deadline) {
            return false;
        }
        state.now = state.now.max(deadline);
        drop(state);
        self.fire_due();
        true
    }

    /// Drops a task, now or at the end of the poll it is in.
    pub(crate) fn abort(&self, id: u64) {
        let entry = self.lock().tasks.remove(&id);
        self.guard(|| drop(entry));
    }

    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.down = true;
        let timers = mem::take(&mut state.timers);
        drop(state);
        self.guard(|| drop(timers));
        // One by one, oldest first: a destructor may look at what is left.
        loop {
            let oldest = self.lock().tasks.pop_first();
            let Some((_, entry)) = oldest else { break };
            self.guard(|| drop(entry));
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, id: u64) {
        let mut state = self.lock();
        let Some(entry) = state.tasks.get_mut(&id) else { return };
        if mem::replace(&mut entry.woken, true) {
            return;
        }
        let waits = entry.task.is_some();
        state.counts.wakes += 1;
        if waits {
            state.ready.push_back(id);
        }
    }

    /// Runs user code; a panic is recorded and goes no further.
    fn guard<T>(&self, user_code: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(user_code)) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.lock().panics.push(message(&*payload));
                None
            }
        }
    }
}

impl State {
    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// What is being polled on this thread.
    pub(crate) fn current(&self) -> Option<u64> {
        self.current.filter(|(thread, _)| *thread == thread::current().id()).map(|(_, id)| id)
    }

    fn take_ready(&mut self) -> Option<(u64, Task, Waker)> {
        loop {
            let id = self.ready.pop_front()?;
            let Some(entry) = self.tasks.get_mut(&id) else { continue }; // aborted
            let Some(task) = entry.task.take() else { continue };
            entry.woken = false;
            self.counts.polls += 1;
            return Some((id, task, entry.waker.clone()));
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("tasks", &self.tasks.len())
            .field("down", &self.down)
            .finish_non_exhaustive()
    }
}

/// Something is polled by somebody that is polled itself: that one goes on afterwards, even after a panic.
struct Restore<'a> {
    shared: &'a Shared,
    before: Option<(ThreadId, u64)>,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.shared.lock().current = self.before.take();
    }
}

struct TaskWaker {
    id: u64,
    shared: Arc<Shared>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.shared.wake(self.id);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.wake(self.id);
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

const HEAD_START: Duration = Duration::from_secs(24 * 3600);
