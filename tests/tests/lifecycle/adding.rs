//! Resources that were opened elsewhere and join the pool.

use std::task::Poll;

use millpond::{AddError, Manager, Pooled};
use millpond_test::{Op, Step, TestResource};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

fn open(rig: &Rig) -> TestResource {
    rig.runtime.block_on(Manager::create(&rig.manager)).expect("the manager opens one")
}

#[test]
fn what_was_added_is_lent_checked_and_closed_like_any_other() {
    let rig = Rig::of(1);
    let resource = open(&rig);
    let id = resource.id();
    rig.pool.add(resource).expect("there is room");
    assert_eq!((rig.pool.status().idle, rig.pool.status().size), (1, 1));
    let pooled = rig.take();
    assert_eq!((pooled.id(), Pooled::metrics(&pooled).uses()), (id, 1));
    drop(pooled);
    rig.runtime.advance(secs(5));
    drop(rig.take());
    assert_eq!((rig.manager.checks(), rig.manager.opened()), (1, 1));
    rig.serves_at_full_size();
    rig.ends_clean();
    assert_eq!(rig.manager.closed(), 1);
}

#[test]
fn what_was_added_goes_to_the_first_in_the_queue() {
    let rig = Rig::of(2);
    rig.manager.script(Op::Create, [Step::Hang]);
    let (mut first, mut second) = (rig.wait(), rig.wait());
    assert_eq!(rig.pool.status().creating, 1, "one at a time");
    let resource = open(&rig);
    let id = resource.id();
    rig.pool.add(resource).expect("there is room for another");
    assert!(first.is_woken() && !second.is_woken());
    let Poll::Ready(Ok(pooled)) = first.poll() else { panic!("it is the first") };
    assert_eq!(pooled.id(), id);
    assert!(second.poll().is_pending());
    drop((pooled, first, second));
    rig.runtime.advance(secs(60));
    rig.ends_clean();
}

#[test]
fn what_a_full_pool_refuses_comes_back_in_the_error() {
    let rig = Rig::of(1);
    let held = rig.take();
    let resource = open(&rig);
    let id = resource.id();
    let error = rig.pool.add(resource).expect_err("there is no room");
    assert!(matches!(error, AddError::Full { max: 1, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the pool is full: its max_size is 1");
    let resource = error.into_resource();
    assert_eq!((resource.id(), resource.is_alive()), (id, true));
    assert_eq!(rig.pool.status().size, 1);
    // In the place of what was taken out for good it is welcome.
    drop(Pooled::detach(held));
    rig.pool.add(resource).expect("there is room now");
    assert_eq!(rig.take().id(), id);
    rig.ends_clean();
}

#[test]
fn what_a_closed_pool_refuses_comes_back_in_the_error() {
    let rig = Rig::of(2);
    let resource = open(&rig);
    let held = rig.take();
    let mut closing = Box::pin(rig.pool.close(secs(60)));
    assert!(millpond_test::poll_once(closing.as_mut()).is_pending());
    let error = rig.pool.add(resource).expect_err("it is closing");
    assert!(matches!(error, AddError::Closed { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the pool is closed");
    assert!(error.into_resource().is_alive());
    drop(held);
    assert!(rig.runtime.block_on(closing).drained);
}

#[test]
fn what_was_added_is_of_the_present_epoch_and_lives_from_now_on() {
    let rig = Rig::new(|builder| builder.max_size(1).max_lifetime(secs(100)).lifetime_jitter(0));
    let resource = open(&rig);
    rig.pool.retire_all(secs(0));
    rig.runtime.advance(secs(90));
    rig.pool.add(resource).expect("there is room");
    rig.runtime.advance(secs(20));
    assert_eq!(rig.pool.status().size, 1, "its life began when it was added");
    rig.pool.retire_all(secs(0));
    rig.runtime.advance(ms(1));
    assert_eq!((rig.pool.status().size, rig.manager.closed()), (0, 1));
    rig.ends_clean();
}

#[test]
fn adding_while_creations_fail_serves_who_waits_and_says_nothing_of_the_server() {
    let rig = Rig::of(2);
    rig.manager.default_step(Op::Create, Step::transient());
    let mut waiting = rig.wait();
    assert!(waiting.poll().is_pending());
    rig.manager.script(Op::Create, [Step::Ok]);
    let resource = open(&rig);
    let failed = rig.pool.status().totals.create_failed;
    rig.pool.add(resource).expect("there is room");
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(_))));
    let totals = rig.pool.status().totals;
    assert_eq!((totals.added, totals.created, totals.create_failed), (1, 0, failed));
    drop(waiting);
    rig.ends_clean();
}
