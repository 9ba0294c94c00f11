//! The project's own commands, `cargo xtask <command>`: all that CI checks, and the tools that prove the proofs.
//!
//! *Invariant:* nothing here depends on a crate of the workspace: a broken pool cannot keep its checks from running.
//!
//! *Invariant:* it compiles in seconds (one dependency), because every check waits for it.
//!
//! It expects a Unix shell and git.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "these commands talk to a person or to a CI log")]

use std::process::ExitCode;

use lexopt::prelude::*;

mod bench;
mod ci;
mod files;
mod libtest;
mod loom;
mod mutants;
mod patches;
mod report;
mod source;
mod step;
mod test;
mod tidy;

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<ExitCode, String> {
    // Paths in messages and tables are relative to the root, wherever the command was typed.
    std::env::set_current_dir(files::root())
        .map_err(|e| format!("cannot enter the workspace root: {e}"))?;
    let mut args = lexopt::Parser::from_env();
    let command = match args.next().map_err(|e| e.to_string())? {
        Some(Value(name)) => name.to_string_lossy().into_owned(),
        _ => String::new(),
    };
    match command.as_str() {
        "test" => test::command(args),
        "ci" => ci::command(args),
        "tidy" => tidy::command(args),
        "loom" => loom::command(args),
        "patches" => patches::command(args),
        "bench" => bench::command("checkout", args),
        "storm-lab" => bench::command("storm_lab", args),
        "help" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprint!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--quick] [--require-services] [--sample N] [--seed S]
      Everything CI checks, with times, counts per layer, and `N passed, M failed` as the last line.
      --quick leaves out loom, mutants and patches; --require-services makes a missing program an error;
      --sample and --seed choose the mutants and the patches that are tried.
  ci
      What .ci/run runs: `test --require-services`.
  tidy
      The rules no compiler checks: first lines, file lengths, import edges, unsafe, dependencies.
  loom [filter] [--limit SECONDS] [--list]
      Runs the loom models whose name contains `filter`, each with its time and a limit (60 s).
  loom --mutate [filter] [--sample N] [--seed S] [--include-explained] [--limit SECONDS] [--list]
      Weakens the modelled code at one place at a time and requires that a model fails. `filter` selects
      places by `path:line`; --list prints them.
  patches [filter]
      Applies each of tests/patches/*.patch, which takes one mechanism out, and requires that its test fails.
  bench [args]
      The checkout benchmark.
  storm-lab [--quick] [--only E2] [--passes 2] [--seed 1] [--markdown FILE]
      What becomes of requests under overload and after a stop, beside other pools: about ten minutes, --quick one.
";
