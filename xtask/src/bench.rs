//! `cargo xtask bench`: the checkout benchmark, with the arguments passed on.

use std::process::{Command, ExitCode};

use crate::{ci, step};

pub(crate) fn command(mut args: lexopt::Parser) -> Result<ExitCode, String> {
    let passed_on = args.raw_args().map_err(|e| e.to_string())?;
    let mut cargo = Command::new(step::cargo());
    cargo.args(["bench", "-p", "millpond-tests", "--bench", "checkout", "--"]).args(passed_on);
    if ci::is_ci() {
        cargo.envs([("CARGO_TERM_PROGRESS_WHEN", "never"), ("CARGO_TERM_COLOR", "never")]);
    }
    // The benchmark prints as it measures; a pipe in between would only delay it.
    let status = cargo.status().map_err(|e| format!("cannot run cargo bench: {e}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
