//! Pools whose resources are threads, from end to end: plain states, and SQLite connections.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::executor::block_on;
use millpond::{Fitness, GetError, Pool, Pooled};
use millpond_test::poll_once;
use millpond_tests::rig::until;
use millpond_tokio::Tokio;
use millpond_worker::{Error, Worker, WorkerError, WorkerManager};
use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_time().build().expect("a runtime can be built")
}

/// States that count how many of them there are.
#[derive(Clone, Default)]
struct Census {
    open: Arc<AtomicUsize>,
    opened: Arc<AtomicUsize>,
}

/// A state that may not leave its thread.
struct State {
    value: u32,
    census: Census,
    _local: std::rc::Rc<()>,
}

impl Census {
    fn open(&self) -> Result<State, Infallible> {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(State { value: 0, census: self.clone(), _local: std::rc::Rc::new(()) })
    }

    fn counts(&self) -> (usize, usize) {
        (self.open.load(Ordering::Relaxed), self.opened.load(Ordering::Relaxed))
    }

    fn manager(&self) -> WorkerManager<State, Infallible> {
        let census = self.clone();
        WorkerManager::new(move || census.open())
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.census.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn pool<S: 'static, E: std::error::Error + Send + Sync + 'static>(
    manager: WorkerManager<S, E>,
    max: usize,
) -> Pool<WorkerManager<S, E>> {
    Pool::builder(manager).max_size(max).build(Tokio).expect("the settings make sense")
}

async fn close<S: 'static, E: std::error::Error + Send + Sync + 'static>(
    pool: &Pool<WorkerManager<S, E>>,
) {
    let report = pool.close(Duration::from_secs(60)).await;
    assert!(report.drained, "{report}");
}

/// Leaves a closure behind that has begun: the future of its `run` is dropped. It ends when the sender is dropped.
fn leave_behind<S>(
    worker: &mut Worker<S>,
    then: impl FnOnce(&mut S) + Send + 'static,
) -> mpsc::Sender<()> {
    let (gate, opened) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    let run = worker.run(move |state| {
        begin.send(()).expect("the test waits for it");
        let _ = opened.recv();
        then(state);
    });
    // Keeps it alive until the closure has begun, and drops it then.
    let mut run = Box::pin(run);
    assert!(poll_once(run.as_mut()).is_pending());
    begun.recv().expect("it begins");
    gate
}

#[test]
fn a_closure_that_panics_costs_its_own_worker_and_no_other() {
    runtime().block_on(async {
        let census = Census::default();
        let pool = pool(census.manager(), 2);
        let (mut bad, mut good) =
            (pool.get().await.expect("there are two"), pool.get().await.expect("there are two"));
        good.run(|state| state.value = 7).await.expect("it runs");
        let lost = bad.run(|_| panic!("the closure gives up")).await;
        assert!(
            matches!(lost, Err(WorkerError::Panicked(message)) if message.contains("gives up"))
        );
        assert!(matches!(bad.run(|_| ()).await, Err(WorkerError::Ended)));
        drop(bad);
        assert_eq!(good.run(|state| state.value).await.expect("it runs"), 7);
        drop(good);

        let both = [pool.get().await, pool.get().await];
        let mut values = Vec::new();
        for worker in both {
            let mut worker = worker.expect("there are two again");
            values.push(worker.run(|state| state.value).await.expect("it runs"));
        }
        values.sort_unstable();
        assert_eq!((values, census.opened.load(Ordering::Relaxed)), (vec![0, 7], 3));
        close(&pool).await;
        assert_eq!(census.counts(), (0, 3));
    });
}

#[test]
fn what_a_cancelled_closure_left_is_discarded_if_nothing_can_clean_it() {
    runtime().block_on(async {
        let census = Census::default();
        let pool = pool(census.manager(), 1);
        let mut worker = pool.get().await.expect("there is one");
        let gate = leave_behind(&mut worker, |state| state.value = 13);
        drop(worker);
        drop(gate);
        let mut next = pool.get().await.expect("it is replaced");
        assert_eq!(next.run(|state| state.value).await.expect("it runs"), 0);
        drop(next);
        assert_eq!(census.opened.load(Ordering::Relaxed), 2);
        close(&pool).await;
        assert_eq!(census.counts(), (0, 2));
    });
}

#[test]
fn what_a_cancelled_closure_left_is_cleaned_when_it_has_ended() {
    runtime().block_on(async {
        let census = Census::default();
        let manager = census.manager().on_reset(|state| {
            state.value = 0;
            Ok(Fitness::Clean)
        });
        let pool = pool(manager, 1);
        let mut worker = pool.get().await.expect("there is one");
        let gate = leave_behind(&mut worker, |state| state.value = 13);
        drop(worker);
        assert_eq!(pool.status().resetting, 1);
        let mut waiting = Box::pin(pool.get());
        assert!(poll_once(waiting.as_mut()).is_pending(), "not before the closure has ended");
        drop(gate);
        let mut next = waiting.await.expect("it is clean");
        assert_eq!(next.run(|state| state.value).await.expect("it runs"), 0);
        drop(next);
        assert_eq!(census.opened.load(Ordering::Relaxed), 1);
        close(&pool).await;
    });
}

#[test]
fn a_cancelled_use_between_two_closures_is_cleaned_too() {
    runtime().block_on(async {
        let census = Census::default();
        let pool = pool(census.manager(), 1);
        let mut worker = pool.get().await.expect("there is one");
        let (tell, told) = tokio::sync::oneshot::channel();
        let half = Pooled::run(&mut worker, async |worker| {
            worker.run(|state| state.value = 13).await.expect("it runs");
            tell.send(()).expect("the test waits for it");
            std::future::pending::<()>().await;
        });
        tokio::select! {
            () = half => {}
            told = told => told.expect("the first closure has ended"),
        }
        drop(worker);
        let mut next = pool.get().await.expect("it is replaced");
        assert_eq!(next.run(|state| state.value).await.expect("it runs"), 0);
        drop(next);
        close(&pool).await;
    });
}

#[test]
fn an_open_that_fails_for_good_is_told_at_once() {
    runtime().block_on(async {
        let manager = WorkerManager::<(), _>::new(|| Err(std::io::Error::other("no such file")))
            .transient(|_| false);
        let pool = pool(manager, 4);
        let error = pool.get().await.expect_err("nothing can be opened");
        let GetError::Create(cause, _) = &error else { panic!("{error}") };
        assert!(matches!(**cause, Error::Open(_)));
        let mut chain = vec![error.to_string()];
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            chain.push(cause.to_string());
            source = cause.source();
        }
        assert_eq!(chain[1..], ["the worker could not open its state", "no such file"]);
        close(&pool).await;
    });
}

#[test]
fn an_open_that_panics_is_told_and_leaves_the_pool_whole() {
    let census = Census::default();
    let (opener, first) = (census.clone(), AtomicBool::new(true));
    let manager = WorkerManager::new(move || {
        assert!(!first.swap(false, Ordering::Relaxed), "the first one");
        opener.open()
    });
    let pool = pool(manager, 1);
    runtime().block_on(async {
        let error = pool.get().await.expect_err("the first one panics");
        assert!(matches!(error, GetError::Create(..)), "{error}");
        // A pause of 50 ms at most stands between two attempts.
        let worker = loop {
            match pool.get().await {
                Ok(worker) => break worker,
                Err(GetError::Create(..)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        drop(worker);
        close(&pool).await;
        assert_eq!(census.counts(), (0, 1));
    });
}

#[test]
fn workers_are_served_and_closed_without_a_runtime_too() {
    let census = Census::default();
    let pool = pool(census.manager(), 2);
    let first = runtime();
    drop(first.block_on(pool.get()).expect("there are two"));
    drop(first);
    let mut worker = block_on(pool.get()).expect("it lies idle");
    assert_eq!(block_on(worker.run(|state| state.value)).expect("it runs"), 0);
    drop(worker);
    drop(pool);
    until(|| census.counts() == (0, 1));
}

fn database(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("millpond-{name}-{}.sqlite", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// Connections to one file. A transaction that somebody left open is rolled back before anybody else comes.
fn connections(path: PathBuf) -> WorkerManager<Connection, rusqlite::Error> {
    WorkerManager::new(move || {
        let connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        connection.execute_batch("CREATE TABLE IF NOT EXISTS pike (weight INTEGER)")?;
        Ok(connection)
    })
    .name("sqlite")
    .on_reset(|connection| {
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        Ok(Fitness::Clean)
    })
    .on_check(|connection| connection.query_row("SELECT 1", [], |_| Ok(())))
}

async fn count(pool: &Pool<WorkerManager<Connection, rusqlite::Error>>) -> i64 {
    let mut connection = pool.get().await.expect("there is a connection");
    let count = connection.run(|connection| {
        assert!(connection.is_autocommit(), "nobody is inside a transaction");
        connection.query_row("SELECT count(*) FROM pike", [], |row| row.get(0))
    });
    count.await.expect("it does not panic").expect("SQLite answers")
}

#[test]
fn many_tasks_write_to_sqlite_through_a_few_workers() {
    let path = database("many");
    let pool = pool(connections(path.clone()), 4);
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for task in 0..20 {
            let pool = pool.clone();
            tasks.spawn(async move {
                for n in 0..5 {
                    let mut connection = pool.get().await.expect("there is time enough");
                    let insert = connection.run(move |connection| {
                        connection.execute("INSERT INTO pike VALUES (?1)", [task * 100 + n])
                    });
                    assert_eq!(insert.await.expect("it does not panic").expect("it is written"), 1);
                }
            });
        }
        while let Some(joined) = tasks.join_next().await {
            joined.expect("no task fails");
        }
        assert_eq!(count(&pool).await, 100);
        assert!(pool.status().totals.created <= 4);
        close(&pool).await;
    });
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_transaction_that_was_cancelled_half_way_reaches_neither_the_table_nor_the_next_borrower() {
    let path = database("cancelled");
    let pool = pool(connections(path.clone()), 1);
    runtime().block_on(async {
        assert_eq!(count(&pool).await, 0);
        let mut connection = pool.get().await.expect("there is a connection");
        let begun = connection
            .run(|connection| connection.execute_batch("BEGIN; INSERT INTO pike VALUES (7)"));
        begun.await.expect("it does not panic").expect("SQLite answers");
        let gate = leave_behind(&mut connection, |connection| {
            connection.execute_batch("INSERT INTO pike VALUES (8)").expect("SQLite answers");
        });
        drop(connection);
        drop(gate);
        assert_eq!(count(&pool).await, 0);
        assert_eq!(pool.status().totals.created, 1, "the same connection");
        close(&pool).await;
    });
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_panic_inside_a_transaction_rolls_it_back_with_its_connection() {
    let path = database("panicked");
    let pool = pool(connections(path.clone()), 1);
    runtime().block_on(async {
        let mut connection = pool.get().await.expect("there is a connection");
        let lost = connection.run(|connection| {
            connection.execute_batch("BEGIN; INSERT INTO pike VALUES (7)").expect("it answers");
            panic!("in the middle of it");
        });
        let lost: Result<(), WorkerError> = lost.await;
        assert!(matches!(lost, Err(WorkerError::Panicked(_))));
        drop(connection);
        assert_eq!(count(&pool).await, 0);
        assert_eq!(pool.status().totals.created, 2, "another connection");
        close(&pool).await;
    });
    let _ = std::fs::remove_file(path);
}
