//! A pool on a runtime of one's own: `cargo run --example custom_runtime`.
//!
//! All that a pool asks of a runtime is a clock, a sleep and a spawn. `runtime.rs` makes them of threads and a channel.
#![expect(clippy::print_stdout, reason = "an example is there to be seen")]

mod runtime;

use std::{convert::Infallible, thread, time::Duration};

use futures::executor::block_on;
use millpond::{Disposition, GetError, Manager, Metrics, Pool, Returned, Runtime};

use crate::runtime::Threads;

/// Lends the name of the thread that opened it.
struct Names(Threads);

impl Manager for Names {
    type Resource = String;
    type Error = Infallible;

    async fn create(&self) -> Result<String, Infallible> {
        self.0.sleep_until(self.0.now() + Duration::from_millis(20)).await;
        Ok(thread::current().name().unwrap_or_default().to_owned())
    }

    fn on_return(&self, _: &mut String, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Threads::start()?;
    let pool = Pool::builder(Names(runtime.clone())).max_size(1).build(runtime)?;

    // A caller may wait anywhere; the pool's own tasks run on its runtime.
    block_on(async {
        let name = pool.get().await?;
        println!("opened by the thread `{}`", *name);
        assert_eq!(*name, "task");

        let refusal = pool.get().timeout(Duration::from_millis(50)).await;
        let refusal = refusal.expect_err("the only name is lent");
        assert!(matches!(refusal, GetError::Timeout { .. }));
        println!("and nobody else got it meanwhile:\n  {refusal}");
        drop(name);

        let report = pool.close(Duration::from_secs(1)).await;
        println!("closed: {report}");
        assert!(report.drained);
        Ok(())
    })
}
