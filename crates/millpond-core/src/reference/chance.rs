//! What the core leaves to chance. The reference takes it from the core and only checks that it is within bounds.

use std::time::Instant;

use crate::Core;
use crate::timers::TimerKey;

/// The dice as they fell.
#[derive(Clone, Debug, Default)]
pub(super) struct Chance {
    /// When the next look for what is too old was due before this input.
    pub(super) sweep_at: Option<Instant>,
    /// When the pause after a failed creation ends.
    pub(super) backoff_ends: Option<Instant>,
    /// When each resource is too old.
    pub(super) retire_at: Vec<Option<Instant>>,
}

impl Chance {
    /// Before the core is told.
    pub(super) fn before(core: &Core) -> Self {
        Self { sweep_at: core.timers.get(TimerKey::Sweep), ..Self::default() }
    }

    /// After the core was told.
    pub(super) fn after(&mut self, core: &Core) {
        self.backoff_ends = core.timers.get(TimerKey::Backoff);
        self.retire_at = core.slots.indices().map(|index| core.tag(index).1).collect();
    }
}
