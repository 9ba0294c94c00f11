//! The look that the driver takes at what is lent, for leases that last too long.
//!
//! Self-service tells nobody, so the only way to know is to look. A lease counts once it is seen in two looks: between the step
//! that takes a resource and the note of who took it, a look sees the lease before.

use std::time::{Duration, Instant};

use super::Visit;
use crate::event::{EventKind, ResourceId};
use crate::holders::Holder;
use crate::manager::Manager;

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
