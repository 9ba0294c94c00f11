//! A server that refuses: everybody, a wrong password, or more connections than it can have; and one that never answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millpond::GetError;
use millpond_postgres::{Error, PostgresManager};
use millpond_tests::postgres::Cluster;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

use crate::support::{Outside, close, config, pool, runtime, shared, take, until};

const AN_HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_wrong_password_is_told_at_once_and_tried_but_a_few_times() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        outside
            .run("CREATE ROLE guarded; CREATE ROLE carp LOGIN PASSWORD 'pond' IN ROLE guarded")
            .await;
        let mut wrong = config(&cluster, "wrong password");
        wrong.user("carp").password("lake");
        // Nobody would wait for the next attempt; and the deadline is too far away to be what ends the waiting.
        let pool = pool(PostgresManager::new(wrong), |builder| {
            builder.max_size(10).create_backoff(AN_HOUR, AN_HOUR).get_timeout(AN_HOUR)
        });
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let pool = pool.clone();
            callers.spawn(async move {
                match pool.get().await {
                    Err(GetError::Create(error, _)) => error,
                    other => panic!("{other:?}"),
                }
            });
        }
        while let Some(error) = callers.join_next().await {
            let error = error.expect("no caller fails otherwise");
            let Error::Login { source, .. } = &*error else { panic!("{error}") };
            assert_eq!(source.code(), Some(&SqlState::INVALID_PASSWORD));
            assert!(error.to_string().ends_with("with SQLSTATE 28P01"), "{error}");
        }
        close(&pool).await;
    });
    let log = cluster.log();
    let attempts = log.matches("password authentication failed for user \"carp\"").count();
    println!("logins that the server refused: {attempts} for 100 callers");
    // As many at a time as may be created at a time.
    assert!((1..=2).contains(&attempts), "{attempts} logins");
}

#[test]
fn a_password_that_was_set_right_is_noticed_at_the_next_attempt() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        outside.run("CREATE ROLE barred; CREATE ROLE tench").await;
        let mut config = config(&cluster, "barred");
        config.user("tench");
        let pool = pool(PostgresManager::new(config), |builder| {
            builder.create_backoff(Duration::from_millis(1), Duration::from_millis(1))
        });
        let error = pool.get().await.expect_err("the role may not log in");
        assert!(matches!(error, GetError::Create(..)) && !error.is_retryable(), "{error}");
        outside.run("ALTER ROLE tench LOGIN").await;
        let mut refused = 0;
        while let Err(error) = pool.get().await {
            assert!(matches!(error, GetError::Create(..)), "{error}");
            refused += 1;
            assert!(refused < 100_000, "it is never noticed");
            tokio::task::yield_now().await;
        }
        close(&pool).await;
    });
}

#[test]
fn a_server_with_too_few_connections_is_not_stormed_and_serves_with_what_it_has() {
    let settings = ["max_connections = 5", "superuser_reserved_connections = 2"];
    let Some(cluster) = Cluster::for_test(&settings) else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        outside.run("CREATE ROLE roach LOGIN").await;
        let mut config = config(&cluster, "too few");
        config.user("roach");
        let manager = PostgresManager::new(config);
        let pool =
            pool(manager.clone(), |builder| builder.max_size(20).create_backoff(AN_HOUR, AN_HOUR));
        let mut callers = JoinSet::new();
        for _ in 0..60 {
            let pool = pool.clone();
            callers.spawn(async move {
                for _ in 0..20 {
                    let client = take(&pool).await;
                    client.query_one("SELECT 1", &[]).await.expect("the server answers");
                }
            });
        }
        while let Some(served) = callers.join_next().await {
            served.expect("everybody is served");
        }
        let status = pool.status();
        // The administrator has one, and two are reserved.
        assert_eq!((status.size, status.totals.created), (2, 2), "{status:?}");
        close(&pool).await;
        assert_eq!(outside.connections("too few").await, 0);
    });
    let refused = cluster.log().matches("remaining connection slots are reserved").count();
    println!("logins that the server refused: {refused} for 60 callers, 1200 loans, 2 connections");
    // Five at a time may be tried, and once more after each that succeeds; the next attempt is an hour away.
    assert!((1..=5 * (1 + 2)).contains(&refused), "{refused} logins");
}

#[test]
fn a_server_that_is_full_is_waited_for() {
    let settings = ["max_connections = 4", "superuser_reserved_connections = 2"];
    let Some(cluster) = Cluster::for_test(&settings) else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        outside.run("CREATE ROLE roach LOGIN").await;
        let mut config = config(&cluster, "full");
        config.user("roach");
        let pool = |manager| {
            let at_once = Duration::from_millis(1);
            pool(manager, |builder| builder.create_backoff(at_once, at_once))
        };
        let first = pool(PostgresManager::new(config.clone()));
        let held = take(&first).await;
        let second = pool(PostgresManager::new(config));
        let mut waiting = Box::pin(second.get());
        tokio::select! {
            got = &mut waiting => panic!("there should be no connection left: {got:?}"),
            () = until(|| second.status().totals.create_failed > 2) => {}
        }
        drop(held);
        close(&first).await;
        drop(waiting.await.expect("there is room again"));
        close(&second).await;
    });
}

#[test]
fn a_server_in_the_wrong_role_is_not_used() {
    let Some(cluster) = Cluster::for_test(&[]) else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        let mut config = config(&cluster, "role");
        config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        let pool = pool(PostgresManager::new(config), |builder| {
            // Each loan begins with a check; a creation that fails is tried again at once.
            let at_once = Duration::from_millis(1);
            builder.max_size(2).check_after_idle(Duration::ZERO).create_backoff(at_once, at_once)
        });
        drop(take(&pool).await);
        outside.run("ALTER SYSTEM SET default_transaction_read_only = on").await;
        outside.run("SELECT pg_reload_conf()").await;
        let borrowing = async {
            loop {
                drop(take(&pool).await);
            }
        };
        // What lies idle fails its check, and what is opened anew is refused.
        tokio::select! {
            () = borrowing => {}
            () = until(|| pool.status().totals.create_failed > 2) => {}
        }
        assert!(pool.status().totals.check_failed > 0);
        outside.run("SET default_transaction_read_only = off").await;
        outside.run("ALTER SYSTEM RESET ALL").await;
        outside.run("SELECT pg_reload_conf()").await;
        drop(take(&pool).await);
        close(&pool).await;
    });
}

/// A server that takes connections and says nothing. Counts those that are open.
async fn silence() -> (Config, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let port = listener.local_addr().expect("it is bound").port();
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut heard = [0; 64];
                while socket.read(&mut heard).await.is_ok_and(|read| read > 0) {}
                count.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("nobody");
    (config, open)
}

#[test]
fn a_login_that_hangs_is_given_up_and_its_socket_closed() {
    runtime().block_on(async {
        let (config, open) = silence().await;
        let manager = PostgresManager::new(config);
        let pool = pool(manager.clone(), |builder| {
            let soon = Duration::from_millis(20);
            builder.max_size(4).create_timeout(soon).create_backoff(soon, soon)
        });
        let waiting = pool.get_owned();
        let waiting = tokio::spawn(waiting);
        until(|| pool.status().totals.abandoned >= 5).await;
        close(&pool).await;
        assert!(matches!(waiting.await, Ok(Err(GetError::Closed(_)))));
        until(|| manager.open_connections() == 0).await;
        until(|| open.load(Ordering::Relaxed) == 0).await;
        assert!(manager.most_open_connections() <= 4, "{manager:?}");
    });
}

#[test]
fn a_loan_is_refused_where_tokio_is_not() {
    let config = "host=localhost user=nobody".parse().expect("it is a connection string");
    let manager = PostgresManager::new(config);
    let error = futures::executor::block_on(millpond::Manager::create(&manager)).unwrap_err();
    assert!(matches!(error, Error::NoRuntime), "{error}");
}
