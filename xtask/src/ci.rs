//! Where the checks run: whether this is CI, and which outside programs and services they can count on.

use std::process::{Command, ExitCode, Stdio};

use crate::test;

/// A program or service that a check needs and a machine may lack.
pub(crate) struct Need {
    pub(crate) name: &'static str,
    /// Succeeds exactly where the program is there.
    pub(crate) probe: &'static [&'static str],
}

impl Need {
    /// Says what is missing, if it is.
    pub(crate) fn missing(&self) -> Option<String> {
        let (program, args) = self.probe.split_first().expect("a probe names a program");
        let found = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        (!found).then(|| format!("{} not installed", self.name))
    }
}

pub(crate) const RUSTFMT: Need = Need { name: "rustfmt", probe: &["cargo", "fmt", "--version"] };
pub(crate) const CLIPPY: Need = Need { name: "clippy", probe: &["cargo", "clippy", "--version"] };
pub(crate) const GIT: Need = Need { name: "git", probe: &["git", "--version"] };
pub(crate) const TAR: Need = Need { name: "tar", probe: &["tar", "--version"] };
/// Its server programs; Debian keeps them out of the way.
pub(crate) const POSTGRES: Need = Need {
    name: "PostgreSQL",
    probe: &["sh", "-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"],
};

/// Set, it makes a test fail that would otherwise skip itself for want of a service.
pub(crate) const SERVICES_REQUIRED: &str = "MILLPOND_REQUIRE_SERVICES";

/// Whether a CI service runs this (they all set `CI`).
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// `cargo xtask ci`: every check, and nothing may be missing.
pub(crate) fn command(mut args: lexopt::Parser) -> Result<ExitCode, String> {
    if let Some(arg) = args.next().map_err(|e| e.to_string())? {
        return Err(arg.unexpected().to_string());
    }
    test::run(test::Options { require_services: true, ..test::Options::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let there = Need { name: "true", probe: &["true"] };
        let absent = Need { name: "psql", probe: &["no-such-program-anywhere", "--version"] };
        let failing = Need { name: "server", probe: &["false"] };
        assert_eq!(there.missing(), None);
        assert_eq!(absent.missing().as_deref(), Some("psql not installed"));
        assert_eq!(failing.missing().as_deref(), Some("server not installed"));
    }
}
