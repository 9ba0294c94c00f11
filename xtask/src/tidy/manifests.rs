//! Who may depend on whom: reads the manifests as lines, and asks `cargo tree` what they come to.

use std::collections::BTreeMap;
use std::fs;

use super::Violation;
use crate::step::Step;

/// The dependency tables of one `Cargo.toml`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Everything under any kind of `[dependencies]`.
    dependencies: Vec<Dependency>,
}

#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    /// Counted from 1.
    line: usize,
    name: String,
    /// Under `[dev-dependencies]`: users of the crate never build it.
    dev: bool,
}

/// Reads every `Cargo.toml` among `files`.
pub(super) fn read_all(files: &[String]) -> Result<BTreeMap<String, Manifest>, String> {
    let manifests = files.iter().filter(|file| file.ends_with("/Cargo.toml"));
    manifests
        .map(|file| {
            let text = fs::read_to_string(file).map_err(|e| format!("cannot read {file}: {e}"))?;
            Ok((file.clone(), Manifest::parse(&text)))
        })
        .collect()
}

/// The names by which code at `path` may refer to other crates.
pub(super) fn extern_names(manifests: &BTreeMap<String, Manifest>, path: &str) -> Vec<String> {
    let own = manifests.iter().find(|(manifest, _)| {
        manifest.strip_suffix("Cargo.toml").is_some_and(|dir| path.starts_with(dir))
    });
    let dependencies = own.into_iter().flat_map(|(_, manifest)| &manifest.dependencies);
    dependencies.map(|dependency| dependency.name.replace('-', "_")).collect()
}

/// The rules that one manifest shows by itself.
pub(super) fn check(path: &str, manifest: &Manifest) -> Vec<Violation> {
    let name = path.trim_end_matches("/Cargo.toml").trim_start_matches("crates/");
    // Named after the one runtime it may build.
    let runtime = name.strip_prefix("millpond-").filter(|_| ADAPTERS.contains(&name));
    let mut found = Vec::new();
    for Dependency { line, name: dependency, dev } in &manifest.dependencies {
        if name == "millpond-core" && !dev {
            found.push(Violation::new(
                *line,
                format!("millpond-core depends on `{dependency}`, it depends on nothing"),
            ));
        }
        let is_adapter = ADAPTERS.contains(&dependency.as_str());
        let is_foreign = |runtime: &&str| !dev && !["millpond", runtime].contains(&&**dependency);
        if let Some(runtime) = runtime.filter(|runtime| is_adapter || is_foreign(runtime)) {
            found.push(Violation::new(
                *line,
                format!("an adapter depends on `millpond` and `{runtime}`, not on `{dependency}`"),
            ));
        }
    }
    let depends_on_pool = manifest.dependencies.iter().any(|d| d.name == "millpond" && !d.dev);
    if runtime.is_some() && !depends_on_pool {
        found
            .push(Violation::new(1, "an adapter plugs into `millpond`, and does not depend on it"));
    }
    found
}

/// The rules about what a user of the crates ends up building.
pub(super) fn check_trees() -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for (package, allowed) in [("millpond", Tree::NoRuntime), ("millpond-core", Tree::Alone)] {
        let step =
            Step::cargo().args(["tree", "-p", package, "-e", "normal", "--prefix", "none"]).quiet();
        let done = step.run()?;
        if !done.passed() {
            return Err(format!("`{}` failed:\n{}", step.shown(), done.lines.join("\n")));
        }
        for name in allowed.forbidden(package, &done.lines) {
            found.push(format!(
                "crates/{package}/Cargo.toml:1: builds `{name}` (`{}`)",
                step.shown()
            ));
        }
    }
    Ok(found)
}

/// What may appear in the tree of dependencies of a crate.
enum Tree {
    /// Anything that is no runtime, and no part of one.
    NoRuntime,
    /// Nothing but the crate itself.
    Alone,
}

impl Tree {
    fn forbidden<'a>(&self, package: &str, lines: &'a [String]) -> Vec<&'a str> {
        // Messages of cargo itself ("warning: …", "Downloaded …") have no version in second place.
        let entries = lines.iter().filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            words.next()?.starts_with('v').then_some(name)
        });
        let forbidden = |name: &&str| match self {
            Self::NoRuntime => RUNTIMES.contains(name),
            Self::Alone => *name != package,
        };
        entries.filter(forbidden).collect()
    }
}

impl Manifest {
    fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut table = "";
        for (i, line) in text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default().trim();
            if let Some(name) = code.strip_prefix('[').and_then(|c| c.strip_suffix(']')) {
                table = name;
                // `[dependencies.tokio]` is a dependency by itself.
                if let Some((kind, name)) = table.rsplit_once("dependencies.") {
                    manifest.add(i + 1, name, kind);
                    table = "";
                }
            } else if let (Some((name, _)), Some(kind)) =
                (code.split_once('='), table.strip_suffix("dependencies"))
            {
                // `tokio.workspace = true` names tokio.
                manifest.add(i + 1, name.split('.').next().unwrap_or(name), kind);
            }
        }
        manifest
    }

    fn add(&mut self, line: usize, name: &str, kind: &str) {
        let name = name.trim().trim_matches('"').to_owned();
        self.dependencies.push(Dependency { line, name, dev: kind.ends_with("dev-") });
    }
}

/// The crates that plug `millpond` into one runtime each.
pub(super) const ADAPTERS: &[&str] = &["millpond-tokio", "millpond-smol", "millpond-async-std"];

const RUNTIMES: &[&str] = &[
    "tokio",
    "smol",
    "async-std",
    "async-io",
    "async-executor",
    "async-global-executor",
    "futures-timer",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> usize {
        check(path, &Manifest::parse(text)).len()
    }

    #[test]
    fn every_kind_of_dependency_is_read() {
        let text = "\
[package]
name = \"a\"
[dependencies]
# why
b = { x = 1 }
c.workspace = true
[dev-dependencies]
d = \"1\"
[target.'cfg(loom)'.dependencies]
e = \"1\"
[dependencies.f]
version = \"1\"
[lints]
workspace = true
";
        let manifest = Manifest::parse(text);
        let names: Vec<_> =
            manifest.dependencies.iter().map(|d| (d.name.as_str(), d.dev)).collect();
        assert_eq!(names, [("b", false), ("c", false), ("d", true), ("e", false), ("f", false)]);
        assert_eq!(manifest.dependencies[0].line, 5);
        let all = BTreeMap::from([("crates/a/Cargo.toml".to_owned(), manifest)]);
        assert_eq!(extern_names(&all, "crates/a/src/lib.rs").len(), 5);
        assert_eq!(extern_names(&all, "crates/ab/src/lib.rs"), [""; 0]);
    }

    #[test]
    fn the_core_depends_on_nothing() {
        let path = "crates/millpond-core/Cargo.toml";
        assert_eq!(messages(path, "[dependencies]\n[dev-dependencies]\nproptest = \"1\"\n"), 0);
        assert_eq!(messages(path, "[dependencies]\nsmallvec = \"1\"\n"), 1);
        assert_eq!(messages(path, "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n"), 1);
    }

    #[test]
    fn an_adapter_depends_on_the_pool_and_its_own_runtime() {
        let path = "crates/millpond-smol/Cargo.toml";
        assert_eq!(messages(path, "[dependencies]\nmillpond = \"1\"\nsmol = \"2\"\n"), 0);
        assert_eq!(messages(path, "[dependencies]\nmillpond = \"1\"\nmillpond-tokio = \"1\"\n"), 1);
        assert_eq!(messages(path, "[dependencies]\nsmol = \"2\"\n"), 1);
    }

    #[test]
    fn the_pool_builds_no_runtime() {
        let tree = |name: &str| ["millpond v0.1.0 (/p)".to_owned(), format!("{name} v1.2.3 (*)")];
        assert_eq!(Tree::NoRuntime.forbidden("millpond", &tree("async-channel")), [""; 0]);
        assert_eq!(Tree::NoRuntime.forbidden("millpond", &tree("tokio")), ["tokio"]);
    }

    #[test]
    fn the_core_builds_only_itself() {
        let mut tree = vec!["warning: unused".to_owned(), "millpond-core v0.1.0 (/p)".to_owned()];
        assert_eq!(Tree::Alone.forbidden("millpond-core", &tree), [""; 0]);
        tree.push("smallvec v1.0.0".to_owned());
        assert_eq!(Tree::Alone.forbidden("millpond-core", &tree), ["smallvec"]);
    }
}
