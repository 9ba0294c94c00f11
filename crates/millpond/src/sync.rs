//! The synchronisation primitives of the pool, from `std` or, under the private cfg `millpond_loom`, from the model checker.
//!
//! *Invariant:* what the pool's correctness rests on is imported from here. Reference counts come from `std` in both builds:
//! the checker knows no weak ones.

pub(crate) use std::sync::{Arc, OnceLock, Weak};

#[cfg(not(millpond_loom))]
pub(crate) use self::real::{AtomicU64, Mailbox, Mutex, MutexGuard, Ordering, UnsafeCell};

#[cfg(millpond_loom)]
pub(crate) use self::modelled::{AtomicU64, Mailbox, Mutex, MutexGuard, Ordering, UnsafeCell};

/// Locks, whether or not a holder panicked: no user code runs under the lock, so its state is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(not(millpond_loom))]
mod real {
    use std::cell;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};

    /// `std`'s cell behind the checker's interface.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    /// Messages to the driver: unbounded, because each slot has at most one under way; received by whoever drives now.
    #[derive(Debug)]
    pub(crate) struct Mailbox<T> {
        sender: async_channel::Sender<T>,
        receiver: async_channel::Receiver<T>,
    }

    impl<T> Mailbox<T> {
        pub(crate) fn new() -> Self {
            let (sender, receiver) = async_channel::unbounded();
            Self { sender, receiver }
        }

        pub(crate) fn send(&self, message: T) {
            // Neither full (unbounded) nor closed (the receiver lives as long as the sender).
            let _ = self.sender.try_send(message);
        }

        pub(crate) fn try_receive(&self) -> Option<T> {
            self.receiver.try_recv().ok()
        }

        pub(crate) async fn receive(&self) -> T {
            match self.receiver.recv().await {
                Ok(message) => message,
                // Closed is as good as for ever empty.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

#[cfg(millpond_loom)]
mod modelled {
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use std::task::{Poll, Waker};

    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    use super::lock;

    /// The mailbox in terms the checker sees.
    #[derive(Debug)]
    pub(crate) struct Mailbox<T>(Mutex<(VecDeque<T>, Option<Waker>)>);

    impl<T> Mailbox<T> {
        pub(crate) fn new() -> Self {
            Self(Mutex::new((VecDeque::new(), None)))
        }

        pub(crate) fn send(&self, message: T) {
            let waker = {
                let mut inner = lock(&self.0);
                inner.0.push_back(message);
                inner.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }

        pub(crate) fn try_receive(&self) -> Option<T> {
            lock(&self.0).0.pop_front()
        }

        pub(crate) async fn receive(&self) -> T {
            poll_fn(|cx| {
                let mut inner = lock(&self.0);
                match inner.0.pop_front() {
                    Some(message) => Poll::Ready(message),
                    None => {
                        inner.1 = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await
        }
    }
}
