//! Callers that queue, and those who bring what they wait for.

use loom::thread;

use super::support::{CHECK_AFTER_IDLE, Rig, model, model_within};
use super::world::World;
use crate::Pooled;

/// A resource comes to lie beside the caller that waits for it.
#[test]
fn give_back_meets_enqueue() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut caller = rig.caller();
        let borrower = thread::spawn(move || drop(lent));
        let told = caller.poll();
        borrower.join().expect("it ends");
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        drop(told);
        rig.end();
    });
}

/// A caller that is served while it queues is woken for it, instead of being told at once.
#[test]
fn served_while_queueing() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut caller = rig.caller();
        let borrower = thread::spawn(move || drop(lent));
        let told = caller.poll();
        assert!(told.is_ready() || !caller.tally.was_woken_by_itself(), "it was polled in vain");
        borrower.join().expect("it ends");
        drop((told, caller));
        rig.end();
    });
}

/// A resource comes home to one shelf after it was attended and before the other was, and is seen by nobody.
#[test]
fn give_back_to_one_of_two_shelves() {
    model_within(2, || {
        let rig = Rig::new(1, 2);
        let (first, second) = (rig.lend(), rig.lend());
        let mut caller = rig.caller();
        let borrowers = [first, second].map(|lent| thread::spawn(move || drop(lent)));
        let told = caller.poll();
        for borrower in borrowers {
            borrower.join().expect("it ends");
        }
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        drop(told);
        rig.end();
    });
}

/// A resource comes home to the second shelf, which is attended last, and nothing else comes home.
#[test]
fn give_back_to_the_last_shelf() {
    model(|| {
        let rig = Rig::new(1, 2);
        let (first, second) = (rig.lend(), rig.lend());
        let mut caller = rig.caller();
        let borrower = thread::spawn(move || drop(second));
        let told = caller.poll();
        borrower.join().expect("it ends");
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        drop((told, first));
        rig.end();
    });
}

/// A resource goes from the second shelf while another comes home to the first, and a caller that queues meanwhile sees
/// neither.
#[test]
fn give_back_and_take_on_two_shelves() {
    model_within(2, || {
        let rig = Rig::new(1, 2);
        let (first, second) = (rig.lend(), rig.lend());
        drop(second);
        let mut caller = rig.caller();
        let borrower = thread::spawn(move || drop(first));
        let other = {
            let pool = rig.pool.clone();
            thread::spawn(move || {
                let _ = pool.try_get().map(use_it);
            })
        };
        let told = caller.poll();
        borrower.join().expect("it ends");
        other.join().expect("it ends");
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        drop(told);
        rig.end();
    });
}

/// Two callers ask for the only resource, and the one that does not get it waits beside it once it is back.
#[test]
fn two_meet_over_one() {
    model(|| {
        let rig = Rig::new(1, 1);
        rig.lay_out(1);
        let other = {
            let pool = rig.pool.clone();
            thread::spawn(move || {
                let _ = pool.try_get().map(use_it);
            })
        };
        let mut caller = rig.caller();
        let told = caller.poll();
        other.join().expect("it ends");
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        drop(told);
        rig.end();
    });
}

/// A resource is discarded while a caller queues, and the caller waits beside the place that it leaves.
#[test]
fn discard_meets_enqueue() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut caller = rig.caller();
        let borrower = thread::spawn(move || Pooled::discard(lent));
        let told = caller.poll();
        borrower.join().expect("it ends");
        rig.world.run();
        let told = caller.finish(told);
        assert!(told.is_ready(), "nothing is opened in place of what is gone");
        drop(told);
        rig.end();
    });
}

/// A caller that comes later gets the resource for which an earlier one waits.
#[test]
fn give_back_meets_a_latecomer() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut first = rig.waiter();
        let mut second = rig.caller();
        let borrower = thread::spawn(move || drop(lent));
        let told = second.poll();
        assert!(told.is_pending(), "it overtook the one that waits");
        borrower.join().expect("it ends");
        let told = first.run();
        assert!(told.is_ready(), "nothing came to the one that waits");
        drop(told);
        assert!(second.run().is_ready(), "and nothing to the next");
        rig.end();
    });
}

/// A resource that nobody but its taker has, on the way to the desk to be looked at, is not seen by one that queues.
#[test]
fn stale_take_meets_enqueue() {
    model(|| {
        let rig = Rig::new(1, 1);
        rig.lay_out(1);
        rig.pass(CHECK_AFTER_IDLE);
        let mut caller = rig.caller();
        let taker = {
            let pool = rig.pool.clone();
            thread::spawn(move || drop(pool.try_get()))
        };
        let told = caller.poll();
        taker.join().expect("it ends");
        rig.world.run();
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        assert_eq!(rig.world.checks(), 1, "it was checked, and once");
        drop(told);
        rig.end();
    });
}

/// A pool is paused, and after that a resource comes home and goes out again.
#[test]
fn pause_meets_give_back() {
    model_within(4, || {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let borrower = {
            let pool = rig.pool.clone();
            thread::spawn(move || {
                drop(lent);
                let _ = pool.try_get().map(use_it);
            })
        };
        rig.pool.pause();
        let mut caller = rig.caller();
        assert!(caller.poll().is_pending(), "a paused pool lends");
        borrower.join().expect("it ends");
        assert!(caller.run().is_pending(), "a paused pool lends");
        rig.pool.resume();
        assert!(caller.run().is_ready(), "it still waits after the pause");
        rig.end();
    });
}

/// The last of those who wait goes, and the shelves stay attended, or the resource is lost between it and the next.
#[test]
fn cancel_meets_take() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let waiter = rig.waiter();
        let borrower = thread::spawn(move || drop(lent));
        drop(waiter);
        borrower.join().expect("it ends");
        assert!(rig.takes_by_itself(), "nobody waits, but the desk is in the way");
        rig.end();
    });
}

/// A caller is polled with a new waker while it is served, and only the old one is woken.
#[test]
fn new_waker_meets_grant() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut waiter = rig.waiter();
        let borrower = thread::spawn(move || drop(lent));
        waiter.move_on();
        let told = waiter.poll();
        borrower.join().expect("it ends");
        let told = waiter.finish(told);
        assert!(told.is_ready(), "the wrong one was woken");
        drop(told);
        rig.end();
    });
}

/// One gives back, one helps itself, one that waits goes away and another queues: the last waits for ever.
#[test]
fn all_meet() {
    model_within(2, || {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let waiter = rig.waiter();
        let mut caller = rig.caller();
        let borrower = thread::spawn(move || drop(lent));
        let other = {
            let pool = rig.pool.clone();
            thread::spawn(move || {
                let _ = pool.try_get().map(use_it);
            })
        };
        drop(waiter);
        let told = caller.poll();
        borrower.join().expect("it ends");
        other.join().expect("it ends");
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        drop(told);
        rig.end();
    });
}

fn use_it(mut pooled: Pooled<World>) {
    pooled.pick_up();
}
