//! What is known of a slot, readable by anybody at any time: relaxed atomics beside the resource.
//!
//! Only the owner of the slot writes (`retag` aside, which the desk may do to a slot that is lent), so plain stores suffice; a sequence number tells a reader whether what it read is of
//! one lease. Times are ticks: nanoseconds since the pool was built, as of the last time somebody looked at the clock.

use std::panic::Location;
// What no decision rests on stays out of the model checker's sight: it would multiply its work and prove nothing.
use std::sync::atomic::AtomicU64 as Unmodelled;

use super::slot::Holder;
use crate::sync::{AtomicU64, Ordering};

/// The facts of one slot.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The pool's epoch when the creation began. A resource of another epoch than the pool's is not lent.
    epoch: AtomicU64,
    /// At this tick or later the resource must pass the desk before it is lent: to be checked, or retired.
    fresh_until: AtomicU64,
    /// The same, as far as the age of the resource goes.
    retires: AtomicU64,
    /// Odd while lent; counts both ends of every lease.
    lease: Unmodelled,
    created: Unmodelled,
    taken: Unmodelled,
    returned: Unmodelled,
    uses: Unmodelled,
    holder: Holder,
}

/// Who has a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) sequence: u64,
    pub(crate) taken: u64,
    pub(crate) holder: Option<&'static Location<'static>>,
}

impl Facts {
    /// A resource was opened.
    pub(crate) fn opened(&self, epoch: u64, tick: u64, retires: u64) {
        self.retires.store(retires, Ordering::Relaxed);
        self.epoch.store(epoch, Ordering::Relaxed);
        self.created.store(tick, Ordering::Relaxed);
        self.returned.store(tick, Ordering::Relaxed);
        self.uses.store(0, Ordering::Relaxed);
    }

    /// The resource rests since `tick`, and may be lent until `fresh_until` if its age allows.
    #[inline]
    pub(crate) fn rests(&self, tick: u64, fresh_until: u64) {
        self.returned.store(tick, Ordering::Relaxed);
        self.fresh_until
            .store(fresh_until.min(self.retires.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// The resource moves to another epoch, and may have to retire earlier.
    pub(crate) fn retag(&self, epoch: u64, retires: u64) {
        self.retires.store(retires, Ordering::Relaxed);
        self.fresh_until.fetch_min(retires, Ordering::Relaxed);
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// Somebody has it now.
    #[inline]
    pub(crate) fn lent(&self, tick: u64, holder: &'static Location<'static>) -> u64 {
        let lease = self.lease.load(Ordering::Relaxed).wrapping_add(1) | 1;
        self.taken.store(tick, Ordering::Relaxed);
        self.holder.set(holder);
        self.uses.store(self.uses.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.lease.store(lease, Ordering::Relaxed);
        lease
    }

    /// Nobody has it any more.
    #[inline]
    pub(crate) fn let_go(&self) {
        let lease = self.lease.load(Ordering::Relaxed);
        self.lease.store(lease.wrapping_add(lease & 1), Ordering::Relaxed);
    }

    /// Whether the resource may be lent at `tick` in `epoch` without a word from the desk.
    #[inline]
    pub(crate) fn is_fresh(&self, tick: u64, epoch: u64) -> bool {
        tick < self.fresh_until.load(Ordering::Relaxed)
            && epoch == self.epoch.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    pub(crate) fn returned(&self) -> u64 {
        self.returned.load(Ordering::Relaxed)
    }

    pub(crate) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    /// How often the slot was lent, whatever resource it held.
    pub(crate) fn leases(&self) -> u64 {
        self.lease.load(Ordering::Relaxed).div_ceil(2)
    }

    /// Who has it, unless it is not lent or changes hands right now.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let sequence = self.lease.load(Ordering::Relaxed);
        let taken = self.taken.load(Ordering::Relaxed);
        let holder = self.holder.get();
        (sequence % 2 == 1 && self.lease.load(Ordering::Relaxed) == sequence).then_some(Lease {
            sequence,
            taken,
            holder,
        })
    }
}
