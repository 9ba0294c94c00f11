//! What stands behind the resources: how fast it works at which time, and when it is gone.

use std::time::Duration;

use crate::arrivals::nanos;

/// Something that goes wrong for a while.
///
/// ```
/// use std::time::Duration;
/// use millpond_sim::{Fault, Trouble};
///
/// let second = Duration::from_secs(1);
/// let stop = Fault { from: 5 * second, lasts: second, trouble: Trouble::Stop };
/// assert_eq!(stop.end(), 6 * second);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// When it begins.
    pub from: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it is.
    pub trouble: Trouble,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Trouble {
    /// Nothing gets on: what is lent comes back that much later, and what is being opened is open that much later.
    Stop,
    /// Everything takes this many times as long.
    Slow(f64),
    /// Every resource dies, and none can be opened.
    Outage,
}

impl Fault {
    /// When it is over.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use millpond_sim::{Fault, Trouble};
    /// let fault = Fault { from: Duration::ZERO, lasts: Duration::from_secs(3), trouble: Trouble::Outage };
    /// assert_eq!(fault.end(), Duration::from_secs(3));
    /// ```
    #[must_use]
    pub fn end(&self) -> Duration {
        self.from.saturating_add(self.lasts)
    }
}

/// All faults of a scenario, so that it is known in advance when a piece of work will be done.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    /// From when on it works how fast, 1 being normal. The first begins at zero.
    speeds: Vec<(u64, f64)>,
    /// From when to when it is gone.
    outages: Vec<(u64, u64)>,
}

impl Backend {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        let span =
            |fault: &Fault| (nanos(fault.from.as_secs_f64()), nanos(fault.end().as_secs_f64()));
        let outages = faults.iter().filter(|fault| fault.trouble == Trouble::Outage).map(span);
        let mut outages: Vec<_> = outages.collect();
        outages.sort_unstable();
        let mut edges = vec![0];
        edges.extend(faults.iter().map(span).flat_map(|(from, to)| [from, to]));
        edges.sort_unstable();
        edges.dedup();
        let speed = |at: u64| {
            let now = faults.iter().filter(|fault| {
                let (from, to) = span(fault);
                from <= at && at < to
            });
            now.fold(1.0, |speed, fault| match fault.trouble {
                Trouble::Stop => 0.0,
                Trouble::Slow(times) => speed / times,
                Trouble::Outage => speed,
            })
        };
        Self { speeds: edges.into_iter().map(|at| (at, speed(at))).collect(), outages }
    }

    /// When work that takes `work` at normal speed is done if it begins at `now`; `None` for never.
    pub(crate) fn done(&self, now: u64, work: u64) -> Option<u64> {
        let mut piece = self.speeds.partition_point(|(from, _)| *from <= now) - 1;
        let (mut at, mut left) = (now, work);
        loop {
            let speed = self.speeds[piece].1;
            let end = self.speeds.get(piece + 1).map(|(end, _)| *end);
            let takes = stretched(left, speed);
            match end {
                Some(end) if takes.is_none_or(|takes| at.saturating_add(takes) > end) => {
                    left -= shrunk(end - at, speed).min(left);
                    at = end;
                    piece += 1;
                }
                _ => return takes.map(|takes| at.saturating_add(takes)),
            }
        }
    }

    /// Whether it can be reached.
    pub(crate) fn is_there(&self, now: u64) -> bool {
        !self.outages.iter().any(|(from, to)| *from <= now && now < *to)
    }

    /// When something that was opened at `born` dies.
    pub(crate) fn dies(&self, born: u64) -> Option<u64> {
        self.outages.iter().map(|(from, _)| *from).find(|from| born < *from)
    }
}

/// How long `work` takes at `speed`.
fn stretched(work: u64, speed: f64) -> Option<u64> {
    if work == 0 || speed == 1.0 {
        Some(work)
    } else if speed > 0.0 {
        Some(nanos(work as f64 / speed / 1e9))
    } else {
        None
    }
}

/// How much is done in `time` at `speed`.
fn shrunk(time: u64, speed: f64) -> u64 {
    if speed == 1.0 { time } else { nanos(time as f64 * speed / 1e9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn fault(from: u32, lasts: u32, trouble: Trouble) -> Fault {
        Fault { from: from * MS, lasts: lasts * MS, trouble }
    }

    /// When work of so many milliseconds is done.
    fn done(faults: &[Fault], now: u64, work: u64) -> Option<u64> {
        let done = Backend::new(faults).done(now * 1_000_000, work * 1_000_000)?;
        Some(done / 1_000_000)
    }

    #[test]
    fn work_goes_on_after_a_stop() {
        let stop = [fault(100, 50, Trouble::Stop)];
        assert_eq!(done(&stop, 0, 100), Some(100));
        assert_eq!(done(&stop, 0, 101), Some(151));
        assert_eq!(done(&stop, 120, 10), Some(160));
        assert_eq!(done(&stop, 150, 10), Some(160));
        assert_eq!(done(&stop, 100, 0), Some(100));
    }

    #[test]
    fn troubles_add_up() {
        let faults = [fault(0, 100, Trouble::Slow(2.0)), fault(50, 100, Trouble::Slow(5.0))];
        // 25 by 50, 5 more by 100, 10 more by 150.
        assert_eq!(done(&faults, 0, 25), Some(50));
        assert_eq!(done(&faults, 0, 30), Some(100));
        assert_eq!(done(&faults, 0, 40), Some(150));
        assert_eq!(done(&faults, 0, 60), Some(170));
    }

    #[test]
    fn what_was_open_before_an_outage_dies_by_it() {
        let backend = Backend::new(&[fault(20, 5, Trouble::Outage), fault(10, 5, Trouble::Outage)]);
        let at = |ms: u64| ms * 1_000_000;
        assert_eq!(backend.dies(at(3)), Some(at(10)));
        assert_eq!(backend.dies(at(15)), Some(at(20)));
        assert_eq!(backend.dies(at(25)), None);
        let there = [9, 10, 14, 15].map(|ms| backend.is_there(at(ms)));
        assert_eq!(there, [true, false, false, true]);
    }
}
