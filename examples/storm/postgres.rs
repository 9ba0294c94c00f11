//! PostgreSQL: a schema of the storm's own, in whatever database it was given.

use std::time::{Duration, Instant};

use millpond::{Manager, Runtime};
use millpond_postgres::{Client, PostgresManager};
use millpond_tokio::Tokio;
use tokio_postgres::Config;

use crate::pond::{ACCOUNTS, Books, Cause, Pond, account};

/// A schema with its tables.
pub(crate) struct Postgres {
    schema: String,
    /// For the connections of the pool, which it counts.
    manager: PostgresManager,
    /// For the others.
    outside: PostgresManager,
    hold: Duration,
}

impl Postgres {
    pub(crate) async fn prepare(mut config: Config, hold: Duration) -> Result<Self, Cause> {
        let schema = format!("millpond_storm_{}", std::process::id());
        let options = config.get_options().unwrap_or_default();
        let options = format!("{options} -c search_path={schema}");
        config.application_name("storm").options(options);
        let outside = PostgresManager::new(config.clone());
        let pond = Self { schema, manager: PostgresManager::new(config), outside, hold };
        let last = ACCOUNTS - 1;
        // Nothing here must survive the program, so nothing is logged: a slow disk would be a second stall.
        pond.run(&format!(
            "CREATE SCHEMA {};
             CREATE UNLOGGED TABLE account (id int8 PRIMARY KEY, hits int8 NOT NULL DEFAULT 0);
             CREATE UNLOGGED TABLE ledger (request int8 PRIMARY KEY, account int8 NOT NULL);
             INSERT INTO account (id) SELECT generate_series(0, {last})",
            pond.schema
        ))
        .await?;
        Ok(pond)
    }

    /// Removes the schema with all that is in it.
    pub(crate) async fn clear(&self) -> Result<(), Cause> {
        self.run(&format!("DROP SCHEMA {} CASCADE", self.schema)).await
    }

    async fn run(&self, sql: &str) -> Result<(), Cause> {
        let client = self.outside.create().await?;
        client.batch_execute(sql).await?;
        self.outside.close(client).await;
        Ok(())
    }
}

impl Pond for Postgres {
    type Manager = PostgresManager;

    fn name(&self) -> String {
        format!("PostgreSQL, schema {}", self.schema)
    }

    fn manager(&self) -> PostgresManager {
        self.manager.clone()
    }

    async fn serve(&self, client: &mut Client, request: u64) -> Result<(), Cause> {
        let begun = Tokio.now();
        let (request, account) = (request as i64, account(request));
        let transaction = client.transaction().await?;
        let update =
            transaction.prepare_cached("UPDATE account SET hits = hits + 1 WHERE id = $1").await?;
        transaction.execute(&update, &[&account]).await?;
        let insert = transaction
            .prepare_cached("INSERT INTO ledger (request, account) VALUES ($1, $2)")
            .await?;
        transaction.execute(&insert, &[&request, &account]).await?;
        let select = transaction.prepare_cached("SELECT hits FROM account WHERE id = $1").await?;
        transaction.query_one(&select, &[&account]).await?;
        transaction.commit().await?;
        let rest = self.hold.saturating_sub(Tokio.now() - begun);
        let sleep = client.prepare_cached("SELECT pg_sleep($1)").await?;
        client.query_one(&sleep, &[&rest.as_secs_f64()]).await?;
        Ok(())
    }

    async fn stall(
        &self,
        pause: Duration,
        mut on_edge: impl FnMut() + Send + 'static,
    ) -> Result<(), Cause> {
        let mut client = self.outside.create().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute("LOCK TABLE account IN ACCESS EXCLUSIVE MODE").await?;
        on_edge();
        let end: Instant = Tokio.now() + pause;
        Tokio.sleep_until(end).await;
        transaction.commit().await?;
        on_edge();
        self.outside.close(client).await;
        Ok(())
    }

    async fn audit(&self) -> Result<Books, Cause> {
        let client = self.outside.create().await?;
        let pairs = async |sql| -> Result<Vec<(i64, i64)>, Cause> {
            let rows = client.query(sql, &[]).await?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        };
        let ledger = pairs("SELECT request, account FROM ledger").await?;
        let books = Books::read(&ledger, &pairs("SELECT id, hits FROM account").await?);
        self.outside.close(client).await;
        Ok(books)
    }

    fn connections(&self) -> (usize, usize) {
        (self.manager.most_open_connections(), self.manager.open_connections())
    }
}

#[cfg(test)]
mod tests {
    use millpond_tests::postgres::Cluster;

    use super::*;

    #[test]
    fn the_books_match_what_was_served_and_nothing_is_left_of_it() {
        let Some(cluster) = Cluster::for_test(&[]) else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let pond = Postgres::prepare(cluster.config(), Duration::ZERO).await.unwrap();
            let mut client = pond.manager().create().await.unwrap();
            let mut served = Books::default();
            for request in 0..200 {
                pond.serve(&mut client, request).await.unwrap();
                served.enter(request);
            }
            assert_eq!(pond.audit().await.unwrap(), served);
            assert!(pond.serve(&mut client, 7).await.is_err(), "no request is served twice");
            assert_eq!(pond.audit().await.unwrap(), served, "half a transaction leaves nothing");
            assert_eq!(pond.connections(), (1, 1));
            pond.manager().close(client).await;
            assert_eq!(pond.connections(), (1, 0));
            pond.clear().await.unwrap();
            assert!(pond.audit().await.is_err(), "there is no ledger any more");
        });
    }
}
