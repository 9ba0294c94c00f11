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
    // Tasks and threads are each counted from 1, so it matters which of them it is.
    let blocked =
        || Handle::try_current().ok().map(|_| number(&("thread", thread::current().id())));
    task::try_id().map(|id| number(&("task", id))).or_else(blocked)
}

fn number(name: &impl Hash) -> u64 {
    let mut number = DefaultHasher::new();
    name.hash(&mut number);
    number.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Both are counted from 1, so in each process there are a task and a thread of the same number.
    #[test]
    fn no_task_has_the_name_of_what_is_blocked_on() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime can be built");
        let (mut tasks, mut threads) = (HashSet::new(), HashSet::new());
        for _ in 0..100 {
            let spawned = runtime.block_on(async { tokio::spawn(async { task() }).await });
            tasks.insert(spawned.expect("it does not panic"));
            let blocked = || runtime.block_on(async { task() });
            let joined = thread::scope(|scope| scope.spawn(blocked).join());
            threads.insert(joined.expect("it does not panic"));
        }
        assert_eq!((tasks.len(), threads.len()), (100, 100));
        assert!(tasks.is_disjoint(&threads) && !tasks.contains(&None));
    }
}
