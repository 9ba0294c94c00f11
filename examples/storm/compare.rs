//! The two queues side by side: how much each served in time, and how fast, by when the requests arrived.

use std::fmt::Write as _;
use std::time::Duration;

use crate::record::{Outcome, Record, Tally};
use crate::watch::millis;

/// One run, as far as it is compared.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) records: Vec<Record>,
    /// When the database stood still no more.
    pub(crate) calm_from: Option<Duration>,
}

/// A line for each half second until `end`, and how many were served in time, in all and after the stall.
pub(crate) fn compare(runs: &[Run; 2], end: Duration) -> String {
    let [one, other] = runs;
    let mut text = format!(
        "{:>9} | {:<WIDTH$} {:<WIDTH$} | {:>9} {:>9}\n",
        "arrived", one.name, other.name, one.name, other.name
    );
    let _ = writeln!(
        text,
        "{:>9} | {:<WIDTH$} {:<WIDTH$} | {:>19}",
        "", "in time", "", "p50 ms of the served"
    );
    let mut from = Duration::ZERO;
    while from < end {
        let to = (from + HALF).min(end);
        let mut tallies = runs.each_ref().map(|run| run.within(from, to));
        let [one, other] = tallies.each_ref().map(bar);
        let [half, most] = tallies.each_mut().map(|tally| millis(tally.percentile(50)));
        let at = format!("{:.1} s", from.as_secs_f64());
        let _ = writeln!(text, "{at:>9} | {one:<WIDTH$} {other:<WIDTH$} | {half:>9} {most:>9}");
        from = to;
    }
    let in_all = shares(runs, |run| run.within(Duration::ZERO, end));
    let _ = write!(text, "served in time: {in_all}");
    if runs.iter().all(|run| run.calm_from.is_some_and(|calm| calm < end)) {
        let after = shares(runs, |run| run.within(run.calm_from.unwrap_or_default(), end));
        let _ = write!(text, "; after the stall: {after}");
    }
    text
}

impl Run {
    /// What became of those that arrived in that time.
    fn within(&self, from: Duration, to: Duration) -> Tally {
        Tally::of(self.records.iter().filter(|record| (from..to).contains(&record.due)))
    }
}

fn shares(runs: &[Run; 2], of: impl Fn(&Run) -> Tally) -> String {
    runs.each_ref().map(|run| format!("{} {}", run.name, percent(&of(run)))).join(", ")
}

/// The share that was served in time, as a bar and as a figure.
fn bar(tally: &Tally) -> String {
    let (good, all) = (tally.count(Outcome::InTime), tally.total());
    let length = (good * BAR + all / 2).checked_div(all).unwrap_or(0) as usize;
    format!("{:<width$} {:>5}", "█".repeat(length), percent(tally), width = BAR as usize)
}

fn percent(tally: &Tally) -> String {
    tally.share_in_time().map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

const HALF: Duration = Duration::from_millis(500);
/// In characters, and with the figure beside it.
const BAR: u64 = 20;
const WIDTH: usize = BAR as usize + 6;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A request every 10 ms for 2 s, served in 5 ms if it arrived before so many ms, and too late otherwise.
    fn run(name: &'static str, until: u32) -> Run {
        let record = |request: u32| {
            let due = request * 10 * MS;
            let in_time = due < until * MS;
            let outcome = if in_time { Outcome::InTime } else { Outcome::Late };
            let took = if in_time { 5 * MS } else { 700 * MS };
            Record { request: u64::from(request), due, ended: due + took, outcome }
        };
        Run { name, records: (0..200).map(record).collect(), calm_from: Some(1000 * MS) }
    }

    #[test]
    fn each_half_second_and_the_time_after_the_stall_are_told_of_both() {
        let text = compare(&[run("one", 2000), run("other", 750)], 2000 * MS);
        let rows: Vec<Vec<_>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), 2 + 4 + 1, "{text}");
        let full = "█".repeat(20);
        assert_eq!(rows[2][3..], [&full, "100", "%", &full, "100", "%", "|", "5.0", "5.0"]);
        assert_eq!(rows[3][6..9], ["█".repeat(10).as_str(), "50", "%"]);
        assert_eq!(rows[4][6..], ["0", "%", "|", "5.0", "700.0"]);
        let verdict =
            "served in time: one 100 %, other 38 %; after the stall: one 100 %, other 0 %";
        assert!(text.ends_with(verdict), "{text}");
    }

    #[test]
    fn without_a_stall_there_is_no_after_and_without_requests_no_share() {
        let runs = ["one", "other"].map(|name| Run { name, records: Vec::new(), calm_from: None });
        assert!(compare(&runs, 500 * MS).ends_with("served in time: one -, other -"));
    }
}
