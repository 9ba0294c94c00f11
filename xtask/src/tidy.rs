//! `cargo xtask tidy`: the rules of this project that no compiler checks, each violation as `path:line: message`.
//!
//! The rules are in `rules` (one file at a time), `edges` (who may import whom), `manifests` (who may depend on whom) and
//! `claims` (what documents say of tests).

use std::collections::BTreeMap;
use std::process::ExitCode;

use crate::files;
use crate::source::Source;

mod claims;
mod edges;
mod imports;
mod manifests;
mod rules;

pub(crate) fn command(mut args: lexopt::Parser) -> Result<ExitCode, String> {
    if let Some(arg) = args.next().map_err(|e| e.to_string())? {
        return Err(arg.unexpected().to_string());
    }
    let violations = check()?;
    for violation in &violations {
        println!("{violation}");
    }
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every violation in the tree, in the order of the files.
pub(crate) fn check() -> Result<Vec<String>, String> {
    let files = files::list()?;
    let manifests = manifests::read_all(&files)?;
    let mut violations = Vec::new();
    let sources = Source::read_all(files.iter().filter(|file| file.ends_with(".rs")))?;
    for source in &sources {
        for found in check_source(source, &manifests) {
            violations.push(found.at(&source.path));
        }
    }
    let tests = claims::tests(&sources);
    for path in files.iter().filter(|file| file.ends_with(".md")) {
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))?;
        violations.extend(claims::check(&text, &tests).iter().map(|found| found.at(path)));
    }
    for (path, manifest) in &manifests {
        violations.extend(manifests::check(path, manifest).iter().map(|found| found.at(path)));
    }
    violations.extend(manifests::check_trees()?);
    Ok(violations)
}

fn check_source(
    source: &Source,
    manifests: &BTreeMap<String, manifests::Manifest>,
) -> Vec<Violation> {
    let externs = manifests::extern_names(manifests, &source.path);
    let mut found: Vec<_> = rules::ALL.iter().flat_map(|rule| rule(source)).collect();
    found.extend(edges::check(source, edges::EDGES, &externs));
    found.sort();
    found
}

/// A broken rule, and the line that breaks it (counted from 1).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    line: usize,
    message: String,
}

impl Violation {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }

    fn at(&self, path: &str) -> String {
        format!("{path}:{}: {}", self.line, self.message)
    }
}
