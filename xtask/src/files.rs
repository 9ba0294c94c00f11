//! The files of the project, and copies of them that can be changed without touching the originals.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::step::Step;

/// The workspace root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace root")
}

/// Where build products go. Each kind of build takes a directory of its own below it: cargo names artefacts by their
/// path inside the workspace, so a changed copy of the workspace would otherwise be taken for the original.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The files that are tracked, or would be if someone added them now, sorted.
pub(crate) fn list() -> Result<Vec<String>, String> {
    let done = Step::new("git")
        .args(["-c", "core.quotePath=false", "ls-files", "--cached", "--others"])
        .args(["--exclude-standard"])
        .dir(root())
        .quiet()
        .run()?;
    if !done.passed() {
        return Err(format!("git ls-files {}:\n{}", done.ended.describe(), done.lines.join("\n")));
    }
    // A file in the index may be gone from the tree.
    let files: BTreeSet<String> =
        done.lines.into_iter().filter(|file| root().join(file).is_file()).collect();
    Ok(files.into_iter().collect())
}

/// Makes `copy` hold exactly `files` with their present contents. A file that is already right is not written, so that
/// its time stays and cargo does not build it again.
pub(crate) fn sync(files: &[String], copy: &Path) -> Result<(), String> {
    for file in files {
        let text = fs::read(root().join(file)).map_err(|e| format!("cannot read {file}: {e}"))?;
        write_if_changed(&copy.join(file), &text)?;
    }
    let wanted: BTreeSet<PathBuf> = files.iter().map(|file| copy.join(file)).collect();
    remove_others(copy, &wanted).map_err(|e| format!("cannot clear {}: {e}", copy.display()))
}

/// Writes a file, and the directories above it, unless it has these contents already.
pub(crate) fn write_if_changed(path: &Path, contents: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    let written = match path.parent() {
        Some(dir) => fs::create_dir_all(dir).and_then(|()| fs::write(path, contents)),
        None => fs::write(path, contents),
    };
    written.map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// Removes a directory and all in it, if it is there.
pub(crate) fn remove_if_there(dir: &Path) -> Result<(), String> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn remove_others(dir: &Path, wanted: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
