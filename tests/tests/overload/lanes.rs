//! Lanes: who goes first, what comes back to whom, and how many may wait where.

use std::task::Poll;
use std::time::Duration;

use millpond::{GetError, Lane, Overload, Pooled};
use millpond_test::{Parked, ScriptedManager};
use millpond_tests::rig::{Refused, Rig};

use crate::{ms, secs};

type Waiting = Parked<millpond::Get<'static, ScriptedManager>>;

fn wait(rig: &Rig, lane: &'static str) -> Waiting {
    rig.wait_in(rig.pool.get_owned().lane(lane))
}

/// Who of them has been offered a resource; takes it.
#[track_caller]
fn turn(waiting: &mut Vec<(&'static str, Waiting)>) -> (&'static str, Pooled<ScriptedManager>) {
    let place = waiting.iter().position(|(_, get)| get.is_woken()).expect("somebody is offered it");
    let (name, mut get) = waiting.remove(place);
    let Poll::Ready(Ok(pooled)) = get.poll() else { panic!("it was offered to {name}") };
    (name, pooled)
}

/// The order in which they are served by one resource that comes home again and again.
fn order(
    held: Pooled<ScriptedManager>,
    mut waiting: Vec<(&'static str, Waiting)>,
) -> Vec<&'static str> {
    let (mut held, mut order) = (Some(held), Vec::new());
    while !waiting.is_empty() {
        drop(held.take());
        let (name, pooled) = turn(&mut waiting);
        order.push(name);
        held = Some(pooled);
    }
    order
}

#[test]
fn a_head_start_goes_before_and_within_a_lane_it_is_first_come_first_served() {
    let rig = Rig::new(|builder| builder.max_size(1).lane(Lane::new("fast").head_start(secs(1))));
    let held = rig.take();
    let mut waiting = Vec::new();
    for (name, lane) in [("a", "default"), ("b", "fast"), ("c", "default"), ("d", "fast")] {
        waiting.push((name, wait(&rig, lane)));
        rig.runtime.advance(ms(10));
    }
    assert_eq!(order(held, waiting), ["b", "d", "a", "c"]);
    rig.ends_clean();
}

#[test]
fn after_that_much_more_waiting_an_ordinary_caller_goes_before() {
    let rig = Rig::new(|builder| builder.max_size(1).lane(Lane::new("fast").head_start(ms(500))));
    let held = rig.take();
    let mut waiting = vec![("old", rig.wait())];
    rig.runtime.advance(ms(300));
    waiting.push(("young", rig.wait()));
    rig.runtime.advance(ms(300));
    waiting.push(("fast", wait(&rig, "fast")));
    assert_eq!(order(held, waiting), ["old", "fast", "young"]);
    rig.ends_clean();
}

#[test]
fn an_endless_head_start_always_goes_first() {
    let rig = Rig::new(|builder| {
        let builder = builder.max_size(1).get_timeout(Duration::MAX).overload(Overload::Fifo);
        builder.lane(Lane::new("first").head_start(Duration::MAX))
    });
    let held = rig.take();
    let mut waiting = vec![("old", rig.wait())];
    rig.runtime.advance(secs(1000));
    waiting.push(("first", wait(&rig, "first")));
    assert_eq!(order(held, waiting), ["first", "old"]);
    rig.ends_clean();
}

#[test]
fn what_is_reserved_is_borrowed_freely_and_comes_back_first() {
    let rig = Rig::new(|builder| builder.max_size(2).lane(Lane::new("critical").reserved(1)));
    // Nobody of the lane is there, so both are lent.
    let mut held = rig.take_many(2);
    let mut waiting = vec![("a", rig.wait()), ("b", rig.wait())];
    rig.runtime.advance(ms(50));
    waiting.push(("critical", wait(&rig, "critical")));
    waiting.push(("another", wait(&rig, "critical")));
    drop(held.pop());
    let (name, critical) = turn(&mut waiting);
    assert_eq!(name, "critical", "it comes back to its lane first");
    drop(held.pop());
    let (name, ordinary) = turn(&mut waiting);
    assert_eq!(name, "a", "the lane has what is reserved for it");
    drop(critical);
    let (name, critical) = turn(&mut waiting);
    assert_eq!(name, "another", "and again");
    drop(critical);
    let (name, last) = turn(&mut waiting);
    assert_eq!(name, "b", "nobody of the lane waits");
    drop((ordinary, last));
    rig.ends_clean();
}

#[test]
fn a_lane_is_owed_again_when_what_it_had_is_gone() {
    let rig = Rig::new(|builder| builder.max_size(2).lane(Lane::new("critical").reserved(1)));
    for leave in [Pooled::discard, |pooled| drop(Pooled::detach(pooled)), drop] {
        let first = rig.at_once(rig.pool.get().lane("critical")).expect("there are two");
        let other = rig.take();
        leave(first);
        let refill = rig.take();
        let mut waiting = vec![("a", rig.wait()), ("critical", wait(&rig, "critical"))];
        drop(other);
        let (name, pooled) = turn(&mut waiting);
        assert_eq!(name, "critical");
        drop((pooled, refill, waiting));
        rig.runtime.run_until_idle();
    }
    rig.ends_clean();
}

#[test]
fn a_pool_that_shrinks_below_what_is_reserved_serves_everybody() {
    let rig = Rig::new(|builder| builder.max_size(4).lane(Lane::new("critical").reserved(4)));
    rig.pool.resize(1).expect("one is legal");
    let held = rig.take();
    let waiting = vec![("a", rig.wait()), ("critical", wait(&rig, "critical"))];
    assert_eq!(order(held, waiting), ["critical", "a"]);
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn each_lane_has_a_limit_of_its_own() {
    let rig = Rig::new(|builder| {
        let builder = builder.max_size(1).max_waiters(2).lane(Lane::new("none").max_waiters(0));
        builder.lane(Lane::new("one").max_waiters(1)).lane(Lane::new("same"))
    });
    let held = rig.take();
    let mut waiting = Vec::new();
    for (lane, limit) in [("none", 0), ("one", 1), ("same", 2), ("default", 2)] {
        for _ in 0..limit {
            waiting.push(wait(&rig, lane));
        }
        let error = rig.at_once(rig.pool.get().lane(lane)).expect_err("as many wait as may");
        assert!(matches!(error, GetError::TooManyWaiters { limit: l, .. } if l == limit));
        assert_eq!(error.snapshot().ahead, limit, "those of other lanes do not count");
        let named = error.to_string().contains(&format!("pool `pool`, lane `{lane}` (1 of 1"));
        assert_eq!(named, lane != "default", "{error}");
    }
    drop((held, waiting));
    rig.ends_clean();
}

#[test]
fn the_status_tells_of_each_lane() {
    let rig = Rig::new(|builder| {
        let builder = builder.max_size(3).max_waiters(7);
        builder.lane(Lane::new("critical").reserved(2)).lane(Lane::new("reports").max_waiters(1))
    });
    let held = rig.take_many(3);
    let first = wait(&rig, "reports");
    rig.runtime.advance(ms(70));
    let second = wait(&rig, "critical");
    rig.runtime.advance(ms(30));
    assert!(rig.at_once(rig.pool.get().lane("reports")).is_err());
    let status = rig.pool.status();
    let lanes: Vec<_> = status
        .lanes
        .iter()
        .map(|lane| (&*lane.name, lane.waiting, lane.oldest_wait, lane.queued, lane.refused))
        .collect();
    let expected = [
        (Lane::DEFAULT, 0, None, 3, 0),
        ("critical", 1, Some(ms(30)), 1, 0),
        ("reports", 1, Some(ms(100)), 1, 1),
    ];
    assert_eq!(lanes, expected);
    let limits: Vec<_> = status.lanes.iter().map(|l| (l.max_waiters, l.reserved)).collect();
    assert_eq!(limits, [(7, 0), (7, 2), (1, 0)]);
    assert_eq!((status.waiting, status.oldest_wait), (2, Some(ms(100))));
    drop((held, first, second));
    rig.ends_clean();
}

#[test]
fn who_holds_is_told_with_the_lane() {
    let rig = Rig::new(|builder| builder.max_size(2).lane(Lane::new("critical")));
    let critical = rig.at_once(rig.pool.get().lane("critical")).expect("there are two");
    let labelled = rig.at_once(rig.pool.get().label("x")).expect("there are two");
    let mut said: Vec<_> = rig.pool.holders().into_iter().map(|h| (h.lane, h.label)).collect();
    said.sort();
    assert_eq!(said, [(None, Some("x".into())), (Some("critical".into()), None)]);
    drop((critical, labelled));
    // It ends with the lease.
    let next = rig.take();
    assert!(rig.pool.holders().iter().all(|holder| holder.lane.is_none()));
    drop(next);
    rig.ends_clean();
}

#[test]
fn a_lane_may_be_called_by_a_name_made_at_run_time() {
    let rig = Rig::new(|builder| builder.max_size(1).lane(Lane::new(format!("tenant {}", 7))));
    drop(rig.at_once(rig.pool.get().lane(format!("tenant {}", 7))).expect("there is one"));
    rig.ends_clean();
}

#[test]
fn a_lane_that_is_unknown_is_an_error_and_nothing_else() {
    let rig = Rig::new(|builder| builder.max_size(1).lane(Lane::new("critical")));
    let nobody_is_served = || {
        for name in ["critcal", "", "Default", "critical "] {
            let error: Refused =
                rig.at_once(rig.pool.get().lane(name)).expect_err("there is no such lane");
            let GetError::UnknownLane { lane, .. } = &error else { panic!("{error}") };
            assert_eq!(lane, name);
            assert!(error.to_string().ends_with(&format!("it has no lane `{name}`")), "{error}");
            assert!(!error.is_overload() && !error.is_retryable() && error.retry_after().is_none());
        }
    };
    nobody_is_served();
    assert_eq!((rig.pool.status().size, rig.pool.status().totals.queued), (0, 0));
    drop(rig.take());
    nobody_is_served();
    assert_eq!(rig.pool.status().idle, 1);
    let held = rig.take();
    let mut waiting = rig.wait();
    nobody_is_served();
    drop(held);
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))), "its turn is its own");
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_crowd_in_one_lane_is_shed_and_the_other_is_not() {
    let rig = Rig::new(|builder| {
        builder.max_size(2).lane(Lane::new("critical").reserved(1).head_start(secs(60)))
    });
    let (mut crowd, mut critical) = (Vec::new(), Vec::new());
    for n in 0..400 {
        crowd.push(crate::caller(&rig, ms(100), |get| get.timeout(secs(1))));
        if n % 20 == 0 {
            let set = |get: millpond::Get<'static, _>| get.timeout(secs(1)).lane("critical");
            critical.push(crate::caller(&rig, ms(100), set));
        }
        rig.runtime.advance(ms(25));
    }
    let crowd = crate::outcomes(&rig, crowd);
    assert!(crowd.iter().flatten().any(|error| matches!(error, GetError::Shed { .. })));
    assert!(crate::outcomes(&rig, critical).iter().all(Option::is_none));
    let lanes = rig.pool.status().lanes;
    assert!(lanes[0].refused > 100 && lanes[1].refused == 0, "{lanes:?}");
    rig.ends_clean();
}
