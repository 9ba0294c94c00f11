//! The resource of a `ScriptedManager`: it counts itself, and tells when two borrowers hold it at once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ledger::Ledger;
use crate::script::Destructor;

/// A resource opened by a [`ScriptedManager`](crate::ScriptedManager).
///
/// # Examples
///
/// ```
/// use millpond::Manager;
/// use millpond_test::{ScriptedManager, TestRuntime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = TestRuntime::new();
/// let manager = ScriptedManager::new(runtime.clone());
/// let mut resource = runtime.block_on(manager.create())?;
/// resource.soil();
/// assert!(resource.is_dirty() && resource.is_alive());
/// manager.sever();
/// assert!(!resource.is_alive());
/// # Ok(())
/// # }
/// ```
pub struct TestResource {
    id: u64,
    dirty: bool,
    destructor: Option<Destructor>,
    occupied: Arc<AtomicBool>,
    ledger: Arc<Ledger>,
}

impl TestResource {
    pub(crate) fn new(id: u64, ledger: Arc<Ledger>) -> Self {
        Self { id, dirty: false, destructor: None, occupied: Arc::default(), ledger }
    }

    /// Marks it as left in a state that no stranger should see. A successful `reset` cleans it.
    pub fn soil(&mut self) {
        self.dirty = true;
    }

    pub(crate) fn clean(&mut self) {
        self.dirty = false;
    }

    /// Says what its own destructor does, ahead of what [`ScriptedManager::script_destructors`] says.
    ///
    /// [`ScriptedManager::script_destructors`]: crate::ScriptedManager::script_destructors
    pub fn set_destructor(&mut self, destructor: Destructor) {
        self.destructor = Some(destructor);
    }

    /// Holds the resource as its only user until the result is dropped, on any thread: proof that it was lent once only.
    ///
    /// # Panics
    ///
    /// If somebody else holds it.
    #[track_caller]
    pub fn occupy(&self) -> Occupied {
        let taken = self.occupied.swap(true, Ordering::AcqRel);
        assert!(!taken, "resource {} is lent twice", self.id);
        Occupied { occupied: Arc::clone(&self.occupied) }
    }

    /// Its number in the order of opening, from 0.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Tells whether it was [soiled](Self::soil) since it was last clean.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Tells whether its other end is there, see [`ScriptedManager::sever`](crate::ScriptedManager::sever).
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.id >= self.ledger.lock().severed_below
    }
}

impl Drop for TestResource {
    fn drop(&mut self) {
        let mut entries = self.ledger.lock();
        entries.dropped += 1;
        let scripted = self.destructor.or_else(|| entries.destructors.pop_front());
        drop(entries);
        if scripted == Some(Destructor::Panic) && !std::thread::panicking() {
            panic!("scripted panic in the destructor of resource {}", self.id);
        }
    }
}

impl fmt::Debug for TestResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResource")
            .field("id", &self.id)
            .field("dirty", &self.dirty)
            .finish_non_exhaustive()
    }
}

/// Sole use of a [`TestResource`], see [`TestResource::occupy`]. Ends when dropped.
#[derive(Debug)]
#[must_use = "the resource is free again as soon as this is dropped"]
pub struct Occupied {
    occupied: Arc<AtomicBool>,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.occupied.store(false, Ordering::Release);
    }
}
