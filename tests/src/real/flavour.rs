//! A real runtime, as far as tests need to know it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::abortable;
use millpond::{Runtime, SpawnError, Task};

use super::Spawned;

/// A real runtime. As a [`Runtime`] it is the adapter.
///
/// A value and not a type, so that tests for all runtimes are compiled once.
#[derive(Clone, Copy)]
pub struct Flavour {
    /// What it is called.
    pub name: &'static str,
    /// What a pool is given.
    pub adapter: fn() -> &'static dyn Runtime,
    /// Runs a future to its end: on a new instance, which ends with it, if the runtime has instances; otherwise on the one
    /// there is.
    pub block_on: fn(Pin<&mut dyn Future<Output = ()>>),
    /// Starts a task on the runtime of the calling thread, as its users do.
    pub spawn: fn(Task),
}

impl Flavour {
    /// Runs a test, on a thread of its own.
    ///
    /// # Panics
    ///
    /// If the test does, or if it takes longer than a minute: then it hangs.
    pub fn test<F: Future<Output = ()> + 'static>(self, test: fn(Self) -> F) {
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let (over, end) = mpsc::channel::<()>();
        let run = move || {
            let _over = over;
            self.run(test(self));
        };
        let thread = thread::Builder::new().name(name).spawn(run).expect("a thread can be started");
        if end.recv_timeout(LONGEST_TEST) == Err(RecvTimeoutError::Timeout) {
            panic!("on {} this hangs: it did not end within {LONGEST_TEST:?}", self.name);
        }
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }

    /// Runs a future to its end, see [`Flavour::block_on`].
    pub fn run<T>(self, future: impl Future<Output = T>) -> T {
        let mut output = None;
        {
            let future = pin!(async { output = Some(future.await) });
            (self.block_on)(future);
        }
        output.expect("`block_on` runs a future to its end")
    }

    /// Starts a task on the runtime of the calling thread.
    pub fn spawn<T: Send + 'static>(
        self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Spawned<T> {
        let (sender, result) = oneshot::channel();
        let (future, abort) = abortable(AssertUnwindSafe(future).catch_unwind());
        (self.spawn)(Box::pin(async move {
            // All that the task had is dropped by now, however it ended.
            if let Ok(Ok(output)) = future.await {
                let _ = sender.send(output);
            }
        }));
        Spawned::new(result, abort)
    }

    /// Calls `f` on a thread that belongs to no runtime, and waits for its result without holding up this one.
    ///
    /// # Panics
    ///
    /// If `f` does.
    #[track_caller]
    pub fn on_a_thread<T: Send + 'static>(
        self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        let caller = Location::caller();
        let (sender, result) = oneshot::channel();
        thread::spawn(move || {
            let _ = sender.send(f());
        });
        async move { result.await.unwrap_or_else(|_| panic!("the thread of {caller} panicked")) }
    }

    /// Runs a future on a thread of its own and, if the runtime has instances, on an instance of its own, which ends with it.
    ///
    /// # Panics
    ///
    /// If the future does.
    #[track_caller]
    pub fn elsewhere<T: Send + 'static, F: Future<Output = T>>(
        self,
        future: impl FnOnce() -> F + Send + 'static,
    ) -> impl Future<Output = T> {
        self.on_a_thread(move || self.run(future()))
    }

    /// The time.
    #[must_use]
    pub fn now(self) -> Instant {
        (self.adapter)().now()
    }

    /// Waits for at least this long.
    pub fn pass(self, time: Duration) -> impl Future<Output = ()> + Send {
        (self.adapter)().sleep_until(self.now() + time)
    }

    /// Waits until `come`.
    ///
    /// # Panics
    ///
    /// If it has not come about after ten seconds, at least.
    #[track_caller]
    pub fn eventually(self, mut come: impl FnMut() -> bool) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            for _ in 0..TURNS {
                if come() {
                    return;
                }
                yield_now().await;
            }
            // By now it depends on something else than the next turn, so the machine is left to others.
            for _ in 0..LOOKS {
                if come() {
                    return;
                }
                self.pass(BETWEEN_LOOKS).await;
            }
            panic!("on {} this does not come about: {caller}", self.name);
        }
    }
}

impl Runtime for Flavour {
    fn now(&self) -> Instant {
        (self.adapter)().now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        (self.adapter)().sleep_until(deadline)
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        (self.adapter)().spawn(task)
    }

    fn here(&self) -> u64 {
        (self.adapter)().here()
    }

    fn task(&self) -> Option<u64> {
        (self.adapter)().task()
    }
}

impl fmt::Debug for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flavour").field(&self.name).finish()
    }
}

/// Lets the others have their turns.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A test takes less than a second or two on an idle machine; this is for one that is anything but idle.
const LONGEST_TEST: Duration = Duration::from_secs(60);

/// How many turns are given away before time is.
const TURNS: usize = 64;
/// Ten seconds, and more where timers are coarse or the machine is busy.
const LOOKS: usize = 10_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
