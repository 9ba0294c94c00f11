//! What documents claim about tests: in a table whose last column is headed `proved by`, each row names tests that exist.
//!
//! A test is named as `cargo test` runs it: the target or crate, the modules that are files, and the function.

use std::collections::BTreeSet;

use super::Violation;
use crate::source::{Source, words};

/// Every claim of a document that no test stands behind.
pub(super) fn check(text: &str, tests: &BTreeSet<String>) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut proves = false;
    for (line, row) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        let Some(cell) = last_cell(row) else {
            proves = false;
            continue;
        };
        if cell == HEADING {
            proves = true;
        } else if proves && !cell.chars().all(|c| "-:".contains(c)) {
            let mut named = names(cell).peekable();
            if named.peek().is_none() {
                found.push(Violation::new(line, "this claim names no test"));
            }
            found.extend(
                named
                    .filter(|name| !tests.contains(*name))
                    .map(|name| Violation::new(line, format!("there is no test `{name}`"))),
            );
        }
    }
    found
}

/// The names of all tests.
pub(super) fn tests(sources: &[Source]) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for source in sources {
        let Some(modules) = modules(&source.path) else { continue };
        let mut is_test = false;
        for (_, code) in source.code() {
            is_test |= code.trim() == "#[test]";
            let mut words = words(code).map(|(_, word)| word).skip_while(|word| *word != "fn");
            if let (true, Some(name)) = (is_test, words.nth(1)) {
                tests.insert(format!("{modules}::{name}"));
                is_test = false;
            }
        }
    }
    tests
}

/// The module that a file is, below its target or crate.
fn modules(path: &str) -> Option<String> {
    let path = path.strip_suffix(".rs")?;
    let (krate, file) = match path.split_once("/src/") {
        Some((package, file)) => (package.rsplit('/').next(), file),
        None => (None, path.split_once("/tests/")?.1),
    };
    let files = file.split('/').filter(|part| !["main", "lib", "mod"].contains(part));
    let modules: Vec<_> =
        krate.into_iter().chain(files).map(|name| name.replace('-', "_")).collect();
    Some(modules.join("::"))
}

/// The last cell of a table's row.
fn last_cell(row: &str) -> Option<&str> {
    let row = row.strip_prefix('|')?.strip_suffix('|')?;
    Some(row.rsplit('|').next().unwrap_or(row).trim())
}

/// What stands in backquotes.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

const HEADING: &str = "proved by";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_named_by_its_target_its_files_and_its_function() {
        let text = "#[test]\nfn a_b() {}\n\nfn c() {}\n#[test]\n#[cfg(x)]\nfn d() {}\n";
        let paths = [
            "tests/tests/twelve/hung.rs",
            "tests/tests/twelve/main.rs",
            "tests/tests/fast_path.rs",
            "crates/millpond-tokio/tests/adapter.rs",
            "crates/millpond-core/src/tests/retiring.rs",
            "crates/millpond/src/loom_models/mod.rs",
        ];
        let sources: Vec<_> = paths.iter().map(|path| Source::new(path, text)).collect();
        let tests: Vec<_> = tests(&sources).into_iter().collect();
        let modules = [
            "adapter",
            "fast_path",
            "millpond::loom_models",
            "millpond_core::tests::retiring",
            "twelve",
            "twelve::hung",
        ];
        let expected: Vec<_> =
            modules.iter().flat_map(|m| [format!("{m}::a_b"), format!("{m}::d")]).collect();
        assert_eq!(tests, expected);
    }

    #[test]
    fn a_claim_names_a_test_that_exists() {
        let tests = ["twelve::a".to_owned(), "twelve::b".to_owned()].into();
        let claims = |rows: &str| {
            let text = format!("| guarantee | proved by |\n|---|:--|\n{rows}\n\n| x | `y` |\n");
            check(&text, &tests).into_iter().map(|found| found.line).collect::<Vec<_>>()
        };
        assert_eq!(claims("| it holds | `twelve::a`, `twelve::b` |"), [0; 0]);
        assert_eq!(claims("| it holds | `twelve::a` |\n| and | `twelve::c`, `b` |"), [4, 4]);
        assert_eq!(claims("| it `holds` | by inspection |"), [3]);
    }
}
