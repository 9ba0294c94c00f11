//! Nothing that hangs holds up a caller beyond its deadline, or a slot beyond that of the job.

use std::task::Poll;
use std::time::Duration;

use millpond::{GetError, Phase, Pool, Pooled};
use millpond_test::{OnReturn, Op, Parked, ScriptedManager, Step};
use millpond_tests::hop::Hop;
use millpond_tests::rig::{Rig, serves_at_full_size};

use crate::{ms, secs};

#[test]
fn a_creation_that_hangs_frees_its_slot_at_the_deadline_and_is_tried_again() {
    let rig = Rig::new(|builder| builder.max_size(1).create_timeout(secs(10)));
    rig.manager.script(Op::Create, [Step::Hang]);
    let waiting = rig.wait();
    rig.runtime.advance(secs(10) - ms(1));
    assert_eq!(rig.pool.status().creating, 1);
    rig.runtime.advance(ms(1));
    let status = rig.pool.status();
    assert_eq!((status.totals.abandoned, status.totals.create_failed), (1, 1));
    rig.runtime.advance(ms(50));
    assert!(waiting.is_woken(), "the pause after one failure is 50 ms at most");
    assert_eq!((rig.manager.opened(), rig.manager.creating_now()), (1, 0));
    drop(waiting);
    rig.ends_clean();
}

#[test]
fn a_check_that_hangs_frees_its_slot_at_the_deadline() {
    let rig =
        Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)).check_timeout(secs(3)));
    drop(rig.take());
    rig.runtime.advance(secs(2));
    rig.manager.script(Op::Check, [Step::Hang]);
    let waiting = rig.wait();
    rig.runtime.advance(secs(3) - ms(1));
    assert_eq!(rig.pool.status().checking, 1);
    rig.runtime.advance(ms(1));
    assert_eq!(rig.pool.status().totals.abandoned, 1);
    assert!(waiting.is_woken());
    rig.until_dropped(1);
    drop(waiting);
    rig.ends_clean();
}

#[test]
fn a_job_that_ends_in_time_leaves_no_timer_behind() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(ms(100)));
    drop(rig.take());
    rig.runtime.advance(secs(1));
    drop(rig.take());
    rig.manager.script_returns([OnReturn::Reset]);
    drop(rig.take());
    rig.runtime.run_until_idle();
    rig.runtime.advance(secs(60));
    assert_eq!(rig.pool.status().totals.abandoned, 0);
    assert_eq!((rig.manager.checks(), rig.manager.resets(), rig.manager.dropped()), (1, 1, 0));
    rig.ends_clean();
}

#[test]
fn every_get_ends_by_its_own_deadline_although_nothing_ever_returns() {
    let hang = [Op::Create, Op::Check, Op::Reset, Op::Close];
    let rig = Rig::new(|builder| builder.max_size(2).check_after_idle(ms(100)));
    let (to_reset, to_close) = (rig.take(), rig.take());
    for op in hang {
        rig.manager.default_step(op, Step::Hang);
    }
    rig.manager.script_returns([OnReturn::Reset]);
    drop(to_reset);
    Pooled::discard(to_close);
    let deadlines = [ms(1), ms(700), secs(4), secs(9), secs(29), secs(100)];
    let mut waiting: Vec<_> =
        deadlines.iter().map(|after| rig.wait_in(rig.pool.get_owned().timeout(*after))).collect();
    let start = rig.runtime.elapsed();
    for (get, deadline) in waiting.iter_mut().zip(deadlines) {
        rig.runtime.advance(start + deadline - ms(1) - rig.runtime.elapsed());
        assert!(!get.is_woken(), "before its deadline of {deadline:?}");
        rig.runtime.advance(ms(1));
        assert!(get.is_woken(), "at its deadline of {deadline:?}");
        let Poll::Ready(Err(error)) = get.poll() else { panic!("its time is over") };
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
        assert_eq!(error.snapshot().waited, deadline);
    }
    let status = rig.pool.status();
    assert!(status.size <= 2 && status.waiting == 0, "{status:?}");
    for op in hang {
        rig.manager.default_step(op, Step::Ok);
    }
    rig.runtime.advance(secs(10));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_deadline_that_is_a_moment_of_the_clock_is_kept_to_the_moment() {
    let rig = Rig::of(1);
    let held = rig.take();
    let deadline = rig.runtime.now() + secs(7);
    let error = rig.runtime.block_on(rig.pool.get().deadline(deadline)).expect_err("all is lent");
    assert_eq!(rig.runtime.now(), deadline);
    assert_eq!(error.snapshot().phases, [(Phase::Exhausted, secs(7))]);
    drop(held);
    rig.ends_clean();
}

#[test]
fn a_get_that_may_wait_for_ever_does() {
    let rig = Rig::new(|builder| builder.max_size(1).get_timeout(Duration::MAX));
    let held = rig.take();
    let mut by_default = rig.wait();
    let mut by_itself = rig.wait_in(rig.pool.get_owned().timeout(Duration::MAX));
    rig.runtime.advance(secs(10 * 3600));
    assert!(!by_default.is_woken() && !by_itself.is_woken());
    drop(held);
    assert!(rig.at_once(by_default.future().expect("it waits")).is_ok());
    assert!(rig.at_once(by_itself.future().expect("it waits")).is_ok());
    rig.ends_clean();
}

#[test]
fn the_timeout_counts_from_the_first_poll() {
    let rig = Rig::of(1);
    let held = rig.take();
    let get = rig.pool.get().timeout(secs(5));
    rig.runtime.advance(secs(100));
    let error = rig.runtime.block_on(get).expect_err("all is lent");
    assert_eq!((error.snapshot().waited, rig.runtime.elapsed()), (secs(5), secs(105)));
    drop(held);
    rig.ends_clean();
}

#[test]
fn what_is_idle_is_taken_even_if_there_is_no_time_to_wait() {
    let rig = Rig::of(1);
    drop(rig.take());
    let past = rig.runtime.now() - secs(5);
    let without_patience = || {
        let gets = [
            rig.pool.get().timeout(Duration::ZERO),
            rig.pool.get().deadline(past),
            rig.pool.get().timeout(Duration::ZERO).label("by way of the desk"),
        ];
        for get in gets {
            assert!(rig.at_once(get).is_ok());
        }
    };
    without_patience();
    // Nor does it matter that the pool has fallen asleep meanwhile.
    rig.runtime.advance(ms(400));
    without_patience();
    let held = rig.take();
    let error = rig.at_once(rig.pool.get().timeout(Duration::ZERO)).expect_err("all is lent");
    assert!(matches!(error, GetError::Timeout(_)) && error.is_overload(), "{error}");
    drop(held);
    rig.ends_clean();
}

#[test]
fn work_that_cannot_be_stopped_is_counted_and_its_amount_is_bounded() {
    // Tasks on a runtime that nobody drives can be neither finished nor stopped.
    let (hop, [first, second]) = Hop::new();
    let manager = ScriptedManager::new(hop.clone());
    let pool = Pool::builder(manager.clone())
        .max_size(2)
        .max_creating(2)
        .create_timeout(secs(1))
        .create_backoff(ms(1), ms(1))
        .build(hop.clone())
        .expect("the settings make sense");
    manager.default_step(Op::Create, Step::Hang);
    let mut hung = 0;
    for _ in 0..10 {
        // The first runtime starts a creation, then stands still until after its deadline.
        hop.enter(0);
        let mut get = Parked::new(pool.get());
        assert!(get.poll().is_pending());
        first.run_until_idle();
        hop.enter(1);
        hop.pass(secs(2));
        let mut visitor = Parked::new(pool.get());
        let _ = visitor.poll();
        hung = hung.max(pool.status().abandoned + pool.status().stuck);
        let status = pool.status();
        assert!(status.abandoned <= 2 && status.size <= 2, "{status:?}");
        drop((get, visitor));
    }
    assert!(hung > 0, "something was left behind");
    manager.default_step(Op::Create, Step::Ok);
    for runtime in [&first, &second] {
        runtime.run_until_idle();
    }
    hop.enter(1);
    second.advance(secs(5));
    first.run_until_idle();
    let status = pool.status();
    assert_eq!((status.abandoned, status.stuck), (0, 0), "all of it ended: {status:?}");
    serves_at_full_size(&pool, &second);
}
