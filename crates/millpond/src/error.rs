//! What callers are told when they get nothing: one enum for each operation, with what the pool looked like.

mod snapshot;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millpond_core::{Phase, ShedReason, Why};
use thiserror::Error;

pub use self::snapshot::Snapshot;
use crate::builder::BuildError;

/// Why [`Pool::get`](crate::Pool::get) did not yield a resource.
///
/// `E` is the error of the [`Manager`](crate::Manager). Every variant carries a [`Snapshot`] of the pool as it was then, and the
/// message begins with it. The cause, if there is one, is the `source()`.
///
/// # Examples
///
/// ```no_run
/// # use millpond::GetError;
/// # fn example<E: std::error::Error + Send + Sync + 'static>(error: GetError<E>) {
/// match &error {
///     _ if error.is_overload() => { /* 503, and try again after `error.retry_after()` */ }
///     GetError::Create(cause, _) => eprintln!("the server refuses us: {cause}"),
///     _ => eprintln!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum GetError<E> {
    /// The deadline passed first. The message says what the time was spent on; if creating failed meanwhile, the last such
    /// error is the source.
    Timeout(Box<Snapshot>),
    /// As many callers wait as may.
    #[non_exhaustive]
    TooManyWaiters {
        /// The setting `max_waiters`, of the pool or of the caller's lane.
        limit: usize,
        /// The pool as it was then.
        snapshot: Box<Snapshot>,
    },
    /// More callers came than can be served in time, and it is better for all that this one knows now; see
    /// [`Builder::overload`](crate::Builder::overload).
    #[non_exhaustive]
    Shed {
        /// Why this one, and when.
        reason: ShedReason,
        /// After what time asking again may help: what the pool needs for those who wait and for those it has just refused, at
        /// the pace of late, and up to as much again at random, so that not all come back together. Zero if nothing is known.
        retry_after: Duration,
        /// The pool as it was then.
        snapshot: Box<Snapshot>,
    },
    /// Nothing is open, and creating failed in a way that waiting will not mend, or too often in a row
    /// (`fail_fast_after`). One failure may reach many callers.
    Create(Arc<E>, Box<Snapshot>),
    /// The same, but what failed was not the manager's answer: it panicked, hung or was stopped.
    CreateFault(Arc<CreateFault>, Box<Snapshot>),
    /// The pool is closing or closed.
    Closed(Box<Snapshot>),
    /// The caller would have to wait, but nobody drives the pool: its runtime is gone, and there is none here. What lies idle
    /// is served all the same.
    NoRuntime(Box<Snapshot>),
    /// The pool was built without a lane of this name. Nothing was asked for.
    #[non_exhaustive]
    UnknownLane {
        /// What was given to [`Get::lane`](crate::Get::lane).
        lane: Cow<'static, str>,
        /// The pool as it was then.
        snapshot: Box<Snapshot>,
    },
    /// This process was forked from one that had used the pool before: everything in it is the parent's. Build another pool in
    /// the child. Its snapshot tells nothing but the name. See [the limits](crate#forking).
    Forked(Box<Snapshot>),
}

impl<E> GetError<E> {
    /// The pool as it was then.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        match self {
            Self::Timeout(snapshot)
            | Self::TooManyWaiters { snapshot, .. }
            | Self::Shed { snapshot, .. }
            | Self::UnknownLane { snapshot, .. }
            | Self::Create(_, snapshot)
            | Self::CreateFault(_, snapshot)
            | Self::Closed(snapshot)
            | Self::NoRuntime(snapshot)
            | Self::Forked(snapshot) => snapshot,
        }
    }

    /// Whether there were more callers than the pool can serve: answer "busy" rather than "broken".
    #[must_use]
    pub fn is_overload(&self) -> bool {
        match self {
            Self::TooManyWaiters { .. } | Self::Shed { .. } => true,
            Self::Timeout(snapshot) => match snapshot.longest_phase() {
                Some(phase) => phase == Phase::Exhausted,
                None => snapshot.leased >= snapshot.max,
            },
            _ => false,
        }
    }

    /// Whether asking again later may help without anybody mending anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout(_)
            | Self::TooManyWaiters { .. }
            | Self::Shed { .. }
            | Self::CreateFault(..)
            | Self::NoRuntime(_) => true,
            Self::Create(_, snapshot) => snapshot.create_error_is_transient,
            Self::Closed(_) | Self::UnknownLane { .. } | Self::Forked(_) => false,
        }
    }

    /// How long to wait before asking again, if the pool can tell: until it creates again, or, of a pool with more callers than
    /// it can serve, until it has served those who came before. That time is random in part, so that those who were refused
    /// together do not come back together. The latter is not known to one whose time was up, to anybody under
    /// [`Overload::Fifo`](crate::Overload), or before the pool has seen a few leases end while others waited.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let snapshot = self.snapshot();
        snapshot.backing_off.max(snapshot.retry_after).filter(|_| self.is_retryable())
    }
}

impl<E> fmt::Display for GetError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot();
        match self {
            Self::Timeout(_) => snapshot.tell_timeout(f),
            Self::TooManyWaiters { limit, .. } => {
                write!(f, "{snapshot}: as many callers wait as may (max_waiters is {limit})")?;
                snapshot.tell_retry(f)
            }
            Self::Shed { reason, .. } => snapshot.tell_shed(*reason, f),
            Self::UnknownLane { lane, .. } => write!(f, "{snapshot}: it has no lane `{lane}`"),
            Self::Create(..) | Self::CreateFault(..) => {
                write!(f, "{snapshot}: creating a resource failed")
            }
            Self::Closed(_) => write!(f, "{snapshot}: the pool is closed"),
            Self::NoRuntime(_) => {
                let why = "nobody drives the pool, and there is no async runtime here to wait on";
                write!(f, "{snapshot}: {why}")?;
                snapshot.tell_holder(f)
            }
            Self::Forked(_) => write!(
                f,
                "pool `{}` belongs to the process that this one was forked from",
                snapshot.pool
            ),
        }
    }
}

impl<E: Error + Send + Sync + 'static> Error for GetError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Timeout(snapshot) => {
                snapshot.last_create_error.as_deref().map(|error| error as _)
            }
            Self::Create(error, _) => Some(&**error),
            Self::CreateFault(fault, _) => Some(&**fault),
            Self::TooManyWaiters { .. }
            | Self::Shed { .. }
            | Self::UnknownLane { .. }
            | Self::Closed(_)
            | Self::NoRuntime(_)
            | Self::Forked(_) => None,
        }
    }
}

/// Why [`Pool::try_get`](crate::Pool::try_get) did not yield a resource.
///
/// # Examples
///
/// ```
/// use millpond::TryGetError;
///
/// /// Whether to ask again in a moment.
/// fn comes_soon(error: TryGetError) -> bool {
///     matches!(error, TryGetError::Creating | TryGetError::Checking)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum TryGetError {
    /// Every resource is lent, or others wait for the next.
    #[error("every resource is lent")]
    Exhausted,
    /// A resource is being created; it goes to the next who asks.
    #[error("a resource is being created")]
    Creating,
    /// An idle resource is being checked; it goes to the next who asks.
    #[error("an idle resource is being checked")]
    Checking,
    /// Nothing is open, and the last creation failed.
    #[error("creating a resource failed")]
    CreateFailed,
    /// The pool is paused.
    #[error("the pool is paused")]
    Paused,
    /// The pool is closing or closed.
    #[error("the pool is closed")]
    Closed,
    /// This process was forked from one that had used the pool before; see [`GetError::Forked`].
    #[error("the pool belongs to the process that this one was forked from")]
    Forked,
}

impl TryGetError {
    pub(crate) fn new(why: Why) -> Self {
        match why {
            Why::Exhausted | Why::Full | Why::TooManyWaiters | Why::Shed(_) | Why::Deadline => {
                Self::Exhausted
            }
            Why::Creating => Self::Creating,
            Why::Checking => Self::Checking,
            Why::CreateFailed => Self::CreateFailed,
            Why::Paused => Self::Paused,
            Why::Closed => Self::Closed,
        }
    }
}

/// Why [`Builder::build_ready`](crate::Builder::build_ready) did not yield a pool. `E` is the error of the
/// [`Manager`](crate::Manager).
///
/// # Examples
///
/// ```
/// use millpond::BuildReadyError;
///
/// /// Whether it is worth while to start the program again.
/// fn may_pass<E>(error: &BuildReadyError<E>) -> bool {
///     match error {
///         BuildReadyError::Get(error) => error.is_retryable(),
///         _ => false,
///     }
/// }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildReadyError<E> {
    /// The settings make no sense.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There was no resource in time.
    #[error(transparent)]
    Get(#[from] GetError<E>),
}

/// What went wrong with a creation, other than that the manager said so. The pool takes each of them for transient.
///
/// # Examples
///
/// ```
/// use millpond::CreateFault;
///
/// let fault = CreateFault::Panicked("index out of bounds".to_owned());
/// assert_eq!(fault.to_string(), "create panicked: index out of bounds");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum CreateFault {
    /// `Manager::create` panicked with this message.
    #[error("create panicked: {0}")]
    Panicked(String),
    /// `Manager::create` did not end within `create_timeout`.
    #[error("create did not end within create_timeout")]
    TimedOut,
    /// The task was dropped, as happens when its runtime shuts down.
    #[error("create was stopped together with its runtime")]
    Stopped,
}

/// The last failed creation, if none has succeeded since.
#[derive(Debug)]
pub(crate) struct CreateFailure<E> {
    pub(crate) transient: bool,
    pub(crate) cause: Cause<E>,
}

/// Why it failed.
#[derive(Debug)]
pub(crate) enum Cause<E> {
    Error(Arc<E>),
    Fault(Arc<CreateFault>),
}

impl<E> CreateFailure<E> {
    pub(crate) fn error(error: E, transient: bool) -> Self {
        Self { transient, cause: Cause::Error(Arc::new(error)) }
    }

    pub(crate) fn fault(fault: CreateFault) -> Self {
        Self { transient: true, cause: Cause::Fault(Arc::new(fault)) }
    }
}

impl<E> Clone for Cause<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Error(error) => Self::Error(Arc::clone(error)),
            Self::Fault(fault) => Self::Fault(Arc::clone(fault)),
        }
    }
}
