//! The script's steps, and the counts, as a pool would see them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::{Gate, Parked, TestRuntime};

fn fixture() -> (TestRuntime, ScriptedManager) {
    let runtime = TestRuntime::new();
    let manager = ScriptedManager::new(runtime.clone());
    (runtime, manager)
}

fn resource(runtime: &TestRuntime, manager: &ScriptedManager) -> TestResource {
    runtime.block_on(manager.create()).expect("nothing is scripted to fail")
}

#[test]
fn steps_are_played_in_order_and_then_the_default() {
    let (runtime, manager) = fixture();
    manager
        .script(Op::Create, [Step::permanent(), Step::Ok])
        .default_step(Op::Create, Step::transient());
    let create = || runtime.block_on(manager.create());
    assert!(!create().unwrap_err().is_transient());
    assert_eq!(create().unwrap().id(), 0);
    assert!(create().unwrap_err().is_transient());
    assert!(create().unwrap_err().is_transient());
    assert_eq!((manager.started(Op::Create), manager.opened()), (4, 1));
}

#[test]
fn a_delay_passes_on_the_virtual_clock_and_a_gate_when_it_opens() {
    let (runtime, manager) = fixture();
    let gate = Gate::new();
    manager.script(Op::Create, [Step::Ok.behind(&gate).after(Duration::from_secs(7))]);
    let mut creation = Parked::new(manager.create());
    assert!(creation.poll().is_pending());
    assert_eq!(gate.waiting(), 0);
    runtime.advance(Duration::from_secs(7));
    assert!(creation.is_woken());
    assert!(creation.poll().is_pending());
    assert_eq!(gate.waiting(), 1);
    gate.open();
    assert!(matches!(creation.poll(), Poll::Ready(Ok(_))));
}

#[test]
fn creations_under_way_are_counted_until_they_end_or_are_dropped() {
    let (_runtime, manager) = fixture();
    let gate = Gate::new();
    manager.script(Op::Create, [Step::Hang, Step::Hang, Step::Ok.behind(&gate)]);
    let mut creations = [(); 3].map(|()| Parked::new(manager.create()));
    assert!(creations.iter_mut().all(|creation| creation.poll().is_pending()));
    assert_eq!(manager.creating_now(), 3);
    let [first, _second, mut third] = creations;
    drop(first);
    assert_eq!(manager.creating_now(), 2);
    gate.open();
    let Poll::Ready(Ok(_resource)) = third.poll() else { panic!("the gate is open") };
    assert_eq!((manager.creating_now(), manager.open_now()), (1, 1));
    assert_eq!((manager.max_creating_at_once(), manager.max_open_at_once()), (3, 1));
    assert_eq!(manager.max_open_or_creating_at_once(), 3);
}

#[test]
fn a_script_that_is_cleared_leaves_the_default_step_and_the_other_scripts() {
    let (runtime, manager) = fixture();
    manager.script(Op::Create, [Step::Hang, Step::Hang]).script(Op::Check, [Step::transient()]);
    manager.clear_script(Op::Create);
    let resource = resource(&runtime, &manager);
    assert!(runtime.block_on(manager.check_once(&resource)).is_err());
}

#[test]
fn a_resource_counts_its_close_and_its_drop() {
    let (runtime, manager) = fixture();
    let (first, second) = (resource(&runtime, &manager), resource(&runtime, &manager));
    runtime.block_on(manager.close(first));
    assert_eq!((manager.closed(), manager.dropped(), manager.open_now()), (1, 1, 1));
    drop(second);
    assert_eq!((manager.closed(), manager.dropped(), manager.open_now()), (1, 2, 0));
    assert_eq!(manager.max_open_at_once(), 2);
}

#[test]
fn a_close_that_is_abandoned_drops_its_resource() {
    let (runtime, manager) = fixture();
    manager.script(Op::Close, [Step::Hang]);
    let mut close = Parked::new(manager.close(resource(&runtime, &manager)));
    assert!(close.poll().is_pending());
    assert_eq!((manager.running(Op::Close), manager.open_now()), (1, 1));
    drop(close);
    assert_eq!((manager.running(Op::Close), manager.open_now(), manager.closed()), (0, 0, 0));
}

#[test]
fn only_a_reset_that_says_clean_cleans() {
    let (runtime, manager) = fixture();
    manager.script(Op::Reset, [Step::Unfit, Step::transient(), Step::Ok]);
    let mut resource = resource(&runtime, &manager);
    resource.soil();
    assert_eq!(runtime.block_on(manager.reset_once(&mut resource)), Ok(Fitness::Unfit));
    assert!(runtime.block_on(manager.reset_once(&mut resource)).is_err());
    assert!(resource.is_dirty());
    assert_eq!(runtime.block_on(manager.reset_once(&mut resource)), Ok(Fitness::Clean));
    assert!(!resource.is_dirty());
    assert_eq!(manager.resets(), 3);
}

#[test]
fn severed_resources_fail_their_checks_and_new_ones_do_not() {
    let (runtime, manager) = fixture();
    let old = resource(&runtime, &manager);
    assert_eq!(runtime.block_on(manager.check_once(&old)), Ok(()));
    manager.sever();
    let new = resource(&runtime, &manager);
    let error = runtime.block_on(manager.check_once(&old)).unwrap_err();
    assert!(error.is_transient());
    assert_eq!(error.to_string(), "resource 0 has lost its connection");
    assert_eq!(runtime.block_on(manager.check_once(&new)), Ok(()));
    assert_eq!(manager.checks(), 3);
}

#[test]
fn panics_happen_where_they_are_scripted_and_leave_the_counts_right() {
    let (runtime, manager) = fixture();
    manager
        .script(Op::Create, [Step::Panic])
        .script(Op::Check, [Step::Panic])
        .script_returns([OnReturn::Panic]);
    let created = catch_unwind(AssertUnwindSafe(|| runtime.block_on(manager.create())));
    assert!(created.is_err());
    assert_eq!(manager.creating_now(), 0);
    let resource = resource(&runtime, &manager);
    let checked =
        catch_unwind(AssertUnwindSafe(|| runtime.block_on(manager.check_once(&resource))));
    assert!(checked.is_err());
    assert_eq!((manager.running(Op::Check), manager.checks()), (0, 1));
    assert!(catch_unwind(AssertUnwindSafe(|| manager.answer(Returned::Finished))).is_err());
    assert_eq!(manager.answer(Returned::Cancelled), Disposition::Reuse);
    assert_eq!(manager.returns(), [Returned::Finished, Returned::Cancelled]);
}

#[test]
fn destructors_panic_by_script_and_are_counted_all_the_same() {
    let (runtime, manager) = fixture();
    manager.script_destructors([Destructor::Quiet, Destructor::Panic]);
    let [first, second, mut third] = [(); 3].map(|()| resource(&runtime, &manager));
    let drop_it = |resource| catch_unwind(AssertUnwindSafe(|| drop(resource)));
    assert!(drop_it(first).is_ok());
    assert!(drop_it(second).is_err());
    third.set_destructor(Destructor::Panic);
    assert!(drop_it(third).is_err());
    assert_eq!(manager.dropped(), 3);
}

#[test]
fn a_resource_held_twice_is_noticed() {
    let (runtime, manager) = fixture();
    let resource = resource(&runtime, &manager);
    let held = resource.occupy();
    assert!(catch_unwind(AssertUnwindSafe(|| resource.occupy())).is_err());
    drop(held);
    drop(resource.occupy());
}

#[test]
fn its_futures_may_move_between_threads() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let (runtime, manager) = fixture();
    let mut resource =
        runtime.block_on(send(manager.create())).expect("nothing is scripted to fail");
    drop(send(manager.check_once(&resource)));
    drop(send(manager.reset_once(&mut resource)));
    runtime.block_on(send(manager.close(resource)));
}
