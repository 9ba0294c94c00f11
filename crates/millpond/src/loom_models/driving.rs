//! The driver: that it is there, that there is one, and that it misses nothing.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::thread;

use super::support::{Rig, Tally, model, settings};
use crate::{GetError, Runtime, Task};

/// An order is sent while the driver goes to sleep, and the driver sleeps over it.
#[test]
fn order_meets_falling_asleep() {
    model(|| {
        let rig = Rig::new(1, 1);
        let mut driver = Running::only(&rig);
        let mut caller = rig.caller();
        let asking = thread::spawn(move || (caller.poll().is_ready(), caller));
        assert!(driver.poll().is_pending(), "it sleeps");
        let (ready, mut caller) = asking.join().expect("it ends");
        assert!(!ready, "nothing is open");
        driver.run();
        rig.world.run();
        assert!(caller.run().is_ready(), "nothing is being opened");
        rig.world.keep(driver.task);
        rig.end();
    });
}

/// A deadline is set while the driver goes to sleep for a later one, and the driver sleeps over it.
#[test]
fn deadline_meets_falling_asleep() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut driver = Running::only(&rig);
        let patience = settings().tick / 2;
        let mut caller = rig.caller().map(|get| get.timeout(patience));
        let asking = thread::spawn(move || (caller.poll().is_ready(), caller));
        assert!(driver.poll().is_pending(), "it sleeps");
        let (ready, caller) = asking.join().expect("it ends");
        assert!(!ready, "everything is lent");
        driver.run();
        assert_eq!(
            rig.world.asleep_until(),
            Some(rig.world.now() + patience),
            "it sleeps too long"
        );
        rig.world.keep(driver.task);
        drop((lent, caller));
        rig.end();
    });
}

/// Two callers notice that there is no driver, and each spawns one.
#[test]
fn callers_meet_without_a_driver() {
    model(|| {
        let rig = Rig::undriven(1, settings());
        let mut caller = rig.caller();
        let asking = thread::spawn(move || (caller.poll().is_ready(), caller));
        let mut other = rig.caller();
        assert!(other.poll().is_pending(), "nothing is open");
        let (ready, caller) = asking.join().expect("it ends");
        assert!(!ready, "nothing is open");
        assert_eq!(rig.world.tasks(), 1, "there is one driver");
        drop((caller, other));
        rig.end();
    });
}

/// A driver was spawned where nobody polls it; two callers notice, and each spawns another.
#[test]
fn callers_meet_with_a_driver_to_come() {
    model(|| {
        let rig = Rig::undriven(1, settings());
        drop(rig.waiter());
        rig.world.advance(GIVEN_UP_AFTER);
        let mut caller = rig.caller();
        let asking = thread::spawn(move || (caller.poll().is_ready(), caller));
        let mut other = rig.caller();
        assert!(other.poll().is_pending(), "nothing is open");
        let (ready, caller) = asking.join().expect("it ends");
        assert!(!ready, "nothing is open");
        assert_eq!(rig.world.tasks(), 2, "it is given up for one other");
        drop((caller, other));
        rig.end();
    });
}

/// A driver that has nothing to do until then is not polled any more; two callers notice, and each spawns another.
#[test]
fn callers_meet_with_a_driver_asleep() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let mut driver = Running::only(&rig);
        assert!(driver.poll().is_pending(), "it sleeps");
        drop(lent);
        rig.world.advance(settings().tick);
        assert!(driver.poll().is_pending(), "it sleeps for long");
        let lent = rig.pool.try_get().expect("it lies idle");
        rig.world.advance(GIVEN_UP_AFTER);
        let mut caller = rig.caller();
        let asking = thread::spawn(move || (caller.poll().is_ready(), caller));
        let mut other = rig.caller();
        assert!(other.poll().is_pending(), "everything is lent");
        let (ready, caller) = asking.join().expect("it ends");
        assert!(!ready, "everything is lent");
        assert_eq!(rig.world.tasks(), 1, "it is given up for one other");
        drop((caller, other, lent));
        rig.world.keep(driver.task);
        rig.end();
    });
}

/// A caller without a runtime tries in vain to spawn a driver, and another, who has one, takes that for a driver.
#[test]
fn caller_without_runtime_meets_one_with() {
    model(|| {
        let rig = Rig::undriven(1, settings());
        let mut stranded = rig.caller();
        let world = rig.world.clone();
        let asking = thread::spawn(move || {
            world.lose_runtime();
            stranded.poll()
        });
        let mut caller = rig.caller();
        let told = caller.poll();
        assert!(told.is_pending(), "nothing is open");
        let stranded = asking.join().expect("it ends");
        assert!(matches!(stranded, Poll::Pending | Poll::Ready(Err(GetError::NoRuntime(_)))));
        assert!(caller.run().is_pending(), "nothing is open");
        assert_eq!(rig.world.tasks(), 1, "nobody drives the pool of one that waits");
        drop(caller);
        rig.end();
    });
}

/// The driver dies while a caller asks: the caller takes unchecked what may have died with it, or waits with nobody to wake it.
#[test]
fn death_meets_get() {
    model(|| {
        let rig = Rig::new(1, 1);
        rig.lay_out(1);
        let driver = Running::only(&rig);
        let dying = thread::spawn(move || drop(driver));
        let mut caller = rig.caller();
        let told = caller.poll();
        dying.join().expect("it ends");
        assert!(!rig.takes_by_itself(), "what may have died is taken unchecked");
        let told = caller.finish(told);
        if told.is_pending() {
            assert_eq!(rig.world.tasks(), 1, "nobody drives the pool of one that waits");
            rig.world.run();
            assert!(caller.run().is_ready(), "it waits for a check that nobody makes");
        }
        drop(told);
        rig.end();
    });
}

/// The driver dies while a resource comes home, and the next caller waits with nobody to wake it.
#[test]
fn death_meets_give_back() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let driver = Running::only(&rig);
        let dying = thread::spawn(move || drop(driver));
        drop(lent);
        dying.join().expect("it ends");
        assert!(!rig.takes_by_itself(), "what may have died is taken unchecked");
        let mut caller = rig.caller();
        let told = caller.poll();
        rig.world.run();
        assert!(caller.finish(told).is_ready(), "it waits for a check that nobody makes");
        assert_eq!(rig.world.checks(), 1, "what may have died is lent unchecked");
        rig.end();
    });
}

/// What was lent when the driver died comes home while the next one takes charge, and lies there as if it were above suspicion.
#[test]
fn taking_charge_meets_give_back() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        drop(Running::only(&rig));
        rig.hub.ensure_driver().expect("the world spawns");
        let borrower = thread::spawn(move || drop(lent));
        rig.hub.drive(2, true);
        borrower.join().expect("it ends");
        let mut caller = rig.caller();
        let told = caller.poll();
        rig.world.run();
        assert!(caller.finish(told).is_ready(), "it waits for a check that nobody makes");
        assert_eq!(rig.world.checks(), 1, "what may have died is lent unchecked");
        rig.end();
    });
}

/// A driver that was given up dies, and its successor is taken for dead.
#[test]
fn late_death_meets_successor() {
    model(|| {
        let (rig, first, mut second) = succeeded();
        let dying = thread::spawn(move || drop(first));
        assert!(second.poll().is_pending(), "it sleeps");
        dying.join().expect("it ends");
        assert!(rig.hub.read(|desk| desk.core.has_driver()), "it is driven by the second");
        rig.pool.resume();
        assert_eq!(rig.world.tasks(), 0, "a third is spawned beside the second");
        rig.world.keep(second.task);
        rig.end();
    });
}

/// A driver that was given up moves again, and sleeps through what its successor then takes to be done.
#[test]
fn late_poll_meets_successor() {
    model(|| {
        let (rig, mut first, mut second) = succeeded();
        let moving = thread::spawn(move || (first.poll().is_ready(), first));
        assert!(second.poll().is_pending(), "it sleeps");
        let (stopped, mut first) = moving.join().expect("it ends");
        let mut caller = rig.waiter();
        second.run();
        rig.world.run();
        assert!(caller.run().is_ready(), "the order for what it waits for reached nobody");
        assert!(stopped || first.poll().is_ready(), "there are two drivers for good");
        rig.world.keep(second.task);
        rig.end();
    });
}

/// A driver that was given up is never polled again, but it is woken and not its successor.
#[test]
fn silence_meets_successor() {
    model(|| {
        let (rig, first, mut second) = succeeded();
        let mut caller = rig.caller();
        let asking = thread::spawn(move || (caller.poll().is_ready(), caller));
        assert!(second.poll().is_pending(), "it sleeps");
        let (ready, mut caller) = asking.join().expect("it ends");
        assert!(!ready, "nothing is open");
        second.run();
        rig.world.run();
        assert!(caller.run().is_ready(), "the order for what it waits for reached nobody");
        rig.world.keep(first.task);
        rig.world.keep(second.task);
        rig.end();
    });
}

/// A pool whose first driver was not polled for so long that it was given a second one, which has not begun.
fn succeeded() -> (Rig, Running, Running) {
    let rig = Rig::new(1, 1);
    let mut first = Running::only(&rig);
    assert!(first.poll().is_pending(), "it sleeps");
    rig.world.advance(settings().tick + GIVEN_UP_AFTER);
    rig.pool.resume();
    let second = Running::only(&rig);
    (rig, first, second)
}

/// A task and what wakes it.
struct Running {
    task: Task,
    tally: Arc<Tally>,
}

impl Running {
    /// The one task there is.
    fn only(rig: &Rig) -> Self {
        let mut tasks = rig.world.take_tasks();
        let task = tasks.pop().expect("the driver was spawned");
        assert!(tasks.is_empty(), "and nothing else");
        Self { task, tally: Arc::default() }
    }

    fn poll(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.tally));
        self.task.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls it as often as it is woken.
    fn run(&mut self) {
        while self.tally.take() > 0 {
            let _ = self.poll();
        }
    }
}

/// Longer than a driver may let a deadline lie.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(2);
