//! Resources that have lain too long, are too old, or belong to another epoch; and the tick by which borrowers tell.

use std::task::Poll;
use std::time::Duration;

use loom::thread;
use millpond_core::{Config, Input, Outcome};

use super::support::{CHECK_AFTER_IDLE, Rig, model, model_within, settings};
use crate::{Pooled, TryGetError};

/// The driver closes a resource for having lain too long while a borrower has it, or has just used it.
#[test]
fn sweep_meets_take() {
    model(|| {
        let config = Config {
            max_size: 1,
            check_after_idle: Duration::MAX,
            idle_timeout: IDLE_TIMEOUT,
            ..settings()
        };
        let rig = Rig::with(1, config);
        rig.lay_out(1);
        // Published just before the resource has lain too long.
        rig.pass(IDLE_TIMEOUT - settings().tick);
        rig.world.advance(settings().tick);
        let borrower = {
            let pool = rig.pool.clone();
            thread::spawn(move || pool.try_get().map(|mut pooled| pooled.pick_up()).is_ok())
        };
        rig.hub.drive(1, false);
        let used = borrower.join().expect("it ends");
        rig.world.run();
        assert_eq!(
            rig.world.gone(),
            usize::from(!used),
            "closed though in use, or left though too old"
        );
        rig.end();
    });
}

/// Whoever looks at the clock first comes to the desk last, and neither does anything there.
#[test]
fn look_meets_later_look() {
    model(|| {
        let rig = Rig::new(1, 1);
        rig.world.advance(settings().tick);
        let first = {
            let pool = rig.pool.clone();
            thread::spawn(move || pool.status())
        };
        rig.world.advance(settings().tick);
        rig.pool.status();
        let tick = rig.hub.common.tick();
        first.join().expect("it ends");
        assert!(rig.hub.common.tick() >= tick, "the tick goes back");
        rig.end();
    });
}

/// The driver takes a resource away to be checked, unasked, while a borrower has it, or has just used it.
#[test]
fn keepalive_meets_take() {
    model(|| {
        let config = Config {
            max_size: 1,
            check_after_idle: Duration::MAX,
            idle_timeout: Duration::MAX,
            max_lifetime: Duration::MAX,
            keepalive: KEEPALIVE,
            ..settings()
        };
        let rig = Rig::with(1, config);
        rig.lay_out(1);
        // Published just before the resource has rested for so long.
        rig.pass(KEEPALIVE - settings().tick);
        rig.world.advance(settings().tick);
        let borrower = {
            let pool = rig.pool.clone();
            thread::spawn(move || pool.try_get().map(|mut pooled| pooled.pick_up()).is_ok())
        };
        rig.hub.drive(1, false);
        let used = borrower.join().expect("it ends");
        rig.world.run();
        assert_eq!(
            rig.world.checks(),
            usize::from(!used),
            "checked though just used, or not checked though due"
        );
        rig.end();
    });
}

/// After `retire_all` has returned, what is of the old epoch and comes home at that moment is lent.
#[test]
fn retire_all_meets_give_back() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let borrower = thread::spawn(move || drop(lent));
        rig.pool.retire_all(Duration::ZERO);
        let mut caller = rig.caller();
        let told = caller.poll();
        borrower.join().expect("it ends");
        rig.world.run();
        let told = caller.finish(told);
        let Poll::Ready(Ok(pooled)) = told else { panic!("nothing new was opened") };
        assert_eq!(Pooled::metrics(&pooled).epoch(), 1, "a resource of the old epoch is lent");
        drop(pooled);
        rig.end();
    });
}

/// What is of an old epoch comes home and lies idle.
#[test]
fn give_back_after_retire_all() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let retiring = {
            let pool = rig.pool.clone();
            thread::spawn(move || {
                pool.retire_all(Duration::ZERO);
                drop(lent);
            })
        };
        drop(rig.pool.status());
        retiring.join().expect("it ends");
        rig.world.run();
        assert_eq!(rig.world.gone(), 1, "what is out of date lies idle");
        rig.end();
    });
}

/// What comes home while the epoch changes lies idle for as long as nobody asks for it.
#[test]
fn retire_all_leaves_nothing_behind() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let borrower = thread::spawn(move || drop(lent));
        rig.pool.retire_all(Duration::ZERO);
        borrower.join().expect("it ends");
        rig.pass(settings().tick);
        rig.world.run();
        assert_eq!(rig.world.gone(), 1, "what is out of date lies idle");
        rig.end();
    });
}

/// What is of an old epoch is found by a borrower and by the desk at once, and both have it.
#[test]
fn retire_all_meets_give_back_and_take() {
    model_within(2, || {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let borrowers = {
            let pool = rig.pool.clone();
            thread::spawn(move || {
                drop(lent);
                drop(pool.try_get());
            })
        };
        let other = {
            let pool = rig.pool.clone();
            thread::spawn(move || drop(pool.try_get()))
        };
        rig.pool.retire_all(Duration::ZERO);
        borrowers.join().expect("they end");
        other.join().expect("it ends");
        rig.end();
    });
}

/// A check fails, and what may have failed with it goes to a borrower and to its own check at once.
#[test]
fn failed_check_meets_take() {
    model(|| {
        let rig = Rig::new(2, 2);
        let (doubtful, fresh) = (rig.lend(), rig.lend());
        drop(doubtful);
        rig.pass(CHECK_AFTER_IDLE);
        assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Checking));
        let (job, toy) = rig.begin();
        drop(fresh);
        // As if the tick had been late by a little when it came home.
        rig.hub.shelves.facts(1).rests(rig.hub.common.tick() - 1);
        let task = {
            let hub = rig.hub.clone();
            thread::spawn(move || hub.ended(job, Outcome::Unfit, toy))
        };
        let _ = rig.pool.try_get().map(|mut pooled| pooled.pick_up());
        task.join().expect("it ends");
        rig.end();
    });
}

/// What may stay for a while comes home while it moves to the new epoch, and is closed as one of the old.
#[test]
fn spread_retirement_meets_give_back() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let borrower = thread::spawn(move || drop(lent));
        rig.pool.retire_all(Duration::from_secs(100));
        borrower.join().expect("it ends");
        let taken = rig.hub.shelves.take();
        let (claim, facts) = taken.expect("it lies idle");
        assert!(rig.hub.common.is_fresh(facts), "it is taken for one of the old epoch");
        assert!(claim.put().is_ok(), "nobody attends");
        rig.end();
    });
}

/// The tick stops because everything lies idle, while a borrower takes something.
#[test]
fn falling_asleep_meets_take() {
    model(|| {
        let forever = Duration::MAX;
        let config =
            Config { max_size: 1, idle_timeout: forever, max_lifetime: forever, ..settings() };
        let rig = Rig::with(1, config);
        rig.lay_out(1);
        rig.world.advance(settings().tick);
        let borrower = {
            let hub = rig.hub.clone();
            thread::spawn(move || hub.shelves.take().map(|(claim, _)| claim))
        };
        rig.hub.drive(1, false);
        let lent = borrower.join().expect("it ends");
        let ticks = rig.hub.read(|desk| desk.core.next_timeout()).is_some();
        assert_eq!(ticks, lent.is_some(), "nobody publishes the time while something is lent");
        if let Some(claim) = lent {
            assert!(claim.put().is_ok(), "nobody attends");
        }
        rig.end();
    });
}

/// The pool wakes up, and a borrower that finds the flag down does not know the time yet: it takes unchecked what has long
/// lain idle.
#[test]
fn waking_up_meets_take() {
    model(|| {
        let rig = Rig::new(1, 1);
        rig.lay_out(1);
        rig.world.advance(settings().tick);
        rig.hub.drive(1, false);
        assert!(!rig.takes_by_itself(), "the pool is asleep");
        rig.world.advance(CHECK_AFTER_IDLE);
        let visitor = {
            let hub = rig.hub.clone();
            thread::spawn(move || drop(hub.tell(Input::Resume)))
        };
        assert!(rig.pool.try_get().is_err(), "lent unchecked");
        visitor.join().expect("it ends");
        rig.end();
    });
}

/// What has to be checked by now is taken unchecked, because the tick is late.
#[test]
fn late_tick_meets_take() {
    model(|| {
        let rig = Rig::new(1, 1);
        rig.lay_out(1);
        rig.pass(CHECK_AFTER_IDLE - settings().tick);
        rig.world.advance(settings().tick);
        let driver = {
            let hub = rig.hub.clone();
            thread::spawn(move || {
                hub.drive(1, false);
            })
        };
        assert!(rig.pool.try_get().is_err(), "lent unchecked");
        driver.join().expect("it ends");
        rig.end();
    });
}

/// What is too old by now is lent, because the tick is late.
#[test]
fn late_tick_meets_retirement() {
    model(|| {
        let config = Config {
            max_size: 1,
            check_after_idle: Duration::MAX,
            max_lifetime: LIFETIME,
            ..settings()
        };
        let rig = Rig::with(1, config);
        rig.lay_out(1);
        rig.pass(LIFETIME - settings().tick);
        rig.world.advance(settings().tick);
        let driver = {
            let hub = rig.hub.clone();
            thread::spawn(move || {
                hub.drive(1, false);
            })
        };
        assert!(rig.pool.try_get().is_err(), "lent although it is too old");
        driver.join().expect("it ends");
        rig.end();
    });
}

/// A visitor that looked at the clock early comes to the desk late, and the time runs backwards.
#[test]
fn early_clock_meets_late_clock() {
    model(|| {
        let rig = Rig::new(1, 1);
        let visitor = {
            let hub = rig.hub.clone();
            thread::spawn(move || drop(hub.tell(Input::Resume)))
        };
        rig.world.advance(settings().tick);
        // Publishes the time and nothing more.
        drop(rig.pool.status());
        let tick = rig.hub.common.tick();
        visitor.join().expect("it ends");
        assert!(rig.hub.common.tick() >= tick, "the time ran backwards");
        rig.end();
    });
}

const IDLE_TIMEOUT: Duration = Duration::from_secs(100);
const KEEPALIVE: Duration = Duration::from_secs(100);
const LIFETIME: Duration = Duration::from_secs(100);
