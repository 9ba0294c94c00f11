//! A parked future tells the truth about its polls and wake-ups.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use millpond_test::{Gate, Parked, poll_once};

#[test]
fn a_wake_up_counts_until_the_next_poll() {
    let gate = Gate::new();
    let mut twice = Parked::new(async {
        gate.wait().await;
        gate.wait().await;
        "through"
    });
    assert!(!twice.is_woken());
    assert_eq!(twice.poll(), Poll::Pending);
    gate.admit(1);
    assert!(twice.is_woken());
    assert_eq!(twice.poll(), Poll::Pending);
    assert!(!twice.is_woken() && !twice.is_done());
    gate.open();
    assert_eq!(twice.poll(), Poll::Ready("through"));
    assert!(twice.is_done());
    assert_eq!(twice.wakes(), 2);
}

#[test]
fn a_future_that_changed_its_task_hears_only_the_new_waker() {
    let gate = Gate::new();
    let mut passage = Parked::new(gate.wait());
    assert!(passage.poll().is_pending());
    passage.change_task();
    gate.admit(1);
    assert!(!passage.is_woken(), "the old task was woken, not this one");
}

#[test]
fn dropping_it_cancels_the_future() {
    let gate = Gate::new();
    let mut passage = Parked::new(gate.wait());
    assert!(passage.poll().is_pending());
    drop(passage);
    assert_eq!(gate.waiting(), 0);
}

#[test]
fn polling_past_the_end_is_refused() {
    let mut done = Parked::new(async {});
    assert!(done.poll().is_ready());
    assert!(done.future().is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| done.poll())).is_err());
}

#[test]
fn one_poll_by_value_cancels_and_by_reference_does_not() {
    let gate = Gate::new();
    assert!(poll_once(gate.wait()).is_pending());
    assert_eq!(gate.waiting(), 0);
    let mut passage = gate.wait();
    assert!(poll_once(&mut passage).is_pending());
    gate.open();
    assert!(poll_once(&mut passage).is_ready());
}
