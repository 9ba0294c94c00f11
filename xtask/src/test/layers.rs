//! The layers of the test pyramid, and how many tests ran in each.

use std::collections::BTreeMap;

use crate::libtest::Target;
use crate::report::{Count, table};

/// Where a test belongs, from the pure core upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    Core,
    Pool,
    Support,
    Runtime,
    Worker,
    Postgres,
    WholePool,
    Examples,
    Other,
    Doctests,
    Model,
    Loom,
    Mutants,
    Patches,
    /// What is no test: format, lints, tidy, documentation, programs that must run.
    Checks,
}

impl Layer {
    fn of_package(name: &str) -> Self {
        match name {
            "millpond-core" => Self::Core,
            "millpond" => Self::Pool,
            "millpond-test" | "xtask" => Self::Support,
            "millpond-tokio" | "millpond-smol" | "millpond-async-std" => Self::Runtime,
            "millpond-worker" => Self::Worker,
            "millpond-postgres" => Self::Postgres,
            "millpond-tests" => Self::WholePool,
            "millpond-examples" => Self::Examples,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Pool => "pool",
            Self::Support => "support",
            Self::Runtime => "runtime",
            Self::Worker => "worker",
            Self::Postgres => "postgres",
            Self::WholePool => "whole pool",
            Self::Examples => "examples",
            Self::Other => "other",
            Self::Doctests => "doctests",
            Self::Model => "model check",
            Self::Loom => "loom models",
            Self::Mutants => "mutants",
            Self::Patches => "patches",
            Self::Checks => "checks",
        }
    }
}

/// How many tests ran, by layer and crate.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<(Layer, String), Count>);

impl Tally {
    pub(crate) fn add(&mut self, layer: Layer, count: Count) {
        *self.0.entry((layer, String::new())).or_default() += count;
    }

    /// Counts unit and integration tests where their packages belong. `packages` are the packages of the binaries.
    pub(crate) fn add_targets(&mut self, targets: &[Target], packages: &BTreeMap<String, String>) {
        for target in targets {
            let package = packages.get(&target.name).map_or("", String::as_str);
            *self.0.entry((Layer::of_package(package), package.to_owned())).or_default() +=
                target.count;
        }
    }

    pub(crate) fn total(&self) -> Count {
        Count::sum(self.0.values().copied())
    }

    pub(crate) fn table(&self) -> String {
        let rows: Vec<_> = self
            .0
            .iter()
            .map(|((layer, package), count)| {
                let Count { passed, failed, skipped } = count;
                [
                    layer.name().to_owned(),
                    package.clone(),
                    passed.to_string(),
                    failed.to_string(),
                    skipped.to_string(),
                ]
            })
            .collect();
        table(["layer", "crate", "passed", "failed", "skipped"], &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libtest;

    #[test]
    fn tests_are_counted_where_their_crate_belongs() {
        let lines = [("a-1", 1), ("b-2", 2), ("c-3", 4), ("d-4", 8)].map(|(binary, passed)| {
            let result = format!("test result: ok. {passed} passed; 0 failed; 0 ignored");
            [format!("Running tests/x.rs (target/debug/deps/{binary})"), result]
        });
        let packages = [("a-1", "millpond-core"), ("b-2", "millpond-core"), ("c-3", "xtask")];
        let packages = packages.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let mut tally = Tally::default();
        tally.add_targets(&libtest::parse(&lines.concat()), &packages);
        let count = |layer, package: &str| tally.0[&(layer, package.to_owned())].passed;
        assert_eq!(count(Layer::Core, "millpond-core"), 3);
        assert_eq!(count(Layer::Support, "xtask"), 4);
        assert_eq!(count(Layer::Other, ""), 8);
        assert_eq!(tally.total().passed, 15);
    }
}
