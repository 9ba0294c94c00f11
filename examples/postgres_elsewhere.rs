//! PostgreSQL from a program that does not run on tokio: `cargo run --example postgres_elsewhere smol|async-std [URL]`. Without
//! a URL it starts a server of its own, if one is installed.
//!
//! tokio-postgres needs tokio for its sockets and timers, whoever polls it. `async-compat` lends its tasks a tokio runtime of
//! its own; what the pool needs of that is the adapter below. The queries themselves may be polled anywhere.
#![expect(clippy::print_stdout, reason = "an example is there to be seen")]

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use async_compat::Compat;
use millpond::{Pool, Runtime, SpawnError, Task};
use millpond_async_std::AsyncStd;
use millpond_postgres::PostgresManager;
use millpond_smol::Smol;
use millpond_tests::postgres::Cluster;

/// A runtime whose tasks find tokio at hand.
struct WithTokio<R>(R);

impl<R: Runtime> Runtime for WithTokio<R> {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        self.0.sleep_until(deadline)
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        self.0.spawn(Box::pin(Compat::new(task)))
    }
}

async fn run(runtime: impl Runtime, url: &str) -> Result<(), Box<dyn Error>> {
    let manager = PostgresManager::new(url.parse()?);
    let pool = Pool::builder(manager).max_size(4).build(WithTokio(runtime))?;

    let mut client = pool.get().timeout(Duration::from_secs(10)).await?;
    let transaction = client.transaction().await?;
    let answer: i32 = transaction.query_one("SELECT 6 * 7", &[]).await?.get(0);
    transaction.commit().await?;
    println!("6 * 7 = {answer}");
    drop(client);

    println!("closed: {}", pool.close(Duration::from_secs(5)).await);
    Ok(())
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let runtime = args.next().unwrap_or_default();
    if !["smol", "async-std"].contains(&runtime.as_str()) {
        eprintln!("usage: cargo run --example postgres_elsewhere smol|async-std [URL]");
        return ExitCode::FAILURE;
    }
    let (url, _server) = match args.next() {
        Some(url) => (url, None),
        None => match Cluster::start(&[]) {
            Ok(server) => (server.url(), Some(server)),
            Err(why) => {
                eprintln!("{why}; give me one: postgres://user:password@host/database");
                return ExitCode::FAILURE;
            }
        },
    };
    let ended = match runtime.as_str() {
        "smol" => smol::block_on(run(Smol, &url)),
        _ => async_std::task::block_on(run(AsyncStd, &url)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
