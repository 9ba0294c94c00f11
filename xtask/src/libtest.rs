//! Reads what cargo and the test binaries print: which tests ran, how they ended, and in which package.

use std::collections::BTreeMap;

use crate::report::Count;

/// What one test binary (or one crate's doctests) reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// The file name of the binary, or the crate whose documentation was tested.
    pub(crate) name: String,
    pub(crate) count: Count,
    /// The tests that ran, with whatever result.
    pub(crate) ran: Vec<String>,
    /// The tests that failed.
    pub(crate) failed: Vec<String>,
    /// The tests that could do nothing here, and why: libtest takes them for passed.
    pub(crate) skipped: Vec<String>,
    /// What the tests that failed wrote, one after the other.
    pub(crate) said: Vec<String>,
    reading: Reading,
    /// Whether it has begun tests and not summed them up.
    running: bool,
}

/// Where in a binary's output a line stands. libtest shows first what the failed tests wrote, each under its name, and
/// then their names again, both under the same heading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    Results,
    Said,
    /// Left out of what a test said: it would hide what the next one says.
    Stack,
}

/// Reads the output of `cargo test`. A binary that says nothing libtest would say (a benchmark) counts no tests; one
/// that ended in the middle of its tests (it crashed, or was killed) counts as one failure.
pub(crate) fn parse<S: AsRef<str>>(lines: &[S]) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for line in lines {
        let line = line.as_ref().trim();
        if let Some(name) = started(line) {
            targets.push(Target::new(name));
            continue;
        }
        if targets.is_empty() {
            // A binary that was run without cargo has no heading.
            targets.push(Target::new(String::new()));
        }
        targets.last_mut().expect("one was just added if there was none").read(line);
    }
    // Most often there was only cargo talking before the first binary.
    targets.retain(|t| !t.name.is_empty() || t.running || t.count != Count::default());
    for target in targets.iter_mut().filter(|target| target.running) {
        target.count += Count::one(false);
        target.failed.push("(it ended in the middle of its tests)".to_owned());
    }
    targets
}

impl Target {
    fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    fn read(&mut self, line: &str) {
        self.reading = match line {
            "failures:" if self.said.is_empty() => Reading::Said,
            "failures:" => Reading::Results,
            "stack backtrace:" if self.reading == Reading::Said => Reading::Stack,
            _ if self.reading == Reading::Stack && line.starts_with("---- ") => Reading::Said,
            _ => self.reading,
        };
        if self.reading == Reading::Said && !line.is_empty() && line != "failures:" {
            self.said.push(line.to_owned());
        }
        if let Some(skipped) = skipped(line) {
            self.skipped.push(skipped.to_owned());
        } else if let Some(count) = result(line) {
            self.count += count;
            self.count.passed -= self.skipped.len().min(count.passed);
            self.count.skipped += self.skipped.len();
            self.running = false;
        } else if is_start(line) {
            self.running = true;
        } else if let Some((test, passed)) = outcome(line) {
            self.ran.push(test.to_owned());
            if !passed {
                self.failed.push(test.to_owned());
            }
        }
    }

    /// The name without the hash that cargo appends.
    pub(crate) fn short_name(&self) -> &str {
        self.name.rsplit_once('-').map_or(&self.name, |(name, _)| name)
    }
}

/// All counts of a run together.
pub(crate) fn total(targets: &[Target]) -> Count {
    Count::sum(targets.iter().map(|target| target.count))
}

/// The package of each executable that cargo's `--message-format=json` lines mention, by file name.
pub(crate) fn packages<S: AsRef<str>>(lines: &[S]) -> BTreeMap<String, String> {
    let artifacts = lines.iter().map(AsRef::as_ref).filter(|line| is_artifact(line));
    artifacts
        .filter_map(|line| {
            let name = file_name(json_text(line, "executable")?);
            Some((name.to_owned(), package(json_text(line, "package_id")?)))
        })
        .collect()
}

/// The executables that cargo's `--message-format=json` lines mention.
pub(crate) fn executables<S: AsRef<str>>(lines: &[S]) -> Vec<&str> {
    let artifacts = lines.iter().map(AsRef::as_ref).filter(|line| is_artifact(line));
    artifacts.filter_map(|line| json_text(line, "executable")).collect()
}

/// The tests that a binary names under `--list`.
pub(crate) fn listed<S: AsRef<str>>(lines: &[S]) -> Vec<String> {
    lines
        .iter()
        .filter_map(|line| line.as_ref().strip_suffix(": test"))
        .map(str::to_owned)
        .collect()
}

/// `Running tests/a.rs (target/debug/deps/a-0123)` or `Doc-tests a`.
fn started(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(name.to_owned());
    }
    let (_, binary) = line.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once('(')?;
    Some(file_name(binary).to_owned())
}

/// `running 5 tests`.
fn is_start(line: &str) -> bool {
    let count = line.strip_prefix("running ").and_then(|rest| rest.split_once(" test"));
    count.is_some_and(|(n, _)| n.parse::<usize>().is_ok())
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
fn result(line: &str) -> Option<Count> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut count = Count::default();
    for part in counts.split("; ") {
        match part.split_once(' ') {
            Some((n, "passed")) => count.passed = n.parse().ok()?,
            Some((n, "failed")) => count.failed = n.parse().ok()?,
            Some((n, "ignored")) => count.skipped = n.parse().ok()?,
            _ => {}
        }
    }
    Some(count)
}

/// `skipped test a::b: there is no server`, as a test says that needs what this machine lacks. On one thread, libtest has
/// begun a line before it.
fn skipped(line: &str) -> Option<&str> {
    line.split_once("skipped test ").map(|(_, skipped)| skipped)
}

/// `test a::b ... ok`, or `FAILED`. What was ignored has no outcome.
fn outcome(line: &str) -> Option<(&str, bool)> {
    let (test, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    match result {
        "ok" => Some((test, true)),
        "FAILED" => Some((test, false)),
        _ => None,
    }
}

/// A line that cargo writes for programs.
pub(crate) fn is_json(line: &str) -> bool {
    line.starts_with("{\"reason\":")
}

fn is_artifact(line: &str) -> bool {
    line.starts_with("{\"reason\":\"compiler-artifact\"")
}

/// The value of a text field. Cargo writes compact JSON, and no path here holds a quote: a JSON parser would be this
/// program's second dependency.
fn json_text<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    let key = format!("\"{field}\":\"");
    let value = &line[line.find(&key)? + key.len()..];
    value.split('"').next()
}

/// `path+file:///…/tests#millpond-tests@0.1.0`, or without the name where it is the directory's.
fn package(id: &str) -> String {
    let (source, version) = id.rsplit_once('#').unwrap_or((id, ""));
    match version.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => file_name(source).to_owned(),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
   Compiling millpond-core v0.1.0
     Running unittests src/lib.rs (target/debug/deps/millpond_core-00aa)

running 3 tests
test slots::a_slot_is_reused ... ok
test waiters::the_head_is_served ... FAILED
test waiters::slow ... ignored

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running benches/checkout.rs (target/debug/deps/checkout-11bb)
nothing that libtest would say
     Running tests/twelve.rs (target/debug/deps/twelve-22cc)

running 12 tests
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.20s

   Doc-tests millpond
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s
";

    fn lines(text: &str) -> Vec<&str> {
        text.lines().collect()
    }

    #[test]
    fn counts_are_kept_per_binary() {
        let targets = parse(&lines(OUTPUT));
        let counts: Vec<_> = targets.iter().map(|t| (t.name.as_str(), t.count)).collect();
        let count = |passed, failed, skipped| Count { passed, failed, skipped };
        assert_eq!(
            counts,
            [
                ("millpond_core-00aa", count(1, 1, 1)),
                ("checkout-11bb", count(0, 0, 0)),
                ("twelve-22cc", count(12, 0, 0)),
                ("millpond", count(5, 0, 0)),
            ]
        );
        assert_eq!(targets[0].failed, ["waiters::the_head_is_served"]);
        assert_eq!(targets[0].ran, ["slots::a_slot_is_reused", "waiters::the_head_is_served"]);
        assert_eq!(total(&targets), count(18, 1, 1));
    }

    #[test]
    fn a_binary_run_without_cargo_has_no_name() {
        let targets =
            parse(&["test a ... FAILED", "test result: FAILED. 0 passed; 1 failed; 0 ignored"]);
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].count, Count::one(false));
        assert_eq!(targets[0].failed, ["a"]);
    }

    #[test]
    fn what_a_failed_test_wrote_is_kept() {
        let targets = parse(&[
            "Running tests/a.rs (deps/a-1)",
            "running 2 tests",
            "test one ... FAILED",
            "test two ... FAILED",
            "",
            "failures:",
            "",
            "---- one stdout ----",
            "thread 'one' panicked at tests/a.rs:3:5:",
            "8 of 9",
            "stack backtrace:",
            "  0: one",
            "",
            "---- two stdout ----",
            "thread 'two' panicked at tests/a.rs:5:5:",
            "",
            "failures:",
            "    one",
            "    two",
            "",
            "test result: FAILED. 0 passed; 2 failed; 0 ignored",
        ]);
        let said = [
            "---- one stdout ----",
            "thread 'one' panicked at tests/a.rs:3:5:",
            "8 of 9",
            "---- two stdout ----",
            "thread 'two' panicked at tests/a.rs:5:5:",
        ];
        assert_eq!(targets[0].said, said);
        assert_eq!(targets[0].failed, ["one", "two"]);
    }

    #[test]
    fn a_test_that_skipped_itself_has_not_passed() {
        let targets = parse(&[
            "Running tests/postgres/main.rs (deps/postgres-1)",
            "running 2 tests",
            "skipped test outages::restart: there is no server",
            "test outages::restart ... ok",
            "test refusals::no_tokio ... ok",
            "test result: ok. 2 passed; 0 failed; 0 ignored",
        ]);
        assert_eq!(targets[0].count, Count { passed: 1, failed: 0, skipped: 1 });
        assert_eq!(targets[0].skipped, ["outages::restart: there is no server"]);
    }

    #[test]
    fn a_binary_that_ends_too_early_has_failed() {
        let cut_short =
            ["Running tests/a.rs (deps/a-1)", "running 2 tests", "Running tests/b.rs (deps/b-2)"];
        let targets = parse(&cut_short);
        assert_eq!(targets[0].count, Count::one(false));
        assert_eq!(targets[0].short_name(), "a");
        assert_eq!(targets[1].count, Count::default());
    }

    #[test]
    fn output_without_a_result_counts_nothing() {
        let targets = parse(&["error: could not compile `millpond`"]);
        assert_eq!(total(&targets), Count::default());
        assert_eq!(result("test result: ok. many passed"), None);
    }

    #[test]
    fn executables_are_traced_to_their_packages() {
        let json = [
            r#"{"reason":"compiler-artifact","package_id":"path+file:///p/crates/millpond-core#0.1.0","executable":"/p/target/debug/deps/model_check-01"}"#,
            r#"{"reason":"compiler-artifact","package_id":"path+file:///p/tests#millpond-tests@0.1.0","executable":"/p/target/debug/deps/twelve-02"}"#,
            r#"{"reason":"compiler-artifact","package_id":"registry+https://x#loom@0.7.2","executable":null}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let packages = packages(&json);
        assert_eq!(packages.len(), 2);
        assert_eq!(packages["model_check-01"], "millpond-core");
        assert_eq!(packages["twelve-02"], "millpond-tests");
        assert_eq!(executables(&json).len(), 2);
    }

    #[test]
    fn a_listing_names_tests_but_not_benchmarks() {
        assert_eq!(listed(&["a::b: test", "c: benchmark", "", "1 test, 1 benchmark"]), ["a::b"]);
    }
}
