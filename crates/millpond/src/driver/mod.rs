//! The manager actor: the one task of a pool that owns time and starts all others.
//!
//! Its script never changes: look at the desk (which expires what is due), start what the mailbox asks for, then wait for the
//! mailbox or for the next deadline. It is spawned by whoever needs it, and when it is dropped with its runtime it says so at
//! the desk; the next caller on a live runtime spawns another, which finds the same mailbox.

mod command;
mod task;

use std::future::pending;
use std::pin::pin;

use futures::future::{Either, select};

pub(crate) use self::command::Command;
use crate::desk::{Hub, Turn};
use crate::manager::Manager;
use crate::sync::Arc;

/// The driver of one pool. Dropping it, begun or not, is noted at the desk.
pub(crate) struct Driver<M: Manager> {
    hub: Arc<Hub<M>>,
    generation: u64,
}

impl<M: Manager> Driver<M> {
    pub(crate) fn new(hub: Arc<Hub<M>>, generation: u64) -> Self {
        Self { hub, generation }
    }

    pub(crate) async fn run(self) {
        let hub = &self.hub;
        let mut first = true;
        loop {
            let Turn::SleepUntil(deadline) = hub.drive(self.generation, first) else { return };
            first = false;
            if let Some(command) = hub.mailbox.try_receive() {
                self.perform(command);
                // All that is there, before the desk is looked at again.
                while let Some(command) = hub.mailbox.try_receive() {
                    self.perform(command);
                }
                continue;
            }
            let message = pin!(hub.mailbox.receive());
            let timer = pin!(async {
                match deadline {
                    Some(deadline) => hub.runtime.sleep_until(deadline).await,
                    None => pending().await,
                }
            });
            if let Either::Left((command, _)) = select(message, timer).await {
                self.perform(command);
            }
        }
    }

    fn perform(&self, command: Command<M::Resource>) {
        if let Command::Run(order) = command {
            // A runtime that takes no more tasks drops this one, which reports the job as failed.
            drop(self.hub.runtime.spawn(Box::pin(task::run(Arc::clone(&self.hub), order))));
        }
    }
}

impl<M: Manager> Drop for Driver<M> {
    fn drop(&mut self) {
        self.hub.driver_gone(self.generation);
    }
}

/// Does what can be done without any runtime, on the caller's thread: checks that need not wait. All else stays in the
/// mailbox for the next driver.
pub(crate) fn run_here<M: Manager>(hub: &Arc<Hub<M>>) {
    let mut later = Vec::new();
    while let Some(command) = hub.mailbox.try_receive() {
        match command {
            Command::Run(order) if order.is_check() => task::run_at_once(Arc::clone(hub), order),
            other => later.push(other),
        }
    }
    for command in later {
        hub.mailbox.send(command);
    }
}
