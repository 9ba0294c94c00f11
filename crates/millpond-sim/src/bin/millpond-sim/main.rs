//! The command `millpond-sim`: simulates scenarios, compares policies, and judges the experiments.

#![expect(clippy::print_stdout, reason = "it talks to a person or to a CI log")]

use std::process::ExitCode;

mod args;
mod show;
mod file;
mod table;
mod html;
mod charts;
mod pictures;
mod sketch;
mod palette;

fn main() -> ExitCode {
    match args::Command::parse(lexopt::Parser::from_env()).and_then(show::perform) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  {error}");
                cause = error.source();
            }
            ExitCode::from(2)
        }
    }
}
