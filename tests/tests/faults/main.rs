//! What goes wrong around a pool, one fault to a test: in networks and servers, in those who call it, in the code it is
//! given, in the clock and the process that it lives in. With real sockets and runtimes where a fault needs them, and on
//! the virtual clock where it does not.
//!
//! A fault that strikes at some point of a longer course is in `loops`, at every point; races are in the loom models.

mod blocking;
mod callbacks;
mod clocks;
mod connecting;
mod descriptors;
mod established;
mod lines;
mod server;
mod table;
mod tasks;

use std::time::Duration;

use millpond::{Builder, Manager, Pool};
use millpond_tokio::Tokio;
use tokio::runtime::Runtime;
use tokio::task::yield_now;

use crate::lines::Lines;
use crate::server::Server;

fn current_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime can be built")
}

fn multi_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime can be built")
}

/// Runs `body` on each flavour of runtime.
fn on_both(body: impl AsyncFn()) {
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(body());
    }
}

/// A pool on tokio.
fn pool<M: Manager>(manager: M, set: impl FnOnce(Builder<M>) -> Builder<M>) -> Pool<M> {
    set(Pool::builder(manager)).build(Tokio).expect("the settings make sense")
}

/// Waits, by turns with everybody else, until `come`.
async fn eventually(come: impl Fn() -> bool) {
    while !come() {
        yield_now().await;
    }
}

/// Closes a pool, and asserts that nothing of it is left, here or there.
async fn ends_clean(pool: &Pool<Lines>, servers: &[&Server]) {
    let report = pool.close(Duration::from_secs(60)).await;
    assert!(report.drained, "{report}");
    eventually(|| servers.iter().all(|server| server.connected() == 0)).await;
    assert_eq!(pool.status().size, 0);
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
