//! What holds at each moment of a scenario, whatever goes wrong in it: the pool is looked at after every poll.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use millpond::{Manager, Pool, Status};

use crate::callers::Moment;
use crate::scenario::SIZE;

/// Looks at a pool from the outside, and remembers what it last saw.
///
/// A look is a visit to the pool: it reads the clock, and whatever reads the clock tells the time. So a loop runs with and
/// without one.
pub struct Watch<'s, M: Manager> {
    pool: &'s Pool<M>,
    paused: &'s AtomicBool,
    seen: RefCell<Seen>,
}

struct Seen {
    status: Status,
    /// Whether a creation has failed and none has succeeded since, so that a pause may be running.
    failing: bool,
}

impl<'s, M: Manager> Watch<'s, M> {
    /// Begins to look. `paused` tells whether the pool is.
    pub fn new(pool: &'s Pool<M>, paused: &'s AtomicBool) -> Self {
        let seen = Seen { status: pool.status(), failing: false };
        Self { pool, paused, seen: RefCell::new(seen) }
    }

    /// Looks.
    ///
    /// # Panics
    ///
    /// If something is seen that must never be.
    #[track_caller]
    pub fn look(&self, moment: Moment) {
        let now = self.pool.status();
        let mut seen = self.seen.borrow_mut();
        conserved(&seen.status, &now);
        bounded(&now);
        let (then, totals) = (seen.status.totals, now.totals);
        // A creation that was begun before `retire_all` is closed when it ends, and its success says nothing of the next.
        let gone =
            totals.closed - then.closed + now.closing.saturating_sub(seen.status.closing) as u64;
        let failing_on = seen.failing && totals.created - then.created <= gone;
        seen.failing = totals.create_failed > then.create_failed || failing_on;
        if moment == Moment::Rest {
            let debt = now.size - now.closing > now.max;
            assert!(!debt || now.idle == 0, "idle although there are too many: {now:?}");
        }
        if moment == Moment::Rest && !self.paused.load(Ordering::Relaxed) {
            nobody_waits_in_vain(&now, seen.failing);
        }
        seen.status = now;
    }
}

/// Slots are conserved, and a debt only falls.
#[track_caller]
fn conserved(then: &Status, now: &Status) {
    let open = now.idle + now.leased + now.checking + now.resetting;
    assert_eq!(now.size, open + now.creating + now.closing + now.stuck, "{now:?}");
    // Between two looks the pool may have grown within its size, and then have been shrunk.
    let most = now.max.max(then.max).max(then.size);
    assert!(now.size <= most, "grown beyond max: {then:?}, then {now:?}");
    if now.size > now.max && then.max == now.max {
        let begun = now.creating > then.creating
            || now.totals.created > then.totals.created + then.creating as u64;
        assert!(!begun, "created while in debt: {then:?}, then {now:?}");
    }
}

/// Nothing grows without end.
#[track_caller]
fn bounded(now: &Status) {
    assert!(now.creating <= SIZE, "{now:?}");
    assert!(now.abandoned <= now.max.max(1), "{now:?}");
}

/// An idle resource that may be lent is not kept from who waits; nor is free capacity, with nothing to fill it under way.
#[track_caller]
fn nobody_waits_in_vain(now: &Status, failing: bool) {
    let coming = now.creating + now.checking + now.resetting;
    assert!(now.waiting <= coming || now.idle == 0, "idle beside a waiter: {now:?}");
    let may_create = now.size < now.max && now.creating < SIZE && !failing;
    assert!(now.waiting <= coming || !may_create, "free capacity beside a waiter: {now:?}");
}
