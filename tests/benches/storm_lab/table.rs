//! The tables: Markdown that can be read as it is.

use std::fmt::Write;
use std::time::Duration;

use crate::figures::{Back, Figures, Spread};

/// One table, of which the first column is text and the others are figures.
pub(crate) struct Table {
    rows: Vec<[String; COLUMNS]>,
}

const COLUMNS: usize = 12;

impl Table {
    pub(crate) fn new() -> Self {
        let head = [
            "pool",
            "good, % of offered",
            "% of capacity",
            "p50 ms",
            "p99 ms",
            "refused %",
            "told after p50 ms",
            "p99 ms",
            "late %",
            "critical / others %",
            "attempts",
            "back after s",
        ];
        Self { rows: vec![head.map(str::to_owned)] }
    }

    pub(crate) fn push(&mut self, name: &str, figures: &Figures) {
        let [served, most_served] = quantiles(&figures.served);
        let [told, most_told] = quantiles(&figures.refusals);
        self.rows.push([
            name.to_owned(),
            percent(figures.of_offered),
            percent(figures.of_capacity),
            served,
            most_served,
            percent(figures.refused),
            told,
            most_told,
            percent(figures.late),
            figures.by_rank.map_or_else(nothing, |(critical, others)| {
                format!("{} / {}", percent(critical), percent(others))
            }),
            format!("{:.2}", figures.attempts),
            figures.back.map_or_else(nothing, |back| match back {
                Back::After(time) => format!("{:.2}", time.as_secs_f64()),
                Back::NotIn(time) => format!("not in {:.2}", time.as_secs_f64()),
            }),
        ]);
    }

    pub(crate) fn markdown(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                let _ = if column == 0 {
                    write!(text, "| {cell:width$} |")
                } else {
                    write!(text, " {cell:>width$} |")
                };
            }
            text.push('\n');
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let _ = if column == 0 {
                        write!(text, "|{:-<1$}|", "", width + 2)
                    } else {
                        write!(text, "{:-<1$}:|", "", width + 1)
                    };
                }
                text.push('\n');
            }
        }
        text
    }
}

fn quantiles(spread: &Spread) -> [String; 2] {
    [spread.median, spread.most].map(|time| time.map_or_else(nothing, millis))
}

fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.2}") } else { format!("{millis:.0}") }
}

fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

fn nothing() -> String {
    "-".to_owned()
}
