//! What a patch says about itself, in the lines before its first hunk.
//!
//! ```text
//! Takes out the re-check after `ATTENDED` is set.
//!
//! Proves: no lost wake-up
//! Test: -p millpond-tests --test twelve no_idle_beside_a_waiter
//! ```

/// The header of one patch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The first line: which mechanism is gone.
    pub(super) takes_out: String,
    /// What the tests below claim to prove.
    pub(super) proves: String,
    /// Arguments of `cargo test`, split at spaces when it runs.
    pub(super) tests: Vec<String>,
}

impl Header {
    pub(super) fn parse(patch: &str) -> Result<Self, &'static str> {
        let is_diff = |line: &&str| line.starts_with("diff --git ") || line.starts_with("--- ");
        if !patch.lines().any(|line| is_diff(&line)) {
            return Err("there is no diff in this patch");
        }
        let lines: Vec<&str> =
            patch.lines().take_while(|line| !is_diff(line)).map(str::trim).collect();
        let values =
            |key| lines.iter().filter_map(move |line| line.strip_prefix(key)).map(str::trim);
        let takes_out = lines.first().filter(|line| !line.is_empty() && !line.contains(": "));
        let tests: Vec<String> = values("Test:").map(str::to_owned).collect();
        if tests.is_empty() || tests.iter().any(String::is_empty) {
            return Err("the header needs a line `Test: <arguments of cargo test>`");
        }
        Ok(Self {
            takes_out: (*takes_out.ok_or("the first line must tell what the patch takes out")?)
                .to_owned(),
            proves: values("Proves:")
                .next()
                .ok_or("the header needs a line `Proves: <what>`")?
                .to_owned(),
            tests,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-Test: not this\n+b\n";

    #[test]
    fn the_header_ends_where_the_diff_begins() {
        let text = format!(
            "Takes out the re-check.\n\nProves: spec 1\nTest: -p a one\nTest: -p b\n{DIFF}"
        );
        let header = Header::parse(&text).expect("the header is complete");
        assert_eq!(header.takes_out, "Takes out the re-check.");
        assert_eq!(header.proves, "spec 1");
        assert_eq!(header.tests, ["-p a one", "-p b"]);
    }

    #[test]
    fn an_incomplete_header_is_refused() {
        for head in
            ["", "A\nProves: b\n", "A\nTest: c\n", "Proves: b\nTest: c\n", "A\nProves: b\nTest:\n"]
        {
            assert!(Header::parse(&format!("{head}{DIFF}")).is_err(), "accepted {head:?}");
        }
        assert!(Header::parse("A\nProves: b\nTest: c\n").is_err());
    }
}
