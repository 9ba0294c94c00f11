//! The settings of a pool: each with its default and the reason for it, checked together when the pool is built.

mod capacity;
mod check;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millpond_core::{Config, Core, Overload};

pub use self::check::BuildError;
pub(crate) use self::check::GREATEST_SIZE;
use crate::common::Common;
use crate::desk::{Care, Hub};
use crate::error::BuildReadyError;
use crate::event::EventSink;
use crate::lanes::{Lane, Lanes};
use crate::manager::Manager;
use crate::pool::Pool;
use crate::pooled::Pooled;
use crate::runtime::Runtime;
use crate::shelf::WIDEST;

/// Settings of a pool. Begin with [`Pool::builder`], end with [`build`](Self::build).
///
/// Where a duration may be "never", that is `Duration::MAX`. Setters may come in any order, and of two calls of one the last
/// holds; only [`lane`](Self::lane) adds to what was there. Nothing is checked before `build`, and nothing panics. No time may be
/// zero but `check_after_idle` and a lane's head start.
///
/// # Examples
///
/// ```no_run
/// # use millpond::{BuildError, Manager, Pool, Runtime};
/// # fn example<M: Manager>(manager: M, runtime: impl Runtime) -> Result<(), BuildError> {
/// use std::time::Duration;
///
/// let pool = Pool::builder(manager)
///     .name("orders")
///     .max_size(20)
///     .max_waiters(200)
///     .get_timeout(Duration::from_secs(2))
///     .create_timeout(Duration::from_secs(5))
///     .idle_timeout(Duration::from_secs(60))
///     .max_lifetime(Duration::MAX)
///     .create_backoff(Duration::from_millis(20), Duration::from_secs(1))
///     .build(runtime)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build`"]
#[derive(Clone)]
pub struct Builder<M> {
    manager: M,
    name: String,
    max_size: usize,
    min_idle: usize,
    max_waiters: usize,
    lanes: Vec<Lane>,
    overload: Overload,
    max_creating: Option<usize>,
    get_timeout: Duration,
    strict_return: bool,
    self_service: bool,
    fail_fast_after: Option<usize>,
    lifetime_jitter: u32,
    sink: Option<Arc<dyn EventSink>>,
    leak_after: Duration,
    times: Config,
}

impl<M: Manager> Builder<M> {
    /// The greatest `max_size`.
    pub const GREATEST_SIZE: usize = GREATEST_SIZE;

    pub(crate) fn new(manager: M) -> Self {
        Self {
            manager,
            name: "pool".to_owned(),
            max_size: 10,
            min_idle: 0,
            max_waiters: 1024,
            lanes: Vec::new(),
            overload: Overload::Auto,
            max_creating: None,
            get_timeout: Duration::from_secs(30),
            strict_return: false,
            self_service: true,
            fail_fast_after: None,
            lifetime_jitter: 25,
            sink: None,
            leak_after: Duration::MAX,
            times: Config::default(),
        }
    }

    /// What the pool is called in errors and in `Debug`. Default: `pool`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The greatest number of resources at any moment, whatever they are doing: 1 to [`GREATEST_SIZE`](Self::GREATEST_SIZE).
    /// Default: 10, which the usual database server bears from every client.
    pub fn max_size(mut self, max_size: usize) -> Self {
        self.max_size = max_size;
        self
    }

    /// How many resources lie idle at least, as far as there is room for them: 0 to `max_size`. They are opened as soon as the
    /// pool is built, within `max_creating` and the back-off; what is taken is made up for within a tick (a quarter of the
    /// shortest window among the settings, at most one second); `idle_timeout` closes none of the last so many; and what
    /// grows too old is replaced first, if there is room. `resize` below it is legal: the pool then keeps as many as may be.
    ///
    /// Default: 0, so that a pool that nobody uses holds nothing at the server. Worth more where opening takes long and
    /// callers come in bursts.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn example<M: millpond::Manager>(manager: M, runtime: impl millpond::Runtime) -> Result<(), millpond::BuildError> {
    /// let pool = millpond::Pool::builder(manager).max_size(20).min_idle(4).build(runtime)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn min_idle(mut self, min_idle: usize) -> Self {
        self.min_idle = min_idle;
        self
    }

    /// The greatest number of callers that wait in the default lane, and in each [`lane`](Self::lane) that has no such setting
    /// of its own; more are refused at once. From 0, which is exact, so that nobody ever waits, to 2³¹ - 1. Default: 1024, so that
    /// memory is bounded even if nobody thinks of it.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// What becomes of callers when more come than can be served. Default: [`Overload::Auto`], because a queue that does not
    /// drain serves everybody too late and nobody in time; [`guide::overload`](crate::guide::overload) tells what it does. No
    /// [`Overload::TargetWait`] may be zero.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use millpond::{BuildError, Manager, Pool, Runtime};
    /// # fn example<M: Manager>(manager: M, batch: M, runtime: impl Runtime + Clone) -> Result<(), BuildError> {
    /// use std::time::Duration;
    /// use millpond::Overload;
    ///
    /// // Nobody should wait for longer than that as a rule.
    /// let wait = Duration::from_millis(50);
    /// let pool = Pool::builder(manager).overload(Overload::TargetWait(wait)).build(runtime.clone())?;
    /// // Jobs of the night have time, and are to be done all of them.
    /// let batch = Pool::builder(batch).overload(Overload::Fifo).build(runtime)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn overload(mut self, overload: Overload) -> Self {
        self.overload = overload;
        self
    }

    /// Adds a queue of its own for some of the callers, who ask by [`get().lane(…)`](crate::Get::lane). At most
    /// [`Lane::MOST`], each with a name of its own. Default: none beside the default lane, which is for everybody else.
    ///
    /// # Examples
    ///
    /// See [`Lane`].
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lanes.push(lane);
        self
    }

    /// The greatest number of creations at a time, from 1 to `max_size`. Default: a quarter of `max_size`, from 1 to 8, so that a restart
    /// is no connection storm. Does not follow a later `resize`.
    ///
    /// While something is lent, more than one begins only for callers whom returns will not serve before it could be ready, as
    /// far as can be told from a quarter of the time that a creation takes; or when a queue has lasted for all of that time.
    pub fn max_creating(mut self, max_creating: usize) -> Self {
        self.max_creating = Some(max_creating);
        self
    }

    /// How long a `get` waits unless it says otherwise. Default: 30 s, the custom of the field.
    pub fn get_timeout(mut self, timeout: Duration) -> Self {
        self.get_timeout = timeout;
        self
    }

    /// How long one creation may take before it is abandoned. Default: 10 s, three TCP retransmissions and a login.
    pub fn create_timeout(mut self, timeout: Duration) -> Self {
        self.times.create_timeout = timeout;
        self
    }

    /// How long one check may take before the resource is given up. Default: 3 s, one TCP retransmission and an answer: it is
    /// what a dead connection costs a caller.
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        self.times.check_timeout = timeout;
        self
    }

    /// How long one reset may take before the resource is given up. Default: 3 s, as for checks.
    pub fn reset_timeout(mut self, timeout: Duration) -> Self {
        self.times.reset_timeout = timeout;
        self
    }

    /// How long one close may take before its place is freed regardless. Default: 5 s; nobody waits for it.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.times.close_timeout = timeout;
        self
    }

    /// How long a resource may lie idle and be lent again without a check. Zero checks always, so that `try_get` only ever starts
    /// a check. Default: 1 s: a busy pool never checks, a quiet one always does.
    pub fn check_after_idle(mut self, window: Duration) -> Self {
        self.times.check_after_idle = window;
        self
    }

    /// How long a resource may lie idle before it is checked where it lies, whether or not anybody asks for it. At most a quarter
    /// of what lies idle, rounded up, is away for that at a time, and what fails makes the others suspect as any failed check
    /// does. A check is no use: `idle_timeout` goes on counting. With more than `idle_timeout` (unless `min_idle` keeps some
    /// longer) or `max_lifetime` it would never come, so that is refused.
    ///
    /// Default: off (`Duration::MAX`), because `check_after_idle` protects callers as well and costs a quiet pool nothing. Worth
    /// its round trips where something on the way forgets silent connections, or where callers should not be those who
    /// find out.
    ///
    /// # Examples
    ///
    /// A firewall on the way forgets connections that were silent for six minutes:
    ///
    /// ```no_run
    /// # fn example<M: millpond::Manager>(manager: M, runtime: impl millpond::Runtime) -> Result<(), millpond::BuildError> {
    /// use std::time::Duration;
    ///
    /// let every = Duration::from_secs(300);
    /// let pool = millpond::Pool::builder(manager).keepalive(every).build(runtime)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn keepalive(mut self, keepalive: Duration) -> Self {
        self.times.keepalive = keepalive;
        self
    }

    /// How long a resource may lie idle before it is closed. Default: 10 min, below the usual patience of servers.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.times.idle_timeout = timeout;
        self
    }

    /// How old a resource may become before it is closed, when it next lies idle. Default: 30 min, so that changed addresses
    /// and leaked server memory are found in time.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.times.max_lifetime = lifetime;
        self
    }

    /// By how much at most, in percent (0 to 100), each resource's `max_lifetime` is shortened at random. Default: 25, so that
    /// resources opened together do not end together.
    pub fn lifetime_jitter(mut self, percent: u32) -> Self {
        self.lifetime_jitter = percent;
        self
    }

    /// The pause after a failed creation, shared by the whole pool: random up to `first`, which doubles with each further
    /// failure in a row, up to `longest`. Default: 50 ms and 5 s.
    pub fn create_backoff(mut self, first: Duration, longest: Duration) -> Self {
        (self.times.backoff_base, self.times.backoff_cap) = (first, longest);
        self
    }

    /// Refuses callers at once, with the last create error, after so many failed creations in a row (at least 1) while nothing is open. A
    /// single creation at a time then finds out when that ends: it starts when a caller comes after the pause, and that caller is
    /// refused, too, so the first to be served after a repair is the second to come. Default: off; callers are held until their
    /// own deadline, so that a server's restart costs waiting and no errors.
    pub fn fail_fast_after(mut self, failures: usize) -> Self {
        self.fail_fast_after = Some(failures);
        self
    }

    /// Takes a guard that is merely dropped for a use that was not completed: only `Pooled::finish`, `Pooled::run` and
    /// `Pool::with` return a resource as finished. Default: off, because most resources can tell by themselves.
    pub fn strict_return(mut self) -> Self {
        self.strict_return = true;
        self
    }

    /// Has every `get` and every return pass the desk, for a few times the cost: about a tenth of a microsecond instead of a
    /// hundredth. In return nothing escapes it: a `get` in a forked child is always refused
    /// ([`GetError::Forked`](crate::GetError::Forked)), a task that waits for itself is always told so (by
    /// [`Snapshot::held_by_caller`](crate::Snapshot::held_by_caller), where tasks have names), and it is known to the moment how long a resource has been held. Default: off.
    pub fn without_self_service(mut self) -> Self {
        self.self_service = false;
        self
    }

    /// How long a lease may last before it is reported as a suspected leak: once by
    /// [`EventKind::LeakSuspected`](crate::EventKind), and in [`holders`](Pool::holders) and [`status`](Pool::status) as long as it
    /// lasts. Nothing is taken back. The driver looks for it now and then while something is lent, so the event comes up to a
    /// few ticks late (a tick is a quarter of the shortest window among the pool's settings, this one included, and one
    /// second at most). Default: off, `Duration::MAX`, because only you know how long a use may take.
    pub fn leak_after(mut self, time: Duration) -> Self {
        self.leak_after = time;
        self
    }

    /// Tells `sink` what happens in the pool, from then on and in a thread where it happens: it must not block. See
    /// [`EventSink`]. Default: nobody is told, which costs nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond::{Builder, Event, EventKind, Manager};
    /// # fn example<M: Manager>(builder: Builder<M>) -> Builder<M> {
    /// builder.event_sink(|event: &Event<'_>| {
    ///     if let EventKind::LeakSuspected { .. } = event.kind {
    ///         eprintln!("{event}");
    ///     }
    /// })
    /// # }
    /// ```
    pub fn event_sink(mut self, sink: impl EventSink) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Builds the pool. Opens nothing and spawns nothing: that comes with the first caller, who may be on another runtime.
    /// With a [`min_idle`](Self::min_idle) it begins to open those at once, if there is a runtime here.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting that makes no sense, or the two that contradict each other.
    pub fn build(self, runtime: impl Runtime) -> Result<Pool<M>, BuildError> {
        let config = self.config()?;
        let origin = runtime.now();
        let common = Common::new(
            self.manager,
            self.name,
            self.strict_return,
            origin,
            config.check_after_idle,
            config.tick,
        );
        let get_timeout = (self.get_timeout != Duration::MAX).then_some(self.get_timeout);
        let width = shelf_width(config.max_size);
        let leak_after = (self.leak_after != Duration::MAX).then_some(self.leak_after);
        let lanes = Lanes::new(self.lanes);
        let care = Care { get_timeout, sink: self.sink, leak_after, lanes };
        let begins = config.min_idle > 0;
        let hub = Hub::new(Core::new(config), common, width, Box::new(runtime), care);
        if begins {
            // Without a runtime here, the first caller that has one brings the driver.
            let _ = hub.ensure_driver();
        }
        Ok(Pool::new(hub))
    }

    /// Builds the pool and waits until its first resource can be lent, so that a program learns at its start whether the
    /// server answers. It lies idle then, and no callback of the manager's but `create` has seen it.
    ///
    /// Waits as a [`get`](Pool::get) does: at most as long as `get_timeout`, through failed creations that are transient, each
    /// of which takes `create_timeout` at most. With a [`min_idle`](Self::min_idle) the others are opened meanwhile and
    /// afterwards; nobody waits for them.
    ///
    /// # Errors
    ///
    /// [`BuildReadyError::Build`] as from [`build`](Self::build); [`BuildReadyError::Get`] if there was no resource in time, with
    /// why the last creation failed. The pool is closed then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the pool: what it has opened is closed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager>(manager: M, runtime: impl millpond::Runtime) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use millpond::Pool;
    ///
    /// let pool = Pool::builder(manager).get_timeout(Duration::from_secs(5)).build_ready(runtime).await?;
    /// assert_eq!(pool.status().leased, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn build_ready(
        self,
        runtime: impl Runtime,
    ) -> Result<Pool<M>, BuildReadyError<M::Error>> {
        let pool = self.build(runtime)?;
        let first = pool.get().await?;
        Pooled::put_back(first);
        Ok(pool)
    }
}

impl<M> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("max_size", &self.max_size)
            .field("min_idle", &self.min_idle)
            .field("max_waiters", &self.max_waiters)
            .field("lanes", &self.lanes)
            .field("overload", &self.overload)
            .field("max_creating", &self.max_creating)
            .field("get_timeout", &self.get_timeout)
            .field("strict_return", &self.strict_return)
            .field("self_service", &self.self_service)
            .field("fail_fast_after", &self.fail_fast_after)
            .field("leak_after", &self.leak_after)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// How many slots share a word: few enough that each core can have a word of its own, if there are slots enough for that to
/// pay, and never more than a word holds.
fn shelf_width(max_size: u32) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shelves = u32::try_from(cores).unwrap_or(u32::MAX).min(max_size / NARROWEST).max(1);
    max_size.div_ceil(shelves).clamp(NARROWEST, WIDEST)
}

/// Fewer slots to a word would cost more looks than they save collisions, above all in a pool that was small once.
const NARROWEST: u32 = 8;
