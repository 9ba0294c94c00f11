//! The manager actor: the one task of a pool that owns time and starts all others.
//!
//! Its script never changes: look at the desk (which expires what is due), start what has been ordered, then wait to be nudged
//! or for the next deadline. It is spawned by whoever needs it, and when it is dropped with its runtime it says so at the desk;
//! the next caller on a live runtime spawns another, which finds the same orders.

mod order;
mod task;

use std::future::{pending, poll_fn};
use std::pin::pin;

use futures::future::select;

pub(crate) use self::order::Order;
use crate::common::contained;
use crate::desk::{Hub, Turn};
use crate::manager::Manager;
use crate::sync::Arc;

/// The driver of one pool. Dropping it, begun or not, is noted at the desk.
pub(crate) struct Driver<M: Manager> {
    hub: Arc<Hub<M>>,
    number: u64,
}

impl<M: Manager> Driver<M> {
    pub(crate) fn new(hub: Arc<Hub<M>>, number: u64) -> Self {
        Self { hub, number }
    }

    pub(crate) async fn run(self) {
        let hub = &self.hub;
        let mut first = true;
        while let Turn::SleepUntil(deadline) = hub.drive(self.number, first) {
            first = false;
            if let Some(order) = hub.take_order(|_| true) {
                self.perform(order);
                while let Some(order) = hub.take_order(|_| true) {
                    self.perform(order);
                }
                continue;
            }
            let nudged = poll_fn(|cx| hub.poll_nudged(self.number, cx));
            let timer = pin!(async {
                match deadline {
                    Some(deadline) => hub.runtime.sleep_until(deadline).await,
                    None => pending().await,
                }
            });
            select(nudged, timer).await;
        }
    }

    fn perform(&self, order: Order<M::Resource>) {
        let task = Box::pin(task::run(Arc::clone(&self.hub), order));
        // A runtime that takes no more tasks drops this one, which reports the job as failed.
        let _ = contained(|| drop(self.hub.runtime.spawn(task)));
    }
}

impl<M: Manager> Drop for Driver<M> {
    fn drop(&mut self) {
        self.hub.driver_gone(self.number);
    }
}

/// Does what can be done without any runtime, on the caller's thread: checks that need not wait. All else stays for the next
/// driver.
pub(crate) fn run_here<M: Manager>(hub: &Arc<Hub<M>>) {
    while let Some(order) = hub.take_order(Order::is_check) {
        task::run_at_once(Arc::clone(hub), order);
    }
}
