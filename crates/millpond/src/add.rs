//! Resources that were opened elsewhere and offered to a pool.

use std::fmt;

use millpond_core::Why;

use crate::desk::Hub;
use crate::manager::Manager;

/// A pool did not take a resource in, which comes back; see [`Pool::add`](crate::Pool::add).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AddError<R> {
    /// There are as many resources as `max_size` allows, those being opened, cleaned and closed included.
    #[error("the pool is full: its max_size is {max}")]
    #[non_exhaustive]
    Full {
        /// What came back.
        resource: R,
        /// The greatest number of resources there may be.
        max: usize,
    },
    /// The pool is closing, or belongs to the process that this one was forked from.
    #[error("the pool is closed")]
    #[non_exhaustive]
    Closed {
        /// What came back.
        resource: R,
    },
}

impl<R> AddError<R> {
    /// The resource that was not taken in.
    #[must_use]
    pub fn into_resource(self) -> R {
        match self {
            Self::Full { resource, .. } | Self::Closed { resource } => resource,
        }
    }
}

impl<R> fmt::Debug for AddError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { max, .. } => {
                f.debug_struct("Full").field("max", max).finish_non_exhaustive()
            }
            Self::Closed { .. } => f.debug_struct("Closed").finish_non_exhaustive(),
        }
    }
}

pub(crate) fn add<M: Manager>(
    hub: &Hub<M>,
    resource: M::Resource,
) -> Result<(), AddError<M::Resource>> {
    hub.add(resource).map_err(|(resource, why)| match why {
        Why::Full => {
            AddError::Full { resource, max: hub.read(|desk| desk.core.counts().max) as usize }
        }
        _ => AddError::Closed { resource },
    })
}
