//! The closing table: what the storm did to the requests before, during and after the stall.

use std::fmt::Write as _;
use std::time::Duration;

use crate::record::{Outcome, Record, Tally};
use crate::watch::millis;

/// Says in a few lines how the run went. `stall` is from when to when the database stood still, `end` when arrivals ended.
///
/// A request belongs to the part of the run in which it arrived, whenever it ended.
pub(crate) fn summary(
    records: &[Record],
    stall: Option<(Duration, Duration)>,
    end: Duration,
) -> String {
    let mut text = format!(
        "{:<18} {:>8} {:>8} {:>8} {:>10} {:>8} {:>8}\n",
        "", "arrived", "in time", "share", "goodput/s", "p50 ms", "p99 ms"
    );
    if let Some((begun, ended)) = stall {
        row(&mut text, "before the stall", records, Duration::ZERO, begun);
        row(&mut text, "during the stall", records, begun, ended);
        row(&mut text, "after the stall", records, ended, end);
    }
    row(&mut text, "in all", records, Duration::ZERO, end);

    if let Some((begun, ended)) = stall {
        let verdict = match recovery(records, begun, ended, end) {
            Some(time) => format!("{:.1} s after the stall had ended", time.as_secs_f64()),
            None => "not within the run".to_owned(),
        };
        let _ = writeln!(text, "recovered: {verdict}");
    }
    let tally = Tally::of(records);
    let causes = Outcome::ALL
        .into_iter()
        .filter(|outcome| *outcome != Outcome::InTime && tally.count(*outcome) > 0);
    let causes: Vec<_> =
        causes.map(|outcome| format!("{} {}", outcome.label(), tally.count(outcome))).collect();
    let _ = writeln!(
        text,
        "not in time: {}",
        if causes.is_empty() { "none".to_owned() } else { causes.join(", ") }
    );
    text
}

/// How long after the end of the stall the service was back: from when on, for one second of arrivals, the share served
/// in time was at least nine tenths of what it had been before. `None` if that did not happen before the end.
fn recovery(
    records: &[Record],
    begun: Duration,
    ended: Duration,
    end: Duration,
) -> Option<Duration> {
    let usual = within(records, Duration::ZERO, begun).share_in_time()?;
    let mut from = ended;
    while from + WINDOW <= end {
        let share = within(records, from, from + WINDOW).share_in_time();
        if share.is_some_and(|share| share >= RECOVERED * usual) {
            return Some(from - ended);
        }
        from += STEP;
    }
    None
}

fn within(records: &[Record], from: Duration, to: Duration) -> Tally {
    Tally::of(records.iter().filter(|record| (from..to).contains(&record.due)))
}

fn row(text: &mut String, name: &str, records: &[Record], from: Duration, to: Duration) {
    let mut tally = within(records, from, to);
    let share = tally
        .share_in_time()
        .map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let goodput = tally.count(Outcome::InTime) as f64 / to.saturating_sub(from).as_secs_f64();
    let [half, most] = [50, 99].map(|percent| millis(tally.percentile(percent)));
    let (arrived, served) = (tally.total(), tally.count(Outcome::InTime));
    let _ = writeln!(
        text,
        "{name:<18} {arrived:>8} {served:>8} {share:>8} {goodput:>10.0} {half:>8} {most:>8}"
    );
}

/// Long enough that chance does not pass for recovery at some hundred requests a second.
const WINDOW: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(100);
const RECOVERED: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// One request every 10 ms for 10 s, served in time unless it arrived in the time given, in ms.
    fn outage(from: u32, to: u32) -> Vec<Record> {
        let record = |request: u32| {
            let due = request * 10 * MS;
            let lost = (from * MS..to * MS).contains(&due);
            let outcome = if lost { Outcome::Timeout } else { Outcome::InTime };
            Record { request: u64::from(request), due, ended: due + 5 * MS, outcome }
        };
        (0..1000).map(record).collect()
    }

    #[test]
    fn recovery_is_counted_from_the_end_of_the_stall() {
        let recovery = |from, to| recovery(&outage(from, to), 4000 * MS, 5000 * MS, 10_000 * MS);
        assert_eq!(recovery(4000, 5000), Some(Duration::ZERO));
        assert_eq!(recovery(4000, 7000), Some(1900 * MS), "a tenth may still be missing");
        assert_eq!(recovery(4000, 10_000), None);
    }

    #[test]
    fn a_run_without_a_before_has_nothing_to_come_back_to() {
        assert_eq!(recovery(&outage(0, 0), Duration::ZERO, 5000 * MS, 10_000 * MS), None);
        assert_eq!(recovery(&[], 4000 * MS, 5000 * MS, 10_000 * MS), None);
    }

    #[test]
    fn the_table_counts_a_request_where_it_arrived() {
        let text = summary(&outage(4000, 5500), Some((4000 * MS, 5000 * MS)), 10_000 * MS);
        let rows: Vec<Vec<_>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1][3..7], ["400", "400", "100.0", "%"]);
        assert_eq!(rows[2][3..7], ["100", "0", "0.0", "%"]);
        assert_eq!(rows[3][3..7], ["500", "450", "90.0", "%"]);
        assert_eq!(rows[4][2..6], ["1000", "850", "85.0", "%"]);
        assert!(text.ends_with("not in time: timeout 150\n"), "{text}");
    }

    #[test]
    fn an_untroubled_run_says_so() {
        let text = summary(&outage(0, 0), None, 10_000 * MS);
        assert!(!text.contains("stall") && text.ends_with("not in time: none\n"), "{text}");
    }
}
