//! Spec 8: whoever comes next never sees what a cancelled borrower left.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millpond::{Pooled, Returned};
use millpond_test::{Op, Parked, Step};
use millpond_tests::rig::Rig;

/// Runs `body` on a pool of one, then asserts that the next borrower finds nothing, whether or not it can be cleaned.
fn leaves_no_trace(body: impl Fn(&Rig)) {
    for cleaning in [Step::Ok, Step::Unfit, Step::transient(), Step::Panic] {
        let rig = Rig::of(1);
        rig.manager.default_step(Op::Reset, cleaning.clone());
        body(&rig);
        let next = rig.take();
        assert!(!next.is_dirty(), "dirty although the reset was {cleaning:?}");
        assert_eq!(rig.manager.resets(), 1);
        assert_eq!(next.id() == 0, matches!(cleaning, Step::Ok), "cleaned, or replaced");
        drop(next);
        rig.ends_clean();
    }
}

#[test]
fn spec_8_what_a_cancelled_run_left_is_never_seen() {
    leaves_no_trace(|rig| {
        let mut pooled = rig.take();
        let mut run = Parked::new(Pooled::run(&mut pooled, async |resource| {
            resource.soil();
            std::future::pending::<()>().await;
        }));
        assert!(run.poll().is_pending());
        drop(run);
        drop(pooled);
        assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    });
}

#[test]
fn spec_8_what_a_cancelled_with_left_is_never_seen() {
    leaves_no_trace(|rig| {
        drop(rig.take());
        let mut with = Parked::new(rig.pool.with(async |resource| {
            resource.soil();
            std::future::pending::<()>().await;
        }));
        assert!(with.poll().is_pending());
        drop(with);
        assert_eq!(rig.manager.returns(), [Returned::Finished, Returned::Cancelled]);
    });
}

#[test]
fn spec_8_what_a_panicking_borrower_left_is_never_seen() {
    leaves_no_trace(|rig| {
        let mut pooled = rig.take();
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            pooled.soil();
            panic!("the borrower gives up");
        }));
        assert!(panicked.is_err());
        assert_eq!(rig.manager.returns(), [Returned::Panicked]);
    });
}

#[test]
fn spec_8_what_a_panic_caught_beside_the_guard_left_is_never_seen() {
    leaves_no_trace(|rig| {
        let mut pooled = rig.take();
        let mut run = Parked::new(Pooled::run(&mut pooled, async |resource| {
            resource.soil();
            panic!("the body gives up");
        }));
        assert!(catch_unwind(AssertUnwindSafe(|| run.poll())).is_err());
        drop(run);
        // Nothing unwinds any more, but the guard remembers.
        drop(pooled);
        assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    });
}
