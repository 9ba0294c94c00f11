//! Which process a pool belongs to.
//!
//! A forked child gets a copy of all memory and shares all sockets: what the copy of a pool would lend, close or even drop is the
//! parent's, and the tasks that drive it do not exist. So a pool serves the process that used it first. Comparing process
//! ids costs a system call, which is more than a visit to the desk costs otherwise, so visitors that come in quick
//! succession share one comparison; and self-service, which costs less than reading a clock, makes none.

// A comparison that comes out differently in the midst of a run is no race to be modelled: only `fork` can bring it about.
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The process that a pool belongs to.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    /// Zero until somebody uses the pool. *Transitions:* once, to the process of the first visitor.
    process: AtomicU32,
    /// At which tick it was compared last.
    compared: AtomicU64,
    /// Whether this is another process. *Transitions:* once, to true.
    is_foreign: AtomicBool,
}

impl Owner {
    /// Whether this is a child, forked since somebody used the pool. `tick` is the time now.
    #[inline]
    pub(crate) fn is_foreign(&self, tick: u64) -> bool {
        let passed = tick.abs_diff(self.compared.load(Ordering::Relaxed));
        if passed < FORK_TAKES && self.process.load(Ordering::Relaxed) != 0 {
            return self.is_foreign.load(Ordering::Relaxed);
        }
        self.compared.store(tick, Ordering::Relaxed);
        self.is_foreign_for_sure()
    }

    /// The same for those who come seldom and without the time.
    pub(crate) fn is_foreign_for_sure(&self) -> bool {
        let here = process_id();
        let owner = self.process.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed);
        let is_foreign = owner.is_err_and(|owner| owner != here);
        if is_foreign {
            self.is_foreign.store(true, Ordering::Relaxed);
        }
        is_foreign
    }
}

#[cfg(unix)]
fn process_id() -> u32 {
    std::process::id()
}

/// Where there is no `fork`, there is one process.
#[cfg(not(unix))]
fn process_id() -> u32 {
    1
}

/// No process forks in less, in nanoseconds: to copy the page tables of the smallest takes several times as long. So a child
/// cannot mistake its parent's last comparison for its own, and a busy desk spends less than two percent of its time on
/// comparing (146 ns for the call where the desk takes 100; a loop over `std::process::id` shows it).
const FORK_TAKES: u64 = Duration::from_micros(10).as_nanos() as u64;

#[cfg(test)]
mod tests {
    use super::*;

    fn of_another_process() -> Owner {
        let owner = Owner::default();
        owner.process.store(process_id() + 1, Ordering::Relaxed);
        owner
    }

    #[test]
    fn a_pool_belongs_to_whoever_uses_it_first() {
        let owner = Owner::default();
        assert!(!owner.is_foreign(0) && !owner.is_foreign(FORK_TAKES));
        assert!(!owner.is_foreign_for_sure());
    }

    #[test]
    fn visitors_in_quick_succession_share_a_comparison() {
        let owner = of_another_process();
        owner.compared.store(FORK_TAKES, Ordering::Relaxed);
        assert!(!owner.is_foreign(2 * FORK_TAKES - 1), "nobody has compared");
        assert!(owner.is_foreign(2 * FORK_TAKES));
        assert!(owner.is_foreign(2 * FORK_TAKES), "and from then on it is known");
    }

    #[test]
    fn a_clock_that_goes_back_does_not_put_off_the_comparison() {
        let owner = of_another_process();
        owner.compared.store(10 * FORK_TAKES, Ordering::Relaxed);
        assert!(owner.is_foreign(0));
    }

    #[test]
    fn who_comes_seldom_compares_for_itself() {
        assert!(of_another_process().is_foreign_for_sure());
    }
}
