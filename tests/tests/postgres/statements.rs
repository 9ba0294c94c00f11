//! Statements that are prepared once for each connection, and never used when the server no longer knows them.

use millpond_postgres::{Client, PostgresManager, Recycle};
use tokio_postgres::error::SqlState;

use crate::support::{
    Outside, close, config, one_thread, pool, pool_of_one, runtime, shared, take,
};

/// How many statements the server has prepared for this connection, by protocol or by SQL.
async fn prepared(client: &Client) -> usize {
    let rows = client.simple_query("SELECT name FROM pg_prepared_statements").await;
    let rows = rows.expect("the server answers");
    rows.iter().filter(|row| matches!(row, tokio_postgres::SimpleQueryMessage::Row(_))).count()
}

async fn number(client: &Client, sql: &str) -> Result<i32, tokio_postgres::Error> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_one(&statement, &[]).await?.get(0))
}

#[test]
fn a_statement_is_prepared_once_and_stays_from_loan_to_loan() {
    let Some(cluster) = shared() else { return };
    one_thread().block_on(async {
        let pool = pool_of_one(PostgresManager::new(config(&cluster, "cached")));
        for _ in 0..10 {
            let mut client = take(&pool).await;
            assert_eq!(number(&client, "SELECT 1").await.expect("it answers"), 1);
            let transaction = client.transaction().await.expect("it begins");
            let statement = transaction.prepare_cached("SELECT 1").await.expect("it is prepared");
            transaction.query_one(&statement, &[]).await.expect("it answers");
            transaction.commit().await.expect("it is committed");
            assert_eq!((client.cached_statements(), prepared(&client).await), (1, 1));
            drop(client);
            assert_eq!(pool.status().resetting, 0, "nothing is to be cleaned up");
        }
        close(&pool).await;
    });
}

#[test]
fn the_cache_keeps_no_more_than_it_may_and_drops_what_was_not_asked_for_longest() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let manager = PostgresManager::new(config(&cluster, "bounded")).statement_cache(2);
        let pool = pool_of_one(manager);
        let client = take(&pool).await;
        for sql in ["SELECT 1", "SELECT 2", "SELECT 1", "SELECT 3"] {
            number(&client, sql).await.expect("it answers");
        }
        assert_eq!((client.cached_statements(), prepared(&client).await), (2, 2));
        let rows = client.query("SELECT statement FROM pg_prepared_statements", &[]).await;
        let mut kept: Vec<String> =
            rows.expect("the server answers").iter().map(|row| row.get(0)).collect();
        kept.retain(|sql| !sql.contains("pg_prepared_statements"));
        kept.sort_unstable();
        assert_eq!(kept, ["SELECT 1", "SELECT 3"]);
        drop(client);
        close(&pool).await;

        let manager = PostgresManager::new(config(&cluster, "none")).statement_cache(0);
        let pool = pool_of_one(manager);
        let client = take(&pool).await;
        number(&client, "SELECT 1").await.expect("it answers all the same");
        assert_eq!((client.cached_statements(), prepared(&client).await), (0, 0));
        drop(client);
        close(&pool).await;
    });
}

#[test]
fn statements_that_the_server_was_told_to_forget_are_prepared_anew() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let pool = pool_of_one(PostgresManager::new(config(&cluster, "forgotten")));
        let mut client = take(&pool).await;
        for forget in ["DISCARD ALL", "DEALLOCATE ALL", "PREPARE a AS SELECT 1; DEALLOCATE a"] {
            number(&client, "SELECT 1").await.expect("it answers");
            client.batch_execute(forget).await.expect("the server does it");
            number(&client, "SELECT 1").await.expect("it is not used after `{forget}`");
            // And in the next loan, whatever was done to the connection in between.
            drop(client);
            client = take(&pool).await;
            number(&client, "SELECT 1").await.expect("it answers");
        }
        drop(client);
        close(&pool).await;

        let manager = PostgresManager::new(config(&cluster, "discarded"));
        let pool = pool_of_one(manager.recycle(Recycle::DiscardAll));
        for _ in 0..3 {
            let client = take(&pool).await;
            number(&client, "SELECT 1").await.expect("it is prepared anew");
        }
        close(&pool).await;
    });
}

#[test]
fn a_change_of_the_schema_costs_one_error_and_not_one_for_each_connection() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        outside.run("CREATE TABLE changing (n int); INSERT INTO changing VALUES (7)").await;
        let manager = PostgresManager::new(config(&cluster, "changing"));
        let pool = pool(manager, |builder| builder.max_size(4));
        let all = [take(&pool).await, take(&pool).await, take(&pool).await, take(&pool).await];
        for client in &all {
            assert_eq!(number(client, "SELECT * FROM changing").await.expect("it answers"), 7);
        }
        outside.run("ALTER TABLE changing ADD COLUMN weight int").await;
        let mut failed = Vec::new();
        for client in all.iter().chain(&all) {
            if let Err(error) = number(client, "SELECT * FROM changing").await {
                failed.push(error.code().cloned());
            }
        }
        assert_eq!(failed, [Some(SqlState::FEATURE_NOT_SUPPORTED)]);
        drop(all);
        close(&pool).await;
        outside.run("DROP TABLE changing").await;
    });
}
