//! The synchronisation primitives of the pool, from `std` or, under the private cfg `millpond_loom`, from the model checker.
//!
//! *Invariant:* what the pool's correctness rests on is imported from here. Reference counts come from `std` in both builds:
//! the checker knows no weak ones.

pub(crate) use std::sync::{Arc, Weak};

#[cfg(not(millpond_loom))]
pub(crate) use self::real::{AtomicU64, Mutex, MutexGuard, OnceLock, Ordering, UnsafeCell};

#[cfg(millpond_loom)]
pub(crate) use self::modelled::{AtomicU64, Mutex, MutexGuard, OnceLock, Ordering, UnsafeCell};

/// Locks, whether or not a holder panicked: no user code runs under the lock, so its state is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(not(millpond_loom))]
mod real {
    use std::cell;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

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
}

#[cfg(millpond_loom)]
mod modelled {
    use std::sync;

    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// `std`'s cell in terms the checker sees. Set by one thread at a time, under a lock of its own.
    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        is_set: AtomicU64,
        value: sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self { is_set: AtomicU64::new(0), value: sync::OnceLock::new() }
        }

        pub(crate) fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
            if self.value.get().is_none() {
                assert!(self.value.set(f()).is_ok(), "only one thread at a time sets it");
                self.is_set.store(1, Ordering::Release);
            }
            self.get().expect("it is set")
        }

        pub(crate) fn get(&self) -> Option<&T> {
            self.value.get().filter(|_| self.is_set.load(Ordering::Acquire) == 1)
        }
    }
}
