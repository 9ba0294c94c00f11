//! What the desk orders of the driver.

use std::fmt;

use millpond_core::{Job, SlotId};

use crate::manager::Metrics;

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

impl<R> Order<R> {
    pub(crate) fn create(id: SlotId) -> Self {
        Self { id, work: Work::Create }
    }

    pub(crate) fn on(id: SlotId, job: Job, resource: R, metrics: Metrics) -> Self {
        let work = match job {
            Job::Check => Work::Check(resource, metrics),
            Job::Reset => Work::Reset(resource, metrics),
            Job::Close | Job::Create => Work::Close(resource),
        };
        Self { id, work }
    }

    pub(crate) fn is_check(&self) -> bool {
        self.job() == Job::Check
    }

    pub(crate) fn job(&self) -> Job {
        match self.work {
            Work::Create => Job::Create,
            Work::Check(..) => Job::Check,
            Work::Reset(..) => Job::Reset,
            Work::Close(_) => Job::Close,
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
