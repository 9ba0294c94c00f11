//! What one borrower leaves behind does not reach the next.

use std::pin::pin;

use bytes::Bytes;
use futures::SinkExt;
use millpond::Pooled;
use millpond_postgres::{PostgresManager, Recycle};
use millpond_test::poll_once;
use millpond_tests::postgres::Cluster;
use tokio_postgres::error::SqlState;

use crate::support::{
    Connections, Loan, Outside, close, config, one_thread, pool_of_one, runtime, shared, take,
};

/// Not inside a transaction, sound or failed.
async fn is_outside(client: &Loan) -> bool {
    let savepoint = client.batch_execute("SAVEPOINT pike").await;
    savepoint.is_err_and(|error| error.code() == Some(&SqlState::NO_ACTIVE_SQL_TRANSACTION))
}

/// What a function of the session's says.
async fn asks(client: &Loan, sql: &str) -> String {
    let rows = client.simple_query(sql).await.expect("the server answers");
    let row = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null")),
        _ => None,
    });
    row.unwrap_or("nothing").to_owned()
}

/// A pool of one connection and the process behind it.
async fn lent(manager: PostgresManager) -> (Connections, Loan, i32) {
    let pool = pool_of_one(manager);
    let client = take(&pool).await;
    let process = client.process_id();
    (pool, client, process)
}

/// Gives a connection back, and takes it again: it must be the same, and in no transaction.
async fn pass_on(pool: &Connections, client: Loan, process: i32) -> Loan {
    drop(client);
    let next = take(pool).await;
    assert_eq!(next.process_id(), process, "it was cleaned, not replaced");
    assert!(is_outside(&next).await, "the next borrower is outside of any transaction");
    next
}

#[test]
fn a_transaction_that_was_begun_by_sql_is_rolled_back() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let config = config(&cluster, "raw begin");
        let (pool, mut client, process) = lent(PostgresManager::new(config)).await;
        for left in ["BEGIN; CREATE TABLE raw ()", "START TRANSACTION; CREATE TABLE raw ()"] {
            client.batch_execute(left).await.expect("the server does it");
            client = pass_on(&pool, client, process).await;
            assert_eq!(asks(&client, "SELECT to_regclass('raw')").await, "null");
        }
        client.batch_execute("BEGIN").await.expect("the server does it");
        assert!(client.batch_execute("SELECT 1 / 0").await.is_err());
        drop(pass_on(&pool, client, process).await);
        close(&pool).await;
    });
}

#[test]
fn a_transaction_that_nobody_waited_for_is_rolled_back() {
    let Some(cluster) = shared() else { return };
    // On one thread, its task has no chance to send the request before the connection is given back.
    one_thread().block_on(async {
        let config = config(&cluster, "unsent begin");
        let (pool, mut client, process) = lent(PostgresManager::new(config)).await;
        for _ in 0..20 {
            assert!(poll_once(pin!(client.batch_execute("BEGIN"))).is_pending());
            client = pass_on(&pool, client, process).await;
        }
        drop(client);
        close(&pool).await;
    });
}

#[test]
fn a_transaction_that_was_dropped_or_cancelled_is_rolled_back() {
    let Some(cluster) = shared() else { return };
    one_thread().block_on(async {
        let config = config(&cluster, "dropped transaction");
        let (pool, mut client, process) = lent(PostgresManager::new(config)).await;
        let transaction = client.transaction().await.expect("it begins");
        transaction.batch_execute("CREATE TABLE dropped ()").await.expect("the server does it");
        drop(transaction);
        client = pass_on(&pool, client, process).await;

        assert!(poll_once(pin!(client.transaction())).is_pending());
        client = pass_on(&pool, client, process).await;

        let half = Pooled::run(&mut client, async |client| {
            client.batch_execute("BEGIN; CREATE TABLE dropped ()").await.expect("it begins");
            std::future::pending::<()>().await;
        });
        tokio::select! {
            () = half => {}
            () = tokio::task::yield_now() => {}
        }
        client = pass_on(&pool, client, process).await;
        assert_eq!(asks(&client, "SELECT to_regclass('dropped')").await, "null");
        drop(client);
        close(&pool).await;
    });
}

#[test]
fn a_query_that_nobody_waits_for_is_cancelled() {
    let Some(cluster) = shared() else { return };
    one_thread().block_on(async {
        let outside = Outside::connect(&cluster).await;
        let config = config(&cluster, "long query");
        let (pool, mut client, process) = lent(PostgresManager::new(config)).await;
        for queries in 1..=3 {
            let sleeps: Vec<_> = (0..queries).map(|_| client.simple_query(SLEEP)).collect();
            let mut sleeps: Vec<_> = sleeps.into_iter().map(Box::pin).collect();
            for sleep in &mut sleeps {
                assert!(poll_once(sleep.as_mut()).is_pending());
            }
            outside.until_busy("long query", 1).await;
            drop(sleeps);
            client = pass_on(&pool, client, process).await;
        }
        drop(client);
        close(&pool).await;
    });
}

#[test]
fn a_copy_that_was_left_half_way_ends_with_its_connection() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        outside.run("CREATE TABLE copied (n int)").await;
        let config = config(&cluster, "copy");
        let (pool, mut client, mut process) = lent(PostgresManager::new(config)).await;
        for keep in [true, false] {
            let copy = client.copy_in::<_, Bytes>("COPY copied FROM STDIN").await;
            let copy = copy.expect("the server waits for data");
            // One that is kept has no more say in it.
            let kept = keep.then_some(copy);
            drop(client);
            client = take(&pool).await;
            assert_ne!(client.process_id(), process);
            process = client.process_id();
            drop(kept);
        }
        let copy = client.copy_in::<_, Bytes>("COPY copied FROM STDIN").await;
        let mut copy = Box::pin(copy.expect("the server waits for data"));
        copy.as_mut().send(Bytes::from_static(b"1\n2\n")).await.expect("it is sent");
        copy.as_mut().finish().await.expect("it is stored");
        client = pass_on(&pool, client, process).await;
        assert_eq!(asks(&client, "SELECT count(*) FROM copied").await, "2");
        drop(client);
        close(&pool).await;
        outside.run("DROP TABLE copied").await;
    });
}

/// What may be left behind, and what shows it.
const LEFTOVERS: &[(&str, &str)] = &[
    ("SET search_path TO pg_catalog", "SHOW search_path"),
    ("LISTEN pike", "SELECT count(*) FROM pg_listening_channels()"),
    ("CREATE TEMP TABLE pond ()", "SELECT to_regclass('pond')"),
    (
        "BEGIN; DECLARE pond CURSOR WITH HOLD FOR SELECT 1; COMMIT",
        "SELECT count(*) FROM pg_cursors",
    ),
    ("SET ROLE pg_monitor", "SELECT current_user"),
    ("DO $$ BEGIN PERFORM set_config('my.pike', '7', false); END $$", PIKE),
    // No command tells of this one, but the server reports the setting.
    ("SELECT set_config('timezone', 'Asia/Tokyo', false)", "SHOW timezone"),
];

/// What nothing tells of.
const UNSEEN: &[(&str, &str)] = &[
    ("SELECT set_config('my.pike', '7', false)", PIKE),
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ),
    ("CREATE TEMP TABLE pond AS SELECT 1", "SELECT to_regclass('pond')"),
];

/// Statements prepared by SQL, which are no business of the cache.
const PREPARED: &[(&str, &str)] =
    &[("PREPARE pond AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE from_sql")];

const PIKE: &str = "SELECT nullif(current_setting('my.pike', true), '')";
const SLEEP: &str = "SELECT pg_sleep(1000)";

/// Which of these reach the next borrower.
async fn left(cluster: &Cluster, recycle: Recycle, leftovers: &[(&str, &str)]) -> Vec<bool> {
    let config = config(cluster, "leftovers");
    let (pool, mut client, process) = lent(PostgresManager::new(config).recycle(recycle)).await;
    let mut left = Vec::new();
    for (leave, question) in leftovers {
        let before = asks(&client, question).await;
        client.batch_execute(leave).await.expect("the server does it");
        assert_ne!(asks(&client, question).await, before, "`{leave}` leaves something");
        client = pass_on(&pool, client, process).await;
        left.push(asks(&client, question).await != before);
        client.batch_execute("DISCARD ALL").await.expect("the server does it");
    }
    drop(client);
    close(&pool).await;
    left
}

fn nothing_is_left(cluster: &Cluster, recycle: Recycle, leftovers: &[(&str, &str)]) {
    let left = runtime().block_on(left(cluster, recycle, leftovers));
    for ((leave, _), left) in leftovers.iter().zip(left) {
        assert!(!left, "`{leave}` left something for the next borrower");
    }
}

#[test]
fn what_commands_left_in_the_session_is_cleaned_where_there_is_need() {
    let Some(cluster) = shared() else { return };
    nothing_is_left(&cluster, Recycle::AsNeeded, &[LEFTOVERS, PREPARED].concat());
}

#[test]
fn whatever_was_left_in_the_session_is_cleaned_each_time_if_so_chosen() {
    let Some(cluster) = shared() else { return };
    nothing_is_left(&cluster, Recycle::Clean, &[LEFTOVERS, UNSEEN].concat());
    nothing_is_left(&cluster, Recycle::DiscardAll, &[LEFTOVERS, UNSEEN, PREPARED].concat());
    let sql = "RESET ALL; SELECT pg_advisory_unlock_all(); DISCARD TEMP".to_owned();
    nothing_is_left(&cluster, Recycle::Custom(sql), UNSEEN);
}

#[test]
fn the_limits_of_what_is_seen_are_as_documented() {
    let Some(cluster) = shared() else { return };
    let left = runtime().block_on(left(&cluster, Recycle::AsNeeded, UNSEEN));
    assert!(left.iter().all(|left| *left), "less is left than the documentation says: {left:?}");
}

#[test]
fn an_orderly_loan_costs_the_server_nothing() {
    let Some(cluster) = shared() else { return };
    one_thread().block_on(async {
        let config = config(&cluster, "orderly");
        let (pool, client, process) = lent(PostgresManager::new(config)).await;
        drop(client);
        for _ in 0..50 {
            let client = take(&pool).await;
            assert_eq!(client.process_id(), process);
            client.batch_execute("SELECT 'an orderly loan'").await.expect("the server answers");
            drop(client);
            // It went home by itself: no task had to look at it first.
            assert_eq!((pool.status().idle, pool.status().resetting), (1, 0));
        }
        let mut client = take(&pool).await;
        let transaction = client.transaction().await.expect("it begins");
        transaction.commit().await.expect("it is committed");
        drop(client);
        assert_eq!((pool.status().idle, pool.status().resetting), (1, 0));
        close(&pool).await;
    });
    let log = cluster.log();
    let said = log.lines().filter(|line| line.contains("postgres orderly LOG:  statement:"));
    let said: Vec<_> = said.filter(|line| !line.contains("an orderly loan")).collect();
    assert_eq!(said.len(), 2, "the BEGIN and the COMMIT: {said:?}");
}
