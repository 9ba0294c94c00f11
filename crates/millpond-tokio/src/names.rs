//! Numbers for what tokio and std name without one: the runtime and the task of the calling thread.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;

use tokio::runtime::Handle;
use tokio::task;

/// The runtime this is called in, or zero.
pub(crate) fn runtime() -> u64 {
    Handle::try_current().map_or(0, |handle| number(&handle.id()))
}

/// The task this is called in. Beside tasks there is what `block_on` polls: one future at a time on each thread.
pub(crate) fn task() -> Option<u64> {
    let blocked = || Handle::try_current().ok().map(|_| number(&thread::current().id()));
    task::try_id().map(|id| number(&id)).or_else(blocked)
}

fn number(name: &impl Hash) -> u64 {
    let mut number = DefaultHasher::new();
    name.hash(&mut number);
    number.finish()
}
