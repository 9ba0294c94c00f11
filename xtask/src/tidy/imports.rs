//! Finds what a file imports: its `use` declarations as single paths, and the `crate::…` paths in its code.

use crate::source::{Source, declared_module, is_ident, words};

/// One path that a file imports or mentions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    /// Counted from 1.
    pub(super) line: usize,
    /// `crate::…` for the crate's own paths (`super` and `self` are resolved), else as written.
    pub(super) path: String,
    /// The name it is used by here; `*` for a glob.
    pub(super) name: String,
    /// Whether it stands under `#[cfg(test)]`.
    pub(super) test: bool,
}

/// Every import of `source`, and every path that starts with `crate`, `super` or one of `externs`, in order and without
/// repetitions.
pub(super) fn find(source: &Source, externs: &[String]) -> Vec<Import> {
    let modules = modules(source);
    let children = declared_modules(source);
    let mut found = Vec::new();
    let mut add = |line: usize, segments: &[String], name: &str| {
        found.push(Import {
            line,
            path: resolve(segments, &modules[line - 1], &children),
            name: name.to_owned(),
            test: source.tests[line - 1],
        });
    };
    let mut in_use = vec![false; source.code.len()];
    for statement in use_statements(source) {
        in_use[statement.first - 1..statement.last].fill(true);
        for (segments, name) in expand(&statement.tree) {
            add(statement.first, &segments, &name);
        }
    }
    for (line, code) in source.code().filter(|(line, _)| !in_use[line - 1]) {
        for segments in written_paths(code, externs) {
            let name = segments.last().cloned().unwrap_or_default();
            add(line, &segments, &name);
        }
    }
    found.sort();
    found.dedup();
    found
}

struct UseStatement {
    first: usize,
    last: usize,
    /// What stands between `use` and `;`.
    tree: String,
}

fn use_statements(source: &Source) -> Vec<UseStatement> {
    let mut found = Vec::new();
    for (first, code) in source.code() {
        for (column, _) in words(code).filter(|(_, word)| *word == "use") {
            let mut tree = code[column + 3..].to_owned();
            // `use<'a>` captures lifetimes in a return type.
            if tree.trim_start().starts_with('<') {
                continue;
            }
            let mut last = first;
            while !tree.contains(';') && last < source.code.len() {
                tree = tree + " " + &source.code[last];
                last += 1;
            }
            tree.truncate(tree.find(';').unwrap_or(tree.len()));
            found.push(UseStatement { first, last, tree });
        }
    }
    found
}

/// Flattens a use tree into paths with the names they introduce.
fn expand(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let (path, alias) = match tree.split_once(" as ") {
            Some((path, alias)) => (path, Some(alias.trim().to_owned())),
            None => (tree, None),
        };
        let mut segments = segments(path);
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let name = alias.or_else(|| segments.last().cloned()).unwrap_or_default();
        return vec![(segments, name)];
    };
    let head = segments(head);
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let mut all = Vec::new();
    for member in split_top_level(group) {
        for (tail, name) in expand(member) {
            let inner_self = tail == ["self"];
            let name = match head.last() {
                Some(last) if inner_self && name == "self" => last.clone(),
                _ => name,
            };
            let tail = if inner_self { Vec::new() } else { tail };
            all.push((head.iter().cloned().chain(tail).collect(), name));
        }
    }
    all
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// Splits at the commas that are in no inner braces.
fn split_top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The paths in a line of code that start with `crate`, `super` or one of `externs`.
fn written_paths(code: &str, externs: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (column, word) in words(code) {
        let starts_path = matches!(word, "crate" | "super") || externs.iter().any(|e| e == word);
        let before = code[..column].trim_end();
        if !starts_path
            || before.ends_with("::") && !before.ends_with(" ::")
            || before.ends_with('.')
        {
            continue;
        }
        let mut path = vec![word.to_owned()];
        let mut rest = &code[column + word.len()..];
        while let Some(tail) = rest.strip_prefix("::") {
            let end = tail.find(|c| !is_ident(c)).unwrap_or(tail.len());
            if end == 0 {
                break;
            }
            path.push(tail[..end].to_owned());
            rest = &tail[end..];
        }
        if path.len() > 1 {
            found.push(path);
        }
    }
    found
}

/// The module that a file is: `crates/a/src/shelf/slot.rs` is `shelf::slot`.
fn module_path(path: &str) -> Vec<String> {
    let inside = path.rsplit_once("src/").map_or(path, |(_, inside)| inside);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// The module that each line belongs to, modules written in the file included.
fn modules(source: &Source) -> Vec<Vec<String>> {
    let mut module = module_path(&source.path);
    let mut depth = 0;
    // The depth at which each module written in the file began.
    let mut open = Vec::new();
    let mut modules = Vec::new();
    for (_, code) in source.code() {
        modules.push(module.clone());
        if let Some(name) = declared_module(code).filter(|_| code.contains('{')) {
            module.push(name.to_owned());
            open.push(depth);
        }
        for brace in code.matches(['{', '}']) {
            depth += if brace == "{" { 1 } else { -1 };
            if open.last() == Some(&depth) && brace == "}" {
                open.pop();
                module.pop();
            }
        }
    }
    modules
}

fn declared_modules(source: &Source) -> Vec<String> {
    source.code().filter_map(|(_, code)| declared_module(code)).map(str::to_owned).collect()
}

/// Rewrites `super::`, `self::` and paths into child modules as `crate::…`.
fn resolve(segments: &[String], module: &[String], children: &[String]) -> String {
    let Some(first) = segments.first() else { return String::new() };
    // A capital letter begins a type of this file, not a crate.
    let local = children.contains(first) || first.starts_with(char::is_uppercase);
    if !local && !matches!(first.as_str(), "super" | "self") {
        return segments.join("::");
    }
    let mut path = module.to_vec();
    for segment in segments {
        match segment.as_str() {
            "self" => {}
            "super" => {
                path.pop();
            }
            _ => path.push(segment.clone()),
        }
    }
    path.insert(0, "crate".to_owned());
    path.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        let externs = ["async_channel".to_owned()];
        find(&Source::new(path, text), &externs).into_iter().map(|import| import.path).collect()
    }

    #[test]
    fn groups_are_flattened() {
        let text = "use std::{\n    fmt,\n    sync::{self, Arc as Shared},\n};\nuse a::*;\n";
        assert_eq!(
            paths("crates/a/src/b.rs", text),
            ["std::fmt", "std::sync", "std::sync::Arc", "a::*"]
        );
        let imports = find(&Source::new("crates/a/src/b.rs", text), &[]);
        let names: Vec<_> = imports.iter().map(|import| import.name.as_str()).collect();
        assert_eq!(names, ["fmt", "sync", "Shared", "*"]);
    }

    #[test]
    fn own_paths_are_resolved() {
        let text = "mod cell;\nuse super::Shelf;\nuse self::cell::Cell;\npub(crate) use cell::Slot;\nuse Kind::*;\n";
        assert_eq!(
            paths("crates/a/src/shelf/slot.rs", text),
            [
                "crate::shelf::Shelf",
                "crate::shelf::slot::cell::Cell",
                "crate::shelf::slot::cell::Slot",
                "crate::shelf::slot::Kind::*"
            ]
        );
        assert_eq!(paths("crates/a/src/shelf/mod.rs", "use super::pool;"), ["crate::pool"]);
        let nested = "mod real {\n    use super::a;\n    fn f() {}\n}\nuse super::b;\n";
        assert_eq!(paths("crates/a/src/sync.rs", nested), ["crate::sync::a", "crate::b"]);
    }

    #[test]
    fn paths_written_out_in_code_count() {
        let text = "fn f(a: async_channel::Sender<u8>) -> impl X + use<'_> {\n    crate::driver::task::run(a)\n}\n";
        assert_eq!(
            paths("crates/a/src/pool.rs", text),
            ["async_channel::Sender", "crate::driver::task::run"]
        );
    }

    #[test]
    fn imports_of_tests_are_marked() {
        let source = Source::new("src/a.rs", "use std::fmt;\n#[cfg(test)]\nuse b::c;\n");
        let tests: Vec<_> = find(&source, &[]).into_iter().map(|import| import.test).collect();
        assert_eq!(tests, [false, true]);
    }
}
