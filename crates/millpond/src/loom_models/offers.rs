//! Resources that are set aside for a caller: who gets them in the end.

use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use loom::thread;

use super::support::{Rig, model, model_within};
use super::world::World;
use crate::{GetError, Pooled};

/// A caller goes away while something is set aside for it, and the next does not get it.
#[test]
fn grant_meets_cancel() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let first = rig.waiter();
        let mut second = rig.waiter();
        let borrower = thread::spawn(move || drop(lent));
        drop(first);
        borrower.join().expect("it ends");
        assert!(second.run().is_ready(), "the resource is lost with the one that went");
        rig.end();
    });
}

/// A caller comes for what was set aside for it when the time for that is over, while the driver gives it to the next: both
/// have it, or neither, or the caller has lost its place.
#[test]
fn revoked_grant_meets_late_poll() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut late = rig.waiter();
        drop(lent);
        let mut next = rig.waiter();
        rig.world.advance(CLAIM_WINDOW);
        let driver = {
            let hub = rig.hub.clone();
            thread::spawn(move || {
                hub.drive(1, false);
            })
        };
        // By a new waker, because a runtime that forgot to poll it may have forgotten the old one.
        late.move_on();
        let told = late.poll();
        driver.join().expect("it ends");
        let told_next = next.poll();
        assert_ne!(told_next.is_ready(), told.is_ready(), "both have it, or neither");
        drop(told_next);
        if told.is_pending() {
            assert!(late.run().is_ready(), "the late one lost its place");
        }
        drop((told, next));
        rig.end();
    });
}

/// A resource comes home for a caller whose deadline has passed: it is set aside for it all the same, or goes lost.
#[test]
fn expiry_meets_give_back() {
    model_within(3, || {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut waiter = rig.caller().map(|get| get.timeout(PATIENCE));
        assert!(waiter.poll().is_pending(), "it waits");
        rig.world.advance(PATIENCE);
        let driver = {
            let hub = rig.hub.clone();
            thread::spawn(move || {
                hub.drive(1, false);
            })
        };
        let borrower = thread::spawn(move || drop(lent));
        let told = waiter.poll();
        driver.join().expect("it ends");
        borrower.join().expect("it ends");
        let told = waiter.finish(told);
        assert!(
            matches!(told, std::task::Poll::Ready(Err(GetError::Timeout(_)))),
            "its time was over before the resource came"
        );
        assert!(rig.takes_by_itself(), "the resource is lost with the one that went");
        rig.end();
    });
}

/// Whoever is woken gives back another resource then and there, as an executor does that polls where it is told to: the desk is
/// still locked by the one that woke it.
#[test]
fn grant_wakes_one_that_gives_back() {
    model(|| {
        let rig = Rig::new(1, 2);
        let (lent, kept) = (rig.lend(), rig.lend());
        let mut first = rig.caller();
        let giver = Waker::from(Arc::new(Giver(Mutex::new(Some(kept)))));
        assert!(first.poll_with(&giver).is_pending(), "nothing can be had");
        let mut second = rig.waiter();
        let borrower = thread::spawn(move || drop(lent));
        let told = second.poll();
        borrower.join().expect("it ends");
        let told = second.finish(told);
        assert!(told.is_ready(), "what was given back in between is lost");
        assert!(first.poll().is_ready(), "the one that was woken has nothing");
        drop(told);
        rig.end();
    });
}

/// Gives back what it has when it is woken.
struct Giver(Mutex<Option<Pooled<World>>>);

impl Wake for Giver {
    fn wake(self: Arc<Self>) {
        let kept = self.0.lock().expect("nobody panics").take();
        drop(kept);
    }
}

const CLAIM_WINDOW: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(200);
