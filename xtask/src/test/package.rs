//! Whether what would be published builds from what would be published, and nothing else.
//!
//! `cargo package` can verify that itself, but not twice at one path: a crate that others of the workspace depend on is
//! unpacked into a cache with the path and the version as its key, so what an earlier tree left there passes for the
//! present one (cargo 1.95). So the packages are unpacked here, and each is checked with only the others beside it.

use std::fs;
use std::path::PathBuf;

use crate::files;
use crate::step::Step;

/// What is published: the crates in the directory `crates`, each named as its directory.
pub(super) fn names() -> Result<Vec<String>, String> {
    let crates = files::root().join("crates");
    let cannot_read = |e| format!("cannot read {}: {e}", crates.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&crates).map_err(cannot_read)? {
        names.push(entry.map_err(cannot_read)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Packs. Offline, since cargo would ask the registry for each crate, and what it needs is what the build has fetched.
pub(super) fn pack(names: &[String]) -> Step {
    Step::cargo()
        .args(["package", "--no-verify", "--offline", "--quiet", "--allow-dirty"])
        .args(names.iter().map(|name| format!("--package={name}")))
        .env("CARGO_TARGET_DIR", place())
}

/// Unpacks what was packed into a workspace of its own.
pub(super) fn unpack(names: &[String]) -> Result<(), String> {
    files::remove_if_there(&workspace())?;
    let lock = fs::read(files::root().join("Cargo.lock"))
        .map_err(|e| format!("cannot read Cargo.lock: {e}"))?;
    files::write_if_changed(&workspace().join("Cargo.lock"), &lock)?;
    files::write_if_changed(&workspace().join("Cargo.toml"), manifest(names).as_bytes())?;
    for name in names {
        // Without the times in the archive (`-m`): cargo sets all of them to one moment long ago, and would then not see
        // that a file is another than the one it has compiled.
        let archive = place().join("package").join(format!("{}.crate", packed(name)));
        let unpack = Step::new("tar")
            .args(["-xzmf".as_ref(), archive.as_os_str()])
            .dir(workspace())
            .quiet()
            .run()?;
        if !unpack.passed() {
            return Err(format!(
                "cannot unpack {}: {}",
                archive.display(),
                unpack.lines.join("\n")
            ));
        }
    }
    Ok(())
}

/// Checks one of the packages: by itself, since what another one asks of a dependency must not help it.
pub(super) fn check(name: &str) -> Step {
    Step::cargo()
        .args(["check", "--offline", "--quiet", "--package", name])
        .dir(workspace())
        .env("CARGO_TARGET_DIR", place())
}

/// What a package, once unpacked, is called.
fn packed(name: &str) -> String {
    format!("{name}-{}", env!("CARGO_PKG_VERSION"))
}

/// A workspace of the packages, in which each takes the others from it and not from the registry.
fn manifest(names: &[String]) -> String {
    let mut text =
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n\n[patch.crates-io]\n".to_owned();
    for name in names {
        text += &format!("{name} = {{ path = \"{}\" }}\n", packed(name));
    }
    text
}

fn workspace() -> PathBuf {
    place().join("workspace")
}

fn place() -> PathBuf {
    files::target().join("published")
}
