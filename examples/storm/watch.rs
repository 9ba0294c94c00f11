//! Looks on while the storm runs: gathers the records, and says one line a second.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::{Either, select};

use crate::load::Load;
use crate::record::{Outcome, Record, Tally};
use crate::say;

/// When the database stood still, from the start of the run; each is known once it has happened.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    pub(crate) begun: OnceLock<Duration>,
    pub(crate) ended: OnceLock<Duration>,
}

impl Stall {
    /// Whether it overlapped the time from `from` to `to`.
    fn overlaps(&self, from: Duration, to: Duration) -> bool {
        self.begun.get().is_some_and(|begun| *begun < to)
            && self.ended.get().is_none_or(|ended| *ended > from)
    }
}

/// Gathers records until all requests have ended.
pub(crate) async fn watch(
    load: &Load,
    stall: &Arc<Stall>,
    arrivals: &[Duration],
    mut records: UnboundedReceiver<Record>,
) -> Vec<Record> {
    let mut all = Vec::with_capacity(arrivals.len());
    let mut second = Tally::default();
    let mut tick = load.runtime.sleep_until(load.start + SECOND);
    let mut since = Duration::ZERO;
    say(&heading());
    loop {
        // The tick first, or a flood of records would hold it up.
        match select(&mut tick, records.next()).await {
            Either::Right((Some(record), _)) => {
                second.add(&record);
                all.push(record);
                continue;
            }
            Either::Right((None, _)) if second.total() == 0 => return all,
            Either::Right((None, _)) | Either::Left(_) => {}
        }
        let now = load.elapsed();
        // At the next whole second that is still to come, so that a delay is no burst of lines.
        tick = load.runtime.sleep_until(load.start + Duration::from_secs(now.as_secs() + 1));
        let arrived = count_between(arrivals, since, now);
        say(&line(load, stall.overlaps(since, now), now, arrived, &mut second));
        since = now;
        second = Tally::default();
    }
}

fn heading() -> String {
    let mut text = format!("{:>6} {:>8}", "second", "arrived");
    for outcome in SHOWN {
        let _ = write!(text, " {:>8}", outcome.label());
    }
    let _ = write!(text, " | {:>7} {:>6} | {:>7} {:>7}", "waiting", "in use", "p50 ms", "p99 ms");
    text
}

fn line(load: &Load, stalled: bool, now: Duration, arrived: usize, second: &mut Tally) -> String {
    let status = load.pool.status();
    let mut text = format!("{:>6.1} {arrived:>8}", now.as_secs_f64());
    for outcome in SHOWN {
        let _ = write!(text, " {:>8}", second.count(outcome));
    }
    let [half, most] = [50, 99].map(|percent| millis(second.percentile(percent)));
    let _ = write!(text, " | {:>7} {:>6} | {half:>7} {most:>7}", status.waiting, status.leased);
    if stalled {
        text.push_str("  stalled");
    }
    text
}

/// A latency in milliseconds, or a dash if there is none.
pub(crate) fn millis(latency: Option<Duration>) -> String {
    latency
        .map_or_else(|| "-".to_owned(), |latency| format!("{:.1}", latency.as_secs_f64() * 1000.0))
}

/// How many of the sorted `arrivals` fell into the time from `from` up to `to`.
fn count_between(arrivals: &[Duration], from: Duration, to: Duration) -> usize {
    arrivals.partition_point(|due| *due < to) - arrivals.partition_point(|due| *due < from)
}

/// `Other` is left to the closing table: it is zero unless the pool learns a new error.
const SHOWN: [Outcome; 8] = [
    Outcome::InTime,
    Outcome::Late,
    Outcome::Timeout,
    Outcome::TooManyWaiters,
    Outcome::Shed,
    Outcome::Create,
    Outcome::Closed,
    Outcome::Query,
];

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_arrival_is_counted_in_one_second_alone() {
        let arrivals = [0, 5, 10, 10, 15].map(ms);
        assert_eq!(count_between(&arrivals, ms(0), ms(10)), 2);
        assert_eq!(count_between(&arrivals, ms(10), ms(20)), 3);
        assert_eq!(count_between(&arrivals, ms(20), ms(30)), 0);
    }

    #[test]
    fn a_second_is_stalled_if_any_part_of_it_was() {
        let stall = Stall::default();
        assert!(!stall.overlaps(ms(0), ms(1000)));
        stall.begun.set(ms(1500)).unwrap();
        assert!(!stall.overlaps(ms(0), ms(1000)));
        assert!(stall.overlaps(ms(1000), ms(2000)));
        assert!(stall.overlaps(ms(2000), ms(3000)), "it goes on");
        stall.ended.set(ms(2500)).unwrap();
        assert!(stall.overlaps(ms(2000), ms(3000)));
        assert!(!stall.overlaps(ms(3000), ms(4000)));
    }

    #[test]
    fn a_latency_is_shown_in_milliseconds() {
        assert_eq!(millis(Some(Duration::from_micros(1260))), "1.3");
        assert_eq!(millis(None), "-");
    }
}
