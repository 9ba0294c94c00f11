//! One shelf: the idle word, the slots it speaks for, and the right to a slot. The only `unsafe` of the project.
//!
//! Bit *i* of the word is set while the resource of slot *i* lies idle. Whoever clears a set bit has the slot, as a
//! [`Claim`]; setting the bit gives it up. Bit 63 sends everyone to the desk.
//!
//! *Invariant (I1):* for each slot there is at any moment either its set bit or exactly one [`Claim`], never both. Claims
//! are made in three places, all in this file: `new` (one for each slot, bits unset), `take` and `claim` (which clear a set
//! bit in one atomic step). They are neither `Clone` nor `Copy`; `put` and `rest` consume one and set the bit.
//!
//! *Invariant:* a shelf lives as long as any of its slots: each slot owns one count of the shelf's `Arc`, which is in the claim
//! while there is one and in the slot itself while the bit is set. So a lease moves a count and never changes one. Whoever
//! ends the pool claims what lies idle, which ends the cycle.

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
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Shelf<R, L> {
    word: AtomicU64,
    first: u32,
    slots: Box<[Slot<R, L>]>,
    link: L,
}

/// Aligned, so that the borrowers of neighbouring slots do not write to one line.
#[derive(Debug)]
#[repr(align(64))]
struct Slot<R, L> {
    contents: UnsafeCell<Contents<R, L>>,
    facts: Facts,
}

#[derive(Debug)]
struct Contents<R, L> {
    resource: Option<R>,
    /// The count of the shelf that the next claim will have. `Some` exactly while the bit is set.
    shelf: Option<Arc<Shelf<R, L>>>,
}

// SAFETY: a shared `Slot` gives access to its contents only through the one `Claim` to it, or to the one thread that has just
// cleared its bit (I1). So sharing it between threads hands the contents from thread to thread, which `R: Send` and
// `L: Send + Sync` (for the `Arc`) allow, but never shares them. `facts` is atomics.
#[expect(unsafe_code, reason = "the slot cell hands a resource from thread to thread")]
unsafe impl<R: Send, L: Send + Sync> Sync for Slot<R, L> {}

/// What a look at a word found.
#[derive(Debug)]
pub(crate) enum Take<'a, R, L> {
    /// The lowest idle slot, and what is known of it.
    Taken(Claim<R, L>, &'a Facts),
    /// Nothing lies idle here.
    Empty,
    /// Callers must come to the desk.
    Attended,
}

impl<R, L> Shelf<R, L> {
    /// An unattended shelf for the slots `first..first + width`, with the claims to them. Nothing lies idle.
    pub(crate) fn new(first: u32, width: u32, link: L) -> (Arc<Self>, Vec<Claim<R, L>>) {
        debug_assert!((1..=WIDEST).contains(&width), "a word has room for 63 slots, not {width}");
        let slot = || Slot {
            contents: UnsafeCell::new(Contents { resource: None, shelf: None }),
            facts: Facts::default(),
        };
        let slots = (0..width).map(|_| slot()).collect();
        let shelf = Arc::new(Self { word: AtomicU64::new(0), first, slots, link });
        let claims = (0..width)
            .map(|bit| Claim { shelf: Arc::clone(&shelf), bit, owns: PhantomData })
            .collect();
        (shelf, claims)
    }

    /// Takes the lowest idle slot, unless the shelf is attended. One RMW if nobody interferes.
    ///
    /// # Memory ordering
    ///
    /// `Acquire` pairs with the `Release` of the `put` or `rest` that set the bit: what its borrower did to the resource is
    /// seen; and with that of the last `unattend`, so what the desk published before it is seen too.
    #[inline]
    pub(crate) fn take(&self) -> Take<'_, R, L> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            // mutate: if false {
            if word & ATTENDED != 0 {
                return Take::Attended;
            }
            if word == 0 {
                return Take::Empty;
            }
            let bit = word.trailing_zeros();
            match self.word.compare_exchange_weak(
                word,
                word & (word - 1),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let (claim, facts) = self.taken(bit);
                    return Take::Taken(claim, facts);
                }
                Err(now) => word = now,
            }
        }
    }

    /// Takes the slot of `bit`, attended or not, if it lies idle. For the desk.
    ///
    /// # Memory ordering
    ///
    /// As that of [`take`](Self::take).
    pub(crate) fn claim(&self, bit: u32) -> Option<Claim<R, L>> {
        let before = self.word.fetch_and(!(1 << bit), Ordering::Acquire);
        (before & (1 << bit) != 0).then(|| self.taken(bit).0)
    }

    /// Sends callers to the desk.
    ///
    /// # Memory ordering
    ///
    /// None is needed: this and every `put` and `take` are RMWs on one word, so either they see the flag or the next look at
    /// the word sees what they did.
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

    /// Whether the slot of `bit` lies idle.
    pub(crate) fn is_idle(&self, bit: u32) -> bool {
        self.word.load(Ordering::Relaxed) & (1 << bit) != 0
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

    /// The claim to a slot whose bit this thread has just cleared.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    fn taken(&self, bit: u32) -> (Claim<R, L>, &Facts) {
        let slot = &self.slots[bit as usize];
        // SAFETY: the caller has cleared the bit, so the slot is this thread's (I1), and no claim to it exists yet.
        let shelf = slot.contents.with_mut(|cell| unsafe { (*cell).shelf.take() });
        let shelf = shelf.expect("a slot whose bit is set owns a count");
        (Claim { shelf, bit, owns: PhantomData }, &slot.facts)
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
    /// Sets the idle bit, unless the shelf is attended: then the claim comes back, to be taken to the desk. One RMW if nobody
    /// interferes; what the caller learns, it learns while it still has the slot, because afterwards the pool may be gone.
    ///
    /// # Memory ordering
    ///
    /// `Release` pairs with the `Acquire` of whoever clears the bit.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    pub(crate) fn put(self) -> Result<(), Self> {
        let mut word = self.shelf.word.load(Ordering::Relaxed);
        // mutate: if false {
        if word & ATTENDED != 0 {
            return Err(self);
        }
        let bit = self.bit;
        let shelf = self.lay_down();
        loop {
            // SAFETY: the slot owns a count of the shelf (`lay_down`). Nobody takes it from there before the bit is set, and
            // after the step that sets it the shelf is not touched again.
            let exchanged = unsafe { &(*shelf).word }.compare_exchange_weak(
                word,
                word | 1 << bit,
                Ordering::Release,
                Ordering::Relaxed,
            );
            match exchanged {
                Ok(_) => return Ok(()),
                // SAFETY: as above; the bit was not set, so the slot is still this thread's.
                // mutate: Err(now) if false => return Err(unsafe { (*shelf).taken(bit).0 }),
                Err(now) if now & ATTENDED != 0 => return Err(unsafe { (*shelf).taken(bit).0 }),
                Err(now) => word = now,
            }
        }
    }

    /// Sets the idle bit, attended or not. For the desk.
    ///
    /// # Memory ordering
    ///
    /// As that of [`put`](Self::put).
    #[expect(unsafe_code, reason = "the slot cell")]
    pub(crate) fn rest(self) {
        let bit = self.bit;
        let shelf = self.lay_down();
        // SAFETY: as in `put`.
        unsafe { &(*shelf).word }.fetch_or(1 << bit, Ordering::Release);
    }

    /// Moves the count of the shelf into the slot, for the next claim.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    fn lay_down(self) -> *const Shelf<R, L> {
        let shelf = Arc::as_ptr(&self.shelf);
        // SAFETY: the count that is moved keeps the shelf alive throughout; this is the only claim to the slot (I1).
        unsafe { &*shelf }.slots[self.bit as usize]
            .contents
            .with_mut(|cell| unsafe { (*cell).shelf = Some(self.shelf) });
        shelf
    }

    /// The resource, if there is one.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    pub(crate) fn resource(&self) -> Option<&R> {
        // SAFETY: this is the only claim to the slot (I1), and it is borrowed for as long as the reference lives, so nobody
        // has a `&mut` to the cell: that takes `&mut self` of this same claim.
        self.slot().contents.with(|cell| unsafe { (*cell).resource.as_ref() })
    }

    /// The place of the resource.
    #[inline]
    pub(crate) fn resource_mut(&mut self) -> &mut Option<R> {
        self.parts().0
    }

    /// The place of the resource, and what stands beside it.
    #[inline]
    #[expect(unsafe_code, reason = "the slot cell")]
    pub(crate) fn parts(&mut self) -> (&mut Option<R>, &Facts, &L) {
        let slot = self.slot();
        // SAFETY: this is the only claim to the slot (I1), and it is borrowed mutably for as long as the reference lives.
        let resource = slot.contents.with_mut(|cell| unsafe { &mut (*cell).resource });
        (resource, &slot.facts, &self.shelf.link)
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
    fn slot(&self) -> &Slot<R, L> {
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
