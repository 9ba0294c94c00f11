//! What the user teaches the pool about one kind of resource: how to open, check, clean and close it.

use std::error::Error;
use std::fmt;
use std::future::{Future, ready};
use std::time::{Duration, Instant};

use crate::brief::Brief;

/// Opens, checks, cleans and closes the resources of a pool.
///
/// Every method but [`on_return`](Self::on_return) runs in a task of the pool with a deadline of its own, never on the path
/// of a caller, and survives the caller that asked. A panic in any of them costs that one resource.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use millpond::{Disposition, Manager, Metrics, Returned};
///
/// struct Buffers;
///
/// impl Manager for Buffers {
///     type Resource = Vec<u8>;
///     type Error = Infallible;
///
///     async fn create(&self) -> Result<Vec<u8>, Infallible> {
///         Ok(Vec::with_capacity(64 * 1024))
///     }
///
///     fn on_return(&self, buffer: &mut Vec<u8>, _: Returned, _: &Metrics) -> Disposition {
///         buffer.clear();
///         Disposition::Reuse
///     }
/// }
/// ```
pub trait Manager: Send + Sync + 'static {
    /// What the pool lends.
    type Resource: Send + 'static;

    /// Why a resource could not be opened, checked or cleaned.
    type Error: Error + Send + Sync + 'static;

    /// Opens one resource.
    ///
    /// # Errors
    ///
    /// Whatever kept it from opening. [`is_transient`](Self::is_transient) tells whether trying again soon may help.
    ///
    /// # Cancel safety
    ///
    /// Dropped unfinished at `create_timeout`; what it had opened by then must close in its destructors.
    fn create(&self) -> impl Future<Output = Result<Self::Resource, Self::Error>> + Send;

    /// Says what becomes of a resource that its borrower let go.
    ///
    /// Runs on the borrower's thread while it drops its guard: no I/O, nothing that blocks. There is no default, because a
    /// resource must not reach its next borrower unless somebody said that it may. [`Disposition::Reuse`] is taken at its
    /// word only after [`Returned::Finished`]; after the other two it means [`Disposition::Reset`].
    fn on_return(
        &self,
        resource: &mut Self::Resource,
        returned: Returned,
        metrics: &Metrics,
    ) -> Disposition;

    /// Confirms that a resource which lay idle longer than `check_after_idle` still works.
    ///
    /// # Errors
    ///
    /// An error discards the resource and makes everything else that has lain idle since before it suspect.
    ///
    /// # Cancel safety
    ///
    /// Dropped unfinished at `check_timeout`, and the resource with it.
    fn check(
        &self,
        resource: &mut Self::Resource,
        metrics: &Metrics,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = (resource, metrics);
        ready(Ok(()))
    }

    /// Cleans a used resource so that a stranger may have it. By default nothing can: [`Fitness::Unfit`].
    ///
    /// # Errors
    ///
    /// An error discards the resource, as [`Fitness::Unfit`] does.
    ///
    /// # Cancel safety
    ///
    /// Dropped unfinished at `reset_timeout`, and the resource with it.
    fn reset(
        &self,
        resource: &mut Self::Resource,
        metrics: &Metrics,
    ) -> impl Future<Output = Result<Fitness, Self::Error>> + Send {
        let _ = (resource, metrics);
        ready(Ok(Fitness::Unfit))
    }

    /// Closes a resource. Its place in the pool stays taken until this ends or `close_timeout` has passed.
    ///
    /// By default drops it on a thread meant for blocking work, so that a slow destructor holds up nobody.
    ///
    /// # Cancel safety
    ///
    /// Dropped unfinished at `close_timeout`.
    fn close(&self, resource: Self::Resource) -> impl Future<Output = ()> + Send {
        // A large one would not fit on the stack of that thread.
        let resource = Box::new(resource);
        blocking::unblock(move || drop(resource))
    }

    /// Tells whether creating again soon may help: a refused connection or a server starting up, yes; a wrong password, no.
    ///
    /// A transient failure is retried with back-off while callers wait; any other is told at once to those who depend on it.
    fn is_transient(&self, error: &Self::Error) -> bool {
        let _ = error;
        true
    }
}

/// What [`Manager::on_return`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disposition {
    /// Fit for the next borrower as it is.
    Reuse,
    /// Must go through [`Manager::reset`] first.
    Reset,
    /// Must be closed.
    Discard,
}

/// What [`Manager::reset`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fitness {
    /// As good as new.
    Clean,
    /// Beyond cleaning; the pool closes it.
    Unfit,
}

/// How the last borrower let a resource go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Returned {
    /// Nothing was under way, as far as the pool can see.
    Finished,
    /// Dropped inside `Pooled::run` or `Pool::with`, or, in strict mode, without `Pooled::finish`.
    Cancelled,
    /// Dropped while its thread unwound from a panic.
    Panicked,
}

/// What the pool knows of one resource, for its [`Manager`] and its borrowers.
///
/// Instants on this path come from the pool's tick, so they may lag the clock by one tick (a quarter of the shortest window
/// among the pool's settings, at most one second).
///
/// # Examples
///
/// A manager that lends nothing more than a thousand times:
///
/// ```
/// use millpond::{Disposition, Metrics, Returned};
///
/// fn on_return(returned: Returned, metrics: &Metrics) -> Disposition {
///     match returned {
///         Returned::Finished if metrics.uses() < 1000 => Disposition::Reuse,
///         _ => Disposition::Discard,
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Metrics {
    pub(crate) origin: Instant,
    /// Nanoseconds from the origin, as are the other times.
    pub(crate) created: u64,
    pub(crate) last_used: u64,
    pub(crate) uses: u64,
    pub(crate) epoch: u64,
}

impl Metrics {
    /// Metrics of a resource opened at `created` and never lent, for tests of a [`Manager`].
    #[must_use]
    pub fn new(created: Instant) -> Self {
        Self { origin: created, created: 0, last_used: 0, uses: 0, epoch: 0 }
    }

    /// When the resource was opened.
    #[must_use]
    pub fn created(&self) -> Instant {
        self.origin + Duration::from_nanos(self.created)
    }

    /// When it last came to rest: when it was given back or passed a check, or when it was opened.
    #[must_use]
    pub fn last_used(&self) -> Instant {
        self.origin + Duration::from_nanos(self.last_used)
    }

    /// How often it was lent, the present time included.
    #[must_use]
    pub fn uses(&self) -> u64 {
        self.uses
    }

    /// The pool's epoch when its creation began; `retire_all` begins a new one.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [created, last_used] = [self.created, self.last_used].map(Duration::from_nanos);
        f.debug_struct("Metrics")
            .field("created", &format_args!("{} after the pool was built", Brief(created)))
            .field("last_used", &format_args!("{} after the pool was built", Brief(last_used)))
            .field("uses", &self.uses)
            .field("epoch", &self.epoch)
            .finish()
    }
}
