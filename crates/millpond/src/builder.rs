//! The settings of a pool: each with its default and the reason for it, checked together when the pool is built.

use std::fmt;
use std::time::Duration;

use millpond_core::{Config, Core};
use thiserror::Error;

use crate::common::Common;
use crate::desk::Hub;
use crate::error::BuildReadyError;
use crate::manager::Manager;
use crate::pool::Pool;
use crate::pooled::Pooled;
use crate::runtime::Runtime;
use crate::shelf::WIDEST;

/// Settings of a pool. Begin with [`Pool::builder`], end with [`build`](Self::build).
///
/// Where a duration may be "never", that is `Duration::MAX`.
#[must_use = "a builder does nothing until `build`"]
#[derive(Clone)]
pub struct Builder<M> {
    manager: M,
    name: String,
    max_size: usize,
    min_idle: usize,
    max_waiters: usize,
    max_creating: Option<usize>,
    get_timeout: Duration,
    strict_return: bool,
    fail_fast_after: Option<usize>,
    lifetime_jitter: u32,
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
            max_creating: None,
            get_timeout: Duration::from_secs(30),
            strict_return: false,
            fail_fast_after: None,
            lifetime_jitter: 25,
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

    /// The greatest number of callers that wait; more are refused at once. Zero is legal and exact: nobody ever waits.
    /// Default: 1024, so that memory is bounded even if nobody thinks of it.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// The greatest number of creations at a time, at least 1. Default: a quarter of `max_size`, from 1 to 8, so that a restart
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
    /// a check. Default: 1 s: a busy pool never
    /// checks, a quiet one always does.
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

    /// Refuses callers at once, with the last create error, after so many failed creations in a row while nothing is open. A
    /// single creation at a time then finds out when that ends. Default: off; callers are held until their own deadline, so
    /// that a server's restart costs waiting and no errors.
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
        let begins = config.min_idle > 0;
        let hub = Hub::new(Core::new(config), common, width, Box::new(runtime), get_timeout);
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

    /// Checks the settings and completes them.
    fn config(&self) -> Result<Config, BuildError> {
        let max_size = within("max_size", self.max_size, 1, GREATEST_SIZE)?;
        let most_waiters = u32::MAX as usize / 2;
        let min_idle = within("min_idle", self.min_idle, 0, GREATEST_SIZE)?;
        let max_waiters = within("max_waiters", self.max_waiters, 0, most_waiters)?;
        let default_creating = (max_size / 4).clamp(1, 8);
        let max_creating = within(
            "max_creating",
            self.max_creating.unwrap_or(default_creating as usize),
            1,
            GREATEST_SIZE,
        )?;
        for (setting, value) in [("max_creating", max_creating), ("min_idle", min_idle)] {
            if value > max_size {
                return Err(contradiction(setting, value, "max_size", max_size));
            }
        }
        let lifetime_jitter = within("lifetime_jitter", self.lifetime_jitter as usize, 0, 100)?;
        let fail_fast_after = self
            .fail_fast_after
            .map(|n| within("fail_fast_after", n, 1, u32::MAX as usize))
            .transpose()?;
        let times = &self.times;
        for (setting, time) in [
            ("get_timeout", self.get_timeout),
            ("create_timeout", times.create_timeout),
            ("check_timeout", times.check_timeout),
            ("reset_timeout", times.reset_timeout),
            ("close_timeout", times.close_timeout),
            ("keepalive", times.keepalive),
            ("idle_timeout", times.idle_timeout),
            ("max_lifetime", times.max_lifetime),
            ("create_backoff", times.backoff_base),
        ] {
            if time.is_zero() {
                return Err(BuildError::Zero { setting });
            }
        }
        if times.backoff_base > times.backoff_cap {
            let (first, longest) = (times.backoff_base, times.backoff_cap);
            let (setting, other) = ("the first create_backoff", "the longest create_backoff");
            return Err(contradiction(setting, first, other, longest));
        }
        let ends = [("idle_timeout", times.idle_timeout), ("max_lifetime", times.max_lifetime)];
        for (end, time) in ends {
            let kept = end == "idle_timeout" && min_idle > 0;
            if times.keepalive != Duration::MAX && times.keepalive > time && !kept {
                return Err(contradiction("keepalive", times.keepalive, end, time));
            }
        }
        // Where every idle resource is checked, nobody asks how long it lay idle.
        let windows = [times.check_after_idle, times.idle_timeout, times.max_lifetime];
        let shortest =
            windows.into_iter().filter(|window| !window.is_zero()).min().unwrap_or(LONGEST_TICK);
        let tick = (shortest / 4).clamp(SHORTEST_TICK, LONGEST_TICK);
        Ok(Config {
            max_size,
            min_idle,
            max_waiters,
            max_creating,
            lifetime_jitter,
            fail_fast_after,
            tick,
            seed: seed(),
            ..self.times.clone()
        })
    }
}

impl<M> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("max_size", &self.max_size)
            .field("min_idle", &self.min_idle)
            .field("max_waiters", &self.max_waiters)
            .field("max_creating", &self.max_creating)
            .field("get_timeout", &self.get_timeout)
            .field("strict_return", &self.strict_return)
            .field("fail_fast_after", &self.fail_fast_after)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// Settings that no pool can have; see [`Builder::build`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A number is too small or too large.
    #[error("{setting} is {value}, but must be from {least} to {most}")]
    #[non_exhaustive]
    OutOfRange {
        /// Which setting.
        setting: &'static str,
        /// What it was set to.
        value: usize,
        /// The least it may be.
        least: usize,
        /// The most it may be.
        most: usize,
    },
    /// A time that must not be zero: nothing could happen in it, or nothing would keep an attempt from the next.
    #[error("{setting} is zero, but must be longer")]
    #[non_exhaustive]
    Zero {
        /// Which setting.
        setting: &'static str,
    },
    /// Two settings do not go together.
    #[error("{setting} is {value}, but {other} is only {other_value}")]
    #[non_exhaustive]
    Contradiction {
        /// The greater one.
        setting: &'static str,
        /// What it was set to.
        value: String,
        /// The lesser one.
        other: &'static str,
        /// What it was set to.
        other_value: String,
    },
}

fn within(
    setting: &'static str,
    value: usize,
    least: usize,
    most: usize,
) -> Result<u32, BuildError> {
    u32::try_from(value)
        .ok()
        .filter(|_| (least..=most).contains(&value))
        .ok_or(BuildError::OutOfRange { setting, value, least, most })
}

fn contradiction(
    setting: &'static str,
    value: impl fmt::Debug,
    other: &'static str,
    other_value: impl fmt::Debug,
) -> BuildError {
    let (value, other_value) = (format!("{value:?}"), format!("{other_value:?}"));
    BuildError::Contradiction { setting, value, other, other_value }
}

/// How many slots share a word: few enough that each core can have a word of its own, if there are slots enough for that to
/// pay, and never more than a word holds.
fn shelf_width(max_size: u32) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shelves = u32::try_from(cores).unwrap_or(u32::MAX).min(max_size / NARROWEST).max(1);
    max_size.div_ceil(shelves).clamp(NARROWEST, WIDEST)
}

/// Jitter need not be the same in each process; hash keys are the randomness that `std` gives.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Fewer slots to a word would cost more looks than they save collisions, above all in a pool that was small once.
const NARROWEST: u32 = 8;
/// Slots are found by a fixed map; a million is beyond what one would want to pool.
pub(crate) const GREATEST_SIZE: usize = 1 << 20;
/// The tick is no finer than timers usually are.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// And no coarser than somebody who asks `holders` would like.
const LONGEST_TICK: Duration = Duration::from_secs(1);
