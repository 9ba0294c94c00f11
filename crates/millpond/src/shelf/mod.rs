//! All shelves of a pool: a map from slot numbers to shelves that only ever grows, and the order in which callers look.

mod facts;
mod slot;

pub(crate) use self::facts::{Facts, Lease};
pub(crate) use self::slot::{Claim, Shelf, Take, WIDEST};

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::{Arc, OnceLock};

/// The shelves of one pool, all of one width. Slot *n* lives on shelf *n* / width for ever.
///
/// Kept in segments of doubling size that are never moved, so that a reader needs no lock while the pool grows.
#[derive(Debug)]
pub(crate) struct Shelves<R, L> {
    width: u32,
    /// How many shelves are open; may lag behind.
    open: AtomicUsize,
    segments: [OnceLock<Segment<R, L>>; SEGMENTS],
}

type Segment<R, L> = Box<[OnceLock<Arc<Shelf<R, L>>>]>;

impl<R, L> Shelves<R, L> {
    /// No shelves yet, of `width` slots each.
    pub(crate) fn new(width: u32) -> Self {
        Self {
            width: width.clamp(1, WIDEST),
            open: AtomicUsize::new(0),
            segments: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Opens the shelf of slot `index` if it is not there yet, and returns the claims to its slots.
    pub(crate) fn open(
        &self,
        index: u32,
        attended: bool,
        link: impl FnOnce() -> L,
    ) -> Vec<Claim<R, L>> {
        let number = index / self.width;
        let (segment, place) = address(number);
        let segment = self.segments[segment]
            .get_or_init(|| (0..1_usize << segment).map(|_| OnceLock::new()).collect());
        let mut claims = Vec::new();
        segment[place].get_or_init(|| {
            let (shelf, minted) = Shelf::new(number * self.width, self.width, link());
            claims = minted;
            // mutate: if false {
            if attended {
                shelf.attend();
            }
            self.open.fetch_add(1, Ordering::Relaxed);
            shelf
        });
        claims
    }

    /// Takes an idle resource, looking at the caller's home shelf first. `Empty` and `Attended` are one answer here: the
    /// desk knows better.
    #[inline]
    pub(crate) fn take(&self) -> Option<(Claim<R, L>, &Facts)> {
        if self.segments[1].get().is_some() {
            return self.take_from_many();
        }
        match self.segments[0].get()?[0].get()?.take() {
            Take::Taken(claim, facts) => Some((claim, facts)),
            Take::Empty | Take::Attended => None,
        }
    }

    fn take_from_many(&self) -> Option<(Claim<R, L>, &Facts)> {
        let open = self.open.load(Ordering::Relaxed);
        let home = home();
        for step in 0..open {
            let number = u32::try_from((home + step) % open).expect("fewer than 2^25 shelves");
            match self.shelf(number)?.take() {
                Take::Taken(claim, facts) => return Some((claim, facts)),
                Take::Empty => {}
                Take::Attended => return None,
            }
        }
        None
    }

    /// Takes slot `index` for the desk, if it lies idle.
    pub(crate) fn claim(&self, index: u32) -> Option<Claim<R, L>> {
        self.shelf(index / self.width)?.claim(index % self.width)
    }

    /// The first slot at or after `from` that lies idle.
    pub(crate) fn peek(&self, from: u32) -> Option<u32> {
        let number = from / self.width;
        let mut bit = from % self.width;
        for shelf in (number..).map_while(|number| self.shelf(number)) {
            if let Some(bit) = shelf.peek(bit) {
                return Some(shelf.first() + bit);
            }
            bit = 0;
        }
        None
    }

    /// How many slots there are on open shelves.
    pub(crate) fn slots(&self) -> u32 {
        self.iter().map(|shelf| shelf.width()).sum()
    }

    /// What is known of slot `index`.
    pub(crate) fn facts(&self, index: u32) -> &Facts {
        self.shelf(index / self.width).expect("slots in use have a shelf").facts(index % self.width)
    }

    /// Whether slot `index` lies idle.
    pub(crate) fn is_idle(&self, index: u32) -> bool {
        self.shelf(index / self.width).is_some_and(|shelf| shelf.is_idle(index % self.width))
    }

    /// How many slots lie idle.
    pub(crate) fn count(&self) -> u32 {
        self.iter().map(|shelf| shelf.count()).sum()
    }

    /// Sends callers to the desk, or lets them help themselves. Not one step on several shelves: see `Desk`.
    pub(crate) fn attend(&self, attended: bool) {
        // mutate: for shelf in self.iter().take(1) {
        for shelf in self.iter() {
            if attended { shelf.attend() } else { shelf.unattend() }
        }
    }

    /// All slots that were ever used and some that were not, by number.
    pub(crate) fn all_facts(&self) -> impl Iterator<Item = (u32, &Facts)> {
        self.iter().flat_map(|shelf| {
            (0..shelf.width()).map(move |bit| (shelf.first() + bit, shelf.facts(bit)))
        })
    }

    /// All shelves, in the order of their slots.
    fn iter(&self) -> impl Iterator<Item = &Arc<Shelf<R, L>>> {
        (0..).map_while(|number| self.shelf(number))
    }

    #[inline]
    fn shelf(&self, number: u32) -> Option<&Arc<Shelf<R, L>>> {
        let (segment, place) = address(number);
        self.segments.get(segment)?.get()?[place].get()
    }
}

/// The segment of a shelf and its place there: segment *k* has room for 2^*k* shelves.
#[inline]
fn address(number: u32) -> (usize, usize) {
    let segment = (number + 1).ilog2();
    (segment as usize, (number + 1 - (1 << segment)) as usize)
}

/// Where the present thread looks first: threads are dealt out to shelves in the order in which they first look.
fn home() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static HOME: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    // A thread that is about to end may have no thread-locals left.
    HOME.try_with(|home| *home).unwrap_or(0)
}

/// Enough for 2^25 - 1 shelves.
const SEGMENTS: usize = 25;
