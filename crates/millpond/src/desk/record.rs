//! From what the core notes, and what is known only here, to the events that whoever watches the pool is told.
//!
//! *Invariant:* a visit takes its events with it and tells them when it has left. Nothing is kept for later, so they need no
//! more memory than what one step of the pool can cause.

use std::borrow::Cow;
use std::mem::forget;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millpond_core::{GiveBack, Input, Job, Note, Outcome, SlotId};

use super::{Hub, Visit};
use crate::common::{PoolClaim, contained};
use crate::error::Cause;
use crate::event::{Event, EventKind, Failure, ResourceId};
use crate::manager::Manager;

/// An event that is about to be told.
pub(super) struct Record {
    number: u64,
    at: Instant,
    kind: EventKind,
}

impl<M: Manager> Visit<'_, M> {
    /// Whether anybody watches.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.hub.care.sink.is_some()
    }

    /// Tells who watches, once the lock is released.
    pub(crate) fn tell(&mut self, kind: EventKind) {
        if self.is_watched() {
            let at = self.now;
            let number = self.desk().next_event();
            self.after.events.push(Record { number, at, kind });
        }
    }

    /// A check, a reset or a close failed; to be said before the core is told that it ended.
    pub(super) fn tell_failure(&mut self, id: SlotId, job: Job, failure: &Failure) {
        let now = self.now;
        if let Some(began) = self.desk().core.began(id) {
            let took = now.saturating_duration_since(began);
            self.tell_job(id, job, failure.clone(), took);
        }
    }

    fn tell_job(&mut self, id: SlotId, job: Job, failure: Failure, took: Duration) {
        let resource = ResourceId(id);
        self.tell(match job {
            Job::Check => EventKind::CheckFailed { resource, failure, took },
            Job::Reset => EventKind::ResetFailed { resource, failure, took },
            Job::Close => EventKind::CloseFailed { resource, failure, took },
            // The core notes these itself.
            Job::Create => return,
        });
    }

    /// Tells what the core has noted in its last step.
    pub(super) fn tell_notes(&mut self) {
        let notes: Vec<_> = self.desk().core.notes().collect();
        for note in notes {
            match note {
                Note::Added { slot } => {
                    self.tell(EventKind::Added { resource: ResourceId(slot) });
                }
                Note::Created { slot, took } => {
                    self.tell(EventKind::Created { resource: ResourceId(slot), took });
                }
                Note::CreateFailed { transient, late, took, pause, .. } => {
                    let failure = if late { Failure::TimedOut } else { self.last_create_failure() };
                    let next_attempt = pause;
                    self.tell(EventKind::CreateFailed { failure, transient, took, next_attempt });
                }
                Note::Abandoned { slot, job, took } => {
                    self.tell_job(slot, job, Failure::TimedOut, took);
                }
                Note::Closed { slot, reason } => {
                    let (resource, (age, uses)) = (ResourceId(slot), self.life_of(slot));
                    self.tell(EventKind::Closed { resource, reason, age, uses });
                }
                Note::Detached { slot } => {
                    let (resource, (age, uses)) = (ResourceId(slot), self.life_of(slot));
                    self.tell(EventKind::Detached { resource, age, uses });
                }
                Note::Revoked { slot, .. } => {
                    self.tell(EventKind::OfferRevoked { resource: ResourceId(slot) });
                }
                Note::Overloaded { lane, waiting } => {
                    let (lane, waiting) = (self.lane_name(lane), waiting as usize);
                    let holders = self.holders();
                    self.tell(EventKind::Overloaded { lane, waiting, holders });
                }
                Note::Relieved { lane, lasted } => {
                    let lane = self.lane_name(lane);
                    self.tell(EventKind::Relieved { lane, lasted });
                }
                Note::Paused => self.tell(EventKind::Paused),
                Note::Resumed => self.tell(EventKind::Resumed),
                Note::Resized { from, to } => {
                    self.tell(EventKind::Resized { from: from as usize, to: to as usize });
                }
                Note::RetiredAll { epoch, spread } => {
                    self.tell(EventKind::RetiredAll { epoch, spread });
                }
                Note::Closing => self.tell(EventKind::Closing),
                Note::Drained => self.tell(EventKind::Drained),
            }
        }
    }

    /// How long a resource was open, and how often it was lent. Its place is free by now, but nothing was opened there since.
    fn life_of(&self, id: SlotId) -> (Duration, u64) {
        let common = &self.hub.common;
        let facts = self.hub.shelves.facts(id.index());
        let opened = common.to_instant(facts.created());
        (self.now.saturating_duration_since(opened), facts.uses())
    }

    fn lane_name(&self, lane: u32) -> Cow<'static, str> {
        self.hub.care.lanes.name(lane).clone()
    }

    fn last_create_failure(&mut self) -> Failure {
        match self.desk().last_create_failure.as_ref().map(|failure| &failure.cause) {
            Some(Cause::Error(error)) => Failure::Error(Arc::clone(error) as _),
            Some(Cause::Fault(fault)) => Failure::from(&**fault),
            // Never so: it is noted before the core is told.
            None => Failure::Stopped,
        }
    }
}

impl<M: Manager> Hub<M> {
    /// A check, a reset or a close failed, and may have left a resource to be closed.
    pub(crate) fn failed(
        &self,
        id: SlotId,
        job: Job,
        failure: Failure,
        resource: Option<M::Resource>,
    ) {
        let outcome = if resource.is_some() { Outcome::Unfit } else { Outcome::Gone };
        let Some(mut visit) = self.visit_to_end(id) else { return forget((failure, resource)) };
        visit.tell_failure(id, job, &failure);
        if let Some(resource) = resource {
            visit.bring(id, outcome, resource);
        }
        visit.step(Input::Ended(id, outcome));
        drop(visit);
        // An error of the user's.
        let _ = contained(|| drop(failure));
    }

    /// A resource comes to the desk whose manager panicked when it was given back.
    pub(crate) fn discard_after_panic(&self, claim: PoolClaim<M>, message: String) {
        let Some(mut visit) = self.enter() else { return forget(claim) };
        let index = claim.index();
        visit.desk().hold(claim);
        let resource = ResourceId(visit.desk().core.id(index));
        visit.tell(EventKind::ReturnPanicked { resource, message });
        visit.step(Input::GiveBack(index, GiveBack::Discard));
    }

    /// Tells the events of a visit that has left the desk.
    pub(super) fn deliver(&self, events: &mut Vec<Record>) {
        let Some(sink) = &self.care.sink else { return };
        for Record { number, at, kind } in events.drain(..) {
            let event = Event { pool: &self.common.name, number, at, kind: &kind };
            let _ = contained(|| sink.on_event(&event));
            // It may hold the last of an error of the user's.
            let _ = contained(|| drop(kind));
        }
    }
}
