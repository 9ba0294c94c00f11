//! A server that goes away and comes back, backends that are killed, and backends that hang.

use std::collections::HashSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use millpond::{Manager, Metrics};
use millpond_postgres::{Error, PostgresManager};
use millpond_tests::postgres::{Cluster, Stop};
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use crate::support::{
    Connections, LONG, Outside, close, cluster, config, pool, runtime, shared, take, until,
};

const SIZE: usize = 8;
const LONGEST_PAUSE: Duration = Duration::from_millis(1500);

/// What befell the borrowers of a pool under load.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    served: AtomicUsize,
    refused: AtomicUsize,
    failed: AtomicUsize,
}

impl Load {
    /// Four times as many borrowers as there are connections, each at once back again.
    fn begin(self: &Arc<Self>, pool: &Connections) -> JoinSet<()> {
        let mut borrowers = JoinSet::new();
        for _ in 0..4 * SIZE {
            let (load, pool) = (Arc::clone(self), pool.clone());
            borrowers.spawn(async move {
                while !load.over.load(Ordering::Relaxed) {
                    let Ok(client) = pool.get().await else {
                        load.refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    let outcome = match client.prepare_cached("SELECT 1").await {
                        Ok(statement) => client.query_one(&statement, &[]).await,
                        Err(error) => Err(error),
                    };
                    let count = if outcome.is_ok() { &load.served } else { &load.failed };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        borrowers
    }

    async fn until_served(&self, more: usize) {
        let enough = self.served.load(Ordering::Relaxed) + more;
        until(|| self.served.load(Ordering::Relaxed) >= enough).await;
    }

    async fn end(&self, mut borrowers: JoinSet<()>) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = borrowers.join_next().await {
            ended.expect("no borrower panics");
        }
    }
}

/// Logs in past the pool, again and again, until `over`. Returns the longest time between two that succeeded: what one
/// connect takes on this machine at this moment, all included.
async fn probe(mut config: Config, over: Arc<AtomicBool>) -> Duration {
    config.application_name("probe");
    let mut longest = Duration::ZERO;
    let mut last = None;
    while !over.load(Ordering::Relaxed) {
        if let Ok((client, connection)) = config.connect(NoTls).await {
            let now = tokio::time::Instant::now();
            longest = last.map_or(longest, |last| longest.max(now - last));
            last = Some(now);
            drop(client);
            let _ = connection.await;
        }
        tokio::task::yield_now().await;
    }
    longest
}

/// When the first login of `application` was let in, by the server's log: the time of day.
fn first_login(log: &str, application: &str) -> Option<Duration> {
    let authorized = format!(
        "connection authorized: user=postgres database=postgres application_name={application}"
    );
    let line = log.lines().find(|line| line.contains(&authorized))?;
    let time = line.split_whitespace().nth(1)?;
    let mut parts = time.split([':', '.']).map(|part| part.parse::<u64>().ok());
    let mut next = || parts.next().flatten();
    let (hours, minutes, seconds, millis) = (next()?, next()?, next()?, next()?);
    Some(Duration::from_millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis))
}

fn a_restart_under_load(how: Stop) {
    let Some(mut cluster) = cluster(&[]) else { return };
    runtime().block_on(async {
        let manager = PostgresManager::new(config(&cluster, "restarted"));
        let pool = pool(manager.clone(), |builder| {
            builder.max_size(SIZE).create_backoff(Duration::from_millis(20), LONGEST_PAUSE)
        });
        let load = Arc::new(Load::default());
        let borrowers = load.begin(&pool);
        load.until_served(1000).await;
        let before = cluster.log().len();

        cluster.stop(how).expect("it stops");
        let failures = pool.status().totals.create_failed;
        until(|| pool.status().totals.create_failed >= failures + 5).await;
        let back = Arc::new(AtomicBool::new(false));
        let probing = tokio::spawn(probe(cluster.config(), Arc::clone(&back)));
        cluster.resume().expect("it starts again");
        load.until_served(1000).await;
        back.store(true, Ordering::Relaxed);
        let connect = probing.await.expect("the probe ends");
        load.end(borrowers).await;

        let [served, refused, failed] =
            [&load.served, &load.refused, &load.failed].map(|count| count.load(Ordering::Relaxed));
        let log = cluster.log();
        let [probed, recovered] = ["probe", "restarted"]
            .map(|application| first_login(&log[before..], application).expect("both log in"));
        let recovery = recovered.saturating_sub(probed);
        println!(
            "{how:?}: {served} served, {refused} refused, {failed} failed of {SIZE} connections; at most {} open; \
             first login {recovery:?} after the first that was possible, with pauses up to {LONGEST_PAUSE:?} and \
             {connect:?} for a connect",
            manager.most_open_connections()
        );
        assert_eq!(refused, 0, "nobody is refused who can wait");
        assert!(failed <= SIZE, "each connection fails but one borrower: {failed}");
        assert_eq!(manager.most_open_connections(), SIZE);
        assert!(recovery <= LONGEST_PAUSE + connect, "{recovery:?}");
        close(&pool).await;
        assert_eq!(manager.open_connections(), 0);
    });
}

#[test]
fn a_restart_under_load_costs_waiting_and_no_more_than_what_was_in_flight() {
    a_restart_under_load(Stop::Fast);
}

#[test]
fn a_crash_under_load_costs_waiting_and_no_more_than_what_was_in_flight() {
    a_restart_under_load(Stop::Immediate);
}

/// A pool whose connections all lie idle.
async fn idle(
    cluster: &Cluster,
    application: &str,
    check: Duration,
) -> (Connections, PostgresManager) {
    let manager = PostgresManager::new(config(cluster, application));
    let pool = pool(manager.clone(), |builder| {
        builder.max_size(SIZE).check_after_idle(Duration::ZERO).check_timeout(check)
    });
    let mut all = Vec::new();
    for _ in 0..SIZE {
        all.push(take(&pool).await);
    }
    drop(all);
    until(|| pool.status().idle == SIZE).await;
    (pool, manager)
}

#[test]
fn backends_that_were_killed_are_found_dead_and_nobody_gets_one() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        let (pool, manager) = idle(&cluster, "killed", LONG).await;
        outside.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'killed'").await;
        let mut lent = Vec::new();
        for _ in 0..SIZE {
            let client = take(&pool).await;
            client.batch_execute("SELECT 1").await.expect("it is alive");
            lent.push(client);
        }
        let totals = pool.status().totals;
        assert_eq!((totals.check_failed, totals.created), (SIZE as u64, 2 * SIZE as u64));
        assert!(manager.most_open_connections() <= SIZE);
        drop(lent);
        close(&pool).await;
    });
}

#[test]
fn a_check_tells_what_a_connection_broke_of() {
    let Some(cluster) = shared() else { return };
    runtime().block_on(async {
        let outside = Outside::connect(&cluster).await;
        let manager = PostgresManager::new(config(&cluster, "broken"));
        let mut client = manager.create().await.expect("it connects");
        outside.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'broken'").await;
        until(|| client.is_closed()).await;
        let metrics = Metrics::new(tokio::time::Instant::now().into_std());
        let error = manager.check(&mut client, &metrics).await.expect_err("it is lost");
        let Error::Closed { source: Some(source), .. } = error else { panic!("{error:?}") };
        assert_eq!(source.code(), Some(&SqlState::ADMIN_SHUTDOWN));
    });
}

#[test]
fn backends_that_hang_are_looked_at_together_and_cost_a_caller_one_check() {
    let Some(cluster) = cluster(&[]) else { return };
    runtime().block_on(async {
        let check = Duration::from_millis(500);
        let (pool, manager) = idle(&cluster, "hanging", check).await;
        let mut processes = HashSet::new();
        let mut all = Vec::new();
        for _ in 0..SIZE {
            let client = take(&pool).await;
            processes.insert(client.process_id().to_string());
            all.push(client);
        }
        drop(all);
        until(|| pool.status().idle == SIZE).await;
        let signal = |name| {
            let sent = Command::new("kill").args(["-s", name]).args(&processes).status();
            assert!(sent.is_ok_and(|status| status.success()), "the backends take signals");
        };
        signal("STOP");
        let client = take(&pool).await;
        assert!(!processes.contains(&client.process_id().to_string()), "it is a new one");
        let failed = pool.status().totals.check_failed;
        until(|| pool.status().totals.check_failed == SIZE as u64).await;
        // What was given up is gone, although nothing came from the other side.
        until(|| manager.open_connections() == 1).await;
        signal("CONT");
        println!(
            "{failed} of {SIZE} had been found out when the first caller was served; at most {} open",
            manager.most_open_connections()
        );
        // A place is free before the socket of what was given up is closed.
        let given_up = pool.status().totals.abandoned as usize;
        assert!(manager.most_open_connections() <= SIZE + given_up);
        drop(client);
        close(&pool).await;
    });
}
