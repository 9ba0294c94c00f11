//! After the end nothing is left on the server.

use std::pin::pin;

use millpond_postgres::PostgresManager;
use millpond_test::poll_once;

use crate::support::{Outside, close, config, one_thread, pool, runtime, shared, take, until};

#[test]
fn after_close_nothing_is_left_on_the_server() {
    let Some(cluster) = shared() else { return };
    one_thread().block_on(async {
        let outside = Outside::connect(&cluster).await;
        let manager = PostgresManager::new(config(&cluster, "closing"));
        let pool = pool(manager.clone(), |builder| builder.max_size(6));
        let mut lent = Vec::new();
        for _ in 0..6 {
            lent.push(take(&pool).await);
        }
        // Some in a transaction, one at work for longer than anybody would wait.
        lent[0].batch_execute("BEGIN").await.expect("it begins");
        assert!(poll_once(pin!(lent[1].batch_execute("SELECT pg_sleep(1000)"))).is_pending());
        outside.until_busy("closing", 1).await;
        lent.truncate(3);
        assert_eq!(outside.connections("closing").await, 6);
        let closing = tokio::spawn(pool.close(crate::support::LONG));
        pool.closing().await;
        drop(lent);
        let report = closing.await.expect("it ends");
        assert!(report.drained, "{report}");
        // Not some time later: the server was waited for.
        assert_eq!(outside.connections("closing").await, 0);
        assert_eq!((manager.open_connections(), manager.most_open_connections()), (0, 6));
    });
}

#[test]
fn a_pool_that_is_merely_dropped_leaves_nothing_either() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        let manager = PostgresManager::new(config(&cluster, "dropped"));
        let pool = pool(manager.clone(), |builder| builder.max_size(2));
        let lent = take(&pool).await;
        drop(take(&pool).await);
        drop(pool);
        until(|| manager.open_connections() == 1).await;
        assert_eq!(outside.connections("dropped").await, 1);
        drop(lent);
        until(|| manager.open_connections() == 0).await;
        assert_eq!(outside.connections("dropped").await, 0);
    });
}

#[test]
fn connections_outlive_neither_their_runtime_nor_the_pool() {
    let Some(cluster) = shared() else { return };
    let manager = PostgresManager::new(config(&cluster, "two runtimes"));
    let pool = pool(manager.clone(), |builder| builder.max_size(2));
    let first = runtime();
    drop(first.block_on(take(&pool)));
    drop(first);
    assert_eq!(manager.open_connections(), 0, "who drives it is gone, and so is it");
    runtime().block_on(async {
        let client = take(&pool).await;
        client.batch_execute("SELECT 1").await.expect("it is a new one");
        drop(client);
        close(&pool).await;
    });
    assert_eq!(manager.open_connections(), 0);
}
