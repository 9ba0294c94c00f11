//! The queue: a slab of callers, the waiting ones linked in the order in which they are served.
//!
//! Queueing, leaving from any place and refusing cost O(1) and, once warm, no allocation.

use std::time::Instant;

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
    /// When it came.
    pub(crate) since: Instant,
    /// The pool's phase sums when it came.
    pub(crate) phases: Phases,
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters {
    slab: Vec<(u32, Option<Waiter>)>,
    free: Vec<u32>,
    front: Option<u32>,
    back: Option<u32>,
    waiting: u32,
    /// How often a caller has changed its standing.
    turns: u64,
}

impl Waiters {
    /// Puts a new caller at the back of the queue.
    pub(crate) fn push(&mut self, since: Instant, phases: Phases) -> WaiterId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slab.push((0, None));
            u32::try_from(self.slab.len() - 1).expect("fewer than 2^32 callers at a time")
        });
        let waiter = Waiter {
            standing: Standing::Lapsed,
            since,
            phases,
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

    /// Puts a caller that is in no queue at the back.
    pub(crate) fn enqueue_back(&mut self, id: WaiterId) {
        self.link(id.index, self.back, None);
    }

    /// Puts a caller that is in no queue at the front.
    pub(crate) fn enqueue_front(&mut self, id: WaiterId) {
        self.link(id.index, None, self.front);
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

    /// The first in the queue.
    pub(crate) fn front(&self) -> Option<WaiterId> {
        self.front.and_then(|index| self.id(index))
    }

    /// How many are in the queue.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// The queue, from the front.
    pub(crate) fn queue(&self) -> impl Iterator<Item = WaiterId> + '_ {
        std::iter::successors(self.front(), |id| self.get(*id).next.and_then(|next| self.id(next)))
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
        match previous {
            Some(previous) => self.at(previous).next = Some(index),
            None => self.front = Some(index),
        }
        match next {
            Some(next) => self.at(next).previous = Some(index),
            None => self.back = Some(index),
        }
        self.waiting += 1;
    }

    fn unlink(&mut self, index: u32) {
        let waiter = self.at(index);
        if waiter.standing != Standing::Waiting {
            return;
        }
        waiter.standing = Standing::Lapsed;
        let (previous, next) = (waiter.previous.take(), waiter.next.take());
        match previous {
            Some(previous) => self.at(previous).next = next,
            None => self.front = next,
        }
        match next {
            Some(next) => self.at(next).previous = previous,
            None => self.back = previous,
        }
        self.waiting -= 1;
    }

    fn at(&mut self, index: u32) -> &mut Waiter {
        self.slab[index as usize].1.as_mut().expect(LINKED)
    }
}

const LINKED: &str = "a linked or current id has an entry";
