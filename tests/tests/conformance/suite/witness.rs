//! Things that remember on which thread they were dropped, for the tests that ask where destructors run.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// Saw on which threads a manager worked, and on which its things were dropped.
#[derive(Clone, Default)]
pub(super) struct Witness {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    worked: HashSet<ThreadId>,
    dropped: Vec<ThreadId>,
}

/// What is opened.
pub(super) struct Thing {
    pub(super) number: usize,
    witness: Witness,
}

impl Witness {
    /// A new thing, opened on this thread.
    pub(super) fn thing(&self, number: usize) -> Thing {
        self.works_here();
        Thing { number, witness: self.clone() }
    }

    /// A task of the pool runs on this thread.
    pub(super) fn works_here(&self) {
        self.look(|seen| seen.worked.insert(thread::current().id()));
    }

    /// How many things were dropped.
    pub(super) fn dropped(&self) -> usize {
        self.look(|seen| seen.dropped.len())
    }

    /// Asserts that nothing was dropped on this thread, nor where tasks of the pool were seen to run.
    #[track_caller]
    pub(super) fn dropped_nothing_at_work(&self) {
        let elsewhere = self.look(|seen| {
            let here = thread::current().id();
            seen.dropped.iter().all(|id| *id != here && !seen.worked.contains(id))
        });
        assert!(elsewhere, "something was dropped where it held up others");
    }

    fn look<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.witness.look(|seen| seen.dropped.push(thread::current().id()));
    }
}
