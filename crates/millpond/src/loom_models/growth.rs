//! Resources that are being opened, and changes of how many there may be.

use std::task::Poll;
use std::time::Duration;

use loom::thread;
use millpond_core::{Input, Outcome};

use super::support::{Rig, model, model_within, settings};
use super::world::Broken;
use crate::error::CreateFailure;
use crate::{GetError, Pooled};

/// The caller for which a resource is opened goes away, another helps itself meanwhile: the resource is lost or lent twice.
#[test]
fn creation_meets_cancel_and_take() {
    model(|| {
        let rig = Rig::new(1, 1);
        let waiter = rig.waiter();
        let (job, _) = rig.begin();
        let task = {
            let (hub, toy) = (rig.hub.clone(), rig.world.toy());
            thread::spawn(move || hub.ended(job, Outcome::Created, Some(toy)))
        };
        let other = {
            let pool = rig.pool.clone();
            thread::spawn(move || {
                if let Ok(mut pooled) = pool.try_get() {
                    pooled.pick_up();
                }
            })
        };
        drop(waiter);
        task.join().expect("it ends");
        other.join().expect("it ends");
        assert!(rig.takes_by_itself(), "the resource is lost");
        rig.end();
    });
}

/// A creation fails for good while a caller queues, and the caller waits for nothing.
#[test]
fn failed_creation_meets_enqueue() {
    model(|| {
        let rig = Rig::new(1, 1);
        let mut first = rig.waiter();
        let mut second = rig.caller();
        let (job, _) = rig.begin();
        let task = {
            let hub = rig.hub.clone();
            thread::spawn(move || hub.create_failed(job, CreateFailure::error(Broken, false)))
        };
        let told = second.poll();
        task.join().expect("it ends");
        let told_first = first.run();
        assert!(
            matches!(told_first, Poll::Ready(Err(GetError::Create(..)))),
            "the first is told why"
        );
        rig.assert_at_rest();
        drop((second.finish(told), first, second));
        rig.end();
    });
}

/// The pool shrinks while a resource comes home and another caller asks: more are lent than there may be.
#[test]
fn resize_meets_give_back_and_get() {
    model_within(3, || {
        let rig = Rig::new(2, 2);
        let (first, second) = (rig.lend(), rig.lend());
        let borrower = thread::spawn(move || drop(first));
        let mut caller = rig.caller();
        let asking = thread::spawn(move || (caller.poll(), caller));
        rig.pool.resize(1).expect("a small size");
        borrower.join().expect("it ends");
        let (told, mut caller) = asking.join().expect("it ends");
        let told = caller.finish(told);
        let lent_before = told.is_ready();
        rig.world.run();
        assert_eq!(rig.charged(), 1 + u32::from(lent_before), "one too many is not closed");
        drop(told);
        rig.world.run();
        assert_eq!(rig.charged(), 1, "one too many is not closed");
        drop(second);
        assert!(lent_before || caller.run().is_ready(), "what may stay goes to the one that waits");
        rig.end();
    });
}

/// A shelf is opened while callers wait, and what comes home to it lies there unseen.
#[test]
fn new_shelf_meets_give_back() {
    model_within(2, || {
        let rig = Rig::new(1, 2);
        let lent = rig.lend();
        let mut first = rig.caller();
        let mut second = rig.caller();
        let borrower = thread::spawn(move || drop(lent));
        let asking = thread::spawn(move || (first.poll(), first));
        let told_second = second.poll();
        let (told_first, mut first) = asking.join().expect("it ends");
        borrower.join().expect("it ends");
        rig.world.run();
        assert!(first.finish(told_first).is_ready(), "it waits beside what it waits for");
        assert!(second.finish(told_second).is_ready(), "it waits beside what it waits for");
        rig.end();
    });
}

/// The first shelf is opened while callers wait, and callers help themselves to it.
#[test]
fn first_shelf_meets_give_back() {
    model(|| {
        let rig = Rig::new(1, 1);
        let mut first = rig.waiter();
        let mut second = rig.waiter();
        let (job, _) = rig.begin();
        rig.hub.ended(job, Outcome::Created, Some(rig.world.toy()));
        let borrower = thread::spawn(move || drop(first.run()));
        let told = second.poll();
        borrower.join().expect("it ends");
        assert!(second.finish(told).is_ready(), "it waits beside what it waits for");
        rig.end();
    });
}

/// The epoch changes while a resource is being opened, and the resource is lent as one of the new epoch.
#[test]
fn retire_all_meets_creation() {
    model(|| {
        let rig = Rig::new(1, 1);
        let mut waiter = rig.waiter();
        let (job, _) = rig.begin();
        let task = {
            let (hub, toy) = (rig.hub.clone(), rig.world.toy());
            thread::spawn(move || hub.ended(job, Outcome::Created, Some(toy)))
        };
        rig.hub.tell(Input::RetireAll { spread: Default::default() });
        // From here on nothing old may be lent.
        let told = waiter.run();
        assert!(told.is_pending(), "a resource of the old epoch is lent");
        task.join().expect("it ends");
        let told = waiter.run();
        assert!(told.is_pending(), "a resource of the old epoch is lent");
        rig.world.run();
        let told = waiter.run();
        let Poll::Ready(Ok(pooled)) = told else { panic!("nothing new was opened") };
        assert_eq!(Pooled::metrics(&pooled).epoch(), 1);
        drop(pooled);
        rig.end();
    });
}

/// A creation ends just after its deadline: what it opened is lost, or stands where the next one belongs.
#[test]
fn creation_meets_its_deadline() {
    model(|| {
        let rig = Rig::new(1, 1);
        let mut waiter = rig.waiter();
        let (job, _) = rig.begin();
        rig.world.advance(settings().create_timeout);
        let task = {
            let (hub, toy) = (rig.hub.clone(), rig.world.toy());
            thread::spawn(move || hub.ended(job, Outcome::Created, Some(toy)))
        };
        rig.hub.drive(1, false);
        task.join().expect("it ends");
        assert_eq!(rig.world.gone(), 1, "what came too late is still there");
        assert!(waiter.run().is_pending(), "what came too late was lent");
        drop(waiter);
        rig.end();
    });
}

/// A creation ends just as the caller for which it began runs out of time: the caller is told nothing, or what was opened is
/// lost.
#[test]
fn creation_meets_the_deadline_of_its_caller() {
    model(|| {
        let rig = Rig::new(1, 1);
        let mut waiter = rig.caller().map(|get| get.timeout(PATIENCE));
        assert!(waiter.poll().is_pending(), "nothing can be had");
        let (job, _) = rig.begin();
        let task = {
            let (hub, toy) = (rig.hub.clone(), rig.world.toy());
            thread::spawn(move || hub.ended(job, Outcome::Created, Some(toy)))
        };
        rig.world.advance(PATIENCE);
        rig.hub.drive(1, false);
        task.join().expect("it ends");
        let told = waiter.run();
        assert!(
            matches!(told, Poll::Ready(Ok(_) | Err(GetError::Timeout(_)))),
            "it is told neither that it is served nor that it is late"
        );
        drop(told);
        assert!(rig.takes_by_itself(), "what was opened is lost");
        rig.end();
    });
}

/// What a caller waits for comes home just as its own is about to be opened: the one is lost, or the capacity of the other.
#[test]
fn give_back_meets_the_driver() {
    model(|| {
        let rig = Rig::new(1, 2);
        let lent = rig.lend();
        let mut waiter = rig.waiter();
        let driver = {
            let world = rig.world.clone();
            thread::spawn(move || world.run())
        };
        drop(lent);
        let told = waiter.run();
        driver.join().expect("it ends");
        let told = waiter.finish(told);
        assert!(told.is_ready(), "it waits beside what it waits for");
        drop(told);
        rig.end();
    });
}

/// The pool grows while a caller queues that waits for nothing else.
#[test]
fn growing_meets_enqueue() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut caller = rig.caller();
        let growing = {
            let pool = rig.pool.clone();
            thread::spawn(move || pool.resize(2).expect("a small size"))
        };
        let told = caller.poll();
        growing.join().expect("it ends");
        rig.world.run();
        let told = caller.finish(told);
        assert!(told.is_ready(), "it waits beside free capacity");
        drop((told, lent));
        rig.end();
    });
}

const PATIENCE: Duration = Duration::from_millis(200);
