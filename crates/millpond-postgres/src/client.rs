//! What the pool lends: a connection, with the task that drives it and the statements that were prepared on it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Error, Statement};

use crate::address::Address;
use crate::cancel::CancelToken;
use crate::connect::Connect;
use crate::driver::DriverTask;
use crate::statements::Statements;
use crate::transaction::Transaction;
use crate::wire::{Rest, Standing, Wire};

/// A connection to PostgreSQL: a [`tokio_postgres::Client`], to which it dereferences, with a cache of prepared statements.
///
/// It owns the task that drives the connection. Dropped outside of a pool, it hangs up at once.
///
/// Three methods replace those of the same name of the inner client: [`transaction`](Self::transaction) and
/// [`cancel_token`](Self::cancel_token), and with them `cancel_query`.
///
/// # Examples
///
/// ```no_run
/// # async fn example(client: &millpond_postgres::Client) -> Result<(), tokio_postgres::Error> {
/// let pike = client.prepare_cached("SELECT weight FROM pike WHERE id = $1").await?;
/// let weight: i32 = client.query_one(&pike, &[&7]).await?.get(0);
/// # Ok(())
/// # }
/// ```
pub struct Client {
    client: tokio_postgres::Client,
    /// After the client, which it outlives.
    driver: DriverTask,
    wire: Arc<Wire>,
    statements: Statements,
    connect: Arc<Connect>,
    address: Address,
}

impl Client {
    pub(crate) fn new(
        client: tokio_postgres::Client,
        driver: DriverTask,
        wire: Arc<Wire>,
        statements: usize,
        connect: Arc<Connect>,
        address: Address,
    ) -> Self {
        let statements = Statements::new(Arc::clone(&wire), statements);
        Self { client, driver, wire, statements, connect, address }
    }

    /// Prepares `sql`, or finds it prepared on this connection.
    ///
    /// As many statements are kept as [`PostgresManager::statement_cache`](crate::PostgresManager::statement_cache) says. They
    /// are forgotten when the server has forgotten them (`DISCARD ALL`, `DEALLOCATE`, SQLSTATE 26000), and, on every
    /// connection of the manager, when the server found one outdated by a change of the schema (SQLSTATE 0A000, "cached plan
    /// must not change result type"). The query that finds this out fails, and the next one has a new statement.
    ///
    /// Where a parameter's type cannot be inferred, say it in SQL: `$1::int8`.
    ///
    /// # Errors
    ///
    /// The server's, or that the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, nothing is kept; the server may prepare the statement all the same.
    pub async fn prepare_cached(&self, sql: &str) -> Result<Statement, Error> {
        let (stamp, found) = self.statements.find(sql);
        if let Some(statement) = found {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.keep(sql, statement.clone(), stamp);
        Ok(statement)
    }

    /// How many statements [`prepare_cached`](Self::prepare_cached) keeps at present.
    #[must_use]
    pub fn cached_statements(&self) -> usize {
        self.statements.len()
    }

    /// Begins a transaction. One that is dropped without being committed is rolled back.
    ///
    /// For another isolation level, use [`build_transaction`](tokio_postgres::Client::build_transaction).
    ///
    /// # Errors
    ///
    /// The server's, or that the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, what was begun is rolled back.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        Ok(Transaction::new(self.client.transaction().await?, &self.statements))
    }

    /// What cancels a query on this connection; it needs no TLS connector.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        CancelToken::new(Arc::clone(&self.connect), self.address.clone(), self.wire.key())
    }

    /// The number of the server's process behind this connection, as in `pg_stat_activity`.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.wire.key().process
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Waits until the server has nothing to do, and cancels what it does. `None` if the connection is no more.
    pub(crate) async fn settle(&self) -> Result<Option<Rest>, crate::Error> {
        loop {
            match self.wire.standing() {
                Standing::AtRest(rest) => return Ok(Some(rest)),
                Standing::Ended => return Ok(None),
                Standing::Stirring => self.wire.changed().await,
                Standing::Working { answered } => {
                    self.cancel_token().cancel().await?;
                    // A request that the server had not begun was not cancelled, and there may be several in a row.
                    let _ = timeout(CANCEL_AGAIN, self.progress(answered)).await;
                }
            }
        }
    }

    /// Waits until more requests are answered than so many, or all.
    async fn progress(&self, answered: u64) {
        let is_same = |standing| match standing {
            Standing::Working { answered: now } => now == answered,
            standing => standing == Standing::Stirring,
        };
        while is_same(self.wire.standing()) {
            self.wire.changed().await;
        }
    }

    /// Says goodbye, and waits until the server has hung up. Where that would mean to wait for an answer that may not come, it
    /// hangs up itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, it hangs up at once.
    pub(crate) async fn close(self) {
        if let Ok(Some(_)) = self.settle().await {
            let Self { client, driver, .. } = self;
            drop(client);
            driver.join().await;
        }
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.client
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.address)
            .field("process", &self.process_id())
            .field("closed", &self.client.is_closed())
            .field("statements", &self.statements)
            .finish_non_exhaustive()
    }
}

/// Long enough for a server to begin with what it was sent, and short beside what a query takes that is worth cancelling.
const CANCEL_AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use millpond::Manager;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_postgres::Config;

    use super::{Duration, timeout};
    use crate::PostgresManager;

    async fn accept(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.expect("a client comes");
        let mut head = [0; 8];
        stream.read_exact(&mut head).await.expect("it says what it wants");
        let mut rest = vec![0; u32::from_be_bytes(head[..4].try_into().unwrap()) as usize - 8];
        stream.read_exact(&mut rest).await.expect("it says all of it");
        stream
    }

    #[tokio::test]
    async fn a_query_that_was_not_begun_when_it_was_cancelled_is_cancelled_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let mut config = Config::new();
        config.host("127.0.0.1").port(listener.local_addr().unwrap().port()).user("carp");
        let manager = PostgresManager::new(config);
        let server = tokio::spawn(async move {
            let mut session = accept(&listener).await;
            let welcome = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x09Z\0\0\0\x05I";
            session.write_all(welcome).await.expect("the client is let in");
            session.read_exact(&mut [0; 5]).await.expect("it asks something");
            // The first is for nothing: what was asked is still to be read.
            drop(accept(&listener).await);
            drop(accept(&listener).await);
            let cancelled = b"E\0\0\0\x0cC57014\0\0Z\0\0\0\x05I";
            session.write_all(cancelled).await.expect("the client waits for it");
            session
        });
        let client = manager.create().await.expect("it is let in");
        let mut query = Box::pin(client.simple_query("SELECT pg_sleep(1000)"));
        let polled = query.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        drop(query);
        let settled = timeout(Duration::from_secs(60), client.settle()).await;
        let rest = settled.expect("it comes to rest").expect("the server can be asked");
        assert!(rest.is_some_and(|rest| !rest.in_transaction));
        drop(server.await.expect("both cancellations came"));
    }
}
