//! What the core leaves to chance. The reference takes it from the core and only checks that it is within bounds.

use std::time::Instant;

use crate::Core;
use crate::timers::TimerKey;

/// The dice as they fell.
#[derive(Clone, Debug, Default)]
pub(super) struct Chance {
    /// When the next look for what is too old was due before this input, and its turn among what is due at the same moment:
    /// first or last.
    pub(super) sweep: Option<(Instant, u64)>,
    /// When the pause after a failed creation ends.
    pub(super) backoff_ends: Option<Instant>,
    /// When each resource is too old.
    pub(super) retire_at: Vec<Option<Instant>>,
}

impl Chance {
    /// Before the core is told.
    pub(super) fn before(core: &Core) -> Self {
        let sweep = core.timers.get(TimerKey::Sweep).map(|at| {
            let mut timers = core.timers.clone();
            let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(at)).collect();
            let is_last = due.last() == Some(&TimerKey::Sweep);
            (at, if is_last { u64::MAX } else { 0 })
        });
        Self { sweep, ..Self::default() }
    }

    /// After the core was told.
    pub(super) fn after(&mut self, core: &Core) {
        self.backoff_ends = core.timers.get(TimerKey::Backoff);
        self.retire_at = core.slots.indices().map(|index| core.tag(index).1).collect();
    }
}
