//! A Rust file as the textual tools see it: its lines with comments and literals blanked out, and which are tests.
//!
//! `tidy` and the mutant finder look for words in code. Blanking keeps every column where it was, so a hit in the
//! blanked text is also a place in the file, and a rule's own bad samples (string literals in its tests) are no
//! violations. A parser would know more, but would cost this program its one-second build.

/// One source file.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// The lines as they stand.
    pub(crate) raw: Vec<String>,
    /// The same lines with comments and the insides of literals replaced by spaces, byte for byte.
    pub(crate) code: Vec<String>,
    /// Where each line's `//` comment starts. Block comments are not recorded.
    pub(crate) comments: Vec<Option<usize>>,
    /// Whether the line belongs to an item under `#[cfg(test)]` or the like. In a file that is the module of such an
    /// item, every line does.
    pub(crate) tests: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let blanked = blank(text);
        let code: Vec<String> = blanked.text.lines().map(str::to_owned).collect();
        let mut comments = vec![None; code.len()];
        for (line, column) in blanked.comments {
            comments[line] = Some(column);
        }
        let tests = test_lines(&blanked.text, code.len());
        Self {
            path: path.to_owned(),
            raw: text.lines().map(str::to_owned).collect(),
            code,
            comments,
            tests,
        }
    }

    /// Reads files that belong together: which of them are tests is only known to the files that declare them.
    pub(crate) fn read_all<S: AsRef<str>>(
        paths: impl IntoIterator<Item = S>,
    ) -> Result<Vec<Self>, String> {
        let mut sources = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let text =
                std::fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))?;
            sources.push(Self::new(path, &text));
        }
        mark_test_modules(&mut sources);
        Ok(sources)
    }

    /// Whether the file holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.tests.iter().all(|test| *test)
    }

    /// The lines of code, numbered from 1.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(i, line)| (i + 1, line.as_str()))
    }

    /// The lines of code that are not under `#[cfg(test)]`, numbered from 1.
    pub(crate) fn untested_code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(number, _)| !self.tests[number - 1])
    }

    /// The text of the `//` comment on a line (counted from 0), without its slashes. Documentation comments do not
    /// count.
    pub(crate) fn comment(&self, line: usize) -> Option<&str> {
        let text = &self.raw[line][self.comments[line]? + 2..];
        (!text.starts_with(['/', '!'])).then(|| text.trim())
    }

    /// Whether a line (counted from 0) holds a comment and nothing else.
    pub(crate) fn is_only_comment(&self, line: usize) -> bool {
        self.comments[line].is_some() && self.code[line].trim().is_empty()
    }
}

/// The name in `mod name;` or `mod name {`.
pub(crate) fn declared_module(code: &str) -> Option<&str> {
    let mut words = words(code).map(|(_, word)| word).skip_while(|word| *word != "mod");
    words.next()?;
    words.next()
}

/// The identifiers and keywords of a blanked line, each with its column.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = code;
    std::iter::from_fn(move || {
        let start = rest.find(is_ident)?;
        let tail = &rest[start..];
        let word = &tail[..tail.find(|c| !is_ident(c)).unwrap_or(tail.len())];
        let column = code.len() - rest.len() + start;
        rest = &tail[word.len()..];
        Some((column, word))
    })
}

/// Whether a character can be part of an identifier.
pub(crate) fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Blanked {
    text: String,
    /// Line and column of each `//`.
    comments: Vec<(usize, usize)>,
}

fn blank(text: &str) -> Blanked {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut comments = Vec::new();
    let (mut i, mut line, mut line_start) = (0, 0, 0);
    while i < bytes.len() {
        let rest = &text[i..];
        // What to keep at either end of the token at `i`, and where it ends.
        let (keep, end) = if rest.starts_with("//") {
            comments.push((line, i - line_start));
            (0, i + rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (0, i + block_comment(rest))
        } else if let Some(hashes) = raw_string(text, i) {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = i + 2 + hashes;
            let length = text[body..].find(&close).map_or(text.len() - body, |n| n + close.len());
            (1, body + length)
        } else if rest.starts_with('"') {
            (1, i + quoted(rest, '"'))
        } else if is_char_literal(rest) {
            (1, i + quoted(rest, '\''))
        } else {
            (0, i)
        };
        if end == i {
            if bytes[i] == b'\n' {
                line += 1;
                line_start = i + 1;
            }
            i += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        for (at, byte) in out.iter_mut().enumerate().take(end).skip(i) {
            if *byte == b'\n' {
                line += 1;
                line_start = at + 1;
            } else if at >= i + keep && at + keep < end {
                *byte = b' ';
            }
        }
        i = end;
    }
    let text = String::from_utf8(out).expect("whole tokens were replaced by spaces");
    Blanked { text, comments }
}

/// The length of the (nested) block comment that `rest` starts with.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut i) = (0_usize, 0);
    while i < rest.len() {
        let tail = &rest.as_bytes()[i..];
        if tail.starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    rest.len()
}

/// The number of hashes of the raw string that starts at `i`, if one does.
fn raw_string(text: &str, i: usize) -> Option<usize> {
    let tail = text[i..].strip_prefix('r')?;
    // The `r` of `br"…"` and `cr"…"` opens a raw string too, the last letter of an identifier does not.
    let before = text[..i].trim_end_matches(['b', 'c']);
    if before.ends_with(is_ident) {
        return None;
    }
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    tail[hashes..].starts_with('"').then_some(hashes)
}

/// The length of the literal that `rest` starts with, up to the closing `quote`.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return i + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Tells `'a'` from the lifetime `'a`.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('\'')
        && match chars.next() {
            Some('\\') => true,
            Some(_) => chars.next() == Some('\''),
            None => false,
        }
}

fn mark_test_modules(sources: &mut [Source]) {
    let mut modules = Vec::new();
    for source in sources.iter() {
        // `a/mod.rs` and `a/lib.rs` declare `a/name`, `a/b.rs` declares `a/b/name`.
        let stem = source.path.trim_end_matches(".rs");
        let (above, last) = stem.rsplit_once('/').unwrap_or(("", stem));
        let dir = if matches!(last, "mod" | "lib" | "main") { above } else { stem };
        for (_, code) in source.code().filter(|(line, _)| source.tests[line - 1]) {
            modules.extend(declared_module(code).map(|name| format!("{dir}/{name}")));
        }
    }
    let is_inside = |path: &str, module: &String| {
        path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    for source in sources {
        if modules.iter().any(|module| is_inside(&source.path, module)) {
            source.tests.fill(true);
        }
    }
}

fn test_lines(code: &str, count: usize) -> Vec<bool> {
    let mut lines = vec![false; count];
    for (start, attribute) in cfg_attributes(code) {
        if !words(attribute).any(|(_, word)| word == "test") || attribute.contains("not(test") {
            continue;
        }
        if attribute.starts_with("#!") {
            lines.fill(true);
            return lines;
        }
        let first = code[..start].matches('\n').count();
        let last = code[..item_end(code, start)].matches('\n').count();
        lines[first..=last.min(count - 1)].fill(true);
    }
    lines
}

/// Every `#[cfg(…)]` and `#![cfg(…)]` with its place.
fn cfg_attributes(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices('#').filter_map(|(start, _)| {
        let attribute = &code[start..start + code[start..].find(']')?];
        let is_cfg = attribute.starts_with("#[cfg(") || attribute.starts_with("#![cfg(");
        is_cfg.then_some((start, attribute))
    })
}

/// Where the item whose attributes begin at `start` ends: at its `;`, or at the brace that closes its body.
fn item_end(code: &str, start: usize) -> usize {
    let (mut nested, mut braces) = (0_i32, 0_i32);
    for (i, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested -= 1,
            ';' if nested == 0 && braces == 0 => return start + i,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return start + i;
                }
            }
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_in_place() {
        let source =
            Source::new("a.rs", "let a = \"x // y\"; // z\n/* b\n/* c */ d */ let e = 'f';\n");
        assert_eq!(source.code[0], "let a = \"      \";     ");
        assert_eq!(source.comment(0), Some("z"));
        assert_eq!(source.code[1], "    ");
        assert_eq!(source.code[2], "             let e = ' ';");
    }

    #[test]
    fn raw_strings_and_lifetimes_are_told_apart() {
        let masked = |text| Source::new("a.rs", text).code.remove(0);
        assert_eq!(masked("f(r#\"a \" b\"#, 1)"), "f(r        #, 1)");
        assert_eq!(masked("br\"c\";"), "br  \";");
        assert_eq!(masked("r#fn(for_r)"), "r#fn(for_r)");
        assert_eq!(masked("fn f<'a>(s: &'a str, c: '\\'')"), "fn f<'a>(s: &'a str, c: '  ')");
    }

    #[test]
    fn documentation_is_no_plain_comment() {
        let source = Source::new("a.rs", "//! a\n/// b\n// c\nlet d;\n");
        assert_eq!(source.comment(0), None);
        assert_eq!(source.comment(1), None);
        assert_eq!(source.comment(2), Some("c"));
        assert!(source.is_only_comment(0) && !source.is_only_comment(3));
    }

    #[test]
    fn test_items_end_where_their_braces_do() {
        let text = "fn a() {}\n#[cfg(test)]\nfn b(c: [u8; 2]) {\n    {}\n}\nfn d() {}\n#[cfg(all(test, x))]\nmod e;\nfn f() {}\n";
        let source = Source::new("a.rs", text);
        assert_eq!(source.tests, [false, true, true, true, true, false, true, true, false]);
        let whole = Source::new("a.rs", "#![cfg(all(x, test))]\nfn a() {}\n");
        assert_eq!(whole.tests, [true, true]);
        let none = Source::new("a.rs", "#[cfg(not(test))]\nfn a() {}\n#[cfg(x)]\nfn b() {}\n");
        assert_eq!(none.tests, [false; 4]);
    }

    #[test]
    fn a_module_declared_under_test_is_all_tests() {
        let mut sources = [
            Source::new("a/src/lib.rs", "mod b;\n#[cfg(test)]\nmod rig;\n"),
            Source::new("a/src/b.rs", "fn a() {}\n#[cfg(test)]\nmod tests;\n"),
            Source::new("a/src/rig/clock.rs", "fn a() {}\n"),
            Source::new("a/src/b/tests.rs", "fn a() {}\n"),
            Source::new("a/src/tests.rs", "fn a() {}\n"),
        ];
        mark_test_modules(&mut sources);
        assert_eq!(sources.each_ref().map(Source::is_test), [false, false, true, true, false]);
    }

    #[test]
    fn words_are_whole() {
        let found: Vec<_> = words("forbid(unsafe_code); unsafe {").collect();
        assert_eq!(found, [(0, "forbid"), (7, "unsafe_code"), (21, "unsafe")]);
    }
}
