//! Lanes: queues of their own for some of the callers, as the builder is told of them, and as the pool knows them.

use std::borrow::Cow;
use std::time::Duration;

/// A queue of its own for some of the callers, who ask by [`get().lane(…)`](crate::Get::lane). Given to
/// [`Builder::lane`](crate::Builder::lane).
///
/// Within a lane callers are served in the order in which they came. Between lanes, the one whose first caller has waited
/// longest goes first, its [head start](Self::head_start) counted in. So a head start is a priority that ages: after that
/// much more waiting, an ordinary caller goes before.
///
/// A resource that lies idle while nobody waits goes to whoever asks, whatever the lane.
///
/// # Examples
///
/// Checkouts go before reports unless a report has waited for two seconds more; two resources come back to them first;
/// and reports may not fill the queue:
///
/// ```no_run
/// # use millpond::{BuildError, Manager, Pool, Runtime};
/// # fn example<M: Manager>(manager: M, runtime: impl Runtime) -> Result<(), BuildError> {
/// use std::time::Duration;
/// use millpond::Lane;
///
/// let pool = Pool::builder(manager)
///     .lane(Lane::new("checkout").head_start(Duration::from_secs(2)).reserved(2))
///     .lane(Lane::new("reports").max_waiters(16))
///     .build(runtime)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a lane does nothing until it is given to a builder"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub(crate) name: Cow<'static, str>,
    pub(crate) max_waiters: Option<usize>,
    pub(crate) head_start: Duration,
    pub(crate) reserved: usize,
}

impl Lane {
    /// How many lanes a pool may have beside the default one. A caller's lane is looked up by its name, one after the other.
    pub const MOST: usize = 16;

    /// What the lane of all callers is called that do not name one, in [`Status::lanes`](crate::Status::lanes) for example. No
    /// other lane can have that name.
    pub const DEFAULT: &'static str = "default";

    /// A lane of this name with the settings of the default one: as many waiters as the pool's `max_waiters`, no head start,
    /// nothing reserved.
    ///
    /// # Examples
    ///
    /// ```
    /// let lane = millpond::Lane::new("reports").max_waiters(16);
    /// ```
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), max_waiters: None, head_start: Duration::ZERO, reserved: 0 }
    }

    /// The greatest number of its callers that wait, from 0, which is exact, to 2³¹ - 1; more are refused at once. It counts by
    /// itself: those of other lanes do not take its places. Default: the pool's `max_waiters`.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = Some(max_waiters);
        self
    }

    /// Its callers are served as if they had come this much earlier than they did. Zero is no advantage over the default
    /// lane; `Duration::MAX` lets them always go first, before all but those for whom something is [`reserved`](Self::reserved).
    /// Default: zero.
    pub fn head_start(mut self, head_start: Duration) -> Self {
        self.head_start = head_start;
        self
    }

    /// As long as its callers have fewer resources than this and one of them waits, whatever comes home goes to them, before
    /// all other lanes. What is reserved does not lie idle for them: others borrow it while nobody of this lane waits. From
    /// zero to `max_size`, all lanes together. Default: zero.
    ///
    /// Where everything is reserved, also because a later `resize` left no more than that, callers of other lanes are served only
    /// when nobody waits in the lanes that have less than is reserved for them.
    pub fn reserved(mut self, reserved: usize) -> Self {
        self.reserved = reserved;
        self
    }
}

/// The lanes of a pool by their numbers: the default one is zero, then as they were given to the builder.
#[derive(Debug)]
pub(crate) struct Lanes(Vec<Known>);

/// What is known of a lane beside what the core knows.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: Cow<'static, str>,
    pub(crate) reserved: usize,
}

impl Lanes {
    /// The default one, and those that were added.
    pub(crate) fn new(added: Vec<Lane>) -> Self {
        let default = Known { name: Cow::Borrowed(Lane::DEFAULT), reserved: 0 };
        let added =
            added.into_iter().map(|lane| Known { name: lane.name, reserved: lane.reserved });
        Self(std::iter::once(default).chain(added).collect())
    }

    /// The number of the lane of this name.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        (0..).zip(&self.0).find(|(_, lane)| lane.name == name).map(|(number, _)| number)
    }

    /// What the lane of this number is called.
    pub(crate) fn name(&self, number: u32) -> &Cow<'static, str> {
        &self.0[number as usize].name
    }

    /// All lanes with their numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Known)> {
        (0..).zip(&self.0)
    }
}

impl Default for Lanes {
    /// The default lane alone.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}
