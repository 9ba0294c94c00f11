//! A pool of PostgreSQL connections: `cargo run --example postgres [URL]`. Without a URL it starts a server of its own, if one
//! is installed.
#![expect(clippy::print_stdout, reason = "an example is there to be seen")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use millpond::Pool;
use millpond_postgres::PostgresManager;
use millpond_tests::postgres::Cluster;
use millpond_tokio::Tokio;
use tokio::task::JoinSet;

fn main() -> ExitCode {
    let (url, _server) = match std::env::args().nth(1) {
        Some(url) => (url, None),
        None => match Cluster::start(&[]) {
            Ok(server) => (server.url(), Some(server)),
            Err(why) => {
                eprintln!(
                    "{why}; give me one: cargo run --example postgres postgres://user:password@host/database"
                );
                return ExitCode::FAILURE;
            }
        },
    };
    match run(&url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut cause = Some(&*error as &dyn Error);
            while let Some(error) = cause {
                eprintln!("{error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(url: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let manager = PostgresManager::new(url.parse()?);
    let pool = Pool::builder(manager.clone()).max_size(4).build(Tokio)?;

    // Many borrowers, few connections. Each statement is prepared once for each connection.
    let mut borrowers = JoinSet::new();
    for n in 0..100_i32 {
        let pool = pool.clone();
        borrowers.spawn(async move {
            let client = pool.get().timeout(Duration::from_secs(10)).await?;
            let square = client.prepare_cached("SELECT $1::int4 * $1").await?;
            let square: i32 = client.query_one(&square, &[&n]).await?.get(0);
            Ok::<_, Box<dyn Error + Send + Sync>>(square)
        });
    }
    let mut sum = 0;
    while let Some(square) = borrowers.join_next().await {
        sum += square??;
    }
    assert_eq!(sum, 328_350);
    println!("100 borrowers were served by {} connections", pool.status().totals.created);

    // Whoever leaves in the middle of something leaves nothing to the next.
    let mut careless = pool.get().await?;
    let transaction = careless.transaction().await?;
    transaction
        .batch_execute("CREATE TEMP TABLE mess (n int); SET LOCAL search_path TO nowhere")
        .await?;
    let sleep = transaction.batch_execute("SELECT pg_sleep(600)");
    assert!(tokio::time::timeout(Duration::from_millis(50), sleep).await.is_err());
    drop(transaction);
    println!("a borrower has left in the middle of a query, inside a transaction");
    drop(careless);

    let mut all = Vec::new();
    for _ in 0..pool.status().max {
        let client = pool.get().await?;
        let sql = "SELECT to_regclass('mess') IS NULL AND pg_current_xact_id_if_assigned() IS NULL";
        let is_clean: bool = client.query_one(sql, &[]).await?.get(0);
        assert!(is_clean);
        all.push(client);
    }
    println!(
        "all {} connections are clean, and {} were opened in all",
        all.len(),
        pool.status().totals.created
    );
    drop(all);

    let report = pool.close(Duration::from_secs(10)).await;
    println!("closed: {report}; {} connections left", manager.open_connections());
    Ok(())
}
