//! What callers are told when they get nothing: one enum for each operation, with what the pool looked like.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millpond_core::{Phase, Refusal, Why};
use thiserror::Error;

use crate::brief::Brief;
use crate::builder::BuildError;
use crate::holders::Holder;

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
        /// The setting `max_waiters`.
        limit: usize,
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
            Self::TooManyWaiters { .. } => true,
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
            | Self::CreateFault(..)
            | Self::NoRuntime(_) => true,
            Self::Create(_, snapshot) => snapshot.create_error_is_transient,
            Self::Closed(_) | Self::Forked(_) => false,
        }
    }

    /// How long to wait before asking again, if the pool can tell: until it creates again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.snapshot().backing_off.filter(|_| self.is_retryable())
    }
}

impl<E> fmt::Display for GetError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot();
        match self {
            Self::Timeout(_) => snapshot.tell_timeout(f),
            Self::TooManyWaiters { limit, .. } => {
                write!(f, "{snapshot}: as many callers wait as may (max_waiters is {limit})")
            }
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

/// A pool as it was when a caller was refused, and what the caller had gone through.
///
/// # Examples
///
/// ```no_run
/// # use millpond::GetError;
/// # fn example<E: std::error::Error + Send + Sync + 'static>(error: GetError<E>) {
/// let snapshot = error.snapshot();
/// eprintln!("{} of {} lent after {:?}", snapshot.leased, snapshot.max, snapshot.waited);
/// if let Some(holder) = snapshot.oldest_holders.first() {
///     eprintln!("held longest {holder}");
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The setting `name`.
    pub pool: String,
    /// The setting `max_size`, or what `resize` made of it.
    pub max: usize,
    /// Resources in use, or set aside for a caller that was about to take one.
    pub leased: usize,
    /// Resources that lay idle.
    pub idle: usize,
    /// Resources being opened.
    pub creating: usize,
    /// Resources being checked.
    pub checking: usize,
    /// Resources being cleaned.
    pub resetting: usize,
    /// Resources being closed.
    pub closing: usize,
    /// Callers in the queue.
    pub waiting: usize,
    /// How many of them stood before this one when it was refused; more than a thousand are not counted.
    pub ahead: usize,
    /// How long this caller waited.
    pub waited: Duration,
    /// What it waited for, and how long for each, the longest first.
    pub phases: Vec<(Phase, Duration)>,
    /// Why the last creation failed, if none has succeeded since.
    pub last_create_error: Option<Arc<dyn Error + Send + Sync>>,
    /// How long no creation will be tried, if one failed a short while ago.
    pub backing_off: Option<Duration>,
    /// Up to three of those who held a resource, the longest first.
    pub oldest_holders: Vec<Holder>,
    /// What the caller's own task had taken and not given back, the longest first: while it waits with a resource in its hands,
    /// a task may be waiting for itself.
    ///
    /// It is a hint, for timeouts and [`GetError::NoRuntime`]. It is there if the adapter can name tasks
    /// ([`Runtime::task`](crate::Runtime::task)), for resources that were handed out at the desk: the first ones, and all that somebody had
    /// to wait for. One that the task found idle, by self-service, bears no name and is missing, unless the pool was built
    /// [`without_self_service`](crate::Builder::without_self_service). A guard that was sent to another task counts as held by
    /// the one that took it, and the branches of a `join!` are one task.
    pub held_by_caller: Vec<Holder>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) create_error_is_transient: bool,
}

impl Snapshot {
    /// What is known of a pool that is somebody else's.
    pub(crate) fn nothing(pool: String) -> Self {
        Self {
            pool,
            max: 0,
            leased: 0,
            idle: 0,
            creating: 0,
            checking: 0,
            resetting: 0,
            closing: 0,
            waiting: 0,
            ahead: 0,
            waited: Duration::ZERO,
            phases: Vec::new(),
            last_create_error: None,
            backing_off: None,
            oldest_holders: Vec::new(),
            held_by_caller: Vec::new(),
            timeout: None,
            create_error_is_transient: true,
        }
    }

    /// What took most of the waiting.
    #[must_use]
    pub fn longest_phase(&self) -> Option<Phase> {
        self.phases.first().map(|(phase, _)| *phase)
    }

    pub(crate) fn tell(&mut self, refusal: &Refusal) {
        self.ahead = refusal.ahead as usize;
        self.waited = refusal.waited;
        self.phases = refusal.phases.longest_first();
    }

    /// A timeout in one line: which phase, how many of what, why, and who.
    fn tell_timeout(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.timeout.unwrap_or(self.waited);
        if time.is_zero() {
            write!(f, "{self}: no resource at once")?;
        } else {
            write!(f, "{self}: no resource within {}", Brief(time))?;
        }
        for (i, (phase, time)) in self.phases.iter().enumerate() {
            let before = if i == 0 { ", of which" } else { "," };
            write!(f, "{before} {} {}", Brief(*time), describe(*phase))?;
        }
        write!(f, "; {} ahead in the queue", self.ahead)?;
        if let Some(error) = &self.last_create_error {
            write!(f, "; creating failed last with: {error}")?;
        }
        self.tell_holder(f)
    }

    fn tell_holder(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest_holders.first() {
            Some(holder) => write!(f, "; held longest {holder}")?,
            None => return Ok(()),
        }
        match self.held_by_caller.first() {
            Some(own) => write!(
                f,
                "; this task took {} of them itself and may be waiting for itself: held {own}",
                self.held_by_caller.len()
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pool `{}` ({} of {} lent, {} idle, {} being created, {} waiting)",
            self.pool, self.leased, self.max, self.idle, self.creating, self.waiting
        )
    }
}

fn describe(phase: Phase) -> &'static str {
    match phase {
        Phase::Exhausted => "with every resource lent",
        Phase::Creating => "while a resource was being created",
        Phase::BackingOff => "in back-off after failed creations",
        Phase::Checking => "while an idle resource was being checked",
        Phase::Clearing => "while used resources were being cleaned or closed",
        Phase::Paused => "while the pool was paused",
        _ => "otherwise",
    }
}
