//! The types themselves: which may move between threads, which may be shared, and that all of them can be printed.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use millpond::{
    AddError, BuildError, BuildReadyError, Builder, CloseReason, CloseReport, CreateFault,
    Disposition, Event, EventKind, EventSink, Failure, Fitness, Get, GetError, Hold, Holder, Lane,
    LaneStatus, Metrics, Overload, Phase, Pool, Pooled, RefusalReason, ResizeError, ResourceId,
    RetainReport, Returned, Runtime, ShedReason, Snapshot, SpawnError, Status, Task, Totals,
    TryGetError, WeakPool,
};
use millpond_test::{ScriptedError, ScriptedManager, TestRuntime};
use millpond_tests::cells::Cells;
use millpond_tests::rig::Rig;

fn send<T: Send + ?Sized>() {}
fn sync<T: Sync + ?Sized>() {}
fn unpin<T: Unpin + ?Sized>() {}
fn endless<T: 'static>() {}

#[test]
fn everything_public_may_move_between_threads_and_all_but_guards_be_shared() {
    fn all<T: Send + Sync + Unpin + 'static>() {}
    all::<Pool<Cells>>();
    all::<Pool<ScriptedManager>>();
    all::<Builder<Cells>>();
    all::<Get<'static, Cells>>();
    all::<GetError<ScriptedError>>();
    all::<TryGetError>();
    all::<BuildError>();
    all::<BuildReadyError<ScriptedError>>();
    all::<ResizeError>();
    all::<AddError<u32>>();
    all::<RetainReport>();
    all::<WeakPool<Cells>>();
    all::<CreateFault>();
    all::<CloseReport>();
    all::<Snapshot>();
    all::<Status>();
    all::<Totals>();
    all::<Phase>();
    all::<Overload>();
    all::<ShedReason>();
    all::<Lane>();
    all::<LaneStatus>();
    all::<Hold>();
    all::<Holder>();
    all::<Metrics>();
    all::<Disposition>();
    all::<Fitness>();
    all::<Returned>();
    all::<Box<dyn Runtime>>();
    all::<Event<'static>>();
    all::<EventKind>();
    all::<Failure>();
    all::<CloseReason>();
    all::<RefusalReason>();
    all::<ResourceId>();
    all::<Box<dyn EventSink>>();
    // A task moves, and nobody looks at it meanwhile.
    send::<Task>();
    unpin::<Task>();
    send::<SpawnError>();
    unpin::<SpawnError>();
}

#[test]
fn a_guard_may_be_shared_as_far_as_its_resource_may() {
    // That a guard of `Cells` is not `Sync` is shown where it does not compile, in the documentation of this crate.
    send::<Pooled<Cells>>();
    unpin::<Pooled<Cells>>();
    endless::<Pooled<Cells>>();
    send::<Pooled<ScriptedManager>>();
    sync::<Pooled<ScriptedManager>>();
}

#[test]
fn futures_may_be_spawned() {
    fn spawnable<T: Future<Output: Send> + Send + 'static>(future: T) -> T {
        future
    }
    fn movable<T: Future + Send>(future: T) -> T {
        future
    }
    let rig = Rig::of(1);
    drop(spawnable(Pool::builder(rig.manager.clone()).build_ready(rig.runtime.clone())));
    drop(spawnable(rig.pool.get_owned()));
    drop(movable(rig.pool.get()));
    drop(spawnable(rig.pool.close(Duration::ZERO)));
    drop(spawnable(rig.pool.closing()));
    drop(spawnable(rig.pool.drained()));
    let pool = rig.pool.clone();
    let with = spawnable(async move {
        pool.with(async |resource| {
            let _sole = resource.occupy();
            std::future::ready(()).await;
        })
        .await
    });
    assert!(rig.at_once(with).is_ok());
    let pool = rig.pool.clone();
    let run = spawnable(async move {
        let mut pooled = pool.get().await?;
        let id = Pooled::run(&mut pooled, async |resource| {
            std::future::ready(()).await;
            resource.id()
        })
        .await;
        Ok::<_, GetError<ScriptedError>>(id)
    });
    assert_eq!(rig.at_once(run).ok(), Some(0));
}

#[test]
fn a_handle_can_be_cloned_although_the_manager_cannot() {
    let runtime = TestRuntime::new();
    let pool = Pool::builder(Cells).build(runtime.clone()).expect("the settings make sense");
    let clone = pool.clone();
    let held = runtime.block_on(clone.get()).expect("there is one");
    assert_eq!(pool.status().leased, 1);
    held.set(5);
}

#[track_caller]
fn prints(value: &impl Debug, parts: &[&str]) {
    let text = format!("{value:?}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn everything_public_can_be_printed_although_the_manager_cannot() {
    let runtime = TestRuntime::new();
    let builder = Pool::builder(Cells).name("ledgers").max_size(3).lane(Lane::new("audits"));
    prints(&builder, &["ledgers", "max_size: 3", "get_timeout: 30s", "audits", "Auto"]);
    let pool = builder.build(runtime.clone()).expect("the settings make sense");
    let get = pool.get().label("audit");
    prints(&get, &["Get", "ledgers", "audit", file!()]);
    let pooled = runtime.block_on(get).expect("there are three");
    prints(&pooled, &["Pooled", "ledgers", "held_by", file!(), "uses: 1"]);
    prints(&pool, &["Pool", "ledgers", "leased: 1", "max: 3"]);
    prints(&pool.get().lane("audits"), &["Get", "audits"]);
    prints(&pool.status(), &["Status", "leased: 1", "LaneStatus", "audits"]);
    prints(&pool.holders(), &["Holder", "audit", file!()]);
    prints(&Pooled::metrics(&pooled), &["uses: 1", "created: 0ns after the pool was built"]);
    pool.pause();
    let error = runtime
        .block_on(pool.get().timeout(Duration::from_millis(5)))
        .expect_err("nobody is served while paused");
    prints(&error, &["Timeout", "Paused", "ledgers"]);
    prints(&pool.try_get().expect_err("nobody is served while paused"), &["Paused"]);
    pool.resume();
    prints(&runtime.block_on(pool.close(Duration::ZERO)), &["CloseReport", "drained: false"]);
    prints(&pool.resize(usize::MAX).expect_err("that is too much"), &["ResizeError"]);
    let refused = SpawnError::new(Box::pin(std::future::ready(())));
    prints(&refused, &["SpawnError"]);
    assert_eq!(refused.to_string(), "there is no async runtime here to start a task on");
    prints(&Metrics::new(now(&runtime)), &["uses: 0"]);
}

fn now(runtime: &TestRuntime) -> Instant {
    runtime.now()
}
