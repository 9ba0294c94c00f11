//! The pause after failed creations, shared by the whole pool, and what the failures in a row mean for those who wait.
//!
//! Delays double from a base to a cap with *full jitter*: each is uniformly random between zero and the doubled value
//! (Marc Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015), so that a thousand clients of one server
//! that restarts do not come back in step.

use std::time::{Duration, Instant};

/// Failures in a row and the pause that follows them.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    fail_fast_after: Option<u32>,
    /// Rounds of failed creations since the last success. Attempts that overlap are one round: eight refused at once are
    /// one fact about the server, not eight.
    failures: u32,
    /// When the last of them was noted; nothing as long as there is none.
    last_failure: Option<Instant>,
    /// Whether the last failure was of the kind that trying again does not mend.
    permanent: bool,
    /// How many creations may be in flight, because so many succeeded since the last failure: a server that is back is not
    /// stormed. Without limit before the first failure.
    ramp: u32,
    /// Whether the pause has not ended yet. *Transitions:* set by `fail`, cleared by the timer and by `succeed`.
    running: bool,
    random: Random,
}

impl Backoff {
    pub(crate) fn new(
        base: Duration,
        cap: Duration,
        fail_fast_after: Option<u32>,
        seed: u64,
    ) -> Self {
        Self {
            base,
            cap,
            fail_fast_after,
            failures: 0,
            last_failure: None,
            permanent: false,
            ramp: u32::MAX,
            running: false,
            random: Random(seed),
        }
    }

    /// Notes a creation that began at `began` and failed at `now`; returns how long no other may start.
    pub(crate) fn fail(&mut self, began: Instant, now: Instant, transient: bool) -> Duration {
        let same_round = self.last_failure.is_some_and(|last| began <= last);
        if !same_round {
            self.failures = self.failures.saturating_add(1);
        }
        self.last_failure = Some(now);
        self.ramp = 1;
        self.permanent = !transient;
        self.running = true;
        let doublings = (self.failures - 1).min(31);
        let longest = self.base.saturating_mul(1 << doublings).min(self.cap);
        self.random.up_to(longest)
    }

    /// Notes a creation that succeeded.
    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
        self.ramp = self.ramp.saturating_add(1);
        self.last_failure = None;
        self.permanent = false;
        self.running = false;
    }

    /// Notes that the pause is over.
    pub(crate) fn end_pause(&mut self) {
        self.running = false;
    }

    /// Whether no creation may start now.
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Whether creations fail at present, so that one at a time is enough to find out when that ends.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// How many creations may be in flight: one while they fail, then one more with each that succeeds, which doubles their
    /// number with each round.
    pub(crate) fn most_creating(&self) -> u32 {
        self.ramp
    }

    /// Whether so many creations failed in a row that nobody should wait for the next.
    pub(crate) fn is_tripped(&self) -> bool {
        self.fail_fast_after.is_some_and(|limit| self.failures >= limit)
    }

    /// Whether those for whom nothing but a creation can do anything should be told so now.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.is_tripped() || (self.permanent && self.running)
    }

    /// A random length between `length` less `percent` of it and `length`.
    pub(crate) fn shortened(&mut self, length: Duration, percent: u32) -> Duration {
        length - self.random.up_to(length / 100 * percent.min(100))
    }

    /// A random length between zero and `longest`.
    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        self.random.up_to(longest)
    }

    /// What later decisions depend on.
    #[cfg(test)]
    pub(crate) fn canonical(&self) -> (u32, u32, bool, bool) {
        (self.failures, self.ramp, self.permanent, self.running)
    }
}

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014): enough for jitter.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        let share = (u128::from(self.next()) * (u128::from(nanos) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(share).expect("a share of a u64 is one"))
    }
}
