//! The pool as a refused caller is shown it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millpond_core::{Hold, Phase, Refusal, ShedReason};

use crate::brief::Brief;
use crate::holders::Holder;

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
    /// The lane of this caller, unless that was the default one.
    pub lane: Option<Cow<'static, str>>,
    /// How long the queue of that lane had not drained, so that callers were shed; `None` if it did.
    pub overloaded_for: Option<Duration>,
    /// How long resources were held of late, if anybody had to wait for one.
    pub hold: Option<Hold>,
    /// How many callers stood before this one when it was refused: of its own lane, but of all lanes if its turn would have come
    /// too late. For one that gave up, more than a thousand are not counted.
    pub ahead: usize,
    /// How long this caller waited.
    pub waited: Duration,
    /// What it waited for, and how long for each, the longest first.
    pub phases: Vec<(Phase, Duration)>,
    /// Why the last creation failed, if none has succeeded since.
    pub last_create_error: Option<Arc<dyn Error + Send + Sync>>,
    /// How long no creation will be tried, if one failed a short while ago.
    pub backing_off: Option<Duration>,
    /// Up to three of those who held a resource, the longest first, for who has waited for one of them.
    pub oldest_holders: Vec<Holder>,
    /// What the caller's own task had taken and not given back, the longest first: while it waits with a resource in its hands,
    /// a task may be waiting for itself.
    ///
    /// It is a hint, for those who waited in vain and for [`GetError::NoRuntime`](crate::GetError::NoRuntime). It is there if the adapter can name tasks
    /// ([`Runtime::task`](crate::Runtime::task)), for resources that were handed out at the desk: the first ones, and all that somebody had
    /// to wait for. One that the task found idle, by self-service, bears no name and is missing, unless the pool was built
    /// [`without_self_service`](crate::Builder::without_self_service). A guard that was sent to another task counts as held by
    /// the one that took it, and the branches of a `join!` are one task.
    pub held_by_caller: Vec<Holder>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry_after: Option<Duration>,
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
            lane: None,
            overloaded_for: None,
            hold: None,
            ahead: 0,
            waited: Duration::ZERO,
            phases: Vec::new(),
            last_create_error: None,
            backing_off: None,
            oldest_holders: Vec::new(),
            held_by_caller: Vec::new(),
            timeout: None,
            retry_after: None,
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
        self.retry_after = Some(refusal.retry_after).filter(|after| !after.is_zero());
    }

    /// A timeout in one line: which phase, how many of what, why, and who.
    pub(super) fn tell_timeout(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

    /// Why it was shed, in one line: at what point, for what reason, and when to come again.
    pub(super) fn tell_shed(&self, reason: ShedReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waited = Brief(self.waited);
        match reason {
            ShedReason::Overloaded => {
                write!(f, "{self}: shed on arrival, because the queue {}", NotDrained(self))?;
                f.write_str(" and as many wait as keep all resources busy")?;
            }
            ShedReason::WaitedTooLong => {
                write!(f, "{self}: shed after {waited} in a queue that {}", NotDrained(self))?;
                f.write_str(", more than twice as long as a wait should be")?;
            }
            ShedReason::PredictedTooLate => {
                write!(
                    f,
                    "{self}: shed on arrival, because with {} ahead in the queue",
                    self.ahead
                )?;
                f.write_str(" its turn would come after its deadline")?;
                if let Some(hold) = self.hold {
                    write!(f, ": a resource is held for {} on average", Brief(hold.mean))?;
                }
            }
            ShedReason::DeadlineTooClose => {
                write!(f, "{self}: shed when its turn came after {waited}, because less time was")?;
                f.write_str(" left before its deadline than nine of ten leases take")?;
                if let Some(hold) = self.hold {
                    write!(f, ", which is {}", Brief(hold.p90))?;
                }
            }
            _ => f.write_str("shed")?,
        }
        self.tell_retry(f)?;
        self.tell_holder(f)
    }

    pub(super) fn tell_retry(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after {
            Some(after) => write!(f, "; retry after {}", Brief(after)),
            None => Ok(()),
        }
    }

    pub(super) fn tell_holder(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        write!(f, "pool `{}`", self.pool)?;
        if let Some(lane) = &self.lane {
            write!(f, ", lane `{lane}`")?;
        }
        write!(
            f,
            " ({} of {} lent, {} idle, {} being created, {} waiting)",
            self.leased, self.max, self.idle, self.creating, self.waiting
        )
    }
}

/// For how long a queue has not drained, as far as is known: it may have by the time its caller is told.
struct NotDrained<'a>(&'a Snapshot);

impl fmt::Display for NotDrained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.overloaded_for.filter(|time| !time.is_zero()) {
            Some(time) => write!(f, "has not drained for {}", Brief(time)),
            None => f.write_str("did not drain"),
        }
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
