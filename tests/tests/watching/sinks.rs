//! Sinks themselves: they may panic and call the pool, and are told of everything in order.

use std::sync::{Arc, Mutex, OnceLock};

use millpond::{Event, EventKind, Pool, Pooled};
use millpond_test::{OnReturn, Op, ScriptedManager, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs, watched};

/// A little of everything.
fn bustle(rig: &Rig) {
    rig.manager.script(Op::Create, [Step::transient(), Step::Ok, Step::Panic]);
    rig.manager.script_returns([OnReturn::Reset, OnReturn::Discard]);
    for _ in 0..6 {
        let Ok(held) = rig.runtime.block_on(rig.pool.get().timeout(secs(20))) else { continue };
        assert!(rig.runtime.block_on(rig.pool.get().timeout(ms(5))).is_err());
        drop(held);
        rig.pool.pause();
        rig.runtime.advance(secs(2));
        rig.pool.resume();
    }
}

#[test]
fn a_sink_that_panics_each_time_costs_nobody_anything() {
    let rig = Rig::new(|builder| {
        builder.max_size(1).event_sink(|_: &Event<'_>| panic!("no sink in this kitchen"))
    });
    bustle(&rig);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_sink_may_call_the_pool_and_end_leases() {
    let cell: Arc<OnceLock<Pool<ScriptedManager>>> = Arc::default();
    let kept: Arc<Mutex<Option<Pooled<ScriptedManager>>>> = Arc::default();
    let told = Arc::new(Mutex::new(Vec::new()));
    let (inner, lease, heard) = (Arc::clone(&cell), Arc::clone(&kept), Arc::clone(&told));
    let rig = Rig::new(|builder| {
        builder.max_size(1).event_sink(move |event: &Event<'_>| {
            heard.lock().expect("nothing panics in it").push(event.number);
            let Some(pool) = inner.get() else { return };
            let _ = (pool.status(), pool.holders(), format!("{pool:?} {event}"));
            // What it causes itself is told from inside, and must not cause the same again.
            if matches!(event.kind, EventKind::Refused { .. }) {
                drop(lease.lock().expect("nothing panics in it").take());
            } else if !matches!(event.kind, EventKind::Paused | EventKind::Resumed) {
                let taken = pool.try_get().ok();
                *lease.lock().expect("nothing panics in it") = taken;
                let _ = millpond_test::poll_once(pool.get().timeout(ms(0)).label("from inside"));
                pool.pause();
                pool.resume();
            }
        })
    });
    assert!(cell.set(rig.pool.clone()).is_ok());
    drop(rig.take());
    rig.pool.retire_all(secs(0));
    rig.runtime.run_until_idle();
    drop(rig.take());
    drop(kept.lock().expect("nothing panics in it").take());
    assert!(told.lock().expect("nothing panics in it").len() > 5);
    rig.serves_at_full_size();
}

#[test]
fn events_are_numbered_from_zero_and_those_of_one_thread_are_told_in_order() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let rig = Rig::new(|builder| {
        builder.max_size(1).name("mill").event_sink(move |event: &Event<'_>| {
            assert_eq!(event.pool, "mill");
            heard.lock().expect("nothing panics in it").push((event.number, event.at));
        })
    });
    let start = rig.runtime.now();
    bustle(&rig);
    rig.ends_clean();
    let told = told.lock().expect("nothing panics in it");
    assert!(told.len() > 20, "{}", told.len());
    assert!((0..).zip(told.iter()).all(|(number, (told, _))| number == *told), "{told:?}");
    assert!(told.is_sorted_by_key(|(_, at)| *at) && told[0].1 >= start, "{told:?}");
}

#[test]
fn what_happens_without_the_desk_is_not_told() {
    let (rig, recorder) = watched(|builder| builder.max_size(4));
    drop(rig.take_many(4));
    let _ = recorder.take();
    for _ in 0..100 {
        drop(rig.take());
        drop(rig.pool.try_get());
    }
    assert!(recorder.take().is_empty());
    rig.ends_clean();
}

#[test]
fn a_sink_is_told_outside_every_lock() {
    // A sink that waits for another thread to have been at the desk would wait for ever if the lock were held.
    let cell: Arc<OnceLock<Pool<ScriptedManager>>> = Arc::default();
    let inner = Arc::clone(&cell);
    let rig = Rig::new(|builder| {
        builder.max_size(1).event_sink(move |_: &Event<'_>| {
            let Some(pool) = inner.get().cloned() else { return };
            let there = std::thread::spawn(move || pool.status().max);
            assert_eq!(there.join().ok(), Some(1));
        })
    });
    assert!(cell.set(rig.pool.clone()).is_ok());
    bustle(&rig);
    rig.serves_at_full_size();
    rig.ends_clean();
}
