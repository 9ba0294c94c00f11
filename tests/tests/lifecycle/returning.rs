//! What the pool sees of the way in which a borrower lets go, and what it makes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millpond::{Pooled, Returned};
use millpond_test::{OnReturn, Op, Parked, Step};
use millpond_tests::rig::Rig;

use crate::ms;

#[test]
fn a_guard_that_is_dropped_counts_as_finished() {
    let rig = Rig::of(1);
    drop(rig.take());
    assert_eq!(rig.manager.returns(), [Returned::Finished]);
    assert_eq!((rig.pool.status().idle, rig.manager.resets()), (1, 0));
    rig.ends_clean();
}

#[test]
fn a_run_that_ends_counts_as_finished_and_gives_its_result() {
    let rig = Rig::of(1);
    let mut pooled = rig.take();
    let clock = rig.runtime.clone();
    let id = rig.runtime.block_on(Pooled::run(&mut pooled, async |resource| {
        clock.sleep(ms(5)).await;
        resource.id()
    }));
    drop(pooled);
    assert_eq!((id, rig.manager.returns()), (0, vec![Returned::Finished]));
    rig.ends_clean();
}

#[test]
fn a_run_that_was_never_polled_has_not_begun() {
    let rig = Rig::of(1);
    let mut pooled = rig.take();
    drop(Pooled::run(&mut pooled, async |resource| resource.soil()));
    drop(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Finished]);
    rig.ends_clean();
}

#[test]
fn a_run_that_was_dropped_half_way_is_not_forgotten_by_later_uses() {
    let rig = Rig::of(1);
    let mut pooled = rig.take();
    let mut run =
        Parked::new(Pooled::run(&mut pooled, async |_| std::future::pending::<()>().await));
    assert!(run.poll().is_pending());
    drop(run);
    rig.runtime.block_on(Pooled::run(&mut pooled, async |_| ()));
    Pooled::finish(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    rig.ends_clean();
}

#[test]
fn reuse_is_taken_at_its_word_only_after_a_finished_use() {
    let rig = Rig::of(1);
    rig.manager.default_return(OnReturn::Reuse);
    let mut pooled = rig.take();
    let mut run = Parked::new(Pooled::run(&mut pooled, async |resource| {
        resource.soil();
        std::future::pending::<()>().await;
    }));
    assert!(run.poll().is_pending());
    drop(run);
    drop(pooled);
    assert_eq!(rig.pool.status().resetting, 1);
    assert!(!rig.take().is_dirty());
    assert_eq!((rig.manager.resets(), rig.manager.opened()), (1, 1));
    rig.ends_clean();
}

#[test]
fn what_the_manager_discards_is_closed_and_replaced_when_somebody_wants_it() {
    let rig = Rig::of(1);
    rig.manager.script_returns([OnReturn::Discard]);
    drop(rig.take());
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.closed(), rig.pool.status().size), (1, 0));
    assert_eq!(rig.take().id(), 1);
    rig.ends_clean();
}

#[test]
fn a_panic_in_on_return_costs_that_one_resource_and_does_not_get_out() {
    let rig = Rig::of(2);
    let (panics, other) = (rig.take(), rig.take());
    rig.manager.script_returns([OnReturn::Panic]);
    drop(panics);
    drop(other);
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.closed(), rig.pool.status().idle), (1, 1));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_panic_in_on_return_while_the_borrower_unwinds_does_not_end_the_process() {
    let rig = Rig::of(1);
    rig.manager.script_returns([OnReturn::Panic]);
    let pooled = rig.take();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _pooled = pooled;
        panic!("the borrower gives up");
    }));
    assert!(panicked.is_err());
    assert_eq!(rig.manager.returns(), [Returned::Panicked]);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_reset_that_finds_it_unfit_fails_or_panics_closes_the_resource() {
    for step in [Step::Unfit, Step::transient(), Step::permanent(), Step::Panic] {
        let rig = Rig::of(1);
        rig.manager.script(Op::Reset, [step]).script_returns([OnReturn::Reset]);
        drop(rig.take());
        rig.runtime.run_until_idle();
        assert_eq!((rig.manager.closed(), rig.pool.status().size), (1, 0));
        rig.serves_at_full_size();
        rig.ends_clean();
    }
}

#[test]
fn a_panic_in_close_frees_the_slot_all_the_same() {
    let rig = Rig::of(1);
    rig.manager.script(Op::Close, [Step::Panic]);
    Pooled::discard(rig.take());
    rig.runtime.run_until_idle();
    assert_eq!((rig.pool.status().size, rig.manager.dropped()), (0, 1));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn what_is_discarded_is_closed_without_asking_the_manager() {
    let rig = Rig::of(1);
    Pooled::discard(rig.take());
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.returns().len(), rig.manager.closed()), (0, 1));
    rig.ends_clean();
}

#[test]
fn what_is_detached_is_the_borrowers_and_its_place_is_free() {
    let rig = Rig::of(1);
    let mine = Pooled::detach(rig.take());
    assert_eq!((rig.pool.status().size, rig.manager.returns().len()), (0, 0));
    let other = rig.take();
    assert_eq!((mine.id(), other.id()), (0, 1));
    drop(other);
    rig.runtime.advance(ms(1));
    assert_eq!((rig.manager.closed(), rig.manager.open_now()), (0, 2));
    drop(mine);
    rig.ends_clean();
}

#[test]
fn detaching_serves_who_waits_for_the_place() {
    let rig = Rig::of(1);
    let pooled = rig.take();
    let mut waiting = rig.wait();
    let mine = Pooled::detach(pooled);
    assert!(rig.at_once(waiting.future().expect("it waits")).is_ok());
    drop(mine);
    rig.ends_clean();
}

fn strict() -> Rig {
    Rig::new(|builder| builder.max_size(1).strict_return())
}

#[test]
fn in_strict_mode_only_what_is_called_finished_is() {
    let rig = strict();
    drop(rig.take());
    Pooled::finish(rig.take());
    let mut pooled = rig.take();
    rig.runtime.block_on(Pooled::run(&mut pooled, async |_| ()));
    drop(pooled);
    rig.at_once(rig.pool.with(async |_| ())).expect("it is served");
    use Returned::{Cancelled, Finished};
    assert_eq!(rig.manager.returns(), [Cancelled, Finished, Finished, Finished]);
    rig.ends_clean();
}

#[test]
fn in_strict_mode_a_use_after_a_finished_run_has_to_be_finished_itself() {
    let rig = strict();
    let mut pooled = rig.take();
    rig.runtime.block_on(Pooled::run(&mut pooled, async |_| ()));
    pooled.soil();
    drop(pooled);
    assert_eq!(rig.manager.returns(), [Returned::Cancelled]);
    assert!(!rig.take().is_dirty());
    rig.ends_clean();
}

#[test]
fn with_gives_back_before_its_result_is_seen() {
    let rig = Rig::of(1);
    let id = rig.at_once(rig.pool.with(async |resource| resource.id())).expect("it is served");
    assert_eq!((id, rig.pool.status().idle), (0, 1));
    rig.ends_clean();
}

#[test]
fn a_with_that_is_dropped_while_it_waits_is_as_if_never_called() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut with = Parked::new(rig.pool.with(async |_| ()));
    assert!(with.poll().is_pending());
    drop(with);
    assert_eq!(rig.pool.status().waiting, 0);
    drop(held);
    assert_eq!(rig.manager.returns(), [Returned::Finished]);
    rig.ends_clean();
}

#[test]
fn a_panic_in_with_reaches_the_caller_and_no_next_borrower() {
    let rig = Rig::of(1);
    let mut with = Parked::new(rig.pool.with(async |resource| {
        resource.soil();
        panic!("the body gives up");
    }));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        while with.poll().is_pending() {
            rig.runtime.run_until_idle();
        }
    }));
    assert!(panicked.is_err());
    drop(with);
    assert_eq!(rig.manager.returns().len(), 1);
    assert_ne!(rig.manager.returns(), [Returned::Finished]);
    assert!(!rig.take().is_dirty());
    rig.ends_clean();
}
