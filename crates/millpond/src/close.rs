//! The end of a pool: no new callers, what is out comes home, and a report.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::select;
use millpond_core::Input;

use crate::alarm::Alarm;
use crate::common::contained;
use crate::desk::{Desk, Hub};
use crate::holders::Holder;
use crate::manager::Manager;
use crate::sync::Arc;

/// What [`Pool::close`](crate::Pool::close) achieved. Shown in one line, with every holder that is left.
///
/// # Examples
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
/// let report = pool.close(Duration::from_secs(5)).await;
/// assert!(report.drained, "{report}");
/// # }
/// ```
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
    let deadline = hub.now().checked_add(patience);
    let (mut over, patience_over) = futures::channel::oneshot::channel::<()>();
    let sleeper = Arc::clone(&hub);
    let timer = Box::pin(async move {
        let Some(deadline) = deadline else { return over.cancellation().await };
        let sleep = sleeper.runtime.sleep_until(deadline);
        drop(sleeper);
        // Ends early once nobody waits for it any more; in either case drops its end.
        select(sleep, over.cancellation()).await;
    });
    if matches!(contained(|| hub.runtime.spawn(timer)), Ok(Ok(()))) {
        select(Watch::new(Arc::clone(&hub), Event::Drained), patience_over).await;
    }
    let mut visit = hub.visit();
    let now = visit.now;
    let still_held = visit.holders();
    let core = &visit.desk().core;
    let status = hub.status(core, now);
    CloseReport {
        drained: core.is_drained(),
        still_held,
        still_closing: status.size - status.leased,
    }
}

/// What can be waited for at the end of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// No new callers from now on.
    Closing,
    /// The last resource is gone.
    Drained,
}

/// Waits for an [`Event`]. While a pool drains it also sees to it that somebody drives it.
pub(crate) struct Watch<M: Manager> {
    hub: Arc<Hub<M>>,
    event: Event,
    /// Its place among those the desk will wake.
    key: Option<u64>,
    alarm: Alarm,
}

impl<M: Manager> Watch<M> {
    pub(crate) fn new(hub: Arc<Hub<M>>, event: Event) -> Self {
        Self { hub, event, key: None, alarm: Alarm::default() }
    }
}

impl<M: Manager> Future for Watch<M> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let waker = cx.waker().clone();
        // A forked child has nothing to wait for.
        let Some(mut visit) = this.hub.enter() else { return Poll::Ready(()) };
        let core = &visit.desk().core;
        let reached = match this.event {
            Event::Closing => core.is_closing(),
            Event::Drained => core.is_drained(),
        };
        let draining = core.is_closing();
        if reached {
            return Poll::Ready(());
        }
        visit.watch(&mut this.key, waker);
        let needs_driver = draining && visit.needs_driver();
        let mut home = visit.desk().home();
        drop(visit);
        // mutate: if false {
        if needs_driver {
            // Without a runtime here, it is for the next who has one.
            let _ = this.hub.ensure_driver();
            home = this.hub.read(Desk::home);
        }
        this.alarm =
            if draining { Alarm::new(&this.hub, home, None, cx) } else { Alarm::default() };
        Poll::Pending
    }
}

impl<M: Manager> Drop for Watch<M> {
    fn drop(&mut self) {
        if let (Some(key), Some(mut visit)) = (self.key, self.hub.enter()) {
            visit.unwatch(key);
        }
    }
}
