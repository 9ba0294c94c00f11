//! A runtime of one's own, for a program that has none: a thread for each task, and one that keeps the time.
//!
//! Take it along: it needs std, `millpond` and `futures::executor::block_on`.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use millpond::{Runtime, SpawnError, Task};

/// A handle to the thread that keeps the time. That thread ends when the last handle and the last sleep are gone.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    alarms: Sender<Alarm>,
}

impl Threads {
    /// Starts the thread that keeps the time.
    pub(crate) fn start() -> io::Result<Self> {
        let (alarms, received) = mpsc::channel();
        let mut set = BTreeMap::new();
        // A waker that panics must not keep the others asleep.
        let mut turn = move || catch_unwind(AssertUnwindSafe(|| keep_time(&received, &mut set)));
        thread::Builder::new()
            .name("time".into())
            .spawn(move || while turn().unwrap_or(true) {})?;
        Ok(Self { alarms })
    }
}

impl Runtime for Threads {
    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, deadline: Instant) -> Task {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = (deadline, NEXT.fetch_add(1, Ordering::Relaxed));
        Box::pin(Sleep { key, alarms: self.alarms.clone() })
    }

    fn spawn(&self, task: Task) -> Result<(), SpawnError> {
        // Sent once there is a thread, because a closure that finds none is lost with all it holds.
        let (send, received) = mpsc::channel::<Task>();
        let run = move || {
            if let Ok(task) = received.recv() {
                block_on(task);
            }
        };
        match thread::Builder::new().name("task".into()).spawn(run) {
            Ok(_) => send.send(task).map_err(|unsent| SpawnError::new(unsent.0)),
            Err(_) => Err(SpawnError::new(task)),
        }
    }
}

/// Whom to wake when, or that nobody wants to be woken then any more.
type Alarm = (Key, Option<Waker>);

/// When to wake, and a number to tell those of the same time apart.
type Key = (Instant, u64);

struct Sleep {
    key: Key,
    alarms: Sender<Alarm>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if now() >= self.key.0 {
            return Poll::Ready(());
        }
        // At each poll, because only the last waker counts. Somebody receives as long as there is a sender.
        let _ = self.alarms.send((self.key, Some(cx.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let _ = self.alarms.send((self.key, None));
    }
}

/// Waits until an alarm is set or goes off. Says whether there can be another.
fn keep_time(alarms: &Receiver<Alarm>, set: &mut BTreeMap<Key, Waker>) -> bool {
    let first = set.first_key_value();
    let patience = first.map_or(Duration::MAX, |(key, _)| key.0.saturating_duration_since(now()));
    match alarms.recv_timeout(patience) {
        Ok((key, Some(waker))) => drop(set.insert(key, waker)),
        Ok((key, None)) => drop(set.remove(&key)),
        Err(RecvTimeoutError::Timeout) => {
            if let Some((_, waker)) = set.pop_first() {
                waker.wake();
            }
        }
        Err(RecvTimeoutError::Disconnected) => return false,
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn now() -> Instant {
    Instant::now()
}
