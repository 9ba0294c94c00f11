//! Who holds what, since when.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::brief::Brief;
use crate::desk::{Desk, Hub};
use crate::manager::Manager;
use crate::shelf::Lease;
use millpond_core::Core;

/// Somebody who holds a resource, as [`Pool::holders`](crate::Pool::holders) tells. Shown as `for 3s by src/report.rs:42:17
/// (nightly report)`.
///
/// # Examples
///
/// ```no_run
/// # use std::time::Duration;
/// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
/// let holders = pool.holders();
/// let long = holders.iter().filter(|holder| holder.held_for > Duration::from_secs(60)).count();
/// # }
/// ```
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
    /// What it gave to [`lane`](crate::Get::lane).
    pub lane: Option<Cow<'static, str>>,
    /// Whether it has held it for longer than [`leak_after`](crate::Builder::leak_after).
    pub suspected_leak: bool,
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

/// What the borrower said of one lease of a slot.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) lease: u64,
    pub(crate) text: Option<Cow<'static, str>>,
    pub(crate) lane: Option<Cow<'static, str>>,
}

impl<M: Manager> Hub<M> {
    /// Everybody who holds a resource at `now`, the longest first.
    pub(crate) fn holders(&self, now: Instant, desk: &Desk<M>) -> Vec<Holder> {
        let leases = self.leases(now, &desk.core);
        let mut holders: Vec<_> = leases
            .map(|(index, lease, held_for)| self.holder(index, lease, held_for, desk))
            .collect();
        holders.sort_by_key(|holder| Reverse(holder.held_for));
        holders
    }

    /// What is lent at `now`: each slot with its lease and how long that has lasted.
    pub(crate) fn leases<'a>(
        &'a self,
        now: Instant,
        core: &'a Core,
    ) -> impl Iterator<Item = (u32, Lease, Duration)> + 'a {
        self.shelves
            .all_facts()
            .filter(|(index, _)| core.is_open(*index) && !self.shelves.is_idle(*index))
            .filter_map(move |(index, facts)| {
                let lease = facts.lease()?;
                let held_for = now.saturating_duration_since(self.common.to_instant(lease.taken));
                Some((index, lease, held_for))
            })
    }

    /// Who has that lease.
    pub(crate) fn holder(
        &self,
        index: u32,
        lease: Lease,
        held_for: Duration,
        desk: &Desk<M>,
    ) -> Holder {
        let label = desk.label_of(index, lease.sequence);
        Holder {
            location: lease.holder,
            held_for,
            label: label.and_then(|label| label.text.clone()),
            lane: label.and_then(|label| label.lane.clone()),
            suspected_leak: self.is_leak(held_for),
        }
    }

    /// Whether a lease that has lasted so long may be leaked.
    pub(crate) fn is_leak(&self, held_for: Duration) -> bool {
        self.care.leak_after.is_some_and(|limit| held_for >= limit)
    }
}
