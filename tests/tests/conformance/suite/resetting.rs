//! Used resources that have to be cleaned: off the borrower's path, and lent again only if that went well.

use millpond_test::{Gate, OnReturn, Op, Step};
use millpond_tests::real::{Flavour, Rig};

pub(crate) async fn what_is_to_be_cleaned_is_lent_clean(on: Flavour) {
    let rig = Rig::of(on, 1);
    rig.manager.default_return(OnReturn::Reset);
    for resets in 0..5 {
        let mut pooled = rig.take().await;
        assert_eq!((pooled.is_dirty(), pooled.id(), rig.manager.resets()), (false, 0, resets));
        pooled.soil();
    }
    rig.ends_clean().await;
}

pub(crate) async fn the_borrower_does_not_wait_for_the_cleaning(on: Flavour) {
    let rig = Rig::of(on, 2);
    let gate = Gate::new();
    rig.manager.script(Op::Reset, [Step::Ok.behind(&gate)]).script_returns([OnReturn::Reset]);
    let (used, other) = (rig.take().await, rig.take().await);
    drop(used);
    assert_eq!((rig.pool.status().resetting, rig.pool.status().leased), (1, 1));
    rig.eventually(|| gate.waiting() == 1).await;
    drop(other);
    assert_eq!(rig.take().await.id(), 1, "others come and go meanwhile");
    gate.open();
    rig.eventually(|| rig.pool.status().idle == 2).await;
    rig.ends_clean().await;
}

pub(crate) async fn who_waits_has_what_was_cleaned(on: Flavour) {
    let rig = Rig::of(on, 1);
    let gate = Gate::new();
    rig.manager.script(Op::Reset, [Step::Ok.behind(&gate)]).script_returns([OnReturn::Reset]);
    drop(rig.take().await);
    let waiting = rig.wait_in_a_task();
    rig.eventually(|| gate.waiting() == 1).await;
    assert_eq!(rig.pool.status().waiting, 1);
    gate.open();
    let pooled = waiting.await.expect("it does not panic").expect("it was cleaned for it");
    assert_eq!((pooled.id(), rig.manager.opened()), (0, 1));
    drop(pooled);
    rig.ends_clean().await;
}

pub(crate) async fn what_cannot_be_cleaned_is_closed_and_replaced(on: Flavour) {
    for step in [Step::Unfit, Step::transient(), Step::permanent()] {
        let rig = Rig::of(on, 1);
        rig.manager.script(Op::Reset, [step]).script_returns([OnReturn::Reset]);
        drop(rig.take().await);
        let pooled = rig.take().await;
        assert_eq!((pooled.id(), rig.manager.closed()), (1, 1));
        drop(pooled);
        rig.ends_clean().await;
    }
}
