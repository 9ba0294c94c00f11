//! Counts connections, from the first attempt to reach the server until the socket is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many connections there are, and were at most. Numbers to be looked at: they publish nothing, so `Relaxed`.
#[derive(Debug, Default)]
pub(crate) struct Census {
    open: AtomicUsize,
    most: AtomicUsize,
}

/// The place of one connection; whoever owns its socket owns this.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Census>);

impl Census {
    pub(crate) fn enter(self: &Arc<Self>) -> Seat {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(open, Ordering::Relaxed);
        Seat(Arc::clone(self))
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
