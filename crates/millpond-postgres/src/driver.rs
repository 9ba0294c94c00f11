//! The task that drives one connection. `connect` spawns it, and the client owns it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;
use tokio_postgres::Connection;

use crate::tap::Tap;
use crate::wire::Wire;

/// Drives a connection to its end, and tells the wire when it does something.
pub(crate) struct Driver {
    connection: Connection<Tap, Tap>,
    wire: Arc<Wire>,
}

/// A spawned driver. Aborted when dropped, and the socket closed with it: nobody is left to ask for anything.
#[derive(Debug)]
pub(crate) struct DriverTask(JoinHandle<()>);

impl Driver {
    pub(crate) fn new(connection: Connection<Tap, Tap>, wire: Arc<Wire>) -> Self {
        Self { connection, wire }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = self.wire.polled(cx.waker());
        match Pin::new(&mut self.connection).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(ended) => {
                self.wire.ended(ended.err());
                Poll::Ready(())
            }
            Poll::Pending => {
                self.wire.pending();
                Poll::Pending
            }
        }
    }
}

/// However it ends, also by a panic, an abort, or the end of its runtime.
impl Drop for Driver {
    fn drop(&mut self) {
        self.wire.ended(None);
    }
}

impl DriverTask {
    pub(crate) fn new(task: JoinHandle<()>) -> Self {
        Self(task)
    }

    /// Waits for the end.
    ///
    /// # Cancel safety
    ///
    /// Dropped before that, it aborts the driver.
    pub(crate) async fn join(mut self) {
        // It ended, be it by a panic that its task has told of.
        let _ = (&mut self.0).await;
    }
}

impl Drop for DriverTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
