//! What the desk knows of leases beside the facts in their slots: which task took what was lent here, and which have lasted too
//! long.
//!
//! The driver looks for the latter now and then. Self-service tells nobody, so the only way to know is to look. A lease counts once it is seen in two looks: between the step
//! that takes a resource and the note of who took it, a look sees the lease before.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use millpond_core::WaiterId;

use super::Visit;
use crate::event::{EventKind, ResourceId};
use crate::holders::Holder;
use crate::manager::Manager;

/// Which task is who, as [`Runtime::task`](crate::Runtime::task) tells it. Self-service writes nothing here, so it knows only
/// of leases that passed the desk.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    /// Who queues, by waiter; void once the waiter is gone.
    waiting: Vec<Option<u64>>,
    /// Who took, by slot; void once the slot's lease sequence has moved on.
    took: Vec<Option<(u64, u64)>>,
}

impl Tasks {
    /// A caller queues.
    pub(crate) fn waits(&mut self, id: WaiterId, task: Option<u64>) {
        set(&mut self.waiting, id.index(), task);
    }

    /// Who queues under this id.
    pub(crate) fn of(&self, id: WaiterId) -> Option<u64> {
        self.waiting.get(id.index() as usize).copied().flatten()
    }

    /// A lease begins.
    pub(crate) fn takes(&mut self, index: u32, lease: u64, task: Option<u64>) {
        set(&mut self.took, index, task.map(|task| (lease, task)));
    }

    fn took(&self, index: u32, lease: u64, task: u64) -> bool {
        self.took.get(index as usize) == Some(&Some((lease, task)))
    }
}

fn set<T: Copy>(table: &mut Vec<Option<T>>, index: u32, value: Option<T>) {
    let index = index as usize;
    if table.len() <= index {
        table.resize(index + 1, None);
    }
    table[index] = value;
}

/// What the desk remembers of leases that are too long.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    all: Vec<Suspect>,
    /// No look before this.
    next_look: Option<Instant>,
}

/// A lease that lasts too long.
#[derive(Debug)]
struct Suspect {
    resource: ResourceId,
    index: u32,
    lease: u64,
    holder: Holder,
    told: bool,
    /// Whether the present look has found it.
    seen: bool,
}

impl<M: Manager> Visit<'_, M> {
    /// Looks for leases longer than `leak_after`, if that is set and it is time for it.
    pub(super) fn look_at_leases(&mut self) {
        let Some(limit) = self.hub.care.leak_after else { return };
        let (now, pause) = (self.now, self.hub.common.grain() / 2);
        let desk = self.desk();
        // Once everything is home the next look may be far.
        let last = desk.core.is_asleep() || desk.core.is_drained();
        let suspects = &mut desk.suspects;
        if suspects.next_look.is_some_and(|next| now < next) && !last {
            return;
        }
        suspects.next_look = now.checked_add(pause);
        let mut all = std::mem::take(&mut suspects.all);
        all.iter_mut().for_each(|suspect| suspect.seen = false);
        for (index, lease, holder) in self.long_leases(limit) {
            let known = all.iter_mut().find(|known| (known.index, known.lease) == (index, lease));
            if let Some(known) = known {
                (known.holder, known.seen) = (holder, true);
                if !std::mem::replace(&mut known.told, true) {
                    let (resource, holder) = (known.resource, known.holder.clone());
                    self.tell(EventKind::LeakSuspected { resource, holder });
                }
            } else {
                let resource = ResourceId(self.desk().core.id(index));
                let suspect = Suspect { resource, index, lease, holder, told: false, seen: true };
                all.push(suspect);
            }
        }
        let (still_out, back): (Vec<_>, Vec<_>) = all.into_iter().partition(|known| known.seen);
        for Suspect { resource, holder, .. } in back.into_iter().filter(|suspect| suspect.told) {
            self.tell(EventKind::CameBack { resource, holder });
        }
        self.desk().suspects.all = still_out;
    }

    /// The visitor queues.
    pub(crate) fn keep_task(&mut self, id: WaiterId) {
        let task = self.task;
        self.desk().tasks.waits(id, task);
    }

    /// The visitor takes a resource.
    pub(crate) fn keep_taker(&mut self, index: u32, lease: u64) {
        let task = self.task;
        self.desk().tasks.takes(index, lease, task);
    }

    /// What the visitor's own task has taken and not given back, as far as is known, the longest first.
    pub(crate) fn held_by_caller(&mut self) -> Vec<Holder> {
        let (hub, now) = (self.hub, self.now);
        let Some(task) = self.task else { return Vec::new() };
        let desk = self.desk();
        let mut held: Vec<_> = hub
            .leases(now, &desk.core)
            .filter(|(index, lease, _)| desk.tasks.took(*index, lease.sequence, task))
            .map(|(index, lease, held_for)| hub.holder(index, lease, held_for, desk))
            .collect();
        held.sort_by_key(|holder| Reverse(holder.held_for));
        held
    }

    fn long_leases(&mut self, limit: Duration) -> Vec<(u32, u64, Holder)> {
        let (hub, now) = (self.hub, self.now);
        let desk = self.desk();
        let leases = hub.leases(now, &desk.core).filter(|(_, _, held_for)| *held_for >= limit);
        leases
            .map(|(index, lease, held_for)| {
                (index, lease.sequence, hub.holder(index, lease, held_for, desk))
            })
            .collect()
    }
}
