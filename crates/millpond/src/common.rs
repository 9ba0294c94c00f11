//! What every part of a pool and every borrower sees: the manager, and the two numbers self-service compares with.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::desk::Hub;
use crate::fork::Owner;
use crate::manager::{Manager, Metrics};
use crate::shelf::{Claim, Facts, Shelves};
use crate::sync::{Arc, AtomicU64, Ordering, Weak};

/// Written by the desk, read by everyone.
pub(crate) struct Common<M> {
    pub(crate) manager: M,
    pub(crate) name: String,
    pub(crate) strict_return: bool,
    /// Tick zero.
    origin: Instant,
    /// Nanoseconds from the origin to the last time somebody looked at the clock. *Transitions:* grows, under the lock.
    tick: AtomicU64,
    /// The core's epoch. *Transitions:* grows, under the lock.
    epoch: AtomicU64,
    /// How long a resource that was given back may be lent again without a word from the desk, less one tick, since the
    /// tick may be that old.
    window: u64,
    /// One tick.
    grain: u64,
    pub(crate) owner: Owner,
}

/// What a borrower needs beside the resource. The way to the desk is weak: the driver keeps the desk while anything is out.
pub(crate) struct Link<M: Manager> {
    pub(crate) common: Arc<Common<M>>,
    pub(crate) hub: Weak<Hub<M>>,
}

pub(crate) type PoolClaim<M> = Claim<<M as Manager>::Resource, Link<M>>;
pub(crate) type PoolShelves<M> = Shelves<<M as Manager>::Resource, Link<M>>;

impl<M> Common<M> {
    pub(crate) fn new(
        manager: M,
        name: String,
        strict_return: bool,
        origin: Instant,
        check: Duration,
        tick: Duration,
    ) -> Self {
        let grain = nanos(tick);
        Self {
            manager,
            name,
            strict_return,
            origin,
            tick: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            // mutate: window: nanos(check),
            window: nanos(check).saturating_sub(grain),
            grain,
            owner: Owner::default(),
        }
    }

    /// How much the tick may lag.
    pub(crate) fn grain(&self) -> Duration {
        Duration::from_nanos(self.grain)
    }

    /// Publishes the time. Under the desk's lock.
    pub(crate) fn publish_tick(&self, now: Instant) {
        // mutate: self.tick.store(self.to_tick(now), Ordering::Relaxed);
        self.tick.store(self.to_tick(now).max(self.tick()), Ordering::Relaxed);
    }

    /// Publishes the epoch. Under the desk's lock.
    pub(crate) fn publish_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The latest tick.
    #[inline]
    pub(crate) fn tick(&self) -> u64 {
        self.tick.load(Ordering::Relaxed)
    }

    /// Whether a resource just taken may be lent at once.
    #[inline]
    pub(crate) fn is_fresh(&self, facts: &Facts) -> bool {
        facts.is_fresh(self.tick(), self.epoch.load(Ordering::Relaxed), self.window)
    }

    /// Whether a resource just given back is of the present epoch, and not suspect.
    #[inline]
    pub(crate) fn is_current(&self, facts: &Facts) -> bool {
        facts.is_of(self.epoch.load(Ordering::Relaxed))
    }

    /// The tick from which a resource must pass the desk before it is lent, because it may be time for it to retire.
    pub(crate) fn retires(&self, retire_at: Option<Instant>) -> u64 {
        // mutate: retire_at.map_or(u64::MAX, |at| self.to_tick(at))
        retire_at.map_or(u64::MAX, |at| self.to_tick(at).saturating_sub(self.grain))
    }

    pub(crate) fn to_tick(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.origin))
    }

    pub(crate) fn to_instant(&self, tick: u64) -> Instant {
        self.origin + Duration::from_nanos(tick)
    }

    #[inline]
    pub(crate) fn metrics(&self, facts: &Facts) -> Metrics {
        Metrics {
            origin: self.origin,
            created: facts.created(),
            last_used: facts.returned(),
            uses: facts.uses(),
            epoch: facts.epoch(),
        }
    }
}

impl<M> fmt::Debug for Common<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Common")
            .field("name", &self.name)
            .field("tick", &self.tick())
            .finish_non_exhaustive()
    }
}

impl<M: Manager> fmt::Debug for Link<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.common.fmt(f)
    }
}

/// Runs user code; a panic ends here, as its message.
pub(crate) fn contained<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(panic_message)
}

/// The message of a panic. Dropping the payload may panic again; that one ends here too.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    message
}

/// Drops something of the user's, if there is something, where that may take its time. For what cannot be closed properly any
/// more.
pub(crate) fn dispose<T: Send + 'static>(value: Option<T>) {
    let Some(value) = value else { return };
    #[cfg(not(millpond_loom))]
    {
        // A large one would not fit on the stack of that thread.
        let value = Box::new(value);
        blocking::unblock(move || contained(move || drop(value))).detach();
    }
    #[cfg(millpond_loom)]
    drop(value);
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
