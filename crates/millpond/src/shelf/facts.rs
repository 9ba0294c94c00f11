//! What is known of a slot, readable by anybody at any time: relaxed atomics beside the resource.
//!
//! Only the owner of the slot writes (`retag` aside, which the desk may do to a slot that is lent), so plain stores suffice; a
//! sequence number tells a reader whether what it read is of one lease. Times are ticks: nanoseconds since the pool was
//! built, as of the last time somebody looked at the clock.
//!
//! Stores before an atomic step delay it, so a lease makes three and a return one; what can be derived is not stored.

use std::panic::Location;
// What no decision rests on stays out of the model checker's sight: it would multiply its work and prove nothing.
use std::sync::atomic::AtomicU64 as Unmodelled;

use super::slot::Holder;
use crate::sync::{AtomicU64, Ordering};

/// The facts of one slot.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The pool's epoch when the creation began, with the highest bit set while the resource is suspect, or lent to a lane that
    /// some are reserved for. While this is not the pool's epoch, the resource passes the desk when it is taken and when it comes
    /// home.
    stamp: AtomicU64,
    /// Since when the resource has rested, or had before it was lent.
    returned: AtomicU64,
    /// At this tick or later the resource must pass the desk before it is lent, to be retired.
    retires: AtomicU64,
    /// Counts the leases of the slot, whatever resource it held.
    lease: Unmodelled,
    /// The count when the resource was opened.
    first_lease: Unmodelled,
    created: Unmodelled,
    taken: Unmodelled,
    holder: Holder,
}

/// The present or latest lease of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) sequence: u64,
    pub(crate) taken: u64,
    pub(crate) holder: &'static Location<'static>,
}

impl Facts {
    /// A resource was opened.
    pub(crate) fn opened(&self, epoch: u64, tick: u64, retires: u64) {
        self.retires.store(retires, Ordering::Relaxed);
        self.stamp.store(epoch, Ordering::Relaxed);
        self.created.store(tick, Ordering::Relaxed);
        self.returned.store(tick, Ordering::Relaxed);
        self.first_lease.store(self.lease.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The resource rests since `tick`.
    #[inline]
    pub(crate) fn rests(&self, tick: u64) {
        self.returned.store(tick, Ordering::Relaxed);
    }

    /// The resource moves to another epoch, may have to retire earlier, or becomes [`suspect`](Self::suspect) or clear.
    pub(crate) fn retag(&self, stamp: u64, retires: u64) {
        self.retires.store(retires, Ordering::Relaxed);
        self.stamp.store(stamp, Ordering::Relaxed);
    }

    /// The stamp of a suspect resource of this epoch.
    pub(crate) fn suspect(epoch: u64) -> u64 {
        epoch | SUSPECT
    }

    /// Somebody has it now. Returns the number of the lease.
    #[inline]
    pub(crate) fn lent(&self, tick: u64, holder: &'static Location<'static>) -> u64 {
        let lease = self.leases() + 1;
        self.taken.store(tick, Ordering::Relaxed);
        self.holder.set(holder);
        self.lease.store(lease, Ordering::Relaxed);
        lease
    }

    /// Somebody looks at it, which is no use of it.
    pub(crate) fn inspected(&self, tick: u64, by: &'static Location<'static>) {
        self.lent(tick, by);
        let first = self.first_lease.load(Ordering::Relaxed);
        self.first_lease.store(first + 1, Ordering::Relaxed);
    }

    /// Whether the resource may be lent at `tick` in `epoch` without a word from the desk, having rested for less than
    /// `window`.
    #[inline]
    pub(crate) fn is_fresh(&self, tick: u64, epoch: u64, window: u64) -> bool {
        let rested = tick.saturating_sub(self.returned());
        // mutate: tick < self.retires.load(Ordering::Relaxed) && self.is_of(epoch)
        // mutate: rested < window && self.is_of(epoch)
        // mutate: rested < window && tick < self.retires.load(Ordering::Relaxed)
        rested < window && tick < self.retires.load(Ordering::Relaxed) && self.is_of(epoch)
    }

    /// Whether the resource is of this epoch, and not suspect.
    #[inline]
    pub(crate) fn is_of(&self, epoch: u64) -> bool {
        self.stamp.load(Ordering::Relaxed) == epoch
    }

    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.stamp.load(Ordering::Relaxed) & !SUSPECT
    }

    #[inline]
    pub(crate) fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn returned(&self) -> u64 {
        self.returned.load(Ordering::Relaxed)
    }

    /// How often the resource was lent.
    #[inline]
    pub(crate) fn uses(&self) -> u64 {
        self.leases() - self.first_lease.load(Ordering::Relaxed)
    }

    /// How often the slot was lent.
    #[inline]
    pub(crate) fn leases(&self) -> u64 {
        self.lease.load(Ordering::Relaxed)
    }

    /// Who has it, or had it last, unless it changes hands right now.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let sequence = self.leases();
        let taken = self.taken.load(Ordering::Relaxed);
        let holder = self.holder.get()?;
        (self.leases() == sequence).then_some(Lease { sequence, taken, holder })
    }
}

/// Marks the stamp of a suspect resource. No pool sees that many epochs.
const SUSPECT: u64 = 1 << 63;
