//! Leases that last too long: told once, shown while they last, and never ended.

use millpond::{BuildError, Builder, EventKind, Pool, Pooled};
use millpond_test::{OnReturn, Recorder, ScriptedManager, TestRuntime};
use millpond_tests::rig::Rig;
use std::time::Duration;

use crate::{ms, secs, watched};

/// A pool that suspects after a minute, and nothing else to do.
fn suspicious(max: usize) -> (Rig, Recorder) {
    watched(|builder| quiet(builder).max_size(max).leak_after(secs(60)))
}

fn quiet(builder: Builder<ScriptedManager>) -> Builder<ScriptedManager> {
    builder.idle_timeout(Duration::MAX).max_lifetime(Duration::MAX)
}

fn suspicions(recorder: &Recorder) -> Vec<EventKind> {
    let mut kinds = recorder.take();
    kinds.retain(|kind| {
        matches!(kind, EventKind::LeakSuspected { .. } | EventKind::CameBack { .. })
    });
    kinds
}

#[test]
fn a_long_lease_is_told_once_shown_while_it_lasts_and_told_when_it_is_over() {
    let (rig, recorder) = suspicious(2);
    let (held, line) = (rig.at_once(rig.pool.get().label("export")), line!());
    let held = held.expect("there are two");
    let other = rig.take();
    rig.runtime.advance(secs(30));
    drop(other);
    rig.runtime.advance(secs(29));
    assert!(suspicions(&recorder).is_empty());
    assert_eq!(rig.pool.status().suspected_leaks, 0);
    assert!(!rig.pool.holders()[0].suspected_leak);

    rig.runtime.advance(secs(3));
    let told = suspicions(&recorder);
    let [EventKind::LeakSuspected { resource, holder, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((holder.location.line(), holder.label.as_deref()), (line, Some("export")));
    assert!(holder.held_for >= secs(60) && holder.held_for <= secs(62), "{holder:?}");
    assert!(holder.suspected_leak);
    assert_eq!(rig.pool.status().suspected_leaks, 1);
    assert!(rig.pool.holders()[0].suspected_leak);

    rig.runtime.advance(secs(3600));
    assert!(suspicions(&recorder).is_empty(), "it is told once");
    assert_eq!((rig.pool.status().leased, rig.pool.status().suspected_leaks), (1, 1));

    drop(held);
    assert_eq!(rig.pool.status().suspected_leaks, 0);
    rig.runtime.advance(secs(2));
    let told = suspicions(&recorder);
    let [EventKind::CameBack { resource: back, holder, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((back, holder.location.line()), (resource, line));
    assert!(holder.held_for >= secs(3600), "{holder:?}");
    rig.runtime.advance(secs(3600));
    assert!(suspicions(&recorder).is_empty());
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn each_lease_is_suspected_by_itself() {
    let (rig, recorder) = suspicious(1);
    for _ in 0..3 {
        let held = rig.take();
        rig.runtime.advance(secs(63));
        assert_eq!(suspicions(&recorder).len(), 1);
        drop(held);
        // Lent again before anybody could look.
        let next = rig.take();
        rig.runtime.advance(secs(30));
        let told = suspicions(&recorder);
        assert!(matches!(&told[..], [EventKind::CameBack { .. }]), "{told:?}");
        drop(next);
    }
    rig.ends_clean();
    assert!(suspicions(&recorder).is_empty());
}

#[test]
fn a_resource_that_is_lent_again_and_again_is_no_leak() {
    let (rig, recorder) = suspicious(1);
    for _ in 0..20 {
        let held = rig.take();
        rig.runtime.advance(secs(20));
        drop(held);
    }
    assert!(suspicions(&recorder).is_empty());
    rig.ends_clean();
}

#[test]
fn a_lease_ends_however_its_resource_comes_back() {
    type End = fn(Pooled<ScriptedManager>);
    let ends: [End; 3] =
        [|held| drop(held), |held| Pooled::discard(held), |held| drop(Pooled::detach(held))];
    for (end, answer) in ends.into_iter().zip([OnReturn::Reset, OnReturn::Reuse, OnReturn::Reuse]) {
        let (rig, recorder) = suspicious(1);
        rig.manager.script_returns([answer]);
        let held = rig.take();
        rig.runtime.advance(secs(63));
        assert_eq!(suspicions(&recorder).len(), 1);
        end(held);
        rig.runtime.advance(secs(2));
        let told = suspicions(&recorder);
        assert!(matches!(&told[..], [EventKind::CameBack { .. }]), "{told:?}");
        rig.ends_clean();
    }
}

#[test]
fn a_guard_that_is_forgotten_is_suspected_for_ever_and_its_place_is_not_reused() {
    let (rig, recorder) = suspicious(2);
    std::mem::forget(rig.take());
    rig.runtime.advance(secs(3600));
    assert_eq!((suspicions(&recorder).len(), rig.pool.status().suspected_leaks), (1, 1));
    let held = rig.take();
    assert!(rig.runtime.block_on(rig.pool.get().timeout(secs(1))).is_err());
    drop(held);
}

#[test]
fn a_pool_at_rest_causes_no_wake_ups_and_one_that_lends_none_but_its_ticks() {
    let (rig, recorder) = suspicious(2);
    let held = rig.take();
    drop(rig.take());
    let before = rig.runtime.timers_fired();
    rig.runtime.advance(secs(100));
    let ticks = rig.runtime.timers_fired() - before;
    // A quarter of the shortest window, which is that of checks.
    assert!((390..=410).contains(&ticks), "{ticks}");
    drop(held);
    rig.runtime.advance(secs(2));
    assert_eq!(suspicions(&recorder).len(), 2);
    let activity = || (rig.runtime.timers_fired(), rig.runtime.polls(), rig.runtime.clock_reads());
    let before = activity();
    rig.runtime.advance(secs(24 * 3600));
    assert_eq!((activity(), rig.runtime.timers()), (before, 0));
    rig.ends_clean();
}

#[test]
fn a_leak_is_found_while_the_pool_is_closing_and_its_handles_are_gone() {
    let (rig, recorder) = suspicious(1);
    let Rig { runtime, manager, pool } = rig;
    let held = runtime.block_on(pool.get()).expect("there is one");
    drop(pool);
    runtime.advance(secs(63));
    let told = suspicions(&recorder);
    assert!(matches!(&told[..], [EventKind::LeakSuspected { .. }]), "{told:?}");
    drop(held);
    runtime.run_until_idle();
    let told = suspicions(&recorder);
    assert!(matches!(&told[..], [EventKind::CameBack { .. }]), "{told:?}");
    assert_eq!((manager.open_now(), runtime.tasks()), (0, 0));
}

#[test]
fn a_short_limit_is_kept_as_exactly_as_its_own_tick() {
    let (rig, recorder) = watched(|builder| quiet(builder).leak_after(ms(40)));
    let held = rig.take();
    rig.runtime.advance(ms(39));
    assert!(suspicions(&recorder).is_empty());
    rig.runtime.advance(ms(40));
    assert_eq!(suspicions(&recorder).len(), 1);
    drop(held);
    rig.ends_clean();
}

#[test]
fn without_the_setting_nothing_is_suspected() {
    let (rig, recorder) = watched(quiet);
    let held = rig.take();
    rig.runtime.advance(secs(3600));
    assert!(suspicions(&recorder).is_empty());
    assert!(rig.pool.status().suspected_leaks == 0 && !rig.pool.holders()[0].suspected_leak);
    drop(held);
    rig.ends_clean();
}

#[test]
fn a_limit_of_zero_is_refused_by_name() {
    let runtime = TestRuntime::new();
    let builder = Pool::builder(ScriptedManager::new(runtime.clone())).leak_after(ms(0));
    let error = builder.build(runtime.clone()).expect_err("everything would be a leak");
    assert!(matches!(error, BuildError::Zero { setting: "leak_after", .. }), "{error:?}");
    assert_eq!(error.to_string(), "leak_after is zero, but must be longer");
}
