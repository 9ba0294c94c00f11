//! What it costs to keep connections clean: the policies of `millpond-postgres` beside bare connections, and beside a pool that
//! trusts its borrowers.
//!
//! `cargo bench -p millpond-tests --bench postgres` starts a server of its own. Each loan runs one query, prepared or not; the
//! contenders run in turns within one process, and what counts are the ratios of the medians to bare connections, one for each
//! task and never given back.

#![expect(clippy::print_stdout, reason = "a benchmark is there to be read")]
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millpond::{Disposition, Fitness, Manager, Metrics, Pool, Returned};
use millpond_postgres::{Client, Error, PostgresManager, Recycle};
use millpond_tests::postgres::Cluster;
use millpond_tokio::Tokio;
use tokio::task::JoinSet;
use tokio_postgres::{Config, NoTls};

/// What one loan does.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// One round trip.
    Prepared,
    /// Prepares, asks, and forgets: two round trips, and one that nobody waits for.
    Unprepared,
}

impl Work {
    async fn run(self, client: &Client) {
        match self {
            Self::Prepared => {
                let statement = client.prepare_cached(SQL).await.expect("it is prepared");
                client.query_one(&statement, &[]).await.expect("the server answers");
            }
            Self::Unprepared => {
                client.query_one(SQL, &[]).await.expect("the server answers");
            }
        }
    }
}

/// Lends whatever is open, as it was left.
struct Trusting(PostgresManager);

impl Manager for Trusting {
    type Resource = Client;
    type Error = Error;

    async fn create(&self) -> Result<Client, Error> {
        self.0.create().await
    }

    fn on_return(&self, client: &mut Client, _: Returned, _: &Metrics) -> Disposition {
        if client.is_closed() { Disposition::Discard } else { Disposition::Reuse }
    }

    async fn reset(&self, client: &mut Client, metrics: &Metrics) -> Result<Fitness, Error> {
        self.0.reset(client, metrics).await
    }
}

/// One way to get at a connection: does so many loans, and says how long they took.
type Contender = Box<dyn Fn(Work, usize) -> Pin<Box<dyn Future<Output = Duration> + Send>>>;

fn pooled<M: Manager<Resource = Client>>(
    manager: M,
    connections: usize,
    tasks: usize,
) -> Contender {
    let pool = Pool::builder(manager).max_size(connections).build(Tokio);
    let pool = pool.expect("the settings make sense");
    Box::new(move |work, loans| {
        let pool = pool.clone();
        Box::pin(async move {
            let begun = Instant::now();
            let mut borrowers = JoinSet::new();
            for _ in 0..tasks {
                let pool = pool.clone();
                borrowers.spawn(async move {
                    for _ in 0..loans / tasks {
                        work.run(&pool.get().await.expect("there is a connection")).await;
                    }
                });
            }
            while let Some(ended) = borrowers.join_next().await {
                ended.expect("no borrower fails");
            }
            begun.elapsed()
        })
    })
}

/// Connections that are never given back, each with a task of its own.
async fn bare(config: &Config, connections: usize) -> Contender {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let (client, connection) = config.connect(NoTls).await.expect("it connects");
        tokio::spawn(connection);
        let statement = client.prepare(SQL).await.expect("it is prepared");
        clients.push(Arc::new((client, statement)));
    }
    Box::new(move |work, loans| {
        let clients = clients.clone();
        Box::pin(async move {
            let begun = Instant::now();
            let loans = loans / clients.len();
            let mut tasks = JoinSet::new();
            for client in clients {
                tasks.spawn(async move {
                    let (client, statement) = &*client;
                    for _ in 0..loans {
                        let answered = match work {
                            Work::Prepared => client.query_one(statement, &[]).await,
                            Work::Unprepared => client.query_one(SQL, &[]).await,
                        };
                        answered.expect("the server answers");
                    }
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended.expect("no task fails");
            }
            begun.elapsed()
        })
    })
}

async fn compare(config: &Config, connections: usize, tasks: usize, work: Work) {
    let manager = || PostgresManager::new(config.clone());
    let with = |recycle| pooled(manager().recycle(recycle), connections, tasks);
    let contenders = [
        ("bare connections", bare(config, connections).await),
        ("trusting pool", pooled(Trusting(manager()), connections, tasks)),
        ("Recycle::AsNeeded", with(Recycle::AsNeeded)),
        ("Recycle::Clean", with(Recycle::Clean)),
        ("Recycle::DiscardAll", with(Recycle::DiscardAll)),
    ];
    let mut times = contenders.each_ref().map(|_| Vec::new());
    for round in 0..=ROUNDS {
        for ((_, contender), times) in contenders.iter().zip(&mut times) {
            let took = contender(work, LOANS).await;
            // The first round opens connections.
            if round > 0 {
                times.push(took / LOANS as u32);
            }
        }
    }
    println!("\n{work:?}, {tasks} tasks, {connections} connections");
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    });
    for ((name, _), median) in contenders.iter().zip(medians) {
        println!("  {name:<22} {median:>8.1} us a loan, {:>5.2} times bare", median / medians[0]);
    }
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benchmarks too, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing to test; run by `cargo bench -p millpond-tests --bench postgres`");
        return ExitCode::SUCCESS;
    }
    let cluster = match Cluster::start(&[]) {
        Ok(cluster) => cluster,
        Err(error) => {
            eprintln!("no server to measure with: {error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        for work in [Work::Prepared, Work::Unprepared] {
            compare(&cluster.config(), 1, 1, work).await;
            compare(&cluster.config(), 4, 4, work).await;
            compare(&cluster.config(), 4, 32, work).await;
        }
    });
    ExitCode::SUCCESS
}

const SQL: &str = "SELECT 1";
const LOANS: usize = 2000;
const ROUNDS: usize = 7;
