//! One shelf: the idle word, the slots it speaks for, and the right to a slot. The only `unsafe` of the project.
//!
//! Bit *i* of the word is set while the resource of slot *i* lies idle. Whoever clears a set bit has the slot, as a
//! [`Claim`]; setting the bit gives it up. Bit 63 sends everyone to the desk.
//!
//! *Invariant (I1):* for each slot there is at any moment either its set bit or exactly one [`Claim`], never both. Claims
//! are made in three places, all in this file: `new` (one for each slot, bits unset), `take` and `claim` (which clear a set
//! bit in one atomic step). They are neither `Clone` nor `Copy`; `put` consumes one and sets the bit.

use std::marker::PhantomData;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::AtomicPtr;

use super::facts::Facts;
use crate::sync::{Arc, AtomicU64, Ordering, UnsafeCell};

/// The most slots one word speaks for.
pub(crate) const WIDEST: u32 = 63;

/// Set while callers must come to the desk. *Transitions:* both ways, only under the desk's lock.
const ATTENDED: u64 = 1 << 63;

/// A word and its slots. `L` is what a borrower needs beside the resource.
///
/// The word stands first, beside the reference counts of the `Arc` around the shelf, which every lease touches anyway:
/// padding it to a line of its own would make two contended lines of one.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shelf<R, L> {
    word: AtomicU64,
    first: u32,
    slots: Box<[Slot<R>]>,
    link: L,
}

#[derive(Debug)]
struct Slot<R> {
    resource: UnsafeCell<Option<R>>,
    facts: Facts,
}

// SAFETY: a shared `Slot` gives access to its resource only through the one `Claim` to it (I1), so sharing it between
// threads hands resources from one thread to another, which `R: Send` allows, but never shares one. `facts` is atomics.
#[expect(unsafe_code, reason = "the slot cell hands a resource from thread to thread")]
unsafe impl<R: Send> Sync for Slot<R> {}

/// What a look at a word found.
#[derive(Debug)]
pub(crate) enum Take<R, L> {
    /// The lowest idle slot.
    Taken(Claim<R, L>),
    /// Nothing lies idle here.
    Empty,
    /// Callers must come to the desk.
    Attended,
}

impl<R, L> Shelf<R, L> {
    /// An unattended shelf for the slots `first..first + width`, with the claims to them. Nothing lies idle.
    pub(crate) fn new(first: u32, width: u32, link: L) -> (Arc<Self>, Vec<Claim<R, L>>) {
        debug_assert!((1..=WIDEST).contains(&width), "a word has room for 63 slots, not {width}");
        let slots = (0..width)
            .map(|_| Slot { resource: UnsafeCell::new(None), facts: Facts::default() })
            .collect();
        let shelf = Arc::new(Self { word: AtomicU64::new(0), first, slots, link });
        let claims = (0..width).map(|bit| Claim::new(&shelf, bit)).collect();
        (shelf, claims)
    }

    /// Takes the lowest idle slot, unless the shelf is attended. One RMW if nobody interferes.
    ///
    /// # Memory ordering
    ///
    /// `Acquire` pairs with the `Release` of the `put` that set the bit: what its borrower did to the resource is seen, and
    /// so is what the desk published before it last sent callers away from it.
    #[inline]
    pub(crate) fn take(self: &Arc<Self>) -> Take<R, L> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & ATTENDED != 0 {
                // mutate: if false {
                return Take::Attended;
            }
            if word == 0 {
                return Take::Empty;
            }
            let bit = word.trailing_zeros();
            let without = word & (word - 1);
            match self.word.compare_exchange_weak(
                word,
                without,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Take::Taken(Claim::new(self, bit)),
                Err(now) => word = now,
            }
        }
    }

    /// Takes the slot of `bit`, attended or not, if it lies idle. For the desk.
    pub(crate) fn claim(self: &Arc<Self>, bit: u32) -> Option<Claim<R, L>> {
        let before = self.word.fetch_and(!(1 << bit), Ordering::Acquire);
        (before & (1 << bit) != 0).then(|| Claim::new(self, bit))
    }

    /// Sends callers to the desk.
    ///
    /// # Memory ordering
    ///
    /// None is needed: this and every `put` and `take` are RMWs on one word, so either they see the flag or the next look
    /// at the word sees what they did.
    pub(crate) fn attend(&self) {
        self.word.fetch_or(ATTENDED, Ordering::Relaxed);
    }

    /// Lets callers help themselves.
    ///
    /// # Memory ordering
    ///
    /// `Release`: a `take` that finds the flag down sees the tick and the epoch that the desk published before.
    pub(crate) fn unattend(&self) {
        self.word.fetch_and(!ATTENDED, Ordering::Release);
    }

    /// The first idle bit at or after `from`; only [`claim`](Self::claim) makes it sure.
    pub(crate) fn peek(&self, from: u32) -> Option<u32> {
        let idle = (self.word.load(Ordering::Relaxed) & !ATTENDED) >> from << from;
        (idle != 0).then(|| idle.trailing_zeros())
    }

    /// How many slots lie idle.
    pub(crate) fn count(&self) -> u32 {
        (self.word.load(Ordering::Relaxed) & !ATTENDED).count_ones()
    }

    /// What is known of the slot of `bit`, whoever has it.
    pub(crate) fn facts(&self, bit: u32) -> &Facts {
        &self.slots[bit as usize].facts
    }

    /// The number of the first slot.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    /// How many slots there are.
    pub(crate) fn width(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("at most 63 slots")
    }

    /// What a borrower needs.
    pub(crate) fn link(&self) -> &L {
        &self.link
    }
}

/// The right to one slot. Lost, with the slot, if it is dropped.
#[must_use]
#[derive(Debug)]
pub(crate) struct Claim<R, L> {
    shelf: Arc<Shelf<R, L>>,
    bit: u32,
    /// A claim gives `&R` and `&mut R`: it may be sent and shared between threads as far as an `R` may.
    owns: PhantomData<R>,
}

impl<R, L> Claim<R, L> {
    #[inline]
    fn new(shelf: &Arc<Shelf<R, L>>, bit: u32) -> Self {
        Self { shelf: Arc::clone(shelf), bit, owns: PhantomData }
    }

    /// Sets the idle bit; says whether the shelf is attended, in which case the desk has to be told.
    ///
    /// # Memory ordering
    ///
    /// `Release` pairs with the `Acquire` of whoever clears the bit.
    #[inline]
    pub(crate) fn put(self) -> (bool, Arc<Shelf<R, L>>) {
        let before = self.shelf.word.fetch_or(1 << self.bit, Ordering::Release);
        debug_assert!(before & (1 << self.bit) == 0, "slot {} came home twice", self.bit);
        (before & ATTENDED != 0, self.shelf) // mutate: (false, self.shelf)
    }

    /// The resource, if there is one.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    pub(crate) fn resource(&self) -> Option<&R> {
        // SAFETY: this is the only claim to the slot (I1), and it is borrowed for as long as the reference lives, so nobody
        // has a `&mut` to the cell: that takes `&mut self` (`resource_mut`) of this same claim.
        self.slot().resource.with(|cell| unsafe { &*cell }.as_ref())
    }

    /// The place of the resource.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    pub(crate) fn resource_mut(&mut self) -> &mut Option<R> {
        // SAFETY: this is the only claim to the slot (I1), and it is borrowed mutably for as long as the reference lives.
        self.slot().resource.with_mut(|cell| unsafe { &mut *cell })
    }

    /// The place of the resource, and what stands beside it.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    pub(crate) fn parts(&mut self) -> (&mut Option<R>, &Facts, &L) {
        let slot = self.slot();
        // SAFETY: as in `resource_mut`; facts and link are not in the cell.
        (slot.resource.with_mut(|cell| unsafe { &mut *cell }), &slot.facts, &self.shelf.link)
    }

    /// What is known of the slot.
    #[inline]
    pub(crate) fn facts(&self) -> &Facts {
        &self.slot().facts
    }

    /// What a borrower needs.
    #[inline]
    pub(crate) fn link(&self) -> &L {
        &self.shelf.link
    }

    /// The number of the slot in the pool.
    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.shelf.first + self.bit
    }

    #[inline]
    fn slot(&self) -> &Slot<R> {
        &self.shelf.slots[self.bit as usize]
    }
}

/// Where the holder of a slot asked for it.
#[derive(Debug, Default)]
pub(crate) struct Holder(AtomicPtr<Location<'static>>);

impl Holder {
    #[inline]
    pub(crate) fn set(&self, location: &'static Location<'static>) {
        self.0.store(ptr::from_ref(location).cast_mut(), Ordering::Relaxed);
    }

    #[expect(unsafe_code, reason = "a reference that fits into an atomic")]
    pub(crate) fn get(&self) -> Option<&'static Location<'static>> {
        let location = self.0.load(Ordering::Relaxed);
        // SAFETY: the pointer is null or was made from a `&'static Location` in `set`, the only place that stores one.
        unsafe { location.as_ref() }
    }
}
