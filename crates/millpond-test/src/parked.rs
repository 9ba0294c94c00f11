//! Futures polled by hand: one poll at a time, with a waker that remembers being called.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Owns a future and polls it when told to. Dropping it drops the future, which is how a test cancels at a chosen poll.
///
/// # Examples
///
/// ```
/// use std::task::Poll;
/// use millpond_test::{Gate, Parked};
///
/// let gate = Gate::new();
/// let mut passage = Parked::new(gate.wait());
/// assert!(passage.poll().is_pending());
/// assert!(!passage.is_woken());
///
/// gate.open();
/// assert!(passage.is_woken());
/// assert_eq!(passage.poll(), Poll::Ready(()));
/// ```
#[must_use = "a future does nothing until polled"]
pub struct Parked<F> {
    /// `None` once it has completed; the future is dropped then, as an executor would.
    future: Option<Pin<Box<F>>>,
    flag: Arc<Flag>,
    /// What `flag` had counted when the last poll began.
    seen: usize,
}

impl<F: Future> Parked<F> {
    /// Takes the future in without polling it.
    pub fn new(future: F) -> Self {
        Self { future: Some(Box::pin(future)), flag: Arc::default(), seen: 0 }
    }

    /// Polls the future once.
    ///
    /// # Panics
    ///
    /// If it has completed already; and whenever the future does.
    #[track_caller]
    pub fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.flag));
        self.seen = self.flag.count();
        self.poll_with(&waker)
    }

    /// Polls the future once with a waker of the caller's choice. [`is_woken`](Self::is_woken) goes on to speak of its own.
    ///
    /// # Panics
    ///
    /// As [`poll`](Self::poll).
    #[track_caller]
    pub fn poll_with(&mut self, waker: &Waker) -> Poll<F::Output> {
        let Some(future) = &mut self.future else {
            panic!("this future has completed: it cannot be polled again")
        };
        let polled = future.as_mut().poll(&mut Context::from_waker(waker));
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }

    /// Behaves from now on like a future that moved to another task: it is polled with another waker, and calls of the old
    /// one no longer count.
    pub fn change_task(&mut self) {
        self.flag = Arc::default();
        self.seen = 0;
    }

    /// The future, to call its methods; `None` once it has completed.
    pub fn future(&mut self) -> Option<Pin<&mut F>> {
        self.future.as_mut().map(Pin::as_mut)
    }
}

impl<F> Parked<F> {
    /// Tells whether the waker was called since the last poll began.
    #[must_use]
    pub fn is_woken(&self) -> bool {
        self.flag.count() > self.seen
    }

    /// How often the waker was called in all; a careful implementation calls it once per need.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.flag.count()
    }

    /// Tells whether the future has completed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.future.is_none()
    }
}

impl<F> fmt::Debug for Parked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked")
            .field("done", &self.is_done())
            .field("woken", &self.is_woken())
            .finish_non_exhaustive()
    }
}

/// Polls a future once, with a waker that nobody hears, and drops it. Pass `&mut future` to keep it.
///
/// # Examples
///
/// ```
/// use std::task::Poll;
///
/// assert_eq!(millpond_test::poll_once(std::future::ready(1)), Poll::Ready(1));
/// assert!(millpond_test::poll_once(std::future::pending::<()>()).is_pending());
/// ```
pub fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A waker that panics when called, for [`Parked::poll_with`]: code that wakes others must survive it.
///
/// # Examples
///
/// ```
/// let waker = millpond_test::panicking_waker();
/// assert!(std::panic::catch_unwind(|| waker.wake()).is_err());
/// ```
#[must_use]
pub fn panicking_waker() -> Waker {
    Waker::from(Arc::new(Panicking))
}

/// Counts the calls of a waker.
#[derive(Debug, Default)]
pub(crate) struct Flag {
    calls: AtomicUsize,
}

impl Flag {
    pub(crate) fn count(&self) -> usize {
        self.calls.load(Ordering::Acquire)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.calls.fetch_add(1, Ordering::Release);
    }
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}
