//! The manager of PostgreSQL connections. Users build it; the pool calls it.

use std::sync::Arc;

use millpond::{Disposition, Fitness, Manager, Metrics, Returned};
use tokio_postgres::Config;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use crate::client::Client;
use crate::connect::Connect;
use crate::error::Error;
use crate::recycle::Recycle;
use crate::socket::Socket;
use crate::tls::Erased;
use crate::wire::Standing;

/// Opens connections to PostgreSQL for a pool, and keeps what one borrower leaves behind from the next.
///
/// The tasks of the pool must find a tokio runtime at hand, with I/O and time enabled: build it on `millpond_tokio::Tokio`, or
/// see the README for a program on another runtime. Clones share their settings and their count of connections, so keep one if
/// you want to ask it
/// [`open_connections`](Self::open_connections).
///
/// # Examples
///
/// ```no_run
/// use millpond::Pool;
/// use millpond_postgres::PostgresManager;
/// use millpond_tokio::Tokio;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = PostgresManager::new("postgres://app:secret@localhost/app".parse()?);
/// let pool = Pool::builder(manager).max_size(8).build(Tokio)?;
///
/// let client = pool.get().await?;
/// let answer: i32 = client.query_one("SELECT 6 * 7", &[]).await?.get(0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresManager {
    connect: Arc<Connect>,
    recycle: Recycle,
    statements: usize,
}

impl PostgresManager {
    /// Opens connections as `config` says: hosts, TLS, timeouts, role and all. Without TLS, unless [`tls`](Self::tls) adds it.
    ///
    /// What every session should start with belongs in [`Config::options`], as in `-c statement_timeout=5s`: cleaning keeps it.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let connect = Arc::new(Connect::new(config, None));
        Self { connect, recycle: Recycle::default(), statements: DEFAULT_STATEMENTS }
    }

    /// Speaks TLS by this connector, as far as `sslmode` and `sslnegotiation` of the configuration want it; never over Unix
    /// sockets. Default: none, and `sslmode=require` is an error then.
    ///
    /// Connectors of `tokio-postgres-rustls`, `postgres-native-tls` and `postgres-openssl` will do. Set it before the manager
    /// is cloned: it starts a new count of connections.
    #[must_use]
    pub fn tls<T>(self, connector: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let config = self.connect.config().clone();
        let connect = Connect::new(config, Some(Box::new(Erased(connector))));
        Self { connect: Arc::new(connect), ..self }
    }

    /// What is done to a connection between two borrowers. Default: [`Recycle::AsNeeded`], which costs nothing most of the
    /// time.
    #[must_use]
    pub fn recycle(mut self, recycle: Recycle) -> Self {
        self.recycle = recycle;
        self
    }

    /// The greatest number of statements that [`Client::prepare_cached`] keeps on each connection. Default: 100, more than
    /// most services have; each costs the server some ten kilobytes on each connection. Zero keeps none.
    #[must_use]
    pub fn statement_cache(mut self, statements: usize) -> Self {
        self.statements = statements;
        self
    }

    /// How many connections there are now: opened, or being opened, and not yet closed. Also those that the pool has given up
    /// and that are not gone yet.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connect.census().open()
    }

    /// How many there were at most.
    #[must_use]
    pub fn most_open_connections(&self) -> usize {
        self.connect.census().most()
    }
}

impl Manager for PostgresManager {
    type Resource = Client;
    type Error = Error;

    async fn create(&self) -> Result<Client, Error> {
        self.connect.open(self.statements).await
    }

    fn on_return(&self, client: &mut Client, returned: Returned, _: &Metrics) -> Disposition {
        match client.wire().standing() {
            Standing::Ended => Disposition::Discard,
            Standing::AtRest(rest)
                if returned == Returned::Finished && self.recycle.is_fit(rest) =>
            {
                Disposition::Reuse
            }
            _ => Disposition::Reset,
        }
    }

    /// One round trip.
    async fn check(&self, client: &mut Client, _: &Metrics) -> Result<(), Error> {
        self.connect.check(client).await
    }

    /// Cancels what is running, rolls back, and cleans the session; each only where there is need.
    async fn reset(&self, client: &mut Client, _: &Metrics) -> Result<Fitness, Error> {
        let Some(rest) = client.settle().await? else { return Ok(Fitness::Unfit) };
        if rest.in_transaction {
            client.batch_execute("ROLLBACK").await.map_err(Error::Reset)?;
        }
        if let Some(sql) = self.recycle.sql(rest) {
            client.batch_execute(sql).await.map_err(Error::Reset)?;
        }
        // What was run may have begun a transaction of its own.
        let Some(rest) = client.settle().await? else { return Ok(Fitness::Unfit) };
        client.wire().cleaned();
        Ok(if rest.in_transaction { Fitness::Unfit } else { Fitness::Clean })
    }

    /// Cancels what is running, says goodbye, and waits until the server has hung up.
    async fn close(&self, client: Client) {
        client.close().await;
    }

    fn is_transient(&self, error: &Error) -> bool {
        error.is_transient()
    }
}

/// What sqlx keeps as well.
const DEFAULT_STATEMENTS: usize = 100;
