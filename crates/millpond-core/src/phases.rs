//! What callers wait for, and for how long: the time line that a timeout's message tells.

use std::time::{Duration, Instant};

/// What a queued caller waits for at a moment. The pool is in one phase at a time, so the times of a wait add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Everything there may be is lent: for somebody to give back.
    Exhausted,
    /// For a creation in flight.
    Creating,
    /// For the pause after a failed creation.
    BackingOff,
    /// For the check of an idle resource.
    Checking,
    /// For a used resource to be cleaned, or for a discarded one to be closed so that its place is free.
    Clearing,
    /// For the end of a pause.
    Paused,
}

/// How long each [`Phase`] lasted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Phases([Duration; ALL.len()]);

impl Phases {
    /// How long `phase` lasted.
    #[must_use]
    pub fn get(&self, phase: Phase) -> Duration {
        self.0[phase as usize]
    }

    /// The phases that took any time, with it, the longest first.
    #[must_use]
    pub fn longest_first(&self) -> Vec<(Phase, Duration)> {
        let mut times: Vec<_> = ALL.into_iter().map(|phase| (phase, self.get(phase))).collect();
        times.retain(|(_, time)| !time.is_zero());
        times.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        times
    }

    /// What was added since `earlier`.
    fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].saturating_sub(earlier.0[i])))
    }
}

/// Adds up the time spent in each phase. A waiter keeps a copy of the sums from when it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseClock {
    sums: Phases,
    current: Option<(Phase, Instant)>,
}

impl PhaseClock {
    /// From `now` on the pool is in `phase`; `None` while nobody waits.
    pub(crate) fn enter(&mut self, phase: Option<Phase>, now: Instant) {
        if self.current.map(|(last, _)| last) != phase {
            self.sums = self.read(now);
            self.current = phase.map(|phase| (phase, now));
        }
    }

    /// The sums up to `now`.
    pub(crate) fn read(&self, now: Instant) -> Phases {
        let mut sums = self.sums;
        if let Some((phase, since)) = self.current {
            sums.0[phase as usize] += now.saturating_duration_since(since);
        }
        sums
    }

    /// How long each phase lasted between the reading `start` and `now`.
    pub(crate) fn since(&self, start: &Phases, now: Instant) -> Phases {
        self.read(now).since(start)
    }
}

const ALL: [Phase; 6] = [
    Phase::Exhausted,
    Phase::Creating,
    Phase::BackingOff,
    Phase::Checking,
    Phase::Clearing,
    Phase::Paused,
];
