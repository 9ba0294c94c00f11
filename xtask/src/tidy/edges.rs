//! Imports run one way: the table of who may import whom, and the check that the code keeps to it.

use super::Violation;
use super::imports::{self, Import};
use crate::source::Source;

/// What a part of the code may import.
pub(super) enum Edge {
    /// These and nothing else.
    Only(&'static [&'static str]),
    /// Anything but the first, except what the second allows inside it.
    Never(&'static str, &'static [&'static str]),
}

use Edge::{Never, Only};

/// The edges of ARCHITECTURE.md. A file is bound by every row whose prefix its path has: `…/src/shelf` is both
/// `shelf.rs` and `shelf/`. Code under `#[cfg(test)]` is free.
pub(super) const EDGES: &[(&str, Edge)] = &[
    ("crates/millpond-core/src/", Only(&["std", "core", "alloc", "crate"])),
    ("crates/millpond/src/sync", Only(&["std", "core", "loom", "crate::sync"])),
    ("crates/millpond/src/shelf", Only(&["std", "core", "loom", "crate::sync", "crate::shelf"])),
    ("crates/millpond/src/pool", Never("crate::driver", &["crate::driver::command"])),
    ("crates/millpond/src/get", Never("crate::driver", &["crate::driver::command"])),
    ("crates/millpond/src/pooled", Never("crate::driver", &["crate::driver::command"])),
    ("crates/millpond/src/desk", Never("crate::pool", &[])),
    ("crates/millpond/src/desk", Never("crate::get", &[])),
    ("crates/millpond/src/desk", Never("crate::pooled", &[])),
    ("crates/millpond/src/driver", Never("crate::pool", &[])),
    ("crates/millpond/src/driver", Never("crate::get", &[])),
    ("crates/millpond/src/driver", Never("crate::pooled", &[])),
    ("crates/millpond-postgres/src/protocol", Only(&["std", "core", "crate::protocol"])),
    ("crates/millpond-postgres/src/wire", Never("crate::client", &[])),
    ("crates/millpond-tokio/src/", Only(&["std", "core", "millpond", "tokio", "crate"])),
    ("crates/millpond-smol/src/", Only(&["std", "core", "millpond", "smol", "crate"])),
    ("crates/millpond-async-std/src/", Only(&["std", "core", "millpond", "async_std", "crate"])),
];

/// Compares the imports of `source` with the rows of `edges` that bind it. `externs` are the crates it could name
/// without a `use`.
pub(super) fn check(source: &Source, edges: &[(&str, Edge)], externs: &[String]) -> Vec<Violation> {
    let binding: Vec<_> = edges.iter().filter(|(prefix, _)| covers(prefix, &source.path)).collect();
    if binding.is_empty() {
        return Vec::new();
    }
    let imports = imports::find(source, externs);
    let mut found = Vec::new();
    for import in imports.iter().filter(|import| !import.test) {
        for (prefix, edge) in &binding {
            found.extend(broken(import, prefix, edge));
        }
    }
    found
}

fn broken(import: &Import, prefix: &str, edge: &Edge) -> Option<Violation> {
    let path = import.path.as_str();
    let inside = |allowed: &&str| is_inside(path, allowed);
    let message = match edge {
        Only(allowed) if allowed.iter().any(inside) => return None,
        Only(allowed) => format!("imports `{path}`: {prefix} imports only {}", allowed.join(", ")),
        Never(denied, _) if !is_inside(path, denied) => return None,
        Never(_, except) if except.iter().any(inside) => return None,
        Never(denied, except) => {
            let except = match except {
                [] => String::new(),
                names => format!(" except {}", names.join(", ")),
            };
            format!("imports `{path}`: {prefix} never imports {denied}{except}")
        }
    };
    Some(Violation::new(import.line, message))
}

/// `…/pool` covers `…/pool.rs` and `…/pool/a.rs`, not `…/pooled.rs`.
fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| prefix.ends_with('/') || rest.starts_with(['.', '/']))
}

fn is_inside(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let externs = ["async_channel".to_owned()];
        let found = check(&Source::new(path, text), EDGES, &externs);
        found.into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn the_core_imports_std_and_itself() {
        let path = "crates/millpond-core/src/core/queue.rs";
        let good = "use std::time::Duration;\nuse super::Core;\nuse crate::io;\nuse Lane::*;\n#[cfg(test)]\nuse proptest::prelude::*;\n";
        assert_eq!(messages(path, good), [""; 0]);
        assert_eq!(messages(path, "use smallvec::SmallVec;\n").len(), 1);
    }

    #[test]
    fn the_shelf_imports_nothing_above_it() {
        let path = "crates/millpond/src/shelf/slot.rs";
        let good = "use std::cell::UnsafeCell;\nuse loom::cell;\nuse crate::sync::Arc;\nuse super::Word;\nuse crate::shelf::Shelf;\n";
        assert_eq!(messages(path, good), [""; 0]);
        let bad = "use crate::pool::Pool;\nfn f(sender: async_channel::Sender<u8>) {}\n";
        assert_eq!(messages(path, bad).len(), 2);
    }

    #[test]
    fn handles_see_only_the_commands_of_the_driver() {
        let path = "crates/millpond/src/pool.rs";
        assert_eq!(messages(path, "use crate::driver::command::Command;\n"), [""; 0]);
        assert_eq!(messages(path, "use crate::driver::{command, task};\n").len(), 1);
        assert_eq!(messages(path, "fn f() { super::driver::start() }\n").len(), 1);
        assert_eq!(messages(path, "fn f() { crate::driver::start() }\n").len(), 1);
    }

    #[test]
    fn the_driver_does_not_know_the_handles() {
        let path = "crates/millpond/src/driver/mod.rs";
        assert_eq!(messages(path, "use crate::manager::Manager;\n"), [""; 0]);
        assert_eq!(messages(path, "use crate::pooled::Pooled;\n").len(), 1);
    }

    #[test]
    fn an_adapter_imports_the_pool_and_its_own_runtime() {
        let path = "crates/millpond-smol/src/lib.rs";
        assert_eq!(messages(path, "use millpond::{Runtime, Task};\nuse smol::Timer;\n"), [""; 0]);
        assert_eq!(messages(path, "use async_io::Timer;\n").len(), 1);
        assert_eq!(messages("crates/millpond-tokio/src/lib.rs", "use smol::Timer;\n").len(), 1);
    }

    #[test]
    fn a_prefix_ends_at_a_file_or_directory() {
        assert!(covers("src/pool", "src/pool.rs") && covers("src/pool", "src/pool/a.rs"));
        assert!(covers("src/", "src/a.rs") && !covers("src/pool", "src/pooled.rs"));
        assert!(
            is_inside("crate::sync", "crate::sync") && !is_inside("crate::synced", "crate::sync")
        );
    }
}
