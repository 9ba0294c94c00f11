//! The state of one connection, shared by the stream that feeds it, the task that drives the connection, and the client.
//!
//! The bytes alone are not enough: a request stands in the client's queue until the task takes it from there. But queueing one
//! wakes the task. So the connection is *at rest* when the server has nothing to do, and the task sleeps and has not been woken
//! since: then nothing can be on its way.
//!
//! *Invariant:* the lock is never held while a waker is woken or dropped, or while somebody waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use tokio::sync::Notify;

use crate::protocol::{CancelKey, Dirt, Protocol};

/// One connection as seen from outside.
#[derive(Debug)]
pub(crate) struct Wire {
    state: Mutex<State>,
    /// Rings when the task falls asleep or ends. Only one waits: who does has the client to itself.
    changed: Notify,
    /// Counts up, for all connections of a manager, whenever a statement was found outdated by a change of the schema.
    schema: Arc<AtomicU64>,
}

#[derive(Debug)]
struct State {
    protocol: Protocol,
    /// Whether the stream last refused to take bytes, so that some may be waiting that nobody has seen.
    blocked: bool,
    task: Task,
    /// Wakes the task.
    waker: Option<Waker>,
    /// What the connection broke of.
    failure: Option<Arc<tokio_postgres::Error>>,
}

/// What the task does that drives the connection.
///
/// *Transitions:* woken → polled → asleep → woken. Woken while it is polled, it is woken again right after. Ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Woken,
    Polled,
    WokenWhilePolled,
    Asleep,
    Ended,
}

/// How a connection stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its task has yet to look at something.
    Stirring,
    /// The server owes answers. So many it has given so far.
    Working { answered: u64 },
    /// The server has nothing to do, and nothing can be on its way.
    AtRest(Rest),
    /// The connection is no more, or good for nothing.
    Ended,
}

/// What the last borrower has left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Whether a transaction is open, sound or failed.
    pub(crate) in_transaction: bool,
    /// What was left in the session, as far as commands tell.
    pub(crate) dirt: Dirt,
    /// Whether the server did anything at all since the session was last cleaned.
    pub(crate) used: bool,
}

/// Changes whenever prepared statements may have become useless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    lost: u64,
    schema: u64,
}

impl Wire {
    pub(crate) fn new(schema: Arc<AtomicU64>) -> Arc<Self> {
        let state = State {
            protocol: Protocol::new(),
            blocked: false,
            task: Task::Woken,
            waker: None,
            failure: None,
        };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new(), schema })
    }

    /// The stream took these bytes.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.protocol.sent(bytes);
        state.blocked = false;
    }

    /// The stream takes no bytes for now.
    pub(crate) fn blocked(&self) {
        self.lock().blocked = true;
    }

    /// The stream yielded these bytes.
    pub(crate) fn received(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.protocol.received(bytes);
        if state.protocol.take_outdated() {
            // Only a number that is compared; it publishes nothing.
            self.schema.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The task is polled, and will be woken by `waker`. Returns what the connection is to be polled with.
    pub(crate) fn polled(self: &Arc<Self>, waker: &Waker) -> Waker {
        let mut state = self.lock();
        state.task = Task::Polled;
        let known = state.waker.as_ref().is_some_and(|known| known.will_wake(waker));
        let old = if known { None } else { state.waker.replace(waker.clone()) };
        drop(state);
        drop(old);
        Waker::from(Arc::clone(self))
    }

    /// The poll is over, and the connection has nothing to do until its task is woken.
    pub(crate) fn pending(&self) {
        let mut state = self.lock();
        state.task = match state.task {
            Task::Polled => Task::Asleep,
            _ => Task::Woken,
        };
        let asleep = state.task == Task::Asleep;
        drop(state);
        if asleep {
            self.changed.notify_one();
        }
    }

    /// The task has ended.
    pub(crate) fn ended(&self, failure: Option<tokio_postgres::Error>) {
        let mut state = self.lock();
        state.task = Task::Ended;
        if let Some(failure) = failure {
            state.failure = Some(Arc::new(failure));
        }
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        self.changed.notify_one();
    }

    /// The session is as good as new.
    pub(crate) fn cleaned(&self) {
        self.lock().protocol.cleaned();
    }

    /// How the connection stands now.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.lock();
        let protocol = &state.protocol;
        match state.task {
            Task::Ended => Standing::Ended,
            _ if protocol.is_lost() => Standing::Ended,
            Task::Asleep if protocol.is_working() || state.blocked => {
                Standing::Working { answered: protocol.answered() }
            }
            Task::Asleep => Standing::AtRest(Rest {
                in_transaction: protocol.in_transaction(),
                dirt: protocol.dirt(),
                used: protocol.is_used(),
            }),
            Task::Woken | Task::Polled | Task::WokenWhilePolled => Standing::Stirring,
        }
    }

    /// Waits until the standing may have changed.
    ///
    /// # Cancel safety
    ///
    /// A change that came meanwhile is found by the next call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What prepared statements are good for as long as it stays the same.
    pub(crate) fn stamp(&self) -> Stamp {
        let schema = self.schema.load(Ordering::Relaxed);
        Stamp { lost: self.lock().protocol.lost_statements(), schema }
    }

    /// What a query on this connection is cancelled by.
    pub(crate) fn key(&self) -> CancelKey {
        self.lock().protocol.key()
    }

    /// What the connection broke of, if it did.
    pub(crate) fn failure(&self) -> Option<Arc<tokio_postgres::Error>> {
        self.lock().failure.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection's waker: notes that its task was woken, and wakes it.
impl Wake for Wire {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.lock();
        state.task = match state.task {
            Task::Asleep => Task::Woken,
            Task::Polled => Task::WokenWhilePolled,
            other => other,
        };
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A connection that has logged in and is at rest.
    fn resting() -> Arc<Wire> {
        let wire = Wire::new(Arc::default());
        drop(wire.polled(Waker::noop()));
        wire.sent(b"\0\0\0\x04");
        wire.received(b"Z\0\0\0\x05I");
        wire.cleaned();
        wire.pending();
        assert_eq!(wire.standing(), AT_REST);
        wire
    }

    const AT_REST: Standing =
        Standing::AtRest(Rest { in_transaction: false, dirt: Dirt::None, used: false });

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_was_woken_is_not_at_rest_before_the_next_poll() {
        let wire = resting();
        let count = Arc::new(Count::default());
        let waker = wire.polled(&Waker::from(Arc::clone(&count)));
        assert_eq!(wire.standing(), Standing::Stirring, "it is being polled");
        wire.pending();
        assert_eq!(wire.standing(), AT_REST);
        waker.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the task itself is woken");
        assert_eq!(wire.standing(), Standing::Stirring);
        wire.polled(Waker::noop());
        wire.pending();
        assert_eq!(wire.standing(), AT_REST);
    }

    #[test]
    fn who_is_woken_while_polled_is_not_at_rest_after_it() {
        let wire = resting();
        let waker = wire.polled(Waker::noop());
        waker.wake();
        wire.pending();
        assert_eq!(wire.standing(), Standing::Stirring);
    }

    #[test]
    fn bytes_that_the_stream_refused_are_waited_for() {
        let wire = resting();
        wire.blocked();
        assert_eq!(wire.standing(), Standing::Working { answered: 1 });
        wire.sent(b"Q\0\0\0\x05\0");
        assert_eq!(wire.standing(), Standing::Working { answered: 1 });
        wire.received(b"Z\0\0\0\x05I");
        assert!(matches!(wire.standing(), Standing::AtRest(rest) if rest.used));
    }

    #[test]
    fn an_outdated_statement_changes_the_stamp_of_every_connection() {
        let schema = Arc::default();
        let (one, other) = (Wire::new(Arc::clone(&schema)), Wire::new(schema));
        let before = other.stamp();
        one.received(b"E\0\0\0\x0cC0A000\0\0");
        assert_ne!(other.stamp(), before);
        let before = other.stamp();
        one.received(b"E\0\0\0\x0cC26000\0\0");
        assert_eq!(other.stamp(), before, "a lost statement concerns its own connection");
        assert_ne!(one.stamp(), before);
    }

    #[test]
    fn the_end_is_told_once_and_for_all() {
        let wire = resting();
        wire.ended(None);
        assert_eq!(wire.standing(), Standing::Ended);
        Waker::from(Arc::clone(&wire)).wake();
        assert_eq!(wire.standing(), Standing::Ended);
    }
}
