//! Counts and tables: what the commands print when they are done.

use std::ops::AddAssign;
use std::time::Duration;

/// How many checks passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Count {
    /// One check with the given result.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: usize::from(passed), failed: usize::from(!passed), skipped: 0 }
    }

    pub(crate) fn sum(counts: impl IntoIterator<Item = Self>) -> Self {
        counts.into_iter().fold(Self::default(), |mut total, count| {
            total += count;
            total
        })
    }

    /// The line that ends a run: `N passed, M failed`, and what was skipped if anything was.
    pub(crate) fn line(&self) -> String {
        let skipped = match self.skipped {
            0 => String::new(),
            n => format!(", {n} skipped"),
        };
        format!("{} passed, {} failed{skipped}", self.passed, self.failed)
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Lays `rows` out below `head`, each column as wide as its widest cell. Columns whose cells are all numbers are
/// right-aligned.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    let mut numeric = [!rows.is_empty(); N];
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            widths[i] = widths[i].max(cell.chars().count());
            numeric[i] &= cell.chars().all(|c| c.is_ascii_digit() || c == '.');
        }
    }
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (i, cell) in cells.iter().enumerate() {
            let width = widths[i];
            line += &if numeric[i] { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line += "  ";
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    };
    let mut text = line(head);
    for row in rows {
        text += &line(row.each_ref().map(String::as_str));
    }
    text
}

/// Seconds with one decimal: enough to see which step to make faster.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_aligns_words_left_and_numbers_right() {
        let rows = [["fmt".to_owned(), "0.4".to_owned()], ["clippy".to_owned(), "12.0".to_owned()]];
        assert_eq!(table(["step", "s"], &rows), "step       s\nfmt      0.4\nclippy  12.0\n");
    }

    #[test]
    fn the_last_line_mentions_skips_only_if_there_are_any() {
        let mut count = Count { passed: 3, failed: 0, skipped: 0 };
        assert_eq!(count.line(), "3 passed, 0 failed");
        count += Count { skipped: 2, ..Count::one(false) };
        assert_eq!(count.line(), "3 passed, 1 failed, 2 skipped");
    }
}
