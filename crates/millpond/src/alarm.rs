//! A timer of one who waits for the pool in another runtime than the one that drives it.
//!
//! The driver keeps everybody's deadlines, but its runtime may stop at any time without a word, and then nobody would wake
//! those who wait elsewhere. So they look again by themselves: at their deadline, and often enough to notice the stop. Beside
//! the driver nobody needs this: if that runtime stops, who waits in it is not polled either.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::task::Context;
use std::time::Instant;

use crate::common::contained;
use crate::desk::{Hub, PATIENCE};
use crate::manager::Manager;
use crate::runtime::Task;

/// At most one sleep, in the waiter's own runtime. The lock is never taken: it is there so that the waiter may be shared.
#[derive(Default)]
pub(crate) struct Alarm(Option<Mutex<Task>>);

impl Alarm {
    /// If the pool is driven in another runtime than this one, has `cx` woken at `deadline`, or when it is time to see whether
    /// somebody still drives it. `home`: the runtime that does now.
    pub(crate) fn new<M: Manager>(
        hub: &Hub<M>,
        home: u64,
        deadline: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Self {
        if hub.here() == home {
            return Self::default();
        }
        let look = hub.now().checked_add(PATIENCE);
        let armed = [look, deadline].into_iter().flatten().min().and_then(|until| {
            contained(|| {
                let mut sleep = hub.runtime.sleep_until(until);
                if sleep.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
                sleep
            })
            .ok()
        });
        Self(armed.map(Mutex::new))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "set" } else { "off" })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(sleep) = self.0.take() {
            let _ = contained(|| drop(sleep.into_inner().unwrap_or_else(PoisonError::into_inner)));
        }
    }
}
