//! Finds the places where the modelled code can be weakened.
//!
//! - Every `Ordering::Acquire`, `Release`, `AcqRel` and `SeqCst` becomes `Relaxed`.
//! - A line that ends in `// mutate: <code>` is replaced by that code, or removed if there is none. With
//!   `// mutate-lines N: <code>`, so are the line and the N - 1 that follow.
//! - Such a marker on a line of its own speaks of the next line of code, so one line can have several. It is the form
//!   for a line that ends in `{`: rustfmt moves a comment behind the brace to the line below, of which it would speak.
//! - A comment `// mutant survives: <reason>` in the lines right above a place explains why no model can see the
//!   change.

use crate::source::{Source, is_ident};

/// One place and what is done to it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Why the mutant need not be killed.
    pub(crate) explained: Option<String>,
    edit: Edit,
}

#[derive(Debug)]
enum Edit {
    /// The ordering named so, at this column, becomes `Relaxed`.
    Weaken { column: usize, ordering: &'static str },
    /// This many lines become this code.
    Replace { lines: usize, code: String },
}

impl Site {
    /// `path:line`.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.path, self.line)
    }

    pub(crate) fn change(&self) -> String {
        match &self.edit {
            Edit::Weaken { ordering, .. } => format!("{ordering} -> Relaxed"),
            Edit::Replace { lines: 1, code } if code.is_empty() => "line removed".to_owned(),
            Edit::Replace { lines, code } if code.is_empty() => format!("{lines} lines removed"),
            Edit::Replace { code, .. } => format!("-> {code}"),
        }
    }

    /// The text of the file with this one change.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let first = self.line - 1;
        match &self.edit {
            Edit::Weaken { column, ordering } => {
                lines[first].replace_range(*column..column + ordering.len(), "Relaxed");
            }
            Edit::Replace { lines: count, code } => {
                let indent = lines[first].len() - lines[first].trim_start().len();
                let replacement = format!("{}{code}", &lines[first][..indent]);
                let kept = (!code.is_empty()).then_some(replacement);
                lines.splice(first..first + count, kept);
            }
        }
        lines.join("\n") + "\n"
    }
}

/// The places in one file, in order. A marker that cannot be understood, and an explanation that explains nothing, are
/// errors: either would silently weaken the proof.
pub(crate) fn find(source: &Source) -> Result<Vec<Site>, String> {
    let mut sites = Vec::new();
    for line in (0..source.code.len()).filter(|line| !source.tests[*line]) {
        for (column, ordering) in orderings(&source.code[line]) {
            sites.push(site(source, line, Edit::Weaken { column, ordering }));
        }
        let Some(marker) = source.comment(line).and_then(|text| text.strip_prefix("mutate")) else {
            continue;
        };
        let at = |message: &str| format!("{}:{}: {message}", source.path, line + 1);
        let edit = parse_marker(marker)
            .ok_or_else(|| at("write `// mutate: <code>` or `// mutate-lines N: <code>`"))?;
        let code_from =
            |line: usize| (line..source.code.len()).find(|l| !source.is_only_comment(*l));
        let first = code_from(line).ok_or_else(|| at("this marker stands above no code"))?;
        let Edit::Replace { lines, .. } = &edit else { continue };
        if first + lines > source.code.len() {
            return Err(at("this marker goes past the end of the file"));
        }
        sites.push(site(source, first, edit));
    }
    sites.sort_by_key(|site| site.line);
    match unused_explanation(source, &sites) {
        Some(line) => {
            Err(format!("{}:{line}: this explanation stands above no mutant", source.path))
        }
        None => Ok(sites),
    }
}

fn site(source: &Source, line: usize, edit: Edit) -> Site {
    let explained = explanation(source, line).map(|(_, reason)| reason);
    Site { path: source.path.clone(), line: line + 1, explained, edit }
}

/// The orderings in a line of code that can be weakened.
fn orderings(code: &str) -> impl Iterator<Item = (usize, &'static str)> {
    code.match_indices("Ordering::").filter_map(|(start, path)| {
        let column = start + path.len();
        let strong = ["Acquire", "Release", "AcqRel", "SeqCst"];
        let name = strong.into_iter().find(|name| {
            code[column..].strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_ident))
        })?;
        Some((column, name))
    })
}

/// Reads what follows `mutate`.
fn parse_marker(marker: &str) -> Option<Edit> {
    let (lines, code) = match marker.strip_prefix("-lines ") {
        Some(rest) => {
            let (n, code) = rest.split_once(':')?;
            (n.trim().parse().ok().filter(|n| *n > 0)?, code)
        }
        None => (1, marker.strip_prefix(':')?),
    };
    Some(Edit::Replace { lines, code: code.trim().to_owned() })
}

/// The explanation in the comment right above `line` (counted from 0), with the line that it begins in.
fn explanation(source: &Source, line: usize) -> Option<(usize, String)> {
    let first = (0..line).rev().take_while(|l| source.is_only_comment(*l)).last()?;
    let begins = (first..line).find(|l| survives(source, *l).is_some())?;
    let mut reason = survives(source, begins)?.to_owned();
    let rest = (begins + 1..line).filter_map(|l| source.comment(l));
    for text in rest.filter(|text| !text.starts_with("mutate")) {
        reason = reason + " " + text;
    }
    Some((begins, reason))
}

fn survives(source: &Source, line: usize) -> Option<&str> {
    source.comment(line)?.strip_prefix("mutant survives:").map(str::trim)
}

fn unused_explanation(source: &Source, sites: &[Site]) -> Option<usize> {
    let used: Vec<usize> =
        sites.iter().filter_map(|s| Some(explanation(source, s.line - 1)?.0)).collect();
    let explains = |line: &usize| survives(source, *line).is_some() && !used.contains(line);
    (0..source.code.len()).find(explains).map(|line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Place, change and mutated text of each site in `text`.
    fn mutants(text: &str) -> Vec<(usize, String, String)> {
        let sites = find(&Source::new("a.rs", text)).expect("the sample has no bad marker");
        sites.iter().map(|s| (s.line, s.change(), s.apply(text))).collect()
    }

    #[test]
    fn each_ordering_is_weakened_alone() {
        let text = "// Ordering::SeqCst\na.swap(b, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Less);\n";
        let found = mutants(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].1, "AcqRel -> Relaxed");
        assert!(found[0].2.contains("(b, Ordering::Relaxed, Ordering::Acquire, "));
        assert!(found[1].2.contains("(b, Ordering::AcqRel, Ordering::Relaxed, "));
    }

    #[test]
    fn a_marker_replaces_or_removes_its_line() {
        let text = "    if a { // mutate: if true {\n    b();\n    c(); // mutate:\n    }\n";
        let found = mutants(text);
        assert_eq!(found[0].2, "    if true {\n    b();\n    c(); // mutate:\n    }\n");
        assert_eq!(found[1].1, "line removed");
        assert_eq!(found[1].2, "    if a { // mutate: if true {\n    b();\n    }\n");
    }

    #[test]
    fn a_marker_can_take_several_lines() {
        let text = "a\nb( // mutate-lines 3: d\n  c,\n)\ne\n";
        assert_eq!(mutants(text)[0].2, "a\nd\ne\n");
        assert!(find(&Source::new("a.rs", "b // mutate-lines 2:\n")).is_err());
    }

    #[test]
    fn a_marker_on_its_own_line_speaks_of_the_next() {
        let text = "// mutate: c\n// mutate: d\n// Why.\n  a\nb\n";
        let found = mutants(text);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|(line, ..)| *line == 4));
        assert!(found[0].2.ends_with("\n  c\nb\n") && found[1].2.ends_with("\n  d\nb\n"));
    }

    #[test]
    fn an_explanation_belongs_to_the_place_below_it() {
        let text = "a(Ordering::Acquire);\n// Why.\n// mutant survives: nobody reads\n// it twice.\nb(Ordering::Acquire);\n";
        let sites = find(&Source::new("a.rs", text)).expect("the sample has no bad marker");
        let reasons: Vec<_> = sites.iter().map(|site| site.explained.as_deref()).collect();
        assert_eq!(reasons, [None, Some("nobody reads it twice.")]);
    }

    #[test]
    fn tests_and_documentation_are_left_alone() {
        let text = "/// // mutate: a\n//! mutate: b\n#[cfg(test)]\nfn c() { d(Ordering::Acquire); // mutate: e\n}\n";
        assert_eq!(mutants(text), []);
    }

    #[test]
    fn a_marker_or_explanation_that_means_nothing_is_an_error() {
        for text in ["a // mutate\n", "a // mutate-lines x: b\n", "// mutate: a\n"] {
            assert!(find(&Source::new("a.rs", text)).is_err(), "accepted {text:?}");
        }
        assert!(find(&Source::new("a.rs", "// mutant survives: a\nb\n")).is_err());
    }
}
