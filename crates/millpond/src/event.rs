//! What happens in a pool, as told to whoever watches it.

#[cfg(feature = "tracing")]
mod trace;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millpond_core::{CloseReason, ShedReason, SlotId};

#[cfg(feature = "tracing")]
pub use self::trace::TracingSink;
use crate::brief::Brief;
use crate::error::{CreateFault, GetError};
use crate::holders::Holder;

/// Is told what happens in a pool; see [`Builder::event_sink`](crate::Builder::event_sink). Closures are sinks.
///
/// It is called outside every lock, by the thread in which something happened: a caller's, a borrower's that gives back, or one
/// of the runtime's. So it must not block, but it may call the pool; what it causes there is told from inside, and must not cause
/// the same again. A panic in it ends there. While an idle resource changes hands without the desk, nothing is told.
///
/// # Order
///
/// Events are [numbered](Event::number) in the order in which they happened, without a gap. Those of one visit to the desk are
/// told in that order by one thread, once everybody was woken whom they concern; two threads may overtake each other.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use millpond::{Event, EventKind, EventSink};
///
/// #[derive(Default)]
/// struct Closings(AtomicU64);
///
/// impl EventSink for Closings {
///     fn on_event(&self, event: &Event<'_>) {
///         if let EventKind::Closed { reason, .. } = event.kind {
///             self.0.fetch_add(1, Ordering::Relaxed);
///             eprintln!("{}: {reason}", event.pool);
///         }
///     }
/// }
/// ```
pub trait EventSink: Send + Sync + 'static {
    /// Something happened. Must not block.
    fn on_event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> EventSink for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// One thing that happened, with where and when. Its text is one line.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The setting `name` of the pool.
    pub pool: &'a str,
    /// How many events the pool had before it.
    pub number: u64,
    /// When, on the clock of the pool's runtime.
    pub at: Instant,
    /// What. May be cloned, to be dealt with elsewhere.
    pub kind: &'a EventKind,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool `{}`: {}", self.pool, self.kind)
    }
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// A resource was opened.
    #[non_exhaustive]
    Created {
        /// It.
        resource: ResourceId,
        /// How long `Manager::create` took.
        took: Duration,
    },
    /// A resource that was opened elsewhere joined, by `Pool::add`.
    #[non_exhaustive]
    Added {
        /// It.
        resource: ResourceId,
    },
    /// A resource was not opened.
    #[non_exhaustive]
    CreateFailed {
        /// Why.
        failure: Failure,
        /// Whether trying again soon may help.
        transient: bool,
        /// How long `Manager::create` took.
        took: Duration,
        /// How long no other creation will start.
        next_attempt: Duration,
    },
    /// A resource failed its check, and is closed.
    #[non_exhaustive]
    CheckFailed {
        /// It.
        resource: ResourceId,
        /// Why.
        failure: Failure,
        /// How long the check took, from the moment it was ordered.
        took: Duration,
    },
    /// Cleaning a resource failed, and it is closed. That it was found beyond cleaning is no failure, but a reason to close it.
    #[non_exhaustive]
    ResetFailed {
        /// It.
        resource: ResourceId,
        /// Why.
        failure: Failure,
        /// How long the reset took, from the moment it was ordered.
        took: Duration,
    },
    /// `Manager::close` panicked, or did not end in time.
    #[non_exhaustive]
    CloseFailed {
        /// What it was to close.
        resource: ResourceId,
        /// Why.
        failure: Failure,
        /// How long it took, from the moment it was ordered.
        took: Duration,
    },
    /// `Manager::on_return` panicked; the resource is discarded.
    #[non_exhaustive]
    ReturnPanicked {
        /// What was given back.
        resource: ResourceId,
        /// What the panic said.
        message: String,
    },
    /// A resource is gone.
    #[non_exhaustive]
    Closed {
        /// It.
        resource: ResourceId,
        /// Why it was closed.
        reason: CloseReason,
        /// How long it was open.
        age: Duration,
        /// How often it was lent.
        uses: u64,
    },
    /// A borrower keeps a resource for good.
    #[non_exhaustive]
    Detached {
        /// It.
        resource: ResourceId,
        /// How long it was open.
        age: Duration,
        /// How often it was lent.
        uses: u64,
    },
    /// A caller was woken to take a resource and was not polled in time; the resource goes to the next. It has a second, and less
    /// if those before it did not come either, see [`Pool::get`](crate::Pool::get).
    #[non_exhaustive]
    OfferRevoked {
        /// What it did not come for.
        resource: ResourceId,
    },
    /// A `get` ended with an error. What `try_get` answers is not told.
    #[non_exhaustive]
    Refused {
        /// The kind of error.
        reason: RefusalReason,
        /// How long the caller waited.
        waited: Duration,
        /// How many callers stood before it in the end.
        ahead: usize,
        /// Its lane, unless that was the default one.
        lane: Option<Cow<'static, str>>,
        /// Where it called.
        caller: &'static Location<'static>,
        /// What it gave to `label`.
        label: Option<Cow<'static, str>>,
        /// What its own task had taken and not given back: it may have waited for itself. See
        /// [`Snapshot::held_by_caller`](crate::Snapshot::held_by_caller).
        held_by_caller: Vec<Holder>,
    },
    /// The queue of a lane does not drain: from now on callers of it are shed, until `Relieved`. Told once, when it begins, with
    /// everybody who holds a resource then; so a program that knows how to stop its own work can stop what holds longest.
    ///
    /// # Examples
    ///
    /// Each report is labelled with its number, and its task can be aborted by that. The one that has held a resource for
    /// longest, if it is more than a minute, makes room:
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use std::sync::{Arc, Mutex};
    /// # use std::time::Duration;
    /// # use futures::future::AbortHandle;
    /// # use millpond::{Builder, Event, EventKind, Manager};
    /// # fn example<M: Manager>(builder: Builder<M>, reports: Arc<Mutex<HashMap<String, AbortHandle>>>) -> Builder<M> {
    /// builder.event_sink(move |event: &Event<'_>| {
    ///     let EventKind::Overloaded { holders, .. } = event.kind else { return };
    ///     let Ok(reports) = reports.lock() else { return };
    ///     let long = holders.iter().take_while(|holder| holder.held_for > Duration::from_secs(60));
    ///     if let Some(report) = long.flat_map(|holder| reports.get(&**holder.label.as_ref()?)).next() {
    ///         report.abort();
    ///     }
    /// })
    /// # }
    /// ```
    #[non_exhaustive]
    Overloaded {
        /// Its name; [`Lane::DEFAULT`](crate::Lane::DEFAULT) for that of callers who name none.
        lane: Cow<'static, str>,
        /// How many of its callers wait.
        waiting: usize,
        /// Who holds a resource, in whatever lane, the longest first.
        holders: Vec<Holder>,
    },
    /// A lane is overloaded no more: nobody had to be shed for a while, or what its callers wait for now is not each other, because
    /// the pool is paused, closing, or without anything open.
    #[non_exhaustive]
    Relieved {
        /// Its name.
        lane: Cow<'static, str>,
        /// For how long it was overloaded.
        lasted: Duration,
    },
    /// A resource has been lent for longer than `leak_after`. Told once for each lease.
    #[non_exhaustive]
    LeakSuspected {
        /// It.
        resource: ResourceId,
        /// Who has it.
        holder: Holder,
    },
    /// A suspected leak was none: the lease has ended.
    #[non_exhaustive]
    CameBack {
        /// What was lent.
        resource: ResourceId,
        /// Who had it. How long may be short by a few ticks.
        holder: Holder,
    },
    /// A task drives the pool from now on.
    #[non_exhaustive]
    DriverStarted {
        /// Which one: they are counted from 1.
        number: u64,
        /// The one in whose place it is, if that one was there and had stopped moving.
        instead_of: Option<u64>,
    },
    /// The task that drove the pool was dropped, as happens when its runtime shuts down. The next caller starts another.
    #[non_exhaustive]
    DriverLost {
        /// Which one.
        number: u64,
    },
    /// `pause` was called.
    Paused,
    /// `resume` was called.
    Resumed,
    /// `resize` was called.
    #[non_exhaustive]
    Resized {
        /// The greatest size before.
        from: usize,
        /// The greatest size from now on.
        to: usize,
    },
    /// `retire_all` was called.
    #[non_exhaustive]
    RetiredAll {
        /// The epoch that began.
        epoch: u64,
        /// What was given to `retire_all`.
        spread: Duration,
    },
    /// The pool is closing: nobody is served any more.
    Closing,
    /// The last resource of a pool that was closing is gone.
    Drained,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { resource } => write!(f, "resource {resource} added"),
            Self::Created { resource, took } => {
                write!(f, "resource {resource} opened in {}", Brief(*took))
            }
            Self::CreateFailed { failure, transient, took, next_attempt } => {
                let hope = if *transient { "" } else { "for good " };
                let (took, next) = (Brief(*took), Brief(*next_attempt));
                write!(f, "creating failed {hope}after {took}: {failure}; no other try for {next}")
            }
            Self::CheckFailed { resource, failure, took } => {
                write!(f, "check of resource {resource} failed after {}: {failure}", Brief(*took))
            }
            Self::ResetFailed { resource, failure, took } => {
                write!(f, "reset of resource {resource} failed after {}: {failure}", Brief(*took))
            }
            Self::CloseFailed { resource, failure, took } => {
                write!(f, "close of resource {resource} failed after {}: {failure}", Brief(*took))
            }
            Self::ReturnPanicked { resource, message } => {
                write!(f, "on_return of resource {resource} panicked: {message}")
            }
            Self::Closed { resource, reason, age, uses } => write!(
                f,
                "resource {resource} closed, {reason}; {} old, lent {uses} times",
                Brief(*age)
            ),
            Self::Detached { resource, age, uses } => {
                write!(f, "resource {resource} detached; {} old, lent {uses} times", Brief(*age))
            }
            Self::OfferRevoked { resource } => {
                write!(f, "nobody came for resource {resource}, which was offered to a caller")
            }
            Self::Refused { reason, waited, caller, held_by_caller, .. } => {
                let waited = Brief(*waited);
                write!(f, "a caller was refused after {waited}: {reason}; from {caller}")?;
                match held_by_caller.first() {
                    Some(own) => write!(f, "; its task itself held {own}"),
                    None => Ok(()),
                }
            }
            Self::Overloaded { lane, waiting, holders } => {
                write!(
                    f,
                    "lane `{lane}` is overloaded: {waiting} wait in a queue that does not drain"
                )?;
                match holders.first() {
                    Some(holder) => write!(f, "; held longest {holder}"),
                    None => Ok(()),
                }
            }
            Self::Relieved { lane, lasted } => {
                write!(f, "lane `{lane}` is no longer overloaded, after {}", Brief(*lasted))
            }
            Self::LeakSuspected { resource, holder } => {
                write!(f, "resource {resource} may be leaked: held {holder}")
            }
            Self::CameBack { resource, holder } => {
                write!(f, "resource {resource} is no leak, but was held {holder}")
            }
            Self::DriverStarted { number, instead_of: None } => {
                write!(f, "driver {number} started")
            }
            Self::DriverStarted { number, instead_of: Some(old) } => {
                write!(f, "driver {number} started instead of {old}, which had stopped moving")
            }
            Self::DriverLost { number } => write!(f, "driver {number} was dropped"),
            Self::Paused => f.write_str("paused"),
            Self::Resumed => f.write_str("resumed"),
            Self::Resized { from, to } => write!(f, "max_size changed from {from} to {to}"),
            Self::RetiredAll { epoch, spread } => {
                write!(f, "all retired within {}: epoch {epoch} began", Brief(*spread))
            }
            Self::Closing => f.write_str("closing"),
            Self::Drained => f.write_str("drained"),
        }
    }
}

/// One resource in the events of its pool: its place there, and which of the place's resources it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(pub(crate) SlotId);

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.index(), self.0.generation())
    }
}

/// Why something that a manager was to do was not done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The manager said so.
    Error(Arc<dyn Error + Send + Sync>),
    /// It panicked with this message.
    Panicked(String),
    /// It did not end within its timeout, and was abandoned.
    TimedOut,
    /// Its task was dropped, as happens when a runtime shuts down.
    Stopped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "it panicked: {message}"),
            Self::TimedOut => f.write_str("it did not end within its timeout"),
            Self::Stopped => f.write_str("it was stopped together with its runtime"),
        }
    }
}

impl From<&CreateFault> for Failure {
    fn from(fault: &CreateFault) -> Self {
        match fault {
            CreateFault::Panicked(message) => Self::Panicked(message.clone()),
            CreateFault::TimedOut => Self::TimedOut,
            CreateFault::Stopped => Self::Stopped,
        }
    }
}

/// Why a `get` got nothing: the variants of [`GetError`], without what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// See [`GetError::Timeout`].
    Timeout,
    /// See [`GetError::TooManyWaiters`].
    TooManyWaiters,
    /// See [`GetError::Shed`].
    Shed(ShedReason),
    /// See [`GetError::Create`] and [`GetError::CreateFault`].
    CreateFailed,
    /// See [`GetError::Closed`].
    Closed,
    /// See [`GetError::NoRuntime`].
    NoRuntime,
    /// See [`GetError::UnknownLane`].
    UnknownLane,
}

impl RefusalReason {
    /// In a forked child nobody is told anything.
    pub(crate) fn of<E>(error: &GetError<E>) -> Option<Self> {
        Some(match error {
            GetError::Timeout(_) => Self::Timeout,
            GetError::TooManyWaiters { .. } => Self::TooManyWaiters,
            GetError::Shed { reason, .. } => Self::Shed(*reason),
            GetError::UnknownLane { .. } => Self::UnknownLane,
            GetError::Create(..) | GetError::CreateFault(..) => Self::CreateFailed,
            GetError::Closed(_) => Self::Closed,
            GetError::NoRuntime(_) => Self::NoRuntime,
            GetError::Forked(_) => return None,
        })
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "its time was up",
            Self::TooManyWaiters => "as many callers wait as may",
            Self::Shed(ShedReason::Overloaded) => {
                "the queue does not drain, and it was one too many"
            }
            Self::Shed(ShedReason::WaitedTooLong) => {
                "it had waited too long in a queue that does not drain"
            }
            Self::Shed(ShedReason::PredictedTooLate) => {
                "its turn would have come after its deadline"
            }
            Self::Shed(ShedReason::DeadlineTooClose) => {
                "its deadline was too close when its turn came"
            }
            Self::Shed(_) => "there were too many callers",
            Self::UnknownLane => "there is no such lane",
            Self::CreateFailed => "creating a resource failed",
            Self::Closed => "the pool is closed",
            Self::NoRuntime => "nobody drives the pool, and there is no async runtime here",
        })
    }
}
