//! The end of a pool: who is told, what is waited for, and what is reported.

use std::task::Poll;
use std::time::Duration;

use millpond::{GetError, Pooled, TryGetError};
use millpond_test::{Op, Parked, Step};
use millpond_tests::rig::{Rig, until};

use crate::{ms, secs};

#[test]
fn close_ends_when_the_last_resource_is_gone() {
    let rig = Rig::of(3);
    rig.manager.default_step(Op::Close, Step::Ok.after(ms(30)));
    let held = rig.take();
    drop(rig.take_many(2));
    let mut close = Parked::new(rig.pool.close(secs(60)));
    assert!(close.poll().is_pending());
    rig.runtime.advance(ms(30));
    assert_eq!((rig.manager.closed(), close.is_woken()), (2, false), "what is idle goes at once");
    drop(held);
    rig.runtime.advance(ms(30));
    let Poll::Ready(report) = close.poll() else { panic!("the last is gone") };
    assert!(report.drained && report.still_held.is_empty() && report.still_closing == 0);
    assert_eq!(report.to_string(), "drained");
    assert_eq!((rig.pool.status().size, rig.manager.open_now()), (0, 0));
}

#[test]
fn close_returns_by_its_deadline_and_names_who_still_holds_what() {
    let rig = Rig::of(3);
    rig.manager.default_step(Op::Close, Step::Hang);
    let first = rig.at_once(rig.pool.get().label("nightly report")).expect("it is served");
    let line = line!() - 1;
    rig.runtime.advance(secs(100));
    let second = rig.take();
    drop(rig.take());
    let mut close = Parked::new(rig.pool.close(secs(2)));
    assert!(close.poll().is_pending());
    rig.runtime.advance(secs(2) - ms(1));
    assert!(!close.is_woken());
    rig.runtime.advance(ms(1));
    let Poll::Ready(report) = close.poll() else { panic!("its patience is over") };
    assert!(!report.drained);
    assert_eq!((report.still_held.len(), report.still_closing), (2, 1));
    // The longest first.
    let oldest = &report.still_held[0];
    assert_eq!((oldest.location.file(), oldest.location.line()), (file!(), line));
    assert_eq!(oldest.label.as_deref(), Some("nightly report"));
    assert!(oldest.held_for >= secs(101));
    let text = report.to_string();
    for part in ["not drained", "2 still held", "1 still closing", "nightly report"] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    assert!(text.contains(&format!("{}:{line}:", file!())), "{text}");
    drop((first, second));
    rig.runtime.advance(secs(5));
    assert_eq!(rig.pool.status().size, 0);
    until(|| rig.manager.open_now() == 0);
}

#[test]
fn close_refuses_those_who_wait_and_those_who_come() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut waiting: Vec<_> = (0..5).map(|_| rig.wait()).collect();
    let mut close = Parked::new(rig.pool.close(secs(1)));
    assert!(close.poll().is_pending());
    for get in &mut waiting {
        assert!(get.is_woken());
        let Poll::Ready(Err(error)) = get.poll() else { panic!("it is closed") };
        assert!(matches!(error, GetError::Closed(_)), "{error}");
        assert!(!error.is_retryable() && !error.is_overload());
    }
    let late = rig.at_once(rig.pool.get()).expect_err("it is closed");
    assert!(matches!(late, GetError::Closed(_)));
    assert!(late.to_string().ends_with("the pool is closed"), "{late}");
    assert_eq!(rig.pool.try_get().err(), Some(TryGetError::Closed));
    drop(held);
    assert!(rig.at_once(close.future().expect("it waits")).drained);
}

#[test]
fn an_offer_that_was_not_fetched_yet_is_void_when_the_pool_closes_or_honoured() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut woken = rig.wait();
    drop(held);
    let mut close = Parked::new(rig.pool.close(secs(60)));
    assert!(close.poll().is_pending());
    drop(woken.poll());
    drop(woken);
    assert!(rig.at_once(close.future().expect("it waits")).drained);
}

#[test]
fn close_may_be_called_again_and_by_many() {
    let rig = Rig::of(2);
    let held = rig.take();
    let mut both = [Parked::new(rig.pool.close(secs(10))), Parked::new(rig.pool.close(secs(20)))];
    assert!(both.iter_mut().all(|close| close.poll().is_pending()));
    rig.runtime.advance(secs(10));
    assert!(both[0].is_woken() && !both[1].is_woken(), "each with its own patience");
    let [mut first, mut second] = both;
    assert!(matches!(first.poll(), Poll::Ready(report) if !report.drained));
    drop(held);
    assert!(rig.at_once(second.future().expect("it waits")).drained);
    assert!(rig.at_once(rig.pool.close(Duration::ZERO)).drained);
    assert_eq!(rig.manager.closed(), 1, "and each resource is closed once");
}

#[test]
fn a_close_that_was_dropped_goes_on_by_itself() {
    let rig = Rig::of(2);
    let held = rig.take();
    drop(rig.take());
    let mut close = Parked::new(rig.pool.close(secs(3600)));
    assert!(close.poll().is_pending());
    drop(close);
    rig.runtime.run_until_idle();
    assert_eq!(rig.manager.closed(), 1);
    assert!(rig.pool.try_get().is_err());
    drop(held);
    rig.runtime.run_until_idle();
    assert_eq!((rig.manager.closed(), rig.runtime.tasks(), rig.runtime.timers()), (2, 0, 0));
}

#[test]
fn a_close_that_was_never_polled_closes_nothing() {
    let rig = Rig::of(1);
    drop(rig.pool.close(secs(1)));
    drop(rig.take());
    rig.ends_clean();
}

#[test]
fn a_close_without_patience_reports_what_there_is() {
    let rig = Rig::of(1);
    let held = rig.take();
    let report = rig.at_once(rig.pool.close(Duration::ZERO));
    assert_eq!((report.drained, report.still_held.len()), (false, 1));
    drop(held);
    rig.ends_clean();
}

#[test]
fn a_close_with_endless_patience_waits_for_the_last() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut close = Parked::new(rig.pool.close(Duration::MAX));
    assert!(close.poll().is_pending());
    rig.runtime.advance(secs(10 * 3600));
    assert!(!close.is_woken());
    drop(held);
    assert!(rig.at_once(close.future().expect("it waits")).drained);
}

#[test]
fn closing_and_drained_are_noticed_by_all_who_wait_for_them() {
    let rig = Rig::of(1);
    let held = rig.take();
    let mut closing: Vec<_> = (0..3).map(|_| Parked::new(rig.pool.closing())).collect();
    let mut drained: Vec<_> = (0..3).map(|_| Parked::new(rig.pool.drained())).collect();
    assert!(closing.iter_mut().chain([]).all(|notice| notice.poll().is_pending()));
    assert!(drained.iter_mut().all(|notice| notice.poll().is_pending()));
    drop(rig.at_once(rig.pool.close(Duration::ZERO)));
    assert!(closing.iter_mut().all(|notice| notice.poll().is_ready()));
    assert!(drained.iter_mut().all(|notice| notice.poll().is_pending()));
    drop(held);
    rig.runtime.run_until_idle();
    assert!(drained.iter_mut().all(|notice| notice.is_woken() && notice.poll().is_ready()));
    // And who asks later learns it at once.
    rig.at_once(rig.pool.closing());
    rig.at_once(rig.pool.drained());
}

#[test]
fn a_creation_that_ends_after_the_close_is_closed_and_never_lent() {
    let rig = Rig::of(1);
    rig.manager.script(Op::Create, [Step::Ok.after(secs(1))]);
    let mut waiting = rig.wait();
    let report = rig.runtime.block_on(rig.pool.close(secs(60)));
    assert!(report.drained);
    assert!(matches!(waiting.poll(), Poll::Ready(Err(GetError::Closed(_)))));
    assert_eq!((rig.manager.opened(), rig.manager.closed()), (1, 1));
}

#[test]
fn what_nobody_came_to_close_in_time_is_gone_with_the_pool() {
    let arrivals: [fn(&Rig); 3] = [
        |_| (),
        // A visitor is the first to see that the time is over,
        |rig| assert!(rig.pool.try_get().is_err()),
        // and in the end nobody is left to do anything about it.
        |rig| {
            assert!(rig.pool.try_get().is_err());
            rig.runtime.shutdown();
            rig.runtime.restart();
        },
    ];
    for arrives in arrivals {
        let rig = Rig::new(|builder| builder.max_size(2).close_timeout(secs(1)));
        drop(rig.take_many(2));
        assert!(Parked::new(rig.pool.close(secs(60))).poll().is_pending());
        // The runtime is so late that the time for closing is over before anybody has begun to.
        rig.runtime.set_now(rig.runtime.now() + secs(2));
        arrives(&rig);
        rig.runtime.run_until_idle();
        assert!(rig.at_once(rig.pool.close(Duration::ZERO)).drained);
        rig.runtime.run_until_idle();
        assert_eq!(rig.runtime.tasks(), 0);
        until(|| rig.manager.open_now() == 0);
    }
}

#[test]
fn a_paused_pool_closes_too() {
    let rig = Rig::of(2);
    drop(rig.take_many(2));
    rig.pool.pause();
    let mut waiting = rig.wait();
    assert!(rig.runtime.block_on(rig.pool.close(secs(1))).drained);
    assert!(matches!(waiting.poll(), Poll::Ready(Err(GetError::Closed(_)))));
}

#[test]
fn dropping_the_last_handle_closes_the_pool() {
    let Rig { runtime, manager, pool } = Rig::of(2);
    let clone = pool.clone();
    let held = runtime.block_on(pool.get()).expect("there are two");
    drop(runtime.block_on(pool.get()).expect("there are two"));
    drop(pool);
    runtime.run_until_idle();
    assert_eq!(manager.closed(), 0, "a handle is left");
    drop(clone);
    runtime.run_until_idle();
    assert_eq!(manager.closed(), 1);
    Pooled::discard(held);
    runtime.run_until_idle();
    assert_eq!((manager.closed(), runtime.tasks()), (2, 0));
}

#[test]
fn who_waits_with_a_handle_of_its_own_keeps_the_pool_open() {
    let Rig { runtime, manager, pool } = Rig::of(1);
    let held = runtime.block_on(pool.get()).expect("there is one");
    let mut waiting = Parked::new(pool.get_owned());
    assert!(waiting.poll().is_pending());
    drop(pool);
    drop(held);
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    drop(waiting);
    runtime.run_until_idle();
    assert_eq!((manager.closed(), runtime.tasks()), (1, 0));
}

#[test]
fn a_pool_that_was_never_used_closes_where_there_is_no_runtime() {
    let rig = Rig::of(1);
    rig.runtime.shutdown();
    assert!(rig.runtime.block_on(rig.pool.close(secs(1))).drained);
}

#[test]
fn what_was_given_up_before_it_began_is_gone_when_the_pool_is() {
    let rig = Rig::new(|builder| builder.max_size(2).close_timeout(ms(10)));
    drop(rig.take_many(2));
    let mut close = Parked::new(rig.pool.close(secs(60)));
    assert!(close.poll().is_pending());
    // Nobody drives the pool for longer than a close may take, so both are given up before anybody has begun.
    rig.runtime.set_now(rig.runtime.now() + ms(20));
    assert!(rig.runtime.block_on(close.future().expect("it waits")).drained);
    rig.runtime.run_until_idle();
    assert_eq!((rig.pool.status().abandoned, rig.runtime.tasks()), (0, 0));
    rig.until_dropped(2);
}
