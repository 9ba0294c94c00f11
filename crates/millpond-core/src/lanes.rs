//! Lanes: who is first in line over all queues, and which resources count for whom.
//!
//! Within a lane it is first come, first served. Across lanes the caller goes first that came first, its lane's head start
//! taken into account: that is priority and ageing in one figure. A lane that has fewer resources than are reserved for it goes
//! before all others; until its callers come, the others use what is reserved like everything else.

use std::time::Instant;

use crate::config::{Config, Lane};
use crate::core::Core;
use crate::io::Action;
use crate::report::LaneCounts;
use crate::strain::Look;
use crate::waiters::WaiterId;

/// What is known of one lane.
#[derive(Clone, Debug)]
pub(crate) struct LaneState {
    pub(crate) settings: Lane,
    /// How many resources its callers have or are offered. Counted only if some are reserved.
    pub(crate) held: u32,
    /// Since when its queue has not drained. *Transitions:* set and cleared at the end of an interval, see `strain.rs`.
    pub(crate) overloaded_since: Option<Instant>,
    /// While it is overloaded: for how many intervals nobody had to be refused.
    pub(crate) relief: u32,
    /// What was seen in the present interval.
    pub(crate) look: Look,
    pub(crate) queued: u64,
    pub(crate) refused: u64,
}

impl LaneState {
    /// The default lane, and those of the settings.
    pub(crate) fn all(config: &Config) -> Vec<Self> {
        let default = Lane {
            max_waiters: config.max_waiters,
            head_start: std::time::Duration::ZERO,
            reserved: 0,
        };
        let all = std::iter::once(&default).chain(&config.lanes);
        all.map(|settings| Self {
            settings: settings.clone(),
            held: 0,
            overloaded_since: None,
            relief: 0,
            look: Look::default(),
            queued: 0,
            refused: 0,
        })
        .collect()
    }

    /// How many resources that come home go to its callers before all others.
    fn owed(&self) -> u32 {
        self.settings.reserved.saturating_sub(self.held)
    }
}

impl Core {
    /// What is known of a lane, by its number; nothing if there is none of that number.
    #[must_use]
    pub fn lane(&self, number: u32) -> LaneCounts {
        let Some(lane) = self.lanes.get(number as usize) else { return LaneCounts::default() };
        LaneCounts {
            max_waiters: lane.settings.max_waiters,
            waiting: self.waiters.waiting_in(number),
            oldest_wait: self.waiters.front(number).map(|id| self.waiters.get(id).since),
            overloaded_since: lane.overloaded_since,
            queued: lane.queued,
            refused: lane.refused,
        }
    }

    /// Whether a lent resource counts for a lane that some are reserved for, so that its lane must hear of its return: it has to
    /// come home by the desk, not by its bit.
    #[must_use]
    pub fn is_tied(&self, index: u32) -> bool {
        self.slots.get(index).tied.is_some()
    }

    /// Who is served next.
    pub(crate) fn first_in_line(&self) -> Option<WaiterId> {
        if self.lanes.len() == 1 {
            return self.waiters.front(0);
        }
        let fronts =
            self.waiters.lanes().filter_map(|lane| Some((lane, self.waiters.front(lane)?)));
        let first = fronts.min_by_key(|(lane, id)| {
            let lane = &self.lanes[*lane as usize];
            let came = self.waiters.get(*id).since;
            // Head starts that reach back beyond all time are alike.
            (lane.owed() == 0, came.checked_sub(lane.settings.head_start), came)
        });
        first.map(|(_, id)| id)
    }

    /// How many resources come home until all who wait in a lane are served, and so many more who come to it now.
    pub(crate) fn returns_for(&self, lane: u32, more: u32) -> u64 {
        let LaneState { settings, .. } = &self.lanes[lane as usize];
        let goes_before =
            |other: &u32| self.lanes[*other as usize].settings.head_start >= settings.head_start;
        let waiting = |other: u32| u64::from(self.waiters.waiting_in(other));
        let by_turn = self.waiters.lanes().filter(goes_before).map(waiting).sum::<u64>();
        let returns = by_turn + u64::from(more);
        if settings.reserved == 0 {
            returns
        } else {
            returns.min(self.returns_by_right(lane, more))
        }
    }

    /// The same by what is reserved for the lane alone, however many wait in others: what it is owed comes first, after what
    /// others are owed, and then as large a part of what comes home as is reserved for it.
    fn returns_by_right(&self, lane: u32, more: u32) -> u64 {
        let state = &self.lanes[lane as usize];
        let owed =
            |other: u32| self.lanes[other as usize].owed().min(self.waiters.waiting_in(other));
        let others = self.waiters.lanes().filter(|other| *other != lane).map(owed).map(u64::from);
        let callers = u64::from(self.waiters.waiting_in(lane)) + u64::from(more);
        let first = callers.min(u64::from(state.owed()));
        let reserved = u64::from(state.settings.reserved);
        let all = u64::from(self.capacity()).max(reserved);
        others.sum::<u64>() + first + ((callers - first) * all).div_ceil(reserved)
    }

    /// A resource counts for a lane from now on, if the lane counts.
    pub(crate) fn tie(&mut self, index: u32, lane: u32) {
        let state = &mut self.lanes[lane as usize];
        if state.settings.reserved > 0 {
            state.held += 1;
            self.slots.get_mut(index).tied = Some(lane);
        }
    }

    /// It no longer does.
    pub(crate) fn untie(&mut self, index: u32) {
        if let Some(lane) = self.slots.get_mut(index).tied.take() {
            self.lanes[lane as usize].held -= 1;
            self.act(Action::Retag(self.slots.id(index)));
        }
    }
}
