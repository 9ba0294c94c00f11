//! The places of the pool: what each is doing, and how many are doing what.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::hold::Began;
use crate::io::Job;
use crate::notes::CloseReason;
use crate::report::Counts;

/// One place, in one of its lives: an id of an earlier life is recognised as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId {
    index: u32,
    generation: u32,
}

impl SlotId {
    /// The number of the place, from zero, dense.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Which of the lives of its place this is, from zero; wraps around.
    #[must_use]
    pub fn generation(self) -> u32 {
        self.generation
    }
}

/// What a place is doing.
///
/// *Transitions:* `Vacant` → `Creating` → `Live` ⇄ `Offered`, `Checking`, `Resetting`; `Creating` → `Void`; any of the open
/// states and `Void` → `Closing`; a job's state → `Vacant` when it loses its resource or its patience, → `Stuck` when there are too many of the latter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Free: not charged.
    Vacant,
    /// A task opens a resource. `unasked`: whether or not a caller waits for it.
    Creating { unasked: bool },
    /// A task opens a resource of an earlier epoch: nobody will get it, and nobody waits for it.
    Void,
    /// Open and not in the core's hands: idle (bit set), lent, or on its way between the two.
    Live,
    /// Open and set aside for a waiter.
    Offered,
    /// A task checks it. `doubtful`: because a sister failed, so nobody should count on it.
    Checking { doubtful: bool },
    /// A task cleans it.
    Resetting,
    /// A task closes it.
    Closing,
    /// A task that should long have ended has it.
    Stuck,
}

impl State {
    /// Whether there is a resource here that may be lent again.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Live | Self::Offered | Self::Checking { .. } | Self::Resetting)
    }
}

impl State {
    /// What a task is to do here.
    pub(crate) fn job(self) -> Option<Job> {
        match self {
            Self::Creating { .. } | Self::Void => Some(Job::Create),
            Self::Checking { .. } => Some(Job::Check),
            Self::Resetting => Some(Job::Reset),
            Self::Closing => Some(Job::Close),
            Self::Vacant | Self::Live | Self::Offered | Self::Stuck => None,
        }
    }
}

/// One place.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) state: State,
    /// How often the place has been vacated.
    generation: u32,
    /// The pool's epoch when the creation began.
    pub(crate) epoch: u64,
    /// When the resource is too old to be lent again, counted from the beginning of its creation.
    pub(crate) retire_at: Option<Instant>,
    /// Whether `retire_all` brought that moment forward.
    pub(crate) retired: bool,
    /// Why the resource is closed. *Transitions:* set once, by whoever finds fault with it first.
    pub(crate) blame: Option<CloseReason>,
    /// When the present job began, or was ordered.
    pub(crate) began: Instant,
    /// Whether the task of a creation has said `Begin`, so that its epoch is settled.
    pub(crate) begun: bool,
    /// Whether it may have died with a driver. *Transitions:* set when one is lost, cleared when a creation or a check begins,
    /// whose outcome decides.
    pub(crate) suspect: bool,
    /// The lane for which it counts, while it is lent or offered.
    pub(crate) tied: Option<u32>,
    /// When it was lent, if callers waited then.
    pub(crate) lent: Option<Began>,
    /// When it last passed a check.
    pub(crate) proved: Option<Instant>,
    /// While it is being checked: since when it has rested. A check is no use.
    pub(crate) since: Instant,
}

impl Slot {
    /// Since when a resource that has rested since `since` can have broken without anybody's knowing.
    pub(crate) fn unseen(&self, since: Instant) -> Instant {
        self.proved.map_or(since, |proved| proved.max(since))
    }
}

/// All places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    vacant: BinaryHeap<Reverse<u32>>,
    counts: Counts,
    doubtful: u32,
    void: u32,
}

impl Slots {
    /// Charges the lowest free place for a creation that begins `now`, and so does its resource's life.
    pub(crate) fn occupy(
        &mut self,
        unasked: bool,
        epoch: u64,
        retire_at: Option<Instant>,
        now: Instant,
    ) -> SlotId {
        let index = match self.vacant.pop() {
            Some(Reverse(index)) => index,
            None => {
                let index =
                    u32::try_from(self.slots.len()).expect("no more than max_size slots, a u32");
                self.slots.push(Slot {
                    state: State::Vacant,
                    generation: 0,
                    epoch,
                    retire_at: None,
                    retired: false,
                    began: now,
                    blame: None,
                    begun: false,
                    suspect: false,
                    tied: None,
                    lent: None,
                    proved: None,
                    since: now,
                });
                index
            }
        };
        self.enter(index, State::Creating { unasked });
        let slot = &mut self.slots[index as usize];
        (slot.epoch, slot.retire_at, slot.began) = (epoch, retire_at, now);
        (slot.retired, slot.blame) = (false, None);
        (slot.begun, slot.suspect, slot.proved) = (false, false, None);
        self.id(index)
    }

    /// Moves a place to another state and keeps the counts.
    pub(crate) fn enter(&mut self, index: u32, state: State) {
        let old = std::mem::replace(&mut self.slots[index as usize].state, state);
        if let Some(count) = self.count(old) {
            *count -= 1;
        }
        if let Some(count) = self.count(state) {
            *count += 1;
        }
        self.doubtful -= u32::from(old == State::Checking { doubtful: true });
        self.doubtful += u32::from(state == State::Checking { doubtful: true });
        self.void -= u32::from(old == State::Void);
        self.void += u32::from(state == State::Void);
        if state == State::Vacant {
            let slot = &mut self.slots[index as usize];
            slot.generation = slot.generation.wrapping_add(1);
            self.vacant.push(Reverse(index));
        }
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    pub(crate) fn get(&self, index: u32) -> &Slot {
        &self.slots[index as usize]
    }

    /// The id of the present life of a place.
    pub(crate) fn id(&self, index: u32) -> SlotId {
        SlotId { index, generation: self.slots[index as usize].generation }
    }

    /// Whether `id` is of the present life of its place.
    pub(crate) fn is_current(&self, id: SlotId) -> bool {
        self.slots.get(id.index as usize).is_some_and(|slot| slot.generation == id.generation)
    }

    /// The numbers of all places that were ever used.
    pub(crate) fn indices(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).expect("no more than max_size slots, a u32")
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Jobs that are likely to end with a resource to lend.
    pub(crate) fn coming(&self) -> u32 {
        self.opening() + self.checks_counted_on() + self.counts.resetting
    }

    /// Resources that may be lent again.
    pub(crate) fn open(&self) -> u32 {
        let counts = self.counts;
        counts.live + counts.offered + counts.checking + counts.resetting
    }

    /// Creations of the present epoch.
    pub(crate) fn opening(&self) -> u32 {
        self.counts.creating - self.void
    }

    /// Checks whose success may be expected.
    pub(crate) fn checks_counted_on(&self) -> u32 {
        self.counts.checking - self.doubtful
    }

    fn count(&mut self, state: State) -> Option<&mut u32> {
        let counts = &mut self.counts;
        match state {
            State::Vacant => None,
            State::Creating { .. } | State::Void => Some(&mut counts.creating),
            State::Live => Some(&mut counts.live),
            State::Offered => Some(&mut counts.offered),
            State::Checking { .. } => Some(&mut counts.checking),
            State::Resetting => Some(&mut counts.resetting),
            State::Closing => Some(&mut counts.closing),
            State::Stuck => Some(&mut counts.stuck),
        }
    }
}
