//! What takes its time with one resource keeps nobody from the others. After r2d2, which once held its lock while it checked.

use millpond::Pooled;
use millpond_test::{OnReturn, Op, Step};
use millpond_tests::rig::Rig;

use crate::secs;

/// A pool of three, of which two go on while `begin` has a job hang on the third.
#[track_caller]
fn the_others_go_on(op: Op, begin: impl FnOnce(&Rig)) {
    let rig = Rig::of(3);
    begin(&rig);
    assert_eq!(rig.manager.running(op), 1, "{op} hangs");
    // None of this lets any time pass.
    for _ in 0..5 {
        let (one, other) = (rig.take(), rig.take());
        let mut waiting = rig.wait();
        assert_eq!((rig.pool.status().leased, rig.pool.holders().len()), (2, 2));
        drop(one);
        assert!(rig.at_once(waiting.future().expect("it waits")).is_ok());
        drop(other);
        rig.runtime.run_until_idle();
    }
    assert_eq!(rig.manager.running(op), 1, "{op} still hangs");
    rig.runtime.advance(secs(20));
    assert_eq!(rig.manager.running(op), 0);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_creation_that_hangs_keeps_nobody_from_what_is_open() {
    the_others_go_on(Op::Create, |rig| {
        drop(rig.take_many(2));
        rig.manager.script(Op::Create, [Step::Hang]);
        let held = rig.take_many(2);
        drop(rig.wait());
        drop(held);
    });
}

#[test]
fn a_check_that_hangs_keeps_nobody_from_what_is_fit() {
    the_others_go_on(Op::Check, |rig| {
        drop(rig.take_many(3));
        rig.runtime.advance(secs(60));
        rig.manager.script(Op::Check, [Step::Hang]);
        // The other two checks pass, and serve those who came first.
        let callers = [rig.wait(), rig.wait(), rig.wait()];
        assert!(callers[0].is_woken() && callers[1].is_woken() && !callers[2].is_woken());
    });
}

#[test]
fn a_reset_that_hangs_keeps_nobody_from_what_is_clean() {
    the_others_go_on(Op::Reset, |rig| {
        rig.manager.script(Op::Reset, [Step::Hang]).script_returns([OnReturn::Reset]);
        drop(rig.take_many(3));
        rig.runtime.run_until_idle();
    });
}

#[test]
fn a_close_that_hangs_keeps_nobody_from_what_is_open() {
    the_others_go_on(Op::Close, |rig| {
        rig.manager.script(Op::Close, [Step::Hang]);
        let mut held = rig.take_many(3);
        Pooled::discard(held.remove(0));
        rig.runtime.run_until_idle();
    });
}
