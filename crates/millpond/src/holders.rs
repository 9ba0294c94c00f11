//! Who holds what, since when.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::brief::Brief;
use crate::desk::{Desk, Hub};
use crate::manager::Manager;

/// Somebody who holds a resource.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Holder {
    /// Where it called `get`, `try_get` or `with`.
    pub location: &'static Location<'static>,
    /// How long it has held the resource; may be short by one tick (a quarter of the shortest window among the pool's
    /// settings, at most one second).
    pub held_for: Duration,
    /// What it gave to `label`.
    pub label: Option<Cow<'static, str>>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for {} by {}", Brief(self.held_for), self.location)?;
        match &self.label {
            Some(label) => write!(f, " ({label})"),
            None => Ok(()),
        }
    }
}

/// The label of one lease of a slot.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) lease: u64,
    pub(crate) text: Cow<'static, str>,
}

impl<M: Manager> Hub<M> {
    /// Everybody who holds a resource at `now`, the longest first.
    pub(crate) fn holders(&self, now: Instant, desk: &Desk<M>) -> Vec<Holder> {
        let mut holders: Vec<_> = self
            .shelves
            .all_facts()
            .filter(|(index, _)| desk.core.is_open(*index) && !self.shelves.is_idle(*index))
            .filter_map(|(index, facts)| {
                let lease = facts.lease()?;
                Some(Holder {
                    location: lease.holder,
                    held_for: now.saturating_duration_since(self.common.to_instant(lease.taken)),
                    label: desk.label_of(index, lease.sequence).cloned(),
                })
            })
            .collect();
        holders.sort_by_key(|holder| Reverse(holder.held_for));
        holders
    }
}
