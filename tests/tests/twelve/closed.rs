//! Spec 12: `close` returns by its deadline, whatever hangs, and names who still holds what.

use std::task::Poll;
use std::time::Duration;

use millpond::Pooled;
use millpond_test::{OnReturn, Op, Parked, ScriptedManager, Step};
use millpond_tests::rig::{Rig, until};

use crate::{ms, secs};

/// A pool in which a resource is lent, and one each is being opened, checked, cleaned and closed, none of which ever ends.
fn everything_hangs() -> (Rig, Pooled<ScriptedManager>) {
    let rig = Rig::new(|builder| builder.max_size(5).check_after_idle(secs(1)));
    let (kept, reset, discard, idle) = (rig.take(), rig.take(), rig.take(), rig.take());
    drop(idle);
    rig.runtime.advance(secs(2));
    for op in [Op::Create, Op::Check, Op::Reset, Op::Close] {
        rig.manager.default_step(op, Step::Hang);
    }
    rig.manager.script_returns([OnReturn::Reset]);
    drop(reset);
    Pooled::discard(discard);
    // One may count on the cleaning, one on the check, and one more has to be opened.
    drop([rig.wait(), rig.wait(), rig.wait()]);
    let status = rig.pool.status();
    let jobs = (status.creating, status.checking, status.resetting, status.closing);
    assert_eq!((status.leased, jobs), (1, (1, 1, 1, 1)), "{status:?}");
    (rig, kept)
}

#[test]
fn spec_12_close_returns_by_its_deadline_whatever_hangs_and_names_who_still_holds() {
    for patience in [Duration::ZERO, ms(1), secs(2), secs(60)] {
        let (rig, kept) = everything_hangs();
        let started = rig.runtime.elapsed();
        let report = rig.runtime.block_on(rig.pool.close(patience));
        assert_eq!(rig.runtime.elapsed() - started, patience, "neither earlier nor later");
        assert!(!report.drained);
        assert_eq!(report.still_held.len(), 1, "{report}");
        assert_eq!(report.still_held[0].location.file(), file!());
        // By the longest patience, what hung has run into the deadlines of its own.
        assert_eq!(report.still_closing, if patience < secs(60) { 4 } else { 0 }, "{report}");
        drop(kept);
        rig.runtime.advance(secs(60));
        assert_eq!(rig.pool.status().size, 0, "it drains by itself");
        until(|| rig.manager.open_now() == 0);
    }
}

#[test]
fn spec_12_close_does_not_wait_for_its_deadline_once_the_last_is_home() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut close = Parked::new(rig.pool.close(secs(3600)));
    assert!(close.poll().is_pending());
    drop(held);
    assert!(rig.at_once(close.future().expect("it waits")).drained);
    assert!(rig.runtime.elapsed() < secs(1));
}

#[test]
fn spec_12_each_of_many_who_close_returns_by_its_own_deadline() {
    let (rig, kept) = everything_hangs();
    let started = rig.runtime.elapsed();
    let patiences = [secs(9), ms(5), secs(40), ms(700)];
    let mut closes = patiences.map(|patience| Parked::new(rig.pool.close(patience)));
    assert!(closes.iter_mut().all(|close| close.poll().is_pending()));
    for after in [ms(5), ms(700), secs(9), secs(40)] {
        rig.runtime.advance(started + after - rig.runtime.elapsed());
        for (close, patience) in closes.iter_mut().zip(patiences) {
            if patience == after {
                assert!(matches!(close.poll(), Poll::Ready(report) if !report.drained));
            } else {
                assert!(!close.is_woken(), "after {after:?}, with a patience of {patience:?}");
            }
        }
    }
    rig.manager.default_step(Op::Close, Step::Ok);
    drop(kept);
    rig.ends_clean();
}

#[test]
fn spec_12_where_nothing_can_be_waited_for_close_returns_at_once() {
    let (rig, kept) = everything_hangs();
    rig.runtime.shutdown();
    let report = rig.at_once(rig.pool.close(secs(3600)));
    assert!(!report.drained);
    assert_eq!((report.still_held.len(), report.still_held[0].location.file()), (1, file!()));
    // It goes on where there is a runtime again.
    drop(kept);
    rig.manager.default_step(Op::Close, Step::Ok);
    rig.runtime.restart();
    rig.ends_clean();
}
