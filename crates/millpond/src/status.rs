//! The pool in numbers, at one moment.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millpond_core::{Core, Hold, Totals};

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
    /// The lanes, the default one first. Together their callers that wait are `waiting`.
    pub lanes: Vec<LaneStatus>,
    /// How long resources were held of late, if anybody had to wait for one.
    pub hold: Option<Hold>,
    /// How often a resource was lent since the pool was built.
    pub leases: u64,
    /// What else happened since the pool was built.
    pub totals: Totals,
}

/// What [`Status`] reports of a [`Lane`](crate::Lane).
///
/// # Examples
///
/// ```no_run
/// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
/// for lane in pool.status().lanes {
///     if let Some(time) = lane.overloaded_for {
///         eprintln!("lane {} has shed callers for {time:?}; {} wait", lane.name, lane.waiting);
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LaneStatus {
    /// Its name; [`Lane::DEFAULT`](crate::Lane::DEFAULT) for that of everybody who names none.
    pub name: Cow<'static, str>,
    /// Its callers that wait.
    pub waiting: usize,
    /// How long the oldest of them has waited.
    pub oldest_wait: Option<Duration>,
    /// For how long its queue has not drained, so that callers are shed; `None` while it does.
    pub overloaded_for: Option<Duration>,
    /// How many of its callers had to queue since the pool was built.
    pub queued: u64,
    /// How many of its callers were refused since the pool was built, for any reason that [`Totals`] counts. Those who only
    /// tried ([`Pool::try_get`](crate::Pool::try_get)) and found nothing are not among them.
    pub refused: u64,
    /// How many of its callers may wait.
    pub max_waiters: usize,
    /// How many resources come back to it first.
    pub reserved: usize,
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
            lanes: self.lanes(core, now),
            hold: core.hold(),
            leases: self.shelves.all_facts().map(|(_, facts)| facts.leases()).sum(),
            totals: core.totals(),
        }
    }

    fn lanes(&self, core: &Core, now: Instant) -> Vec<LaneStatus> {
        let for_how_long = |since: Option<Instant>| Some(now.saturating_duration_since(since?));
        let lanes = self.care.lanes.all().map(|(number, known)| {
            let counts = core.lane(number);
            LaneStatus {
                name: known.name.clone(),
                waiting: counts.waiting as usize,
                oldest_wait: for_how_long(counts.oldest_wait),
                overloaded_for: for_how_long(counts.overloaded_since),
                queued: counts.queued,
                refused: counts.refused,
                max_waiters: counts.max_waiters as usize,
                reserved: known.reserved,
            }
        });
        lanes.collect()
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
            lane: None,
            overloaded_for: None,
            hold: core.hold(),
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
            retry_after: None,
            create_error_is_transient: failure.is_none_or(|failure| failure.transient),
        }
    }
}
