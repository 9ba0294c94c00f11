//! What the lab is asked to do.

use std::path::{Path, PathBuf};

use crate::schedule::{DOUBLE, EXPERIMENTS, Experiment, RETRIES};

/// What `main` is to do.
pub(crate) enum Command {
    Run(Args),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// How the lab runs.
pub(crate) struct Args {
    /// Only what can be judged on any machine.
    quick: bool,
    passes: Option<u64>,
    /// Where the random numbers begin.
    pub(crate) seed: u64,
    /// Only experiments whose name this is.
    only: Option<String>,
    /// Where the tables go, too.
    pub(crate) markdown: Option<PathBuf>,
}

impl Args {
    pub(crate) fn experiments(&self) -> Vec<Experiment> {
        let all = if self.quick { vec![DOUBLE, RETRIES] } else { EXPERIMENTS.to_vec() };
        let is_wanted =
            |experiment: &Experiment| self.only.as_ref().is_none_or(|name| experiment.name == name);
        all.into_iter().filter(is_wanted).collect()
    }

    /// How often each pool takes its turn.
    pub(crate) fn passes(&self) -> u64 {
        self.passes.unwrap_or(if self.quick { 1 } else { 2 })
    }

    /// Whether E12 is measured: not on any machine, since it is judged by the clock.
    pub(crate) fn wants_desk(&self) -> bool {
        !self.quick && self.only.as_deref().is_none_or(|name| name == DESK)
    }

    /// The part of the command line that decides what is measured.
    pub(crate) fn shown(&self) -> String {
        let mut words = String::new();
        if self.quick {
            words.push_str(" --quick");
        }
        if let Some(name) = &self.only {
            words.push_str(&format!(" --only {name}"));
        }
        if let Some(passes) = self.passes {
            words.push_str(&format!(" --passes {passes}"));
        }
        if self.seed != Self::default().seed {
            words.push_str(&format!(" --seed {}", self.seed));
        }
        words
    }
}

impl Default for Args {
    fn default() -> Self {
        Self { quick: false, passes: None, seed: 1, only: None, markdown: None }
    }
}

pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut args = Args::default();
    let mut is_bench = false;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        let number = |text: String| match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{text} is not a number from 1")),
        };
        match argument.as_str() {
            "--quick" => args.quick = true,
            "--passes" => args.passes = Some(number(value()?)?),
            "--seed" => args.seed = number(value()?)?,
            "--only" => args.only = Some(value()?),
            // Cargo runs this in the directory of the package, `cargo xtask` in that of the workspace.
            "--markdown" => args.markdown = Some(Path::new(ROOT).join(value()?)),
            // What cargo itself passes, except for `cargo test --all-targets`.
            "--bench" => is_bench = true,
            other => return Err(format!("unknown argument {other}\n{USAGE}")),
        }
    }
    if !is_bench {
        return Ok(Command::Nothing("nothing to test; run by `cargo xtask storm-lab`"));
    }
    if args.experiments().is_empty() && !args.wants_desk() {
        return Err(format!("there is no such experiment\n{USAGE}"));
    }
    Ok(Command::Run(args))
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The experiment without requests.
const DESK: &str = "E12";

const USAGE: &str = "\
usage: cargo xtask storm-lab [--quick] [--only E2] [--passes 2] [--seed 1] [--markdown FILE]

  --quick     one pass of E2 and E5, with what can be judged on any machine
  --only      one experiment, E1 to E6 or E12
  --passes    how often each pool takes its turn
  --seed      where the random numbers begin
  --markdown  also writes the tables to FILE";
