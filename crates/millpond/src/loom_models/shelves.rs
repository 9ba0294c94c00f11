//! One shelf alone: bits, claims, and the flag that sends callers to the desk.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::support::{model, model_within};
use crate::shelf::{Claim, Shelf, Take};
use crate::sync::Arc;

/// Two borrowers have one resource at a time, or the second does not see what the first did with it.
#[test]
fn take_meets_give_back() {
    model_within(4, || {
        let (shelf, claims) = lay_out(2);
        let [lent, idle]: [_; 2] = claims.try_into().expect("two slots");
        put(idle);
        let returning = thread::spawn(move || use_and_put(lent));
        let borrowing = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || take(&shelf).map(use_and_put).is_some())
        };
        let mut uses = 1 + u64::from(take(&shelf).map(use_and_put).is_some());
        returning.join().expect("it ends");
        uses += u64::from(borrowing.join().expect("it ends"));
        assert_eq!(clear(&shelf), uses, "a use is lost");
    });
}

/// A resource comes to lie on an attended shelf after the desk has looked there.
#[test]
fn give_back_meets_attend() {
    model(|| {
        let (shelf, mut claims) = lay_out(1);
        let lent = claims.pop().expect("one slot");
        let returning = thread::spawn(move || lent.put());
        shelf.attend();
        let seen = shelf.peek(0).is_some();
        match returning.join().expect("it ends") {
            Ok(()) => assert!(seen, "it lies there unseen"),
            Err(claim) => {
                assert!(!seen, "it lies there and is in a hand as well");
                claim.rest();
            }
        }
        clear(&shelf);
    });
}

/// A resource is taken from an attended shelf after the desk has seen it there.
#[test]
fn take_meets_attend() {
    model(|| {
        let (shelf, mut claims) = lay_out(1);
        put(claims.pop().expect("one slot"));
        let borrower = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || take(&shelf))
        };
        shelf.attend();
        let seen = shelf.peek(0).is_some();
        let taken = borrower.join().expect("it ends");
        assert_ne!(taken.is_some(), seen, "it went although the shelf was attended");
        if let Some(claim) = taken {
            claim.rest();
        }
        clear(&shelf);
    });
}

/// The desk and a caller take the same resource, or the desk does not see what its borrower did with it.
#[test]
fn claim_meets_take() {
    model(|| {
        let (shelf, mut claims) = lay_out(1);
        let lent = claims.pop().expect("one slot");
        let borrowers = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || {
                use_and_put(lent);
                1 + u64::from(take(&shelf).map(use_and_put).is_some())
            })
        };
        let mut uses = 0;
        if let Some(mut claim) = shelf.claim(0) {
            touch(&mut claim);
            claim.rest();
            uses += 1;
        }
        uses += borrowers.join().expect("they end");
        assert_eq!(clear(&shelf), uses, "a use is lost");
    });
}

/// What the desk published before it lowered the flag is not seen by a caller that finds the flag down.
#[test]
fn unattend_meets_take() {
    model(|| {
        let (shelf, mut claims) = lay_out(1);
        put(claims.pop().expect("one slot"));
        shelf.attend();
        let published = Arc::new(AtomicU64::new(0));
        let desk = {
            let (shelf, published) = (Arc::clone(&shelf), Arc::clone(&published));
            thread::spawn(move || {
                published.store(1, Ordering::Relaxed);
                shelf.unattend();
            })
        };
        if let Some(claim) = take(&shelf) {
            assert_eq!(published.load(Ordering::Relaxed), 1, "the flag was down too early");
            put(claim);
        }
        desk.join().expect("it ends");
        clear(&shelf);
    });
}

/// A caller takes what the desk laid down and does not see what the desk did with it.
#[test]
fn rest_meets_take() {
    model(|| {
        let (shelf, mut claims) = lay_out(1);
        let mut held = claims.pop().expect("one slot");
        let desk = thread::spawn(move || {
            touch(&mut held);
            held.rest();
        });
        let uses = 1 + u64::from(take(&shelf).map(use_and_put).is_some());
        desk.join().expect("it ends");
        assert_eq!(clear(&shelf), uses, "a use is lost");
    });
}

type Counters = Shelf<u64, ()>;
type Counter = Claim<u64, ()>;

/// A shelf of counters, all in hands.
fn lay_out(width: u32) -> (Arc<Counters>, Vec<Counter>) {
    let (shelf, mut claims) = Shelf::new(0, width, ());
    for claim in &mut claims {
        *claim.resource_mut() = Some(0);
    }
    (shelf, claims)
}

fn take(shelf: &Counters) -> Option<Counter> {
    match shelf.take() {
        Take::Taken(claim, _) => Some(claim),
        Take::Empty | Take::Attended => None,
    }
}

fn touch(claim: &mut Counter) {
    *claim.resource_mut().as_mut().expect("every slot has its counter") += 1;
}

fn put(claim: Counter) {
    claim.put().expect("nobody attends");
}

fn use_and_put(mut claim: Counter) {
    touch(&mut claim);
    put(claim);
}

/// Takes everything from the shelf, which ends it, and adds up the counters.
fn clear(shelf: &Arc<Counters>) -> u64 {
    let sum = (0..shelf.width())
        .map(|bit| {
            let mut claim = shelf.claim(bit).expect("everything is home");
            claim.resource_mut().take().expect("every slot has its counter")
        })
        .sum();
    assert_eq!(Arc::strong_count(shelf), 1, "a count of the shelf is lost");
    sum
}
