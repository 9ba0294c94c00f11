//! The pool in numbers, at one moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millpond_core::{Core, Totals};

use crate::desk::Hub;
use crate::error::{Cause, CreateFailure, Snapshot};
use crate::manager::Manager;

/// What [`Pool::status`](crate::Pool::status) reports: one consistent reading of the desk, and of the idle bits right after.
///
/// `size` is the sum of `idle`, `leased`, `creating`, `checking`, `resetting`, `closing` and `stuck`, and at most `max` unless the
/// pool was shrunk and what is too much has not come home yet.
///
/// # Examples
///
/// ```no_run
/// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
/// let status = pool.status();
/// let used = status.leased as f64 / status.max as f64;
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The greatest number of resources there may be.
    pub max: usize,
    /// All resources, whatever they are doing: the sum of those below.
    pub size: usize,
    /// Lie idle.
    pub idle: usize,
    /// Are in use, or set aside for a caller that is about to take one.
    pub leased: usize,
    /// Are being opened.
    pub creating: usize,
    /// Are being checked.
    pub checking: usize,
    /// Are being cleaned.
    pub resetting: usize,
    /// Are being closed.
    pub closing: usize,
    /// Are in the hands of a job that outlived its deadline, after as many others as `max` did so already.
    pub stuck: usize,
    /// Jobs that outlived their deadline and still have not ended; not part of `size`.
    pub abandoned: usize,
    /// Are lent for longer than [`leak_after`](crate::Builder::leak_after).
    pub suspected_leaks: usize,
    /// Callers that wait.
    pub waiting: usize,
    /// How long the oldest of them has waited.
    pub oldest_wait: Option<Duration>,
    /// How often a resource was lent since the pool was built.
    pub leases: u64,
    /// What else happened since the pool was built.
    pub totals: Totals,
}

impl<M: Manager> Hub<M> {
    pub(crate) fn status(&self, core: &Core, now: Instant) -> Status {
        let counts = core.counts();
        let idle = self.shelves.count().min(counts.live) as usize;
        Status {
            max: counts.max as usize,
            size: counts.charged() as usize,
            idle,
            leased: (counts.live + counts.offered) as usize - idle,
            creating: counts.creating as usize,
            checking: counts.checking as usize,
            resetting: counts.resetting as usize,
            closing: counts.closing as usize,
            stuck: counts.stuck as usize,
            abandoned: counts.abandoned as usize,
            suspected_leaks: self
                .leases(now, core)
                .filter(|(_, _, held_for)| self.is_leak(*held_for))
                .count(),
            waiting: counts.waiting as usize,
            oldest_wait: counts.oldest_wait.map(|since| now.saturating_duration_since(since)),
            leases: self.shelves.all_facts().map(|(_, facts)| facts.leases()).sum(),
            totals: core.totals(),
        }
    }

    /// What a refused caller is shown, before its own part.
    pub(crate) fn snapshot(
        &self,
        core: &Core,
        failure: Option<&CreateFailure<M::Error>>,
        now: Instant,
    ) -> Snapshot {
        let failure = failure.filter(|_| core.is_create_failing());
        let counts = core.counts();
        let idle = self.shelves.count().min(counts.live);
        Snapshot {
            pool: self.common.name.clone(),
            max: counts.max as usize,
            leased: (counts.live + counts.offered - idle) as usize,
            idle: idle as usize,
            creating: counts.creating as usize,
            checking: counts.checking as usize,
            resetting: counts.resetting as usize,
            closing: counts.closing as usize,
            waiting: counts.waiting as usize,
            ahead: counts.waiting as usize,
            waited: Duration::ZERO,
            phases: Vec::new(),
            last_create_error: failure.map(|failure| match &failure.cause {
                Cause::Error(error) => Arc::clone(error) as _,
                Cause::Fault(fault) => Arc::clone(fault) as _,
            }),
            backing_off: core.backoff_ends().map(|ends| ends.saturating_duration_since(now)),
            oldest_holders: Vec::new(),
            held_by_caller: Vec::new(),
            timeout: None,
            create_error_is_transient: failure.is_none_or(|failure| failure.transient),
        }
    }
}
