//! What the desk tells the driver.

use std::fmt;

use millpond_core::{Job, SlotId};

use crate::manager::Metrics;

/// A message to the driver. At most one `Run` for each slot's life is under way, and at most one `Look` at a time.
#[derive(Debug)]
pub(crate) enum Command<R> {
    /// There is a deadline earlier than the one it sleeps for.
    Look,
    /// A task is to be started.
    Run(Order<R>),
}

/// One job for one task.
pub(crate) struct Order<R> {
    pub(crate) id: SlotId,
    pub(crate) work: Work<R>,
}

/// The job, with what it works on.
pub(crate) enum Work<R> {
    Create,
    Check(R, Metrics),
    Reset(R, Metrics),
    Close(R),
}

impl<R> Command<R> {
    pub(crate) fn create(id: SlotId) -> Self {
        Self::Run(Order { id, work: Work::Create })
    }

    pub(crate) fn on(id: SlotId, job: Job, resource: R, metrics: Metrics) -> Self {
        let work = match job {
            Job::Check => Work::Check(resource, metrics),
            Job::Reset => Work::Reset(resource, metrics),
            Job::Close | Job::Create => Work::Close(resource),
        };
        Self::Run(Order { id, work })
    }

    /// The resource on its way, if any.
    pub(crate) fn into_resource(self) -> Option<R> {
        match self {
            Self::Run(order) => order.work.into_resource(),
            Self::Look => None,
        }
    }
}

impl<R> Work<R> {
    /// What it works on, if anything.
    pub(crate) fn into_resource(self) -> Option<R> {
        match self {
            Self::Create => None,
            Self::Check(resource, _) | Self::Reset(resource, _) | Self::Close(resource) => {
                Some(resource)
            }
        }
    }
}

impl<R> Order<R> {
    pub(crate) fn is_check(&self) -> bool {
        matches!(self.work, Work::Check(..))
    }
}

impl<R> fmt::Debug for Order<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match self.work {
            Work::Create => "create",
            Work::Check(..) => "check",
            Work::Reset(..) => "reset",
            Work::Close(_) => "close",
        };
        write!(f, "Order({work} {:?})", self.id)
    }
}
