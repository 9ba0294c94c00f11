//! Tables for a terminal.

use std::time::Duration;

use millpond_core::{ShedReason, Why};
use millpond_sim::{Run, Summary};

/// What the policies made of a scenario, one line each, and one for each kind of callers if there are several.
pub(crate) fn compare(runs: &[(String, Run)], twin: Option<&[Run]>) -> String {
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    for (place, (name, run)) in runs.iter().enumerate() {
        let back = twin.and_then(|twins| back(run, &twins[place]));
        rows.push(row(name, run, &run.summary(), back));
        let kinds = &run.scenario.callers;
        if kinds.len() > 1 {
            for (kind, callers) in kinds.iter().enumerate() {
                let name = format!("  {}", callers.name);
                rows.push(row(&name, run, &run.summary_of(kind), None));
            }
        }
    }
    lines(&rows)
}

/// How long after the last fault everything was as without it.
pub(crate) fn back(run: &Run, twin: &Run) -> Option<String> {
    let end = run.scenario.faults.iter().map(millpond_sim::Fault::end).max()?;
    Some(match run.recovered(twin, end) {
        None => "never".to_owned(),
        Some(Duration::ZERO) => "at once".to_owned(),
        Some(after) => short(after),
    })
}

fn row(name: &str, run: &Run, summary: &Summary, back: Option<String>) -> Vec<String> {
    let seconds = run.scenario.lasts.saturating_sub(run.scenario.warm_up).as_secs_f64();
    let goodput = summary.good as f64 / (run.scenario.capacity() * seconds);
    let refused = |why| summary.refused.get(&why).copied().unwrap_or(0);
    let gave_up = refused(Why::Deadline) + summary.left;
    let shed = |reason| summary.shed(reason).to_string();
    vec![
        name.to_owned(),
        summary.requests.to_string(),
        percent(summary.useful()),
        percent(goodput),
        short(summary.wait.p50),
        short(summary.wait.p99),
        short(summary.total.p50),
        short(summary.total.p99),
        short(summary.total.p999),
        summary.late.to_string(),
        gave_up.to_string(),
        refused(Why::TooManyWaiters).to_string(),
        shed(ShedReason::Overloaded),
        shed(ShedReason::WaitedTooLong),
        shed(ShedReason::PredictedTooLate),
        shed(ShedReason::DeadlineTooClose),
        percent(summary.waste()),
        run.most_waiting.to_string(),
        format!("{:.2}", summary.amplification()),
        back.unwrap_or_else(|| "-".to_owned()),
    ]
}

/// Rows as lines, every column as wide as its widest cell, the first to the left and the others to the right.
pub(crate) fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            if column == 0 {
                line += &format!("{cell:<width$}");
            } else {
                line += &format!("  {cell:>width$}");
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A time in three digits or so.
pub(crate) fn short(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        0.0 => "0".to_owned(),
        ..1e3 => format!("{micros:.0}us"),
        ..1e4 => format!("{:.1}ms", micros / 1e3),
        ..1e6 => format!("{:.0}ms", micros / 1e3),
        _ => format!("{:.1}s", micros / 1e6),
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

const HEADS: [&str; 20] = [
    "",
    "came",
    "useful",
    "of cap.",
    "wait p50",
    "p99",
    "total p50",
    "p99",
    "p99.9",
    "late",
    "gave up",
    "full",
    "overloaded",
    "waited",
    "predicted",
    "too close",
    "wasted",
    "queue",
    "asked",
    "back after",
];
