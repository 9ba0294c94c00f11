//! The end of a pool: everything in it is disposed of once, and nobody waits for nothing.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::thread;
use millpond_core::{Input, Outcome};

use super::support::{Rig, Tally, model, model_within};
use crate::GetError;

/// The pool closes while a resource comes home and a caller asks: the resource stays, or the caller waits for ever.
#[test]
fn close_meets_give_back_and_get() {
    model_within(3, || {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        let borrower = thread::spawn(move || drop(lent));
        let mut caller = rig.caller();
        let asking = thread::spawn(move || (caller.poll(), caller));
        rig.hub.tell(Input::Close);
        borrower.join().expect("it ends");
        let (told, mut caller) = asking.join().expect("it ends");
        match caller.finish(told) {
            Poll::Ready(Ok(pooled)) => drop(pooled),
            Poll::Ready(Err(error)) => assert!(matches!(error, GetError::Closed(_))),
            Poll::Pending => panic!("it waits on a closed pool"),
        }
        assert_eq!(rig.hub.shelves.count(), 0, "something lies idle in a closed pool");
        rig.end();
    });
}

/// The last handle and the last guard go at the same time, and each leaves the resource to the other.
#[test]
fn last_handle_meets_last_guard() {
    model(|| {
        let Rig { pool, hub, world } = Rig::new(1, 1);
        let lent = {
            let rig = Rig { pool: pool.clone(), hub: hub.clone(), world: world.clone() };
            rig.lend()
        };
        drop(hub);
        let borrower = thread::spawn(move || drop(lent));
        drop(pool);
        borrower.join().expect("it ends");
        world.run();
        assert_eq!(world.tasks(), 0, "the driver has something left to do");
        world.assert_all_gone();
    });
}

/// The same where there is no runtime and no driver: what is left is dropped by whoever goes last.
#[test]
fn last_handle_meets_last_guard_without_runtime() {
    model(|| {
        let Rig { pool, hub, world } = Rig::new(1, 1);
        let lent = {
            let rig = Rig { pool: pool.clone(), hub: hub.clone(), world: world.clone() };
            rig.lend()
        };
        drop(hub);
        world.lose_runtime();
        drop(world.take_tasks());
        let borrower = {
            let world = world.clone();
            thread::spawn(move || {
                world.lose_runtime();
                drop(lent);
            })
        };
        drop(pool);
        borrower.join().expect("it ends");
        world.assert_all_gone();
    });
}

/// The last resource goes while somebody begins to wait for that, and is never told.
#[test]
fn last_resource_meets_drained() {
    model(|| {
        let rig = Rig::new(1, 1);
        let lent = rig.lend();
        rig.hub.tell(Input::Close);
        let closing = {
            let world = rig.world.clone();
            thread::spawn(move || {
                drop(lent);
                world.run();
            })
        };
        let tally = Arc::<Tally>::default();
        let waker = Waker::from(Arc::clone(&tally));
        let mut drained = pin!(rig.pool.drained());
        let first = drained.as_mut().poll(&mut Context::from_waker(&waker));
        closing.join().expect("it ends");
        if first.is_pending() {
            assert!(tally.take() > 0, "nobody said that it is over");
            assert!(drained.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        }
        rig.end();
    });
}

/// The pool closes while somebody begins to wait for that, and is never told.
#[test]
fn close_meets_closing() {
    model(|| {
        let rig = Rig::new(1, 1);
        let closing = {
            let hub = rig.hub.clone();
            thread::spawn(move || drop(hub.tell(Input::Close)))
        };
        let tally = Arc::<Tally>::default();
        let waker = Waker::from(Arc::clone(&tally));
        let mut begins = pin!(rig.pool.closing());
        let first = begins.as_mut().poll(&mut Context::from_waker(&waker));
        closing.join().expect("it ends");
        assert!(first.is_ready() || tally.take() > 0, "nobody said that it has begun");
        rig.end();
    });
}

/// The pool closes while something is being opened for one that waits: it stays open, or the one waits for ever.
#[test]
fn close_meets_creation() {
    model(|| {
        let rig = Rig::new(1, 1);
        let mut waiter = rig.waiter();
        let (job, _) = rig.begin();
        let task = {
            let (hub, toy) = (rig.hub.clone(), rig.world.toy());
            thread::spawn(move || hub.ended(job, Outcome::Created, Some(toy)))
        };
        rig.hub.tell(Input::Close);
        task.join().expect("it ends");
        let told = waiter.run();
        assert!(told.is_ready(), "it waits on a closed pool");
        drop((told, waiter));
        rig.end();
    });
}

/// The driver dies while somebody waits for the end of a pool, and nobody closes what is left.
#[test]
fn death_meets_drained() {
    model(|| {
        let rig = Rig::new(1, 1);
        rig.lay_out(1);
        rig.hub.tell(Input::Close);
        let tasks = rig.world.take_tasks();
        let dying = thread::spawn(move || drop(tasks));
        let tally = Arc::<Tally>::default();
        let waker = Waker::from(Arc::clone(&tally));
        let mut drained = pin!(rig.pool.drained());
        let first = drained.as_mut().poll(&mut Context::from_waker(&waker));
        dying.join().expect("it ends");
        assert!(first.is_pending(), "something is left");
        if tally.take() > 0 {
            let again = drained.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(again.is_pending(), "something is left");
        }
        rig.world.run();
        assert!(drained.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        rig.end();
    });
}
