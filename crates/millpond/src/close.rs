//! The end of a pool: no new callers, what is out comes home, and a report.

use std::fmt;
use std::time::Duration;

use event_listener::listener;
use futures::future::{Either, select};
use millpond_core::Input;

use crate::desk::Hub;
use crate::holders::Holder;
use crate::manager::Manager;
use crate::sync::Arc;

/// What [`Pool::close`](crate::Pool::close) achieved.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CloseReport {
    /// Whether the last resource was gone before patience ran out.
    pub drained: bool,
    /// Who still holds what, the longest first.
    pub still_held: Vec<Holder>,
    /// Resources neither closed yet nor held: being opened, cleaned or closed.
    pub still_closing: usize,
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.drained {
            return f.write_str("drained");
        }
        write!(
            f,
            "not drained: {} still held, {} still closing",
            self.still_held.len(),
            self.still_closing
        )?;
        for holder in &self.still_held {
            write!(f, "; held {holder}")?;
        }
        Ok(())
    }
}

/// Closes the pool and waits for the last resource, at most as long as `patience`.
pub(crate) async fn close<M: Manager>(hub: Arc<Hub<M>>, patience: Duration) -> CloseReport {
    drop(hub.tell(Input::Close));
    // Without a runtime nothing can be closed now; the next caller on one will find it done.
    let _ = hub.ensure_driver();
    let deadline = hub.runtime.now().checked_add(patience);
    let (over, patience_over) = futures::channel::oneshot::channel::<()>();
    let sleeper = Arc::clone(&hub);
    let timer = Box::pin(async move {
        let mut over = over;
        if let Some(deadline) = deadline {
            let sleep = sleeper.runtime.sleep_until(deadline);
            drop(sleeper);
            // Ends early once nobody waits for it any more.
            select(sleep, over.cancellation()).await;
        } else {
            over.cancellation().await;
        }
    });
    if hub.runtime.spawn(timer).is_ok() {
        // The timer drops its end when the time is over.
        let drained = std::pin::pin!(drained(Arc::clone(&hub)));
        match select(drained, patience_over).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
    let mut visit = hub.visit();
    let now = visit.now;
    let desk = visit.desk();
    let status = hub.status(&desk.core, now);
    CloseReport {
        drained: desk.core.is_drained(),
        still_held: hub.holders(now, desk),
        still_closing: status.size - status.leased,
    }
}

/// Ends when closing begins.
pub(crate) async fn closing<M: Manager>(hub: Arc<Hub<M>>) {
    until(&hub, |hub| hub.read(|desk| desk.core.is_closing())).await;
}

/// Ends when the last resource of a closing pool is gone.
pub(crate) async fn drained<M: Manager>(hub: Arc<Hub<M>>) {
    until(&hub, |hub| hub.read(|desk| desk.core.is_drained())).await;
}

async fn until<M: Manager>(hub: &Hub<M>, reached: impl Fn(&Hub<M>) -> bool) {
    loop {
        listener!(hub.changed => listener);
        if reached(hub) {
            return;
        }
        listener.await;
    }
}
