//! Wakers are user code: they may panic, call the pool, and own handles of it.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};

use millpond::{Pool, Pooled};
use millpond_test::{Parked, ScriptedManager, panicking_waker};
use millpond_tests::rig::{Rig, until};

use crate::{ms, secs};

/// Does something when woken, and something when dropped.
struct Doing<W: FnMut() + Send, D: FnMut() + Send> {
    wake: Mutex<W>,
    drop: Mutex<D>,
}

impl<W: FnMut() + Send, D: FnMut() + Send> Wake for Doing<W, D> {
    fn wake(self: Arc<Self>) {
        (self.wake.lock().expect("nothing panics in it"))();
    }
}

impl<W: FnMut() + Send, D: FnMut() + Send> Drop for Doing<W, D> {
    fn drop(&mut self) {
        (self.drop.get_mut().expect("nothing panics in it"))();
    }
}

fn on_wake(wake: impl FnMut() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Doing { wake: Mutex::new(wake), drop: Mutex::new(|| ()) }))
}

fn on_drop(drop: impl FnMut() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Doing { wake: Mutex::new(|| ()), drop: Mutex::new(drop) }))
}

#[test]
fn a_waker_that_panics_costs_nobody_else_anything() {
    let rig = Rig::of(2);
    let mut held = rig.take_many(2);
    let mut bad = Parked::new(rig.pool.get_owned());
    assert!(bad.poll_with(&panicking_waker()).is_pending());
    let mut good = rig.wait();
    // The panic does not come out of the drop of a guard.
    drop(held.pop());
    drop(held.pop());
    assert!(matches!(good.poll(), Poll::Ready(Ok(_))));
    assert!(matches!(bad.poll(), Poll::Ready(Ok(_))), "and who has it is served when polled");
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn wakers_that_panic_do_not_stop_the_driver() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut bad: Vec<_> =
        (0..5).map(|_| Parked::new(rig.pool.get_owned().timeout(secs(1)))).collect();
    for get in &mut bad {
        assert!(get.poll_with(&panicking_waker()).is_pending());
    }
    let good = rig.wait_in(rig.pool.get_owned().timeout(secs(2)));
    rig.runtime.advance(secs(2));
    assert!(good.is_woken());
    assert_eq!(rig.runtime.panics(), Vec::<String>::new());
    drop((held, bad, good));
    rig.ends_clean();
}

#[test]
fn wakers_that_panic_do_not_keep_others_from_learning_of_the_end() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut bad = [Parked::new(rig.pool.closing()), Parked::new(rig.pool.closing())];
    let mut gone = Parked::new(rig.pool.drained());
    assert!(bad.iter_mut().all(|notice| notice.poll_with(&panicking_waker()).is_pending()));
    assert!(gone.poll_with(&panicking_waker()).is_pending());
    let (mut closing, mut drained) =
        (Parked::new(rig.pool.closing()), Parked::new(rig.pool.drained()));
    assert!(closing.poll().is_pending() && drained.poll().is_pending());
    let mut close = Parked::new(rig.pool.close(secs(10)));
    assert!(close.poll_with(&panicking_waker()).is_pending());
    assert!(closing.is_woken());
    drop(held);
    rig.runtime.run_until_idle();
    assert!(drained.is_woken());
    assert!(bad.iter_mut().all(|notice| notice.poll().is_ready()) && gone.poll().is_ready());
    assert!(matches!(close.poll(), Poll::Ready(report) if report.drained));
    rig.runtime.advance(secs(20));
    assert_eq!(rig.runtime.panics(), Vec::<String>::new());
}

#[test]
fn a_waker_may_call_the_pool_it_was_woken_by() {
    let rig = Rig::of(2);
    let (first, second) = (rig.take(), rig.take());
    let pool = rig.pool.clone();
    let second = Mutex::new(Some(second));
    let (mut asked, mut given) = (Parked::new(rig.pool.get_owned()), rig.wait());
    let meddler = on_wake(move || {
        // Gives back what somebody else waits for, asks for more, and looks around.
        drop(second.lock().expect("nothing panics in it").take());
        let _ = pool.try_get();
        let _ = millpond_test::poll_once(pool.get());
        let _ = (pool.status(), pool.holders(), format!("{pool:?}"));
        pool.pause();
        pool.resume();
    });
    assert!(asked.poll_with(&meddler).is_pending());
    drop(first);
    assert!(given.is_woken());
    drop(meddler);
    assert!(matches!(given.poll(), Poll::Ready(Ok(_))));
    drop(given);
    assert!(rig.at_once(asked.future().expect("it waits")).is_ok());
    drop(asked);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_waker_may_poll_the_get_that_it_belongs_to() {
    let rig = Rig::of(1);
    let held = rig.take();
    let get = Arc::new(Mutex::new(Parked::new(rig.pool.get_owned())));
    let got: Arc<Mutex<Option<Pooled<ScriptedManager>>>> = Arc::default();
    let waker = {
        let (get, got) = (Arc::clone(&get), Arc::clone(&got));
        on_wake(move || {
            // As an executor that runs what it is told to run where it is told.
            let polled = get.lock().expect("nothing panics in it").poll();
            if let Poll::Ready(Ok(pooled)) = polled {
                *got.lock().expect("nothing panics in it") = Some(pooled);
            }
        })
    };
    assert!(get.lock().expect("nothing panics in it").poll_with(&waker).is_pending());
    drop(held);
    assert!(got.lock().expect("nothing panics in it").take().is_some());
    drop((waker, get));
    rig.ends_clean();
}

#[test]
fn a_waker_whose_end_panics_costs_nobody_anything() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut get = Parked::new(rig.pool.get_owned());
    assert!(get.poll_with(&on_drop(|| panic!("the end of a waker"))).is_pending());
    // It is dropped as another takes its place,
    assert!(get.poll().is_pending());
    // as its caller goes,
    let mut gone = Parked::new(rig.pool.get_owned());
    assert!(gone.poll_with(&on_drop(|| panic!("the end of a waker"))).is_pending());
    drop(gone);
    // and after it was called.
    let mut last = Parked::new(rig.pool.get_owned());
    assert!(last.poll_with(&on_drop(|| panic!("the end of a waker"))).is_pending());
    drop(held);
    assert!(matches!(get.poll(), Poll::Ready(Ok(_))));
    drop(get);
    drop(last);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_waker_may_own_the_last_handle_of_the_pool() {
    let Rig { runtime, manager, pool } = Rig::of(1);
    let held = runtime.block_on(pool.get()).expect("there is one");
    let mut get = Parked::new(pool.get_owned());
    let handle: Mutex<Option<Pool<_>>> = Mutex::new(Some(pool));
    let waker = on_drop(move || drop(handle.lock().expect("nothing panics in it").take()));
    assert!(get.poll_with(&waker).is_pending());
    drop(waker);
    drop(held);
    assert!(matches!(get.poll(), Poll::Ready(Ok(_))));
    drop(get);
    runtime.advance(ms(1));
    until(|| manager.open_now() == 0);
    assert_eq!(runtime.tasks(), 0);
}

#[test]
fn a_waker_may_close_the_pool() {
    let rig = Rig::of(1);
    let held = rig.take();
    let pool = rig.pool.clone();
    let mut get = Parked::new(rig.pool.get_owned());
    let waker = on_wake(move || {
        let _ = millpond_test::poll_once(pool.close(secs(1)));
    });
    assert!(get.poll_with(&waker).is_pending());
    drop(held);
    drop(get);
    drop(waker);
    rig.ends_clean();
}
