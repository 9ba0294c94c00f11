//! The settings the core decides by. The pool's builder checks and documents them; here they only have meanings.

use std::time::Duration;

use crate::overload::Overload;

/// Settings of a [`Core`](crate::Core). `Duration::MAX` means never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The greatest number of resources at any moment, whatever they are doing.
    pub max_size: u32,
    /// How many resources are to lie idle at least, as far as `max_size` allows.
    pub min_idle: u32,
    /// The greatest number of queued callers of the default lane. Zero is exact: nobody ever waits.
    pub max_waiters: u32,
    /// The lanes beside the default one, which is number 0: the first here is number 1.
    pub lanes: Vec<Lane>,
    /// What becomes of callers when more come than can be served.
    pub overload: Overload,
    /// The greatest number of creations in flight.
    pub max_creating: u32,
    /// How long a creation may take, from the decision on.
    pub create_timeout: Duration,
    /// How long a check may take.
    pub check_timeout: Duration,
    /// How long a reset may take.
    pub reset_timeout: Duration,
    /// How long a close may take.
    pub close_timeout: Duration,
    /// A resource that lay idle at least this long is checked before it is lent.
    pub check_after_idle: Duration,
    /// A resource that nobody has seen work for this long is checked where it lies, unasked.
    pub keepalive: Duration,
    /// A resource that lay idle at least this long is closed.
    pub idle_timeout: Duration,
    /// A resource at least this old is closed when it lies idle or comes home.
    pub max_lifetime: Duration,
    /// How much of `max_lifetime` is left to chance, in percent (0 to 100): each resource lives that much less at most.
    pub lifetime_jitter: u32,
    /// How long an offered resource waits for its waiter to be polled.
    pub claim_window: Duration,
    /// The first delay after a failed creation; doubled by each further failure in a row.
    pub backoff_base: Duration,
    /// The longest such delay.
    pub backoff_cap: Duration,
    /// After this many failed creations in a row callers are refused while nothing is open; `None`: they wait.
    pub fail_fast_after: Option<u32>,
    /// How often [`Input::Tick`](crate::Input::Tick) must come while resources move.
    pub tick: Duration,
    /// Where the pseudo-random numbers for jitter begin.
    pub seed: u64,
    /// Whether callers help themselves to what lies idle; if not, all come to the desk.
    pub self_service: bool,
    /// Whether the tick goes on while a closing pool waits for what is lent, for the sake of who looks at the leases then.
    pub leases_watched: bool,
    /// Whether [`Note`](crate::Note)s are kept.
    pub watched: bool,
}

/// A queue of its own for some of the callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The greatest number of its queued callers.
    pub max_waiters: u32,
    /// Its callers are served as if they had come this much earlier. The default lane's have no such advantage.
    pub head_start: Duration,
    /// As long as its callers have fewer resources than this, whatever comes home goes to them first.
    pub reserved: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_size: 10,
            min_idle: 0,
            max_waiters: 1024,
            lanes: Vec::new(),
            overload: Overload::Fifo,
            max_creating: 2,
            create_timeout: Duration::from_secs(10),
            check_timeout: Duration::from_secs(3),
            reset_timeout: Duration::from_secs(3),
            close_timeout: Duration::from_secs(5),
            check_after_idle: Duration::from_secs(1),
            keepalive: Duration::MAX,
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            lifetime_jitter: 25,
            claim_window: Duration::from_secs(1),
            backoff_base: Duration::from_millis(50),
            backoff_cap: Duration::from_secs(5),
            fail_fast_after: None,
            tick: Duration::from_millis(250),
            seed: 0,
            self_service: true,
            leases_watched: false,
            watched: false,
        }
    }
}
