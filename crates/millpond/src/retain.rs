//! A look through what lies idle.

use std::panic::Location;

use millpond_core::{GiveBack, Input};

use crate::common::PoolClaim;
use crate::desk::{Answer, Hub};
use crate::manager::{Manager, Metrics};

/// What [`Pool::retain`](crate::Pool::retain) did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RetainReport {
    /// How many resources were looked at and stay.
    pub kept: usize,
    /// What the pool knew of those that were removed, in the order in which they were looked at.
    pub removed: Vec<Metrics>,
}

/// Looks at one resource after the other, each taken out of the pool for that time.
pub(crate) fn retain<M: Manager>(
    hub: &Hub<M>,
    caller: &'static Location<'static>,
    mut keep: impl FnMut(&mut M::Resource, &Metrics) -> bool,
) -> RetainReport {
    let mut report = RetainReport { kept: 0, removed: Vec::new() };
    for index in 0..hub.shelves.slots() {
        // In a forked child nothing is the pool's.
        let Some(mut visit) = hub.enter() else { break };
        let Answer::Lent(claim) = visit.step(Input::Take(index)) else { continue };
        let metrics = hub.common.metrics(claim.facts());
        claim.facts().inspected(hub.common.to_tick(visit.now), caller);
        drop(visit);
        let mut taken = Taken { hub, claim: Some(claim), back: GiveBack::Discard };
        let resource = taken.claim.as_mut().and_then(|claim| claim.resource_mut().as_mut());
        if resource.is_some_and(|resource| keep(resource, &metrics)) {
            taken.back = GiveBack::Unused;
            report.kept += 1;
        } else {
            report.removed.push(metrics);
        }
    }
    report
}

/// A resource that is being looked at. If that panics, it is closed.
struct Taken<'a, M: Manager> {
    hub: &'a Hub<M>,
    claim: Option<PoolClaim<M>>,
    back: GiveBack,
}

impl<M: Manager> Drop for Taken<'_, M> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.hub.give_back(claim, self.back);
        }
    }
}
