//! The virtual runtime that a test drives by hand. Tests call this; a pool sees it as a `millpond::Runtime`.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use millpond::{Runtime, SpawnError, Task};

use crate::error::Stuck;
use crate::executor::Shared;
use crate::parked::Flag;
use crate::sleep::Sleep;
use crate::started::Started;

/// A virtual clock and a deterministic executor: time stands still and nothing runs, unless the test says so.
///
/// - Ready tasks are polled first in, first out, one at a time, on the thread that calls
///   [`run_until_idle`](Self::run_until_idle), [`advance`](Self::advance) or [`block_on`](Self::block_on). Not calling them is
///   how a test makes a runtime that exists but is not driven.
/// - Timers fire in the order of their deadlines, and of their first polls where deadlines are equal. Those with equal
///   deadlines fire before any task runs.
/// - A task that panics is dropped and its message kept in [`panics`](Self::panics); the others go on.
///
/// The value that [`new`](Self::new) returns owns the tasks: when it is dropped, the runtime [shuts down](Self::shutdown), as
/// tokio's does. Clones are handles, which may be used from any thread and outlive it: give those to pools, keep the
/// first one in the test.
///
/// The methods of its own do not count as readings of the clock, those of the [`Runtime`] trait do.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use millpond_test::TestRuntime;
///
/// let runtime = TestRuntime::new();
/// let clock = runtime.clone();
/// let mut hour = runtime.start(async move {
///     clock.sleep(Duration::from_secs(3600)).await;
///     clock.elapsed()
/// });
/// runtime.advance(Duration::from_secs(3599));
/// assert_eq!(hour.take(), None);
/// runtime.advance(Duration::from_secs(1));
/// assert_eq!(hour.take(), Some(Duration::from_secs(3600)));
/// ```
pub struct TestRuntime {
    shared: Arc<Shared>,
    /// True for what `new` returned, false for clones.
    owner: bool,
}

impl TestRuntime {
    /// Makes a runtime without tasks. Its clock starts a day ahead of the real one, so that a stray reading of that one shows.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Shared::new(), owner: true }
    }

    /// Polls `future` and the tasks by turns until it completes. When none of them is ready, the clock jumps to the next timer.
    ///
    /// # Panics
    ///
    /// If nothing can ever wake the future ([`Stuck`]), if it panics, or if the runtime spins: ten million polls at one instant,
    /// or as many timers of others while the future is not woken.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.try_block_on(future) {
            Ok(output) => output,
            Err(stuck) => panic!("{stuck}"),
        }
    }

    /// Does what [`block_on`](Self::block_on) does, but lets the test say what being stuck means.
    ///
    /// Pass `&mut future` to keep a future that is stuck.
    ///
    /// # Errors
    ///
    /// [`Stuck`] if neither the future nor a task is ready and no timer is armed.
    ///
    /// # Panics
    ///
    /// If the future panics, or if the runtime spins, see [`block_on`](Self::block_on).
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        let mut future = pin!(future);
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let id = self.shared.lock().id();
        let mut seen = None;
        let (mut turns, mut jumps) = (0, 0);
        self.shared.fire_due();
        loop {
            let woken = flag.count();
            if seen != Some(woken) {
                seen = Some(woken);
                jumps = 0;
                let mut context = Context::from_waker(&waker);
                let polled = self.shared.run_as(id, || future.as_mut().poll(&mut context));
                if let Poll::Ready(output) = polled {
                    return Ok(output);
                }
            }
            if !self.shared.poll_one() && seen == Some(flag.count()) {
                if !self.shared.jump(None) {
                    let state = self.shared.lock();
                    return Err(Stuck { tasks: state.tasks.len(), panics: state.panics.clone() });
                }
                jumps += 1;
                turns = 0;
            }
            turns += 1;
            refuse_to_spin(turns.max(jumps));
        }
    }

    /// Starts a task that has a result.
    ///
    /// # Panics
    ///
    /// If the runtime was shut down.
    #[track_caller]
    pub fn start<F>(&self, future: F) -> Started<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let task = async move {
            let _ = sender.send(future.await);
        };
        match self.shared.spawn(Box::pin(task)) {
            Ok(id) => Started::new(receiver, id, Arc::clone(&self.shared)),
            Err(_) => panic!("this runtime was shut down and takes no tasks"),
        }
    }

    /// Starts a task, as a pool does.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] with the task if the runtime was shut down.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Result<(), SpawnError> {
        self.shared.spawn(Box::pin(task)).map(drop).map_err(SpawnError::new)
    }

    /// Completes when the virtual clock reaches `deadline`.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(Arc::clone(&self.shared), deadline)
    }

    /// Completes when `duration` from now has passed on the virtual clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Polls ready tasks until none is. The clock stands still, but timers that [`set_now`](Self::set_now) made due fire first.
    ///
    /// Returns how many polls it made.
    ///
    /// # Panics
    ///
    /// If ten million polls did not make it idle: a task that keeps waking itself would otherwise hang the test.
    #[track_caller]
    pub fn run_until_idle(&self) -> usize {
        self.shared.fire_due();
        let mut polls = 0;
        while self.shared.poll_one() {
            polls += 1;
            refuse_to_spin(polls);
        }
        polls
    }

    /// Moves the clock forward by `duration`, stopping at each timer on the way to run what it wakes.
    ///
    /// # Panics
    ///
    /// As [`run_until_idle`](Self::run_until_idle).
    #[track_caller]
    pub fn advance(&self, duration: Duration) {
        let end = self.now() + duration;
        self.run_until_idle();
        while self.shared.jump(Some(end)) {
            self.run_until_idle();
        }
        let mut state = self.shared.lock();
        state.now = state.now.max(end);
    }

    /// Sets the clock, forward or backward, and runs nothing: as if the machine had slept, or its clock were broken.
    ///
    /// Timers that are due fire when the runtime is driven again.
    pub fn set_now(&self, now: Instant) {
        self.shared.lock().now = now;
    }

    /// Drops all tasks and timers. From then on no clone takes tasks, and no sleep ends.
    ///
    /// Destructors of tasks run one by one, oldest task first; a panic in one is recorded in [`panics`](Self::panics).
    /// [`block_on`](Self::block_on) still polls its own future, as the thread of a caller would.
    pub fn shutdown(&self) {
        self.shared.shut_down();
    }

    /// Puts a new runtime in the place of one that was shut down: it takes tasks and keeps timers again.
    ///
    /// What the old one dropped stays dropped. The clock goes on.
    pub fn restart(&self) {
        self.shared.lock().down = false;
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.shared.lock().now
    }

    /// The virtual time since [`new`](Self::new), zero if the clock was set back before that.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let state = self.shared.lock();
        state.now.saturating_duration_since(state.start)
    }

    /// The deadline of the timer that fires next.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        self.shared.lock().timers.keys().next().map(|&(deadline, _)| deadline)
    }

    /// How many tasks are alive.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.shared.lock().tasks.len()
    }

    /// How many timers are armed.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.shared.lock().timers.len()
    }

    /// The messages of the panics caught so far: of tasks, of their destructors, and of wakers that a timer called.
    #[must_use]
    pub fn panics(&self) -> Vec<String> {
        self.shared.lock().panics.clone()
    }

    /// How often the clock was read through [`Runtime::now`].
    #[must_use]
    pub fn clock_reads(&self) -> usize {
        self.shared.lock().counts.clock_reads
    }

    /// How many timers were armed so far. A sleep whose deadline had passed at its first poll arms none.
    #[must_use]
    pub fn sleeps(&self) -> usize {
        self.shared.lock().counts.sleeps
    }

    /// How many timers fired so far.
    #[must_use]
    pub fn timers_fired(&self) -> usize {
        self.shared.lock().counts.timers_fired
    }

    /// How often a task was woken so far, its start not counted, nor a wake-up of a task that was ready already.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.shared.lock().counts.wakes
    }

    /// How often a task was polled so far.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.shared.lock().counts.polls
    }
}

impl Runtime for TestRuntime {
    fn now(&self) -> Instant {
        let mut state = self.shared.lock();
        state.counts.clock_reads += 1;
        state.now
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        Box::pin(Self::sleep_until(self, deadline))
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        self.shared.spawn(task).map(drop).map_err(SpawnError::new)
    }

    fn task(&self) -> Option<u64> {
        self.shared.lock().current()
    }
}

impl Default for TestRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for TestRuntime {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), owner: false }
    }
}

impl Drop for TestRuntime {
    fn drop(&mut self) {
        if self.owner {
            self.shared.shut_down();
        }
    }
}

impl fmt::Debug for TestRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("TestRuntime")
            .field("elapsed", &state.now.saturating_duration_since(state.start))
            .field("tasks", &state.tasks.len())
            .field("ready", &state.ready())
            .field("timers", &state.timers.len())
            .field("down", &state.down)
            .field("panics", &state.panics)
            .finish()
    }
}

#[track_caller]
fn refuse_to_spin(polls: usize) {
    assert!(polls < SPIN_LIMIT, "the runtime spins: {polls} turns and no end in sight");
}

/// Some seconds of polling: more than a test needs, and soon enough to be read as a failure, not as a hang.
const SPIN_LIMIT: usize = if cfg!(test) { 1_000 } else { 10_000_000 };

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn spins(run: impl FnOnce()) -> bool {
        let panicked = catch_unwind(AssertUnwindSafe(run)).expect_err("it goes on for ever");
        panicked
            .downcast_ref::<String>()
            .is_some_and(|message| message.starts_with("the runtime spins"))
    }

    fn forever() -> impl Future<Output = ()> + Send {
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    #[test]
    fn a_task_that_keeps_waking_itself_is_a_failure_and_not_a_hang() {
        let runtime = TestRuntime::new();
        assert!(spins(|| runtime.block_on(forever())));
        runtime.start(forever());
        assert!(spins(|| {
            runtime.run_until_idle();
        }));
        assert!(spins(|| runtime.block_on(pending())));
    }

    #[test]
    fn a_clock_that_ticks_for_nobody_is_a_failure_and_not_a_hang() {
        let runtime = TestRuntime::new();
        let clock = runtime.clone();
        runtime.start(async move {
            loop {
                clock.sleep(Duration::from_secs(1)).await;
            }
        });
        assert!(spins(|| runtime.block_on(pending())));
        runtime.block_on(runtime.sleep(Duration::from_secs(500)));
    }

    #[test]
    fn a_task_may_move_the_clock_past_the_end_of_an_advance() {
        let runtime = TestRuntime::new();
        let clock = runtime.clone();
        runtime.start(async move { clock.set_now(clock.now() + Duration::from_secs(9)) });
        runtime.advance(Duration::from_secs(1));
        assert_eq!(runtime.elapsed(), Duration::from_secs(9));
    }
}
