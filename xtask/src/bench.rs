//! `cargo xtask bench` and `cargo xtask storm-lab`: benchmarks of `tests/benches`, with the arguments passed on.

use std::process::{Command, ExitCode};

use crate::{ci, step};

/// Runs the benchmark of this name.
pub(crate) fn command(name: &str, mut args: lexopt::Parser) -> Result<ExitCode, String> {
    let passed_on = args.raw_args().map_err(|e| e.to_string())?;
    let mut cargo = Command::new(step::cargo());
    cargo.args(["bench", "-p", "millpond-tests", "--bench", name, "--"]).args(passed_on);
    if ci::is_ci() {
        cargo.envs([("CARGO_TERM_PROGRESS_WHEN", "never"), ("CARGO_TERM_COLOR", "never")]);
    }
    // The benchmark prints as it measures; a pipe in between would only delay it.
    let status = cargo.status().map_err(|e| format!("cannot run cargo bench: {e}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
