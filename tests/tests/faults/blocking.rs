//! What becomes of a pool when the code that it was given blocks the thread that it runs on, against its contract or because it
//! cannot do otherwise.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use millpond::{
    Disposition, Fitness, GetError, Manager, Metrics, Pool, Pooled, Returned, Runtime, SpawnError,
    Task,
};
use millpond_test::{
    OnReturn, ScriptedError, ScriptedManager, TestResource, TestRuntime, poll_once,
};
use millpond_tests::rig::until;
use millpond_tokio::Tokio;
use millpond_worker::WorkerManager;
use rusqlite::{Connection, InterruptHandle};

use crate::{eventually, ms, on_both, secs};

/// A door that blocks the thread of whoever comes to it, until it is opened or its [`Keeper`] goes.
#[derive(Clone, Debug, Default)]
struct Door {
    shared: Arc<(Mutex<bool>, Condvar)>,
    came: Arc<AtomicUsize>,
}

impl Door {
    fn pass(&self) {
        self.came.fetch_add(1, Ordering::AcqRel);
        let (open, opened) = &*self.shared;
        let open = open.lock().expect("nobody panics");
        drop(opened.wait_while(open, |open| !*open).expect("nobody panics"));
    }
}

/// Has the key. When a test fails, nobody stays behind the door.
struct Keeper(Door);

impl Keeper {
    fn open(&self) {
        *self.0.shared.0.lock().expect("nobody panics") = true;
        self.0.shared.1.notify_all();
    }

    fn came(&self) -> usize {
        self.0.came.load(Ordering::Acquire)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.open();
    }
}

/// Blocks in one of its callbacks.
struct Blocking {
    inner: ScriptedManager,
    door: Door,
    blocks_in: &'static str,
}

impl Blocking {
    fn may_block(&self, place: &'static str) {
        if place == self.blocks_in {
            self.door.pass();
        }
    }
}

impl Manager for Blocking {
    type Resource = TestResource;
    type Error = ScriptedError;

    async fn create(&self) -> Result<TestResource, ScriptedError> {
        self.may_block("create");
        self.inner.create().await
    }

    fn on_return(&self, r: &mut TestResource, returned: Returned, m: &Metrics) -> Disposition {
        self.may_block("on_return");
        self.inner.on_return(r, returned, m)
    }

    async fn check(&self, r: &mut TestResource, m: &Metrics) -> Result<(), ScriptedError> {
        self.may_block("check");
        self.inner.check(r, m).await
    }

    async fn reset(&self, r: &mut TestResource, m: &Metrics) -> Result<Fitness, ScriptedError> {
        self.may_block("reset");
        self.inner.reset(r, m).await
    }

    async fn close(&self, resource: TestResource) {
        self.may_block("close");
        self.inner.close(resource).await;
    }
}

/// A thread for each task, so that those that block hold up nobody, and a virtual clock for all.
#[derive(Clone, Debug)]
struct Threads(TestRuntime);

impl Runtime for Threads {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        Runtime::sleep_until(&self.0, deadline)
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        thread::spawn(move || block_on(task));
        Ok(())
    }
}

fn blocking(
    blocks_in: &'static str,
    max: usize,
    runtime: impl Runtime,
) -> (Keeper, ScriptedManager, Pool<Blocking>) {
    let (door, inner) = (Door::default(), ScriptedManager::new(Tokio));
    let manager = Blocking { inner: inner.clone(), door: door.clone(), blocks_in };
    let pool = Pool::builder(manager)
        .max_size(max)
        .max_creating(max)
        .create_backoff(ms(1), ms(1))
        .check_after_idle(Duration::ZERO)
        .create_timeout(secs(10))
        .check_timeout(secs(10))
        .reset_timeout(secs(10))
        .close_timeout(secs(10))
        .get_timeout(secs(100))
        .build(runtime)
        .expect("the settings make sense");
    (Keeper(door), inner, pool)
}

/// Opening blocks its thread, so that nothing can stop it: the place is taken back at its deadline, what was left behind is
/// counted, and there is an end to it. Beyond as many as the pool is large the place stays taken. Callers are told by their
/// own deadlines.
#[test]
fn creations_that_block_their_threads_are_counted_and_bounded() {
    let clock = TestRuntime::new();
    let (door, manager, pool) = blocking("create", 1, Threads(clock.clone()));
    let caller = waits(&pool);
    until(|| door.came() == 1);
    clock.advance(secs(10));
    until(|| pool.status().abandoned == 1);
    until_opened(&pool, &clock, || door.came() == 2);
    clock.advance(secs(10));
    until(|| pool.status().abandoned + pool.status().stuck == 2);
    clock.advance(secs(100));
    let error = caller.join().expect("it does not panic").expect_err("nothing can be opened");
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    assert!(pool.try_get().is_err());
    let status = pool.status();
    assert_eq!((status.abandoned, status.stuck, status.size), (1, 1, 1), "{status:?}");
    assert_eq!((status.creating, door.came()), (0, 2), "its place stays taken: {status:?}");
    door.open();
    until(|| pool.status().abandoned + pool.status().stuck == 0);
    let caller = waits(&pool);
    until_opened(&pool, &clock, || caller.is_finished());
    assert!(caller.join().expect("it does not panic").is_ok(), "all of them ended");
    assert!(block_on(pool.close(secs(60))).drained);
    until(|| manager.open_now() == 0);
}

/// Checking, cleaning or closing blocks its thread: the same, at the cost of that one resource.
#[test]
fn jobs_that_block_their_threads_cost_one_resource_and_no_borrower_its_time() {
    for (blocks_in, answer) in
        [("check", OnReturn::Reuse), ("reset", OnReturn::Reset), ("close", OnReturn::Discard)]
    {
        let clock = TestRuntime::new();
        let (door, manager, pool) = blocking(blocks_in, 1, Threads(clock.clone()));
        manager.script_returns([answer]);
        drop(block_on(pool.get()).expect("there is one"));
        let caller = waits(&pool);
        until(|| door.came() == 1);
        clock.advance(secs(10));
        let pooled = caller.join().expect("it does not panic").expect("another is opened");
        assert_eq!((pooled.id(), pool.status().abandoned, door.came()), (1, 1, 1), "{blocks_in}");
        door.open();
        until(|| pool.status().abandoned == 0);
        drop(pooled);
        assert!(block_on(pool.close(secs(60))).drained);
        until(|| manager.open_now() == 0);
    }
}

/// What the manager does with a resource that comes home blocks, against its contract: that holds up the borrower who gave it
/// back, who is still named as its holder, and nobody else.
#[test]
fn an_on_return_that_blocks_holds_up_its_own_borrower_only() {
    on_both(async || {
        let (door, manager, pool) = blocking("on_return", 2, Tokio);
        let held = pool.get().await.expect("there are two");
        let line = line!() - 1;
        let borrower = thread::spawn(move || drop(held));
        eventually(|| door.came() == 1).await;
        let other = pool.get().await.expect("there is another");
        assert_eq!(other.id(), 1);
        assert!(pool.get().timeout(ms(2)).await.is_err(), "both are lent");
        assert!(pool.holders().iter().any(|holder| holder.location.line() == line));
        door.open();
        borrower.join().expect("it goes on");
        assert!(pool.get().await.is_ok());
        drop(other);
        assert!(pool.close(secs(60)).await.drained);
        assert_eq!(manager.opened(), 2);
    });
}

/// Somebody who waits for a resource, on a thread.
fn waits<M: Manager>(pool: &Pool<M>) -> JoinHandle<Result<Pooled<M>, GetError<M::Error>>> {
    let get = pool.get_owned();
    thread::spawn(move || block_on(get))
}

/// Waits for what comes of another creation. The pause before it passes, and no more than that.
fn until_opened<M: Manager>(pool: &Pool<M>, clock: &TestRuntime, come: impl Fn() -> bool) {
    until(|| {
        let status = pool.status();
        if status.creating + status.leased + status.stuck == 0 {
            clock.advance(ms(1));
        }
        come()
    });
}

/// Counts when it goes.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// The state of a worker takes for ever to open: callers are told by their deadlines, another thread tries when the time for
/// opening is over, and what the first one opens in the end is dropped there.
#[test]
fn a_worker_that_opens_too_late_is_replaced_and_its_state_dropped() {
    let clock = TestRuntime::new();
    let (door, dropped) = (Keeper(Door::default()), Arc::new(AtomicUsize::new(0)));
    let manager = WorkerManager::new({
        let (door, dropped, first) = (door.0.clone(), Arc::clone(&dropped), AtomicUsize::new(0));
        move || {
            if first.fetch_add(1, Ordering::AcqRel) == 0 {
                door.pass();
            }
            Ok::<_, ScriptedError>(Counted(Arc::clone(&dropped)))
        }
    });
    let pool = Pool::builder(manager)
        .max_size(1)
        .create_timeout(secs(10))
        .create_backoff(ms(1), ms(1))
        .build(Threads(clock.clone()))
        .expect("the settings make sense");
    let caller = waits(&pool);
    until(|| door.came() == 1);
    clock.advance(secs(10));
    until_opened(&pool, &clock, || caller.is_finished());
    let worker = caller.join().expect("it does not panic").expect("another thread was quicker");
    assert_eq!((pool.status().totals.abandoned, pool.status().size), (1, 1));
    door.open();
    until(|| dropped.load(Ordering::Acquire) == 1);
    drop(worker);
    assert!(block_on(pool.close(secs(60))).drained);
    until(|| dropped.load(Ordering::Acquire) == 2);
}

/// A query never ends, and its caller gives up: its connection is given up, too, when the time for cleaning is over, and the next
/// caller has another. The query does not end before somebody interrupts it, or the process does.
#[test]
fn a_query_that_never_ends_costs_its_connection_and_nobody_elses() {
    let clock = TestRuntime::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let manager = WorkerManager::new({
        let dropped = Arc::clone(&dropped);
        move || Ok((Connection::open_in_memory()?, Counted(Arc::clone(&dropped))))
    })
    .on_reset(|_| Ok::<_, rusqlite::Error>(Fitness::Clean));
    let pool = Pool::builder(manager)
        .max_size(1)
        .reset_timeout(secs(10))
        .build(Threads(clock.clone()))
        .expect("the settings make sense");

    let (begins, begun) = mpsc::channel::<InterruptHandle>();
    let mut worker = block_on(pool.get()).expect("there is one");
    let interrupts = {
        let mut query = Box::pin(worker.run(move |(connection, _)| {
            begins.send(connection.get_interrupt_handle()).expect("the test waits for it");
            connection.query_row(ENDLESS, [], |row| row.get::<_, i64>(0))
        }));
        assert!(poll_once(query.as_mut()).is_pending());
        begun.recv().expect("it begins")
    };
    drop(worker);
    assert_eq!(pool.status().resetting, 1, "it cannot be cleaned before it has ended");
    let caller = waits(&pool);
    until(|| pool.status().waiting == 1);
    clock.advance(secs(10));
    let mut worker = caller.join().expect("it does not panic").expect("another is opened");
    let answer = worker
        .run(|(connection, _)| connection.query_row("SELECT 7", [], |row| row.get::<_, i64>(0)));
    assert_eq!(block_on(answer).expect("it does not panic").expect("SQLite answers"), 7);
    assert_eq!((pool.status().totals.created, dropped.load(Ordering::Acquire)), (2, 0));
    interrupts.interrupt();
    until(|| dropped.load(Ordering::Acquire) == 1);
    drop(worker);
    assert!(block_on(pool.close(secs(60))).drained);
}

const ENDLESS: &str = "WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count) SELECT sum(n) FROM count";
