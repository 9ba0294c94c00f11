//! What the tests against a real server share: the server, or the word that there is none; pools; a look from outside.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use millpond::{Builder, Pool, Pooled};
use millpond_postgres::PostgresManager;
use millpond_tests::postgres::{Cluster, NoCluster};
use millpond_tokio::Tokio;
use tokio::runtime::Runtime;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

pub(crate) type Connections = Pool<PostgresManager>;
pub(crate) type Loan = Pooled<PostgresManager>;

/// A server of the test's own. `None` if this machine has none: then that is said, for `cargo xtask test` to count.
pub(crate) fn cluster(settings: &[&str]) -> Option<Cluster> {
    match Cluster::start(settings) {
        Ok(cluster) => Some(cluster),
        Err(NoCluster::Missing(what)) if !is_required() => {
            let name = thread::current().name().unwrap_or("of no name").to_owned();
            // Past libtest, which keeps to itself what a test that passes has printed.
            let line = format!("\nskipped test {name}: {what}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// One server for all tests that do it no harm. It goes with the last of them.
pub(crate) fn shared() -> Option<Arc<Cluster>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cluster) = shared.upgrade() {
        return Some(cluster);
    }
    let cluster = Arc::new(cluster(&["max_connections = 100", "log_statement = all"])?);
    *shared = Arc::downgrade(&cluster);
    Some(cluster)
}

/// A configuration for one test, whose connections can be told from those of others.
pub(crate) fn config(cluster: &Cluster, application: &str) -> Config {
    let mut config = cluster.config();
    config.application_name(application);
    config
}

pub(crate) fn pool(
    manager: PostgresManager,
    set: impl FnOnce(Builder<PostgresManager>) -> Builder<PostgresManager>,
) -> Connections {
    let builder = Pool::builder(manager).get_timeout(LONG).create_timeout(LONG);
    let builder = builder.check_timeout(LONG).reset_timeout(LONG).close_timeout(LONG);
    set(builder).build(Tokio).expect("the settings make sense")
}

/// A pool of one connection: the next borrower has the same as the last, unless it was closed.
pub(crate) fn pool_of_one(manager: PostgresManager) -> Connections {
    pool(manager, |builder| {
        builder.max_size(1).check_after_idle(LONG).reset_timeout(Duration::from_secs(20))
    })
}

pub(crate) async fn take(pool: &Connections) -> Loan {
    pool.get().await.expect("there is a connection")
}

pub(crate) async fn close(pool: &Connections) {
    let report = pool.close(LONG).await;
    assert!(report.drained, "{report}");
}

pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be built")
}

/// On one thread whoever is woken runs after who woke it, so that the tasks of a test have an order.
pub(crate) fn one_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime can be built")
}

/// A connection past all pools.
pub(crate) struct Outside(tokio_postgres::Client);

impl Outside {
    pub(crate) async fn connect(cluster: &Cluster) -> Self {
        let connected = cluster.config().application_name("outside").connect(NoTls).await;
        let (client, connection) = connected.expect("the server takes connections");
        tokio::spawn(connection);
        Self(client)
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.0.batch_execute(sql).await.expect("the server does it");
    }

    /// How many connections of a test the server has.
    pub(crate) async fn connections(&self, application: &str) -> usize {
        self.count("application_name = $1", application).await
    }

    /// How many of them are at work.
    pub(crate) async fn busy(&self, application: &str) -> usize {
        self.count("application_name = $1 AND state = 'active'", application).await
    }

    /// Waits until so many of them are.
    pub(crate) async fn until_busy(&self, application: &str, busy: usize) {
        let wait = async { while self.busy(application).await != busy {} };
        timeout(LONG, wait).await.expect("so many get to work");
    }

    async fn count(&self, which: &str, application: &str) -> usize {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE {which}");
        let row = self.0.query_one(&sql, &[&application]).await.expect("the server answers");
        usize::try_from(row.get::<_, i64>(0)).expect("it is a count")
    }
}

/// Waits for something that others bring about.
pub(crate) async fn until(mut come: impl FnMut() -> bool) {
    let wait = async {
        while !come() {
            yield_now().await;
        }
    };
    timeout(LONG, wait).await.expect("this comes about");
}

fn is_required() -> bool {
    std::env::var_os("MILLPOND_REQUIRE_SERVICES").is_some()
}

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

/// Nothing here waits so long; what would have to is broken.
pub(crate) const LONG: Duration = Duration::from_secs(60);
