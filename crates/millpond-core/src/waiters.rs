//! The queues: a slab of callers, the waiting ones of each lane linked in the order in which they are served.
//!
//! Queueing, leaving from any place and refusing cost O(1) and, once warm, no allocation.

use std::time::{Duration, Instant};

use crate::io::Refusal;
use crate::phases::Phases;

/// One caller, in one of its lives: an id of an earlier life is recognised as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId {
    index: u32,
    generation: u32,
}

impl WaiterId {
    /// The number of the caller's place in the slab, from zero, dense.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }
}

/// Where a caller stands.
///
/// *Transitions:* `Waiting` → `Offered` | `Refused`; `Offered` → gone (claimed) | `Lapsed` (never came for it) | `Refused`
/// (never came, and its deadline passed); `Lapsed` → `Waiting` (polled after all) | `Refused`. Every state → gone by a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Standing {
    /// In the queue.
    Waiting,
    /// Out of the queue; this slot is set aside for it.
    Offered(u32),
    /// Out of the queue, because it did not come for what it was offered.
    Lapsed,
    /// Out of the queue, and about to be told why.
    Refused(Refusal),
}

/// One caller.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) standing: Standing,
    /// Its queue.
    pub(crate) lane: u32,
    /// When it came.
    pub(crate) since: Instant,
    /// How long it is ready to wait.
    pub(crate) patience: Duration,
    /// Whether that is all the time it has, lease included.
    pub(crate) covers_lease: bool,
    /// The pool's phase sums when it came.
    pub(crate) phases: Phases,
    /// When something was last offered to it.
    pub(crate) offered_at: Instant,
    /// Whether its deadline passed while something was offered to it.
    pub(crate) expired: bool,
    /// Whether it once was put back at the front after it had lapsed.
    pub(crate) requeued: bool,
    /// Tells who left the queue before whom.
    pub(crate) turn: u64,
    previous: Option<u32>,
    next: Option<u32>,
}

/// All callers that wait or waited and have not been told the outcome yet.
#[derive(Clone, Debug)]
pub(crate) struct Waiters {
    slab: Vec<(u32, Option<Waiter>)>,
    free: Vec<u32>,
    /// One for each lane.
    queues: Vec<Queue>,
    waiting: u32,
    /// How often a caller has changed its standing.
    turns: u64,
}

/// Both ends of a queue, and its length.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    front: Option<u32>,
    back: Option<u32>,
    waiting: u32,
}

impl Waiters {
    /// Nobody, in so many lanes.
    pub(crate) fn new(lanes: usize) -> Self {
        let (slab, free) = (Vec::new(), Vec::new());
        Self { slab, free, queues: vec![Queue::default(); lanes], waiting: 0, turns: 0 }
    }

    /// Puts a new caller at the back of a lane's queue. Its patience is without end.
    pub(crate) fn push(&mut self, lane: u32, since: Instant, phases: Phases) -> WaiterId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slab.push((0, None));
            u32::try_from(self.slab.len() - 1).expect("fewer than 2^32 callers at a time")
        });
        let waiter = Waiter {
            standing: Standing::Lapsed,
            lane,
            since,
            patience: Duration::MAX,
            covers_lease: false,
            phases,
            offered_at: since,
            expired: false,
            requeued: false,
            turn: 0,
            previous: None,
            next: None,
        };
        let (generation, entry) = &mut self.slab[index as usize];
        *entry = Some(waiter);
        let id = WaiterId { index, generation: *generation };
        self.enqueue_back(id);
        id
    }

    /// Puts a caller that is in no queue at the back of its own.
    pub(crate) fn enqueue_back(&mut self, id: WaiterId) {
        let back = self.queues[self.get(id).lane as usize].back;
        self.link(id.index, back, None);
    }

    /// Puts a caller that is in no queue at the front of its own.
    pub(crate) fn enqueue_front(&mut self, id: WaiterId) {
        let front = self.queues[self.get(id).lane as usize].front;
        self.link(id.index, None, front);
    }

    /// Takes a caller out of the queue, if it is there, and gives it another standing.
    pub(crate) fn set(&mut self, id: WaiterId, standing: Standing) {
        self.unlink(id.index);
        self.turns += 1;
        let turn = self.turns;
        let waiter = self.at(id.index);
        (waiter.standing, waiter.turn) = (standing, turn);
    }

    /// Forgets a caller.
    pub(crate) fn remove(&mut self, id: WaiterId) {
        self.unlink(id.index);
        let (generation, entry) = &mut self.slab[id.index as usize];
        *generation = generation.wrapping_add(1);
        *entry = None;
        self.free.push(id.index);
    }

    pub(crate) fn get_mut(&mut self, id: WaiterId) -> &mut Waiter {
        self.at(id.index)
    }

    pub(crate) fn get(&self, id: WaiterId) -> &Waiter {
        self.slab[id.index as usize].1.as_ref().expect(LINKED)
    }

    /// Whether `id` is of a caller that has not been told the outcome.
    pub(crate) fn is_current(&self, id: WaiterId) -> bool {
        self.slab
            .get(id.index as usize)
            .is_some_and(|(generation, entry)| *generation == id.generation && entry.is_some())
    }

    /// The id of the caller at `index` of the slab, if there is one.
    pub(crate) fn id(&self, index: u32) -> Option<WaiterId> {
        let (generation, entry) = self.slab.get(index as usize)?;
        entry.is_some().then_some(WaiterId { index, generation: *generation })
    }

    /// The first in a lane's queue.
    pub(crate) fn front(&self, lane: u32) -> Option<WaiterId> {
        self.queues[lane as usize].front.and_then(|index| self.id(index))
    }

    /// How many are in a lane's queue.
    pub(crate) fn waiting_in(&self, lane: u32) -> u32 {
        self.queues[lane as usize].waiting
    }

    /// How many are in any queue.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// The numbers of the lanes.
    pub(crate) fn lanes(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.queues.len()).expect("a few lanes")
    }

    /// A lane's queue, from the front.
    pub(crate) fn queue(&self, lane: u32) -> impl Iterator<Item = WaiterId> + '_ {
        let next = |id: &WaiterId| self.get(*id).next.and_then(|next| self.id(next));
        std::iter::successors(self.front(lane), next)
    }

    /// All who are in a queue, lane by lane.
    pub(crate) fn queued(&self) -> impl Iterator<Item = WaiterId> + '_ {
        self.lanes().flat_map(|lane| self.queue(lane))
    }

    /// Everybody, queued or not, in the order of the slab.
    pub(crate) fn all(&self) -> impl Iterator<Item = WaiterId> + '_ {
        (0u32..).take(self.slab.len()).filter_map(|index| self.id(index))
    }

    fn link(&mut self, index: u32, previous: Option<u32>, next: Option<u32>) {
        let waiter = self.at(index);
        debug_assert!(
            waiter.standing != Standing::Waiting,
            "waiter {index} is in the queue already"
        );
        (waiter.standing, waiter.previous, waiter.next) = (Standing::Waiting, previous, next);
        let lane = waiter.lane as usize;
        match previous {
            Some(previous) => self.at(previous).next = Some(index),
            None => self.queues[lane].front = Some(index),
        }
        match next {
            Some(next) => self.at(next).previous = Some(index),
            None => self.queues[lane].back = Some(index),
        }
        self.queues[lane].waiting += 1;
        self.waiting += 1;
    }

    fn unlink(&mut self, index: u32) {
        let waiter = self.at(index);
        if waiter.standing != Standing::Waiting {
            return;
        }
        waiter.standing = Standing::Lapsed;
        let (previous, next) = (waiter.previous.take(), waiter.next.take());
        let lane = waiter.lane as usize;
        match previous {
            Some(previous) => self.at(previous).next = next,
            None => self.queues[lane].front = next,
        }
        match next {
            Some(next) => self.at(next).previous = previous,
            None => self.queues[lane].back = previous,
        }
        self.queues[lane].waiting -= 1;
        self.waiting -= 1;
    }

    fn at(&mut self, index: u32) -> &mut Waiter {
        self.slab[index as usize].1.as_mut().expect(LINKED)
    }
}

const LINKED: &str = "a linked or current id has an entry";
