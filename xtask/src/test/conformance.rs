//! The conformance suite: written once, so the same tests must have run on every runtime. The step `tests` asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::libtest::Target;

/// Which tests of the suite ran, by runtime.
pub(super) struct Conformance(BTreeMap<String, BTreeSet<String>>);

impl Conformance {
    /// Reads them off the names of the tests: `runtime::topic::test`.
    pub(super) fn of(targets: &[Target]) -> Self {
        let mut tests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let suites = targets.iter().filter(|target| target.short_name() == BINARY);
        for (runtime, test) in suites.flat_map(|t| &t.ran).filter_map(|t| t.split_once("::")) {
            tests.entry(runtime.to_owned()).or_default().insert(test.to_owned());
        }
        Self(tests)
    }

    /// Whether the same tests ran on each of at least two runtimes.
    pub(super) fn is_even(&self) -> bool {
        let mut tests = self.0.values();
        let first = tests.next();
        self.0.len() > 1 && tests.all(|tests| Some(tests) == first)
    }
}

impl fmt::Display for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("conformance:")?;
        for (n, (runtime, tests)) in self.0.iter().enumerate() {
            write!(f, "{} {} on {runtime}", if n == 0 { "" } else { "," }, tests.len())?;
        }
        match (self.0.is_empty(), self.is_even()) {
            (true, _) => f.write_str(" it did not run"),
            (false, true) => Ok(()),
            (false, false) => f.write_str(": these are not the same tests"),
        }
    }
}

/// The test binary, as cargo names it.
const BINARY: &str = "conformance";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libtest;

    fn ran(tests: &[&str]) -> Conformance {
        let heading = ["Running tests/conformance/main.rs (target/debug/deps/conformance-0a)"];
        let tests = tests.iter().map(|test| format!("test {test} ... ok"));
        let lines: Vec<_> = heading.map(str::to_owned).into_iter().chain(tests).collect();
        let more = ["test result: ok. 9 passed; 0 failed; 0 ignored".to_owned()];
        Conformance::of(&libtest::parse(&[lines, more.to_vec()].concat()))
    }

    #[test]
    fn the_same_tests_on_each_runtime_are_counted() {
        let suite = ran(&["smol::a::x", "tokio::a::x", "smol::b::y", "tokio::b::y"]);
        assert!(suite.is_even());
        assert_eq!(suite.to_string(), "conformance: 2 on smol, 2 on tokio");
    }

    #[test]
    fn a_test_that_is_missing_somewhere_is_noticed() {
        assert!(!ran(&["smol::a::x", "tokio::a::x", "smol::b::y"]).is_even());
        let suite = ran(&["smol::a::x", "tokio::a::y"]);
        assert!(!suite.is_even(), "equal counts of different tests are not equal");
        assert!(suite.to_string().ends_with("not the same tests"), "{suite}");
    }

    #[test]
    fn a_suite_that_did_not_run_is_not_even() {
        let other = ["Running tests/a.rs (deps/a-1)", "test smol::a ... ok", "test b::a ... ok"];
        let suite = Conformance::of(&libtest::parse(&other));
        assert!(!suite.is_even());
        assert_eq!(suite.to_string(), "conformance: it did not run");
    }
}
