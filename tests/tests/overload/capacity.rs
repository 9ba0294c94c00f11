//! Settings that follow from the number of connections that a server bears.

use std::task::Poll;

use millpond::{BuildError, GetError, Pool};
use millpond_test::{Op, ScriptedManager, Step, TestRuntime};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[test]
fn half_of_the_connections_and_as_many_waiters_none_of_them_for_longer_than_a_statement() {
    let rig = Rig::new(|builder| builder.for_capacity(6));
    let held = rig.take_many(3);
    let mut waiting = [rig.wait(), rig.wait(), rig.wait()];
    let error = rig.at_once(rig.pool.get()).expect_err("three wait");
    assert!(matches!(error, GetError::TooManyWaiters { limit: 3, .. }), "{error}");
    rig.runtime.advance(secs(5));
    for get in &mut waiting {
        assert!(matches!(get.poll(), Poll::Ready(Err(_))));
    }
    assert_eq!((rig.manager.opened(), rig.runtime.elapsed()), (3, secs(5)));
    drop(held);
    rig.ends_clean();
}

#[test]
fn a_creation_is_given_up_when_nobody_waits_for_it_any_more() {
    let rig = Rig::new(|builder| builder.for_capacity(2));
    rig.manager.script(Op::Create, [Step::Hang]);
    assert!(rig.runtime.block_on(rig.pool.get()).is_err());
    assert_eq!(rig.runtime.elapsed(), secs(5));
    rig.runtime.advance(ms(1));
    assert_eq!(rig.pool.status().creating, 0);
    rig.runtime.advance(secs(1));
    rig.serves_at_full_size();
    rig.ends_clean();
}

#[test]
fn a_server_that_is_back_is_found_within_a_second() {
    let rig = Rig::new(|builder| builder.for_capacity(100));
    rig.manager.default_step(Op::Create, Step::transient());
    for _ in 0..20 {
        assert!(rig.runtime.block_on(rig.pool.get()).is_err());
    }
    rig.manager.default_step(Op::Create, Step::Ok);
    let back = rig.runtime.elapsed();
    drop(rig.runtime.block_on(rig.pool.get()).expect("it is back"));
    assert!(rig.runtime.elapsed() - back <= secs(1));
    rig.ends_clean();
}

#[test]
fn an_eighth_of_the_connections_is_opened_at_a_time() {
    for (connections, creating) in [(2, 1), (16, 2), (40, 5), (1000, 8)] {
        let rig = Rig::new(|builder| builder.for_capacity(connections));
        rig.manager.default_step(Op::Create, Step::Ok.after(ms(10)));
        let waiting: Vec<_> = (0..connections / 2).map(|_| rig.wait()).collect();
        let mut most = 0;
        for _ in 0..200 {
            most = most.max(rig.pool.status().creating);
            rig.runtime.advance(ms(1));
        }
        assert!(most <= creating, "{most} at a time of {connections}");
        drop(waiting);
        rig.ends_clean();
    }
}

#[test]
fn any_number_has_its_half_or_is_refused_by_name() {
    for (connections, max) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (100, 50)] {
        assert_eq!(Rig::new(|builder| builder.for_capacity(connections)).pool.status().max, max);
    }
    let runtime = TestRuntime::new();
    for connections in [0, usize::MAX] {
        let builder = Pool::builder(ScriptedManager::new(runtime.clone()));
        let error = builder.for_capacity(connections).build(runtime.clone());
        let error = error.expect_err("no pool has so many");
        assert!(matches!(error, BuildError::OutOfRange { setting: "max_size", .. }), "{error}");
    }
}

#[test]
fn what_is_set_later_takes_precedence() {
    let rig = Rig::new(|b| b.max_creating(7).for_capacity(100).max_size(1).max_waiters(2));
    let held = rig.take();
    let waiting = [rig.wait(), rig.wait()];
    assert!(rig.at_once(rig.pool.get()).is_err());
    drop((held, waiting));
    let rig = Rig::new(|builder| builder.for_capacity(2).get_timeout(secs(2)));
    let held = rig.take();
    assert!(rig.runtime.block_on(rig.pool.get()).is_err());
    assert_eq!(rig.runtime.elapsed(), secs(2));
    drop(held);
    rig.ends_clean();
}
