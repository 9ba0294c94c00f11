//! Several virtual runtimes with one clock, of which the calling thread is in one, or in none.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millpond::{Runtime, SpawnError, Task};
use millpond_test::TestRuntime;

/// Behaves as an adapter does that looks up the runtime of the calling thread at each call; the test says which one that is.
///
/// Time passes in the present runtime only. Those that were left stand still, as runtimes do that nobody drives; when the
/// test comes back to one, all that is due there is due at once.
#[derive(Clone)]
pub struct Hop {
    shared: Arc<Shared>,
}

struct Shared {
    /// Handles: the runtimes themselves are the test's.
    runtimes: Vec<TestRuntime>,
    here: Mutex<Option<usize>>,
}

impl Hop {
    /// So many runtimes; the caller is in the first.
    #[must_use]
    pub fn new<const N: usize>() -> (Self, [TestRuntime; N]) {
        let runtimes = std::array::from_fn(|_| TestRuntime::new());
        let shared = Shared { runtimes: runtimes.to_vec(), here: Mutex::new(Some(0)) };
        let hop = Self { shared: Arc::new(shared) };
        hop.synchronize();
        (hop, runtimes)
    }

    /// Enters the runtime of this number, and leaves the one before.
    pub fn enter(&self, number: usize) {
        self.synchronize();
        *self.place() = Some(number);
    }

    /// Goes where there is no runtime.
    pub fn leave(&self) {
        *self.place() = None;
    }

    /// Lets time pass without driving anything.
    pub fn pass(&self, time: Duration) {
        let now = Runtime::now(self) + time;
        for runtime in &self.shared.runtimes {
            runtime.set_now(now);
        }
    }

    fn synchronize(&self) {
        self.pass(Duration::ZERO);
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<usize>> {
        self.shared.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> Option<TestRuntime> {
        self.place().map(|number| self.shared.runtimes[number].clone())
    }
}

impl Runtime for Hop {
    fn now(&self) -> Instant {
        let times = self.shared.runtimes.iter().map(Runtime::now);
        times.max().expect("there is at least one runtime")
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        match self.runtime() {
            Some(runtime) => Runtime::sleep_until(&runtime, deadline),
            None => Box::pin(std::future::pending()),
        }
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        match self.runtime() {
            Some(runtime) => Runtime::spawn(&runtime, task),
            None => Err(SpawnError::new(task)),
        }
    }

    fn here(&self) -> u64 {
        self.place().map_or(0, |number| number as u64 + 1)
    }
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop").field("here", &*self.place()).finish_non_exhaustive()
    }
}
