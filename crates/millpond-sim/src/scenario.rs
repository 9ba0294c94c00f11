//! What is simulated: a pool, those who use it, and what goes wrong.

use std::time::Duration;

use millpond_core::{Config, Lane, Overload};

use crate::{Arrivals, Fault, Hold};

/// Everything a run depends on. Two runs of equal scenarios are equal to the nanosecond.
///
/// ```
/// use std::time::Duration;
/// use millpond_sim::{Arrivals, Callers, Hold, Policy, Scenario, run};
///
/// // Ten resources held for 50 ms can serve 200 a second; 400 come.
/// let hold = Hold::LogNormal { mean: Duration::from_millis(50), cv: 1.0 };
/// let callers = Callers::new(Arrivals::poisson(400.0), hold, Duration::from_millis(500));
/// let scenario = Scenario::new(10, callers).lasting(Duration::from_secs(10));
///
/// let bare = run(&scenario.under(Policy::BareTimeout));
/// assert!(bare.useful() < 0.1, "first come, first served, everybody too late");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// The pool.
    pub pool: Pool,
    /// Those who use it, kind by kind.
    pub callers: Vec<Callers>,
    /// What goes wrong, in any order.
    pub faults: Vec<Fault>,
    /// How long callers come. The run ends when the last of them is done.
    pub lasts: Duration,
    /// Those who come earlier than this are not counted.
    pub warm_up: Duration,
    /// Where the random numbers begin.
    pub seed: u64,
}

/// The simulated pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The settings of its core. Its `seed` is drawn from the scenario's.
    pub config: Config,
    /// How many resources are open at the beginning.
    pub open: u32,
    /// How long opening one takes.
    pub connect: Hold,
    /// How long a failed attempt to open one takes.
    pub refusal: Duration,
    /// How long a check takes.
    pub check: Duration,
    /// How long it takes until a caller that was woken comes.
    pub claim_latency: Duration,
}

/// One kind of callers.
#[derive(Clone, Debug, PartialEq)]
pub struct Callers {
    /// What they are called.
    pub name: String,
    /// The number of their lane: 0 is the default one.
    pub lane: u32,
    /// When they come.
    pub load: Load,
    /// How long each holds its resource.
    pub hold: Hold,
    /// How much longer for each resource that is lent already, as a share: a lease takes `1 + crowding × lent` times as long.
    pub crowding: f64,
    /// Within what time after it came a caller must be done for its work to be of use.
    pub deadline: Duration,
    /// What the pool is told of that.
    pub told: Told,
    /// What a caller does that still waits at its deadline.
    pub at_deadline: AtDeadline,
    /// How many never come for what they are offered, from 0 to 1.
    pub absent: f64,
    /// What a caller does that got nothing.
    pub retries: Retries,
}

/// Where callers come from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Load {
    /// They come by themselves, however the pool is doing.
    Open(Arrivals),
    /// Tasks that get, hold, give back, and begin again.
    Closed {
        /// How many.
        tasks: u32,
        /// How often each.
        cycles: u32,
        /// How long each pauses in between.
        pause: Duration,
    },
}

/// What the pool is told of a caller's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// That it is the deadline of the whole work: `get().deadline(t)`.
    Deadline,
    /// Only how long it would wait for a resource: `get().timeout(d)`, or the pool's `get_timeout`.
    Timeout(Duration),
    /// Nothing: it waits for as long as it takes.
    Nothing,
}

/// What a caller does that still waits at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtDeadline {
    /// It goes away: its future is dropped, as by a runtime's `timeout`.
    Leaves,
    /// Nothing: its request stays in the queue although nobody wants its result any more.
    Stays,
}

/// What a caller does that got nothing by its deadline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retries {
    /// How often it asks again. Each time it has as much time as the first time.
    pub most: u32,
    /// The mean pause before the first of them; doubled for each further one, and times a random 0.5 to 1.5. Zero: at once.
    pub pause: Duration,
    /// How many retries all of them together may make for each request; `None`: as many as each likes.
    pub budget: Option<f64>,
    /// Whether it waits as long as a refusal says (`retry_after`), if that is longer.
    pub honours_retry_after: bool,
}

/// What the pool does under overload, and what callers tell it: the ways to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// [`Overload::Auto`].
    Auto,
    /// [`Overload::Fifo`].
    Fifo,
    /// [`Overload::TargetWait`].
    TargetWait(Duration),
    /// `timeout(d, pool.get())` around one queue without bounds: first come first served, until each leaves at its deadline.
    BareTimeout,
    /// A queue without bounds that nobody leaves, not even those who no longer want anything.
    Zombies,
}

impl Scenario {
    /// A pool of so many open resources under [`Overload::Auto`] and one kind of callers, for 30 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario};
    /// let [hold, deadline] = [10, 100].map(Duration::from_millis);
    /// let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(hold), deadline);
    /// assert_eq!(Scenario::new(4, callers).capacity(), 400.0);
    /// ```
    #[must_use]
    pub fn new(size: u32, callers: Callers) -> Self {
        let config = Config { max_size: size, overload: Overload::Auto, ..Config::default() };
        Self {
            name: String::new(),
            pool: Pool {
                config,
                open: size,
                connect: Hold::Constant(Duration::from_millis(5)),
                refusal: Duration::from_millis(1),
                check: Duration::from_millis(1),
                claim_latency: Duration::ZERO,
            },
            callers: vec![callers],
            faults: Vec::new(),
            lasts: Duration::from_secs(30),
            warm_up: Duration::ZERO,
            seed: 1,
        }
    }

    /// The same for so long.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let minute = Duration::from_secs(60);
    /// assert_eq!(Scenario::new(4, callers).lasting(minute).lasts, minute);
    /// ```
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasts = time;
        self
    }

    /// The same with something going wrong.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Fault, Hold, Scenario, Trouble};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let second = Duration::from_secs(1);
    /// let stop = Fault { from: 5 * second, lasts: second, trouble: Trouble::Stop };
    /// assert_eq!(Scenario::new(4, callers).with(stop).faults, [stop]);
    /// ```
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The same with other random numbers.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// assert_eq!(Scenario::new(4, callers).seeded(7).seed, 7);
    /// ```
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same pool and callers under another policy.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_core::Overload;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Policy, Scenario};
    /// # let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(Duration::ZERO), Duration::MAX);
    /// let fifo = Scenario::new(4, callers).under(Policy::Fifo);
    /// assert_eq!(fifo.pool.config.overload, Overload::Fifo);
    /// ```
    #[must_use]
    pub fn under(&self, policy: Policy) -> Self {
        let mut other = self.clone();
        let config = &mut other.pool.config;
        config.overload = match policy {
            Policy::Auto => Overload::Auto,
            Policy::TargetWait(target) => Overload::TargetWait(target),
            Policy::Fifo | Policy::BareTimeout | Policy::Zombies => Overload::Fifo,
        };
        if let Policy::BareTimeout | Policy::Zombies = policy {
            config.max_waiters = u32::MAX;
            for lane in &mut config.lanes {
                *lane = Lane { max_waiters: u32::MAX, head_start: Duration::ZERO, reserved: 0 };
            }
            for callers in &mut other.callers {
                (callers.told, callers.at_deadline) = match policy {
                    Policy::BareTimeout => (Told::Timeout(callers.deadline), AtDeadline::Leaves),
                    _ => (Told::Nothing, AtDeadline::Stays),
                };
            }
        }
        other
    }

    /// How many callers a second the pool can serve, if their holds are as those of the first kind.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Scenario};
    /// let hold = Hold::Constant(Duration::from_millis(50));
    /// let callers = Callers::new(Arrivals::even(50.0), hold, Duration::MAX);
    /// assert_eq!(Scenario::new(10, callers).capacity(), 200.0);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> f64 {
        let mean = self.callers.first().map_or(Duration::ZERO, |callers| callers.hold.mean());
        f64::from(self.pool.config.max_size) / mean.as_secs_f64()
    }
}

impl Callers {
    /// Callers of the default lane who tell the pool their deadline, leave when it passes, and do not ask twice.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Arrivals, Callers, Hold, Told};
    /// let [hold, deadline] = [10, 100].map(Duration::from_millis);
    /// let callers = Callers::new(Arrivals::even(50.0), Hold::Constant(hold), deadline);
    /// assert_eq!(callers.told, Told::Deadline);
    /// ```
    #[must_use]
    pub fn new(arrivals: Arrivals, hold: Hold, deadline: Duration) -> Self {
        Self {
            name: "callers".to_owned(),
            lane: 0,
            load: Load::Open(arrivals),
            hold,
            crowding: 0.0,
            deadline,
            told: Told::Deadline,
            at_deadline: AtDeadline::Leaves,
            absent: 0.0,
            retries: Retries::NONE,
        }
    }
}

impl Retries {
    /// It gives up.
    pub const NONE: Self =
        Self { most: 0, pause: Duration::ZERO, budget: None, honours_retry_after: false };

    /// It asks again at once, so many times.
    ///
    /// ```
    /// assert_eq!(millpond_sim::Retries::at_once(3).most, 3);
    /// ```
    #[must_use]
    pub const fn at_once(most: u32) -> Self {
        Self { most, ..Self::NONE }
    }

    /// It asks again after a random pause, within a budget of one retry for ten requests, and later if the pool says so.
    ///
    /// ```
    /// let polite = millpond_sim::Retries::polite(3, std::time::Duration::from_millis(50));
    /// assert_eq!(polite.budget, Some(0.1));
    /// ```
    #[must_use]
    pub const fn polite(most: u32, pause: Duration) -> Self {
        Self { most, pause, budget: Some(0.1), honours_retry_after: true }
    }
}
