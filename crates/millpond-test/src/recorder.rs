//! An event sink that remembers, for tests of what a pool does behind the scenes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millpond::{Event, EventKind, EventSink};

/// Remembers the events of a pool. Clones share one memory: give one to the pool, keep one in the test.
///
/// # Examples
///
/// ```
/// use millpond::{EventKind, Pool};
/// use millpond_test::{Recorder, ScriptedManager, TestRuntime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = TestRuntime::new();
/// let recorder = Recorder::new();
/// let pool = Pool::builder(ScriptedManager::new(runtime.clone()))
///     .event_sink(recorder.clone())
///     .build(runtime.clone())?;
/// drop(runtime.block_on(pool.get())?);
///
/// let opened = recorder.count(|kind| matches!(kind, EventKind::Created { .. }));
/// assert_eq!(opened, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    kinds: Arc<Mutex<Vec<EventKind>>>,
}

impl Recorder {
    /// Makes one that remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what it remembers, and returns it in the order in which it was told.
    #[must_use]
    pub fn take(&self) -> Vec<EventKind> {
        std::mem::take(&mut *self.lock())
    }

    /// What was told, in that order.
    #[must_use]
    pub fn kinds(&self) -> Vec<EventKind> {
        self.lock().clone()
    }

    /// The text of each event, in the order in which they were told.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().iter().map(ToString::to_string).collect()
    }

    /// How many events are `wanted`.
    #[must_use]
    pub fn count(&self, wanted: impl Fn(&EventKind) -> bool) -> usize {
        self.lock().iter().filter(|kind| wanted(kind)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<EventKind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Recorder {
    fn on_event(&self, event: &Event<'_>) {
        self.lock().push(event.kind.clone());
    }
}
