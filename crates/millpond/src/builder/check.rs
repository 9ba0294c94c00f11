//! Which settings make sense, by themselves and together, and what follows from them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use millpond_core::{Config, Overload};
use thiserror::Error;

use super::Builder;
use crate::lanes::Lane;
use crate::manager::Manager;

/// Settings that no pool can have; see [`Builder::build`].
///
/// # Examples
///
/// ```no_run
/// # use millpond::{Manager, Pool, Runtime};
/// # fn example<M: Manager>(manager: M, runtime: impl Runtime) {
/// let error = Pool::builder(manager).max_size(3).max_creating(4).build(runtime).unwrap_err();
/// assert_eq!(error.to_string(), "max_creating is 4, but max_size is only 3");
/// # }
/// ```
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
    /// A setting of a lane makes no sense.
    #[error("lane `{lane}`: {error}")]
    #[non_exhaustive]
    InLane {
        /// The name of the lane.
        lane: Cow<'static, str>,
        /// What is wrong there.
        error: Box<Self>,
    },
    /// A lane has an empty name, by which nobody could ask for it.
    #[error("a lane has no name")]
    NamelessLane,
    /// Two lanes have one name, or one has that of the default lane.
    #[error("more than one lane is called `{lane}`")]
    #[non_exhaustive]
    LaneTwice {
        /// The name.
        lane: Cow<'static, str>,
    },
}

impl<M: Manager> Builder<M> {
    /// Checks the settings and completes them.
    pub(super) fn config(&self) -> Result<Config, BuildError> {
        let max_size = within("max_size", self.max_size, 1, GREATEST_SIZE)?;
        let min_idle = within("min_idle", self.min_idle, 0, GREATEST_SIZE)?;
        let max_waiters = within("max_waiters", self.max_waiters, 0, MOST_WAITERS)?;
        let lanes = self.lanes(max_size)?;
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
            ("leak_after", self.leak_after),
        ] {
            if time.is_zero() {
                return Err(BuildError::Zero { setting });
            }
        }
        if self.overload == Overload::TargetWait(Duration::ZERO) {
            return Err(BuildError::Zero { setting: "the target wait of overload" });
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
        let windows =
            [times.check_after_idle, times.idle_timeout, times.max_lifetime, self.leak_after];
        let shortest =
            windows.into_iter().filter(|window| !window.is_zero()).min().unwrap_or(LONGEST_TICK);
        let tick = (shortest / 4).clamp(SHORTEST_TICK, LONGEST_TICK);
        Ok(Config {
            max_size,
            min_idle,
            max_waiters,
            lanes,
            overload: self.overload,
            max_creating,
            lifetime_jitter,
            fail_fast_after,
            tick,
            seed: seed(),
            self_service: self.self_service,
            watched: self.sink.is_some(),
            leases_watched: self.leak_after != Duration::MAX,
            ..self.times.clone()
        })
    }

    fn lanes(&self, max_size: u32) -> Result<Vec<millpond_core::Lane>, BuildError> {
        within("the number of lanes", self.lanes.len(), 0, Lane::MOST)?;
        let mut lanes = Vec::new();
        for (i, lane) in self.lanes.iter().enumerate() {
            let before = self.lanes.iter().take(i).map(|lane| &*lane.name);
            if lane.name.is_empty() {
                return Err(BuildError::NamelessLane);
            }
            if before.chain([Lane::DEFAULT]).any(|name| name == lane.name) {
                return Err(BuildError::LaneTwice { lane: lane.name.clone() });
            }
            let max_waiters = lane.max_waiters.unwrap_or(self.max_waiters);
            let in_lane =
                |error| BuildError::InLane { lane: lane.name.clone(), error: Box::new(error) };
            let max_waiters =
                within("max_waiters", max_waiters, 0, MOST_WAITERS).map_err(in_lane)?;
            let reserved = within("reserved", lane.reserved, 0, GREATEST_SIZE).map_err(in_lane)?;
            lanes.push(millpond_core::Lane { max_waiters, head_start: lane.head_start, reserved });
        }
        let reserved = lanes.iter().map(|lane| lane.reserved).sum::<u32>();
        if reserved > max_size {
            let setting = "the sum of what lanes have reserved";
            return Err(contradiction(setting, reserved, "max_size", max_size));
        }
        Ok(lanes)
    }
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

/// Jitter need not be the same in each process; hash keys are the randomness that `std` gives.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Slots are found by a fixed map; a million is beyond what one would want to pool.
pub(crate) const GREATEST_SIZE: usize = 1 << 20;
/// More than memory bears.
const MOST_WAITERS: usize = u32::MAX as usize / 2;
/// The tick is no finer than timers usually are.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// And no coarser than somebody who asks `holders` would like.
const LONGEST_TICK: Duration = Duration::from_secs(1);
