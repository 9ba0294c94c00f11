//! A place where futures wait until a test lets them through.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Holds up whoever awaits [`wait`](Self::wait), until the test calls [`open`](Self::open) or [`admit`](Self::admit).
///
/// Clones are the same gate. Begins closed.
///
/// # Fairness
///
/// [`admit`](Self::admit) lets through whoever has waited longest.
///
/// # Examples
///
/// ```
/// use millpond_test::{Gate, TestRuntime};
///
/// let (runtime, gate) = (TestRuntime::new(), Gate::new());
/// let (first, second) = (runtime.start(gate.wait()), runtime.start(gate.wait()));
/// runtime.run_until_idle();
/// assert_eq!(gate.waiting(), 2);
///
/// gate.admit(1);
/// runtime.run_until_idle();
/// assert!(first.is_finished() && !second.is_finished());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    /// Admissions that nobody waited for yet. Zero while somebody waits.
    spare: usize,
    next_id: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Gate {
    /// Makes a closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    /// Holds up those who come from now on. Whoever was let through before is through.
    pub fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        state.spare = 0;
    }

    /// Lets the `n` through that have waited longest; if fewer wait, the next to come are let through in their place.
    pub fn admit(&self, n: usize) {
        for _ in 0..n {
            let mut state = self.lock();
            let first = state.waiting.pop_first();
            if first.is_none() {
                state.spare += 1;
            }
            drop(state);
            if let Some((_, waker)) = first {
                waker.wake();
            }
        }
    }

    /// Completes when the gate lets it through. Takes its place in the order at its first poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives up the place; an admission that it had but did not see yet is lost.
    pub fn wait(&self) -> Passage {
        Passage { gate: self.clone(), place: None }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Tells whether everybody passes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The future of [`Gate::wait`].
#[derive(Debug)]
#[must_use = "a future does nothing until polled"]
pub struct Passage {
    gate: Gate,
    /// Its place among the waiting, from the first poll that found the gate closed.
    place: Option<u64>,
}

impl Future for Passage {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let waker = cx.waker().clone();
        let mut state = this.gate.lock();
        let place = match this.place {
            Some(place) if !state.waiting.contains_key(&place) => return Poll::Ready(()),
            Some(place) => place,
            None if state.open => return Poll::Ready(()),
            None if state.spare > 0 => {
                state.spare -= 1;
                return Poll::Ready(());
            }
            None => {
                state.next_id += 1;
                state.next_id
            }
        };
        this.place = Some(place);
        let old = state.waiting.insert(place, waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = self.gate.lock().waiting.remove(&place);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parked;

    #[test]
    fn an_open_gate_holds_up_nobody() {
        let gate = Gate::new();
        gate.open();
        assert!(gate.is_open());
        assert!(Parked::new(gate.wait()).poll().is_ready());
        gate.close();
        assert!(Parked::new(gate.wait()).poll().is_pending());
    }

    #[test]
    fn admissions_go_to_the_longest_waiting_and_then_to_the_next_to_come() {
        let gate = Gate::new();
        let (mut first, mut second) = (Parked::new(gate.wait()), Parked::new(gate.wait()));
        assert!(first.poll().is_pending() && second.poll().is_pending());
        gate.admit(1);
        assert!(first.is_woken() && !second.is_woken());
        assert!(first.poll().is_ready() && second.poll().is_pending());
        gate.admit(2);
        assert!(second.poll().is_ready());
        assert!(Parked::new(gate.wait()).poll().is_ready());
        assert!(Parked::new(gate.wait()).poll().is_pending());
    }

    #[test]
    fn who_was_let_through_stays_so_when_the_gate_closes() {
        let gate = Gate::new();
        let mut passage = Parked::new(gate.wait());
        assert!(passage.poll().is_pending());
        gate.open();
        gate.close();
        assert!(passage.poll().is_ready());
    }

    #[test]
    fn a_dropped_passage_gives_up_its_place() {
        let gate = Gate::new();
        let (mut first, mut second) = (Parked::new(gate.wait()), Parked::new(gate.wait()));
        assert!(first.poll().is_pending() && second.poll().is_pending());
        drop(first);
        assert_eq!(gate.waiting(), 1);
        gate.admit(1);
        assert!(second.poll().is_ready());
    }
}
