//! What a caller is told that gets nothing, and who watches.

use std::sync::Arc;

use millpond_core::{LaneCounts, Refusal, ShedReason, Why};

use super::{Ask, Patience, State};
use crate::desk::{Hub, Visit};
use crate::error::{Cause, CreateFault, GetError, Snapshot};
use crate::event::{EventKind, RefusalReason};
use crate::manager::Manager;

impl Ask {
    /// The pool is somebody else's.
    pub(super) fn forked<M: Manager>(&mut self, hub: &Hub<M>) -> GetError<M::Error> {
        self.state = State::Done;
        GetError::Forked(Box::new(Snapshot::nothing(hub.common.name.clone())))
    }

    /// There is no lane of the name that it gave.
    pub(super) fn in_no_lane<M: Manager>(
        &mut self,
        visit: &mut Visit<'_, M>,
    ) -> GetError<M::Error> {
        self.state = State::Done;
        let lane = self.rare.as_mut().and_then(|rare| rare.lane.take()).unwrap_or_default();
        let error = GetError::UnknownLane { lane, snapshot: Box::new(visit.snapshot()) };
        self.tell(visit, &error);
        error
    }

    /// There is nobody to wait for.
    pub(super) fn driven_by_nobody<M: Manager>(
        &mut self,
        hub: &Hub<M>,
        visit: &mut Visit<'_, M>,
    ) -> GetError<M::Error> {
        let mut snapshot = Box::new(visit.snapshot_with_holders());
        self.place(hub, visit, &mut snapshot);
        let error = GetError::NoRuntime(snapshot);
        self.tell(visit, &error);
        error
    }

    /// The desk has refused it.
    pub(super) fn refused<M: Manager>(
        &mut self,
        hub: &Hub<M>,
        visit: &mut Visit<'_, M>,
        refusal: &Refusal,
    ) -> GetError<M::Error> {
        let mut snapshot = Box::new(match refusal.why {
            Why::Deadline | Why::Shed(ShedReason::WaitedTooLong | ShedReason::DeadlineTooClose) => {
                visit.snapshot_with_holders()
            }
            _ => visit.snapshot(),
        });
        snapshot.tell(refusal);
        let counts = self.place(hub, visit, &mut snapshot);
        let error = match refusal.why {
            Why::TooManyWaiters => {
                GetError::TooManyWaiters { limit: counts.max_waiters as usize, snapshot }
            }
            Why::Shed(reason) => {
                GetError::Shed { reason, retry_after: refusal.retry_after, snapshot }
            }
            Why::Closed => GetError::Closed(snapshot),
            Why::CreateFailed => {
                match visit.desk().last_create_failure.as_ref().map(|failure| failure.cause.clone())
                {
                    Some(Cause::Error(error)) => GetError::Create(error, snapshot),
                    Some(Cause::Fault(fault)) => GetError::CreateFault(fault, snapshot),
                    // Never so: a failure is noted before anybody is refused for it.
                    None => GetError::CreateFault(Arc::new(CreateFault::Stopped), snapshot),
                }
            }
            _ => {
                snapshot.timeout = match self.patience {
                    Patience::Default => hub.care.get_timeout,
                    Patience::For(timeout) => Some(timeout),
                    Patience::Until(_) => None,
                };
                GetError::Timeout(snapshot)
            }
        };
        self.tell(visit, &error);
        error
    }

    /// Puts its lane into what it is shown, and returns how that is now.
    fn place<M: Manager>(
        &self,
        hub: &Hub<M>,
        visit: &mut Visit<'_, M>,
        snapshot: &mut Snapshot,
    ) -> LaneCounts {
        let number = self.lane(hub).unwrap_or(0);
        let counts = visit.desk().core.lane(number);
        snapshot.lane = (number > 0).then(|| hub.care.lanes.name(number).clone());
        snapshot.overloaded_for =
            counts.overloaded_since.map(|since| visit.now.saturating_duration_since(since));
        counts
    }

    /// Tells who watches that the caller gets nothing.
    fn tell<M: Manager>(&mut self, visit: &mut Visit<'_, M>, error: &GetError<M::Error>) {
        let Some(reason) = RefusalReason::of(error) else { return };
        if visit.is_watched() {
            let snapshot = error.snapshot();
            visit.tell(EventKind::Refused {
                reason,
                waited: snapshot.waited,
                ahead: snapshot.ahead,
                lane: snapshot.lane.clone(),
                caller: self.caller,
                label: self.rare.as_mut().and_then(|rare| rare.label.take()),
                held_by_caller: snapshot.held_by_caller.clone(),
            });
        }
    }
}
