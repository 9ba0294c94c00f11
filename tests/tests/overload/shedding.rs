//! Each reason to shed reaches its caller, with a line that tells it from the others.

use std::task::Poll;
use std::time::Duration;

use millpond::{GetError, Overload, Pooled, ShedReason};
use millpond_tests::rig::{Refused, Rig};

use crate::{caller, crowd, ms, outcomes, secs, used_to};

/// The reason why it was shed, if it was.
fn reason(error: &Refused) -> Option<ShedReason> {
    match error {
        GetError::Shed { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[track_caller]
fn is_shed(error: &Refused, why: ShedReason, parts: &[&str]) {
    let GetError::Shed { reason, retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(*reason, why, "{error}");
    assert!(error.is_overload() && error.is_retryable());
    assert!(!retry_after.is_zero(), "{error}");
    assert_eq!(error.retry_after(), Some(*retry_after));
    assert!(std::error::Error::source(error).is_none());
    let message = error.to_string();
    for part in ["pool `pool` (1 of 1 lent", "; retry after "].iter().chain(parts) {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
    assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
}

#[test]
fn in_a_queue_that_does_not_drain_some_are_refused_at_once_and_some_in_time() {
    let rig = Rig::of(1);
    let all = outcomes(&rig, crowd(&rig, 200, ms(20), ms(100)));
    let served = all.iter().filter(|outcome| outcome.is_none()).count();
    assert!(served >= 36, "{served} were served of about forty that can be");
    let errors: Vec<_> = all.iter().flatten().collect();
    let of = |why| errors.iter().filter(move |error| reason(error) == Some(why));
    let at_once = of(ShedReason::Overloaded).next_back().expect("the queue is too long for some");
    is_shed(
        at_once,
        ShedReason::Overloaded,
        &["shed on arrival, because the queue has not drained for ", "s and as many wait as keep"],
    );
    let snapshot = at_once.snapshot();
    assert!(snapshot.overloaded_for.is_some_and(|time| time > secs(1)), "{snapshot:?}");
    assert_eq!((snapshot.waited, snapshot.oldest_holders.len()), (Duration::ZERO, 0));
    assert!(snapshot.hold.is_some_and(|hold| hold.mean > ms(90) && hold.mean < ms(110)));
    let in_time = of(ShedReason::WaitedTooLong).next().expect("the wait is too long for some");
    is_shed(
        in_time,
        ShedReason::WaitedTooLong,
        &["shed after ", "more than twice as long as a wait should be"],
    );
    assert!(in_time.snapshot().waited >= ms(200), "twice what resources are held for");
    let totals = rig.pool.status().totals;
    assert_eq!(totals.shed_overloaded, of(ShedReason::Overloaded).count() as u64);
    assert_eq!(totals.shed_waited_too_long, of(ShedReason::WaitedTooLong).count() as u64);
    rig.ends_clean();
}

#[test]
fn who_is_shed_while_nothing_comes_home_is_shown_who_holds_it() {
    let rig = used_to(ms(100), |builder| builder);
    let held = rig.take();
    let waits = crowd(&rig, 1, ms(600), ms(100));
    let all = outcomes(&rig, waits);
    let error = all[0].as_ref().expect("nothing comes home");
    is_shed(error, ShedReason::WaitedTooLong, &["; held longest for 600ms by "]);
    drop(held);
    rig.ends_clean();
}

#[test]
fn who_is_served_in_a_crowd_is_served_promptly() {
    let rig = Rig::of(1);
    let _ = outcomes(&rig, crowd(&rig, 100, ms(50), ms(100)));
    let shed = rig.pool.status().totals.shed();
    assert!(shed > 20, "{shed}");
    assert_eq!(rig.pool.status().totals.timed_out, 0, "nobody waits in vain to the end");
    rig.ends_clean();
}

#[test]
fn whose_turn_would_come_too_late_is_told_on_arrival() {
    let rig = used_to(ms(100), |builder| builder);
    let held = rig.take();
    let waiting = [rig.wait(), rig.wait(), rig.wait()];
    let error = rig.at_once(rig.pool.get().timeout(ms(200))).expect_err("three are before it");
    is_shed(
        &error,
        ShedReason::PredictedTooLate,
        &[
            "shed on arrival, because with 3 ahead in the queue its turn would come after its",
            "deadline: a resource is held for 100ms on average",
        ],
    );
    let patient = rig.wait_in(rig.pool.get().timeout(ms(900)));
    assert_eq!(rig.pool.status().totals.shed_predicted_too_late, 1);
    drop((held, patient, waiting));
    rig.ends_clean();
}

/// Who gets a resource that comes home after 200 ms, when 50 ms are left and leases take 100: the one who waits, or the next.
fn served_late(
    rig: &Rig,
    get: millpond::Get<'_, millpond_test::ScriptedManager>,
) -> Option<Refused> {
    let held = rig.take();
    let mut late = rig.wait_in(get);
    let mut next = rig.wait();
    rig.runtime.advance(ms(76));
    drop(held);
    rig.runtime.run_until_idle();
    match late.poll() {
        Poll::Ready(Ok(pooled)) => {
            assert!(next.poll().is_pending(), "there is but one");
            drop(pooled);
            None
        }
        Poll::Ready(Err(error)) => {
            assert!(matches!(next.poll(), Poll::Ready(Ok(_))), "it is the next one's turn");
            Some(error)
        }
        Poll::Pending => panic!("its turn has come"),
    }
}

#[test]
fn whose_work_would_end_too_late_is_told_when_its_turn_comes() {
    let rig = used_to(ms(100), |builder| builder);
    let deadline = rig.runtime.now() + ms(170);
    let error = served_late(&rig, rig.pool.get().deadline(deadline)).expect("94 ms are left");
    is_shed(
        &error,
        ShedReason::DeadlineTooClose,
        &[
            "shed when its turn came after 76ms, because less time was left before its deadline",
            "than nine of ten leases take, which is ",
        ],
    );
    assert_eq!(rig.pool.status().totals.shed_deadline_too_close, 1);
    rig.ends_clean();
}

#[test]
fn a_timeout_says_nothing_of_the_work() {
    let rig = used_to(ms(100), |builder| builder);
    assert!(served_late(&rig, rig.pool.get().timeout(ms(170))).is_none());
    // The last of the two holds.
    let rig = used_to(ms(100), |builder| builder);
    let deadline = rig.runtime.now() + ms(170);
    assert!(served_late(&rig, rig.pool.get().deadline(deadline).timeout(ms(170))).is_none());
    rig.ends_clean();
}

#[test]
fn first_come_first_served_sheds_nobody() {
    let rig = used_to(ms(100), |builder| builder.overload(Overload::Fifo));
    let deadline = rig.runtime.now() + ms(170);
    assert!(served_late(&rig, rig.pool.get().deadline(deadline)).is_none());
    let all = outcomes(&rig, crowd(&rig, 100, ms(50), ms(100)));
    assert!(all.iter().flatten().all(|error| matches!(error, GetError::Timeout(_))));
    assert!(all.iter().any(Option::is_some), "more came than can be served");
    assert_eq!(rig.pool.status().totals.shed(), 0);
    rig.ends_clean();
}

#[test]
fn a_wait_longer_than_the_target_is_too_long_whatever_the_hold() {
    let rig = Rig::new(|b| b.max_size(1).overload(Overload::TargetWait(ms(20))));
    let all = outcomes(&rig, crowd(&rig, 100, ms(50), ms(100)));
    let waited = all.iter().flatten().filter(|error| reason(error).is_some());
    assert!(waited.clone().count() > 20);
    // Those that were shed at the first interval's end had waited for as long as that.
    assert!(waited.clone().skip(10).all(|error| error.snapshot().waited <= ms(200)));
    rig.ends_clean();
}

#[test]
fn a_target_without_end_is_borne() {
    let rig = Rig::new(|b| b.max_size(1).overload(Overload::TargetWait(Duration::MAX)));
    let all = outcomes(&rig, crowd(&rig, 50, ms(50), ms(100)));
    assert!(all.iter().any(Option::is_none));
    rig.ends_clean();
}

#[test]
fn who_is_refused_at_the_limit_is_told_when_to_come_again() {
    let rig = used_to(ms(100), |builder| builder.max_waiters(2));
    let held = rig.take();
    let waiting = [rig.wait(), rig.wait()];
    let error = rig.at_once(rig.pool.get()).expect_err("two wait");
    assert!(matches!(error, GetError::TooManyWaiters { limit: 2, .. }), "{error}");
    let after = error.retry_after().expect("the pace is known");
    assert!(after >= ms(300) && after <= ms(600), "three are to be served: {after:?}");
    assert!(error.to_string().contains("(max_waiters is 2); retry after "), "{error}");
    drop((held, waiting));
    rig.ends_clean();
}

#[test]
fn those_who_are_refused_together_do_not_come_back_together() {
    let rig = used_to(ms(100), |builder| builder.max_waiters(1));
    let held = rig.take();
    let waiting = rig.wait();
    let refused = |_| rig.at_once(rig.pool.get()).expect_err("one waits").retry_after();
    let after: Vec<_> = (0..20).map(refused).collect();
    let gaps = after.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(gaps > 2, "they are asked to come in the order in which they were refused: {after:?}");
    drop((held, waiting));
    rig.ends_clean();
}

#[test]
fn who_was_shed_and_never_asks_why_loses_nothing_for_the_others() {
    let rig = Rig::of(1);
    let mut dropped = 0;
    let crowd = crowd(&rig, 30, ms(50), ms(100));
    for _ in 0..30 {
        // These are never polled again, whether they are shed, or offered a resource.
        let get = rig.pool.get_owned().timeout(secs(1));
        let mut get = millpond_test::Parked::new(get);
        let _ = get.poll();
        rig.runtime.advance(ms(50));
        dropped += usize::from(get.is_woken());
        drop(get);
    }
    let _ = outcomes(&rig, crowd);
    assert!(dropped > 0, "some had been told something");
    rig.runtime.advance(secs(5));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn what_lies_idle_is_lent_whatever_the_deadline() {
    let rig = used_to(ms(100), |builder| builder);
    let past = rig.runtime.now() - ms(1);
    drop(rig.at_once(rig.pool.get().deadline(past)).expect("it lies idle"));
    let deadline = rig.runtime.now() + ms(1);
    drop(rig.at_once(rig.pool.get().deadline(deadline).label("desk")).expect("it lies idle"));
    rig.ends_clean();
}

#[test]
fn after_the_crowd_everything_is_as_before() {
    let rig = Rig::of(1);
    let _ = outcomes(&rig, crowd(&rig, 100, ms(50), ms(100)));
    rig.runtime.advance(secs(5));
    let [lane] = &rig.pool.status().lanes[..] else { panic!("there is one lane") };
    assert_eq!((lane.overloaded_for, lane.waiting, lane.oldest_wait), (None, 0, None));
    let held = rig.take();
    let one = caller(&rig, ms(100), |get| get);
    rig.runtime.advance(ms(100));
    Pooled::finish(held);
    assert!(outcomes(&rig, vec![one]).iter().all(Option::is_none));
    rig.ends_clean();
}
