//! The rules that a source file shows by itself.

use super::manifests::ADAPTERS;
use super::{Violation, imports};
use crate::source::{Source, is_ident, words};

/// Every rule. Each looks at one file and knows which files it applies to.
pub(super) const ALL: &[fn(&Source) -> Vec<Violation>] = &[
    first_line,
    length,
    adapter_length,
    unsafe_outside_the_slot,
    unfinished,
    idle_tests,
    sleeping_tests,
    private_dependencies,
    unnamed_orderings,
];

/// Line 1 tells what the file is for.
fn first_line(source: &Source) -> Vec<Violation> {
    let first = source.raw.first().map_or("", String::as_str);
    violated(!first.starts_with("//!") && !first.starts_with("#!"), 1, "does not start with `//!`")
}

/// A file holds one idea.
fn length(source: &Source) -> Vec<Violation> {
    if source.is_test() || is_test_file(&source.path) {
        return Vec::new();
    }
    let lines = lines_before_tests(source);
    let message = format!("{lines} lines before its tests, at most {MAX_LINES} are allowed");
    violated(lines > MAX_LINES, MAX_LINES + 1, message)
}

/// An adapter implements `Runtime` and nothing else.
fn adapter_length(source: &Source) -> Vec<Violation> {
    let is_adapter = ADAPTERS.iter().any(|name| source.path == format!("crates/{name}/src/lib.rs"));
    let lines = lines_before_tests(source);
    let message =
        format!("{lines} lines before its tests, an adapter has at most {MAX_ADAPTER_LINES}");
    violated(is_adapter && lines > MAX_ADAPTER_LINES, MAX_ADAPTER_LINES + 1, message)
}

/// One file may be unsafe, so that one file has to be proved.
fn unsafe_outside_the_slot(source: &Source) -> Vec<Violation> {
    if source.path == UNSAFE_FILE {
        return Vec::new();
    }
    each_line(source, |code| {
        words(code)
            .any(|(_, word)| word == "unsafe")
            .then(|| format!("`unsafe` belongs in {UNSAFE_FILE}"))
    })
}

/// Nothing is left to be done, and nothing prints for debugging.
fn unfinished(source: &Source) -> Vec<Violation> {
    each_line(source, |code| {
        let mut macros = words(code).filter(|(at, word)| code[at + word.len()..].starts_with("!("));
        let (_, word) =
            macros.find(|(_, word)| matches!(*word, "todo" | "unimplemented" | "dbg"))?;
        Some(format!("`{word}!` is left in the code"))
    })
}

/// A test that does not run proves nothing, and one that should panic does not say where.
fn idle_tests(source: &Source) -> Vec<Violation> {
    each_line(source, |code| {
        let attribute = ["#[ignore", "#[should_panic"].into_iter().find(|a| code.contains(a))?;
        Some(format!("`{attribute}]` hides what a test would show"))
    })
}

/// A virtual clock can drive any test; a sleep makes it slow and, on a busy machine, wrong. A benchmark measures real time.
fn sleeping_tests(source: &Source) -> Vec<Violation> {
    if !is_in(&source.path, "tests") || is_in(&source.path, "benches") {
        return Vec::new();
    }
    const MESSAGE: &str = "a test waits for the clock: drive it by a virtual one, or by a gate";
    let mut found = each_line(source, |code| {
        let sleeps = ["thread::sleep", "time::sleep"].iter().any(|call| {
            code.match_indices(call).any(|(at, _)| !code[at + call.len()..].starts_with(is_ident))
        });
        sleeps.then(|| MESSAGE.to_owned())
    });
    // `use tokio::time::{sleep}` has none of these strings.
    for import in imports::find(source, &[]) {
        if import.path.ends_with("thread::sleep") || import.path.ends_with("time::sleep") {
            found.push(Violation::new(import.line, MESSAGE));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// async-channel, event-listener and futures can be replaced without breaking a user.
fn private_dependencies(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with("crates/millpond/src/") {
        return Vec::new();
    }
    let imported: Vec<String> = imports::find(source, &[])
        .into_iter()
        .filter(|i| PRIVATE.iter().any(|p| i.path.split("::").next() == Some(p)) && i.name != "*")
        .map(|import| import.name)
        .collect();
    let mut found = Vec::new();
    for (line, code) in source.untested_code() {
        if !PUBLIC.iter().any(|start| code.trim_start().starts_with(start)) {
            continue;
        }
        // A signature may go on below, up to its body.
        let ends = |line: &&String| line.contains(['{', ';']);
        let rest = &source.code[line - 1..];
        let length = rest.iter().position(|line| ends(&line)).map_or(rest.len(), |n| n + 1);
        let signature = rest[..length].join(" ");
        let mut named = words(&signature).map(|(_, word)| word);
        if let Some(name) = named.find(|w| PRIVATE.contains(w) || imported.iter().any(|i| i == w)) {
            found.push(Violation::new(
                line,
                format!("a public signature mentions `{name}` of a private dependency"),
            ));
        }
    }
    found
}

/// The mutation test finds an ordering by its full name, so importing one would hide it.
fn unnamed_orderings(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with("crates/millpond/src/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for import in imports::find(source, &[]) {
        if import.path.contains("Ordering::")
            || import.path.ends_with("::Ordering") && import.name != "Ordering"
        {
            found.push(Violation::new(
                import.line,
                "write `Ordering::…` in full, or no mutant weakens it",
            ));
        }
    }
    found
}

fn violated(violated: bool, line: usize, message: impl Into<String>) -> Vec<Violation> {
    if violated { vec![Violation::new(line, message)] } else { Vec::new() }
}

fn each_line(source: &Source, rule: impl Fn(&str) -> Option<String>) -> Vec<Violation> {
    source.code().filter_map(|(line, code)| Some(Violation::new(line, rule(code)?))).collect()
}

fn lines_before_tests(source: &Source) -> usize {
    // Indented, it marks a single item.
    let is_test =
        |line: &String| line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
    source.code.iter().position(is_test).unwrap_or(source.code.len())
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || is_in(path, "tests") || is_in(path, "benches")
}

fn is_in(path: &str, directory: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(dirs, _)| dirs.split('/').any(|dir| dir == directory))
}

const MAX_LINES: usize = 500;

/// What a minimal adapter needs, twice over: quinn's are 103 and 109 lines long.
const MAX_ADAPTER_LINES: usize = 150;

const UNSAFE_FILE: &str = "crates/millpond/src/shelf/slot.rs";

const PRIVATE: &[&str] = &["async_channel", "event_listener", "futures"];

const PUBLIC: &[&str] = &[
    "pub fn ",
    "pub async fn ",
    "pub const fn ",
    "pub struct ",
    "pub enum ",
    "pub type ",
    "pub trait ",
];

#[cfg(test)]
mod tests;
