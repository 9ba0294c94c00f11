//! A process that has no descriptor left: nothing can be opened, and what is open goes on.

use std::error::Error as _;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::process::Command;

use millpond::GetError;

use crate::connecting::has_failed;
use crate::lines::{LineError, Lines};
use crate::server::Server;
use crate::{current_thread, ms, multi_thread, pool, secs};

/// A process may have only so many descriptors, and they are gone: those who need a new connection wait, with pauses between
/// the attempts and the cause in the error; those who have one use it, and may hand it over; and once there are descriptors
/// again, new ones are opened.
///
/// The limit is the process's, so this test runs itself once more in one of its own.
#[test]
fn a_process_without_descriptors_uses_what_it_has_and_opens_more_when_it_can() {
    if let Ok(address) = std::env::var(SERVER) {
        return without_descriptors(address.parse().expect("the other process knows it"));
    }
    let runtime = multi_thread();
    let server = runtime.block_on(async { Server::start(1).expect("there is a port") });
    let this = std::env::current_exe().expect("it runs");
    let name =
        "descriptors::a_process_without_descriptors_uses_what_it_has_and_opens_more_when_it_can";
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(this)
        .arg(name)
        .env(SERVER, server.address().to_string())
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("1 passed"), "{said}");
}

fn without_descriptors(server: SocketAddr) {
    current_thread().block_on(async {
        let pool = pool(Lines::to(server), |builder| {
            builder.max_size(20).max_creating(4).create_backoff(ms(20), secs(1))
        });
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(pool.get().await.expect("there are descriptors yet"));
        }
        let mut hoard = Vec::new();
        let full = loop {
            match File::open("/dev/null") {
                Ok(file) => hoard.push(file),
                Err(error) => break error,
            }
        };

        has_failed(&pool).await;
        let error = pool.get().timeout(ms(50)).await.expect_err("there is no descriptor");
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        let same = |cause: &io::Error| cause.raw_os_error() == full.raw_os_error();
        assert!(matches!(cause, Some(LineError::Io(cause)) if same(cause)), "{cause:?}");
        let failed = pool.status().totals.create_failed;
        assert!((1..1000).contains(&failed), "{failed} attempts: it does not spin");
        for line in &mut held {
            assert_eq!(line.echo("perch").await.expect("it is open"), "perch");
        }

        // What comes home needs no descriptor.
        let (served, ()) = futures::join!(pool.get(), async { drop(held.pop()) });
        held.push(served.expect("one came home"));
        // And the next needs one.
        let (served, ()) = futures::join!(pool.get(), async { drop(hoard) });
        held.push(served.expect("there are descriptors again"));
        assert_eq!(pool.status().totals.created, 6);
        drop(held);
        assert!(pool.close(secs(60)).await.drained);
    });
}

/// Where the other process finds the server.
const SERVER: &str = "MILLPOND_FAULTS_SERVER";
