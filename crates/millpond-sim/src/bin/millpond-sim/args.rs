//! The command line.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::prelude::*;
use millpond_sim::Experiment;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    Run(Run),
    Scenarios,
    Experiments(Experiments),
    Chart(Chart),
    Help,
}

/// Which experiments to judge, and how.
#[derive(Debug, Default)]
pub(crate) struct Experiments {
    /// Only those of these names; all if there is none.
    pub(crate) names: Vec<String>,
    /// With the seeds for finding settings instead of those that judge.
    pub(crate) tune: bool,
}

/// A picture of the documentation.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) name: String,
    pub(crate) svg: Option<PathBuf>,
}

/// A scenario to simulate, and what is to be different from its file.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// A file, or the name of a scenario that the command brings along.
    pub(crate) scenario: String,
    pub(crate) policies: Option<Vec<String>>,
    pub(crate) seed: Option<u64>,
    pub(crate) lasts: Option<String>,
    pub(crate) size: Option<u32>,
    pub(crate) load: Option<f64>,
    pub(crate) html: Option<PathBuf>,
}

impl Command {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, Box<dyn Error>> {
        let command = match args.next()? {
            Some(Value(name)) => name.string()?,
            Some(Short('h') | Long("help")) | None => return Ok(Self::Help),
            Some(other) => return Err(other.unexpected().into()),
        };
        match command.as_str() {
            "run" => Ok(Self::Run(Run::parse(args)?)),
            "experiments" => Ok(Self::Experiments(Experiments::parse(args)?)),
            "chart" => Ok(Self::Chart(Chart::parse(args)?)),
            "scenarios" => Ok(Self::Scenarios),
            "help" => Ok(Self::Help),
            _ => Err(format!("there is no command `{command}`; see `millpond-sim help`").into()),
        }
    }
}

impl Run {
    fn parse(mut args: lexopt::Parser) -> Result<Self, Box<dyn Error>> {
        let mut run = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Value(name) if run.scenario.is_empty() => run.scenario = name.string()?,
                Long("policy") => {
                    let names = args.value()?.string()?;
                    run.policies =
                        Some(names.split(',').map(|name| name.trim().to_owned()).collect());
                }
                Long("seed") => run.seed = Some(number("--seed", args.value()?)?),
                Long("lasts") => run.lasts = Some(args.value()?.string()?),
                Long("size") => run.size = Some(number("--size", args.value()?)?),
                Long("load") => run.load = Some(number("--load", args.value()?)?),
                Long("html") => run.html = Some(args.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        if run.scenario.is_empty() {
            return Err("which scenario? A file, or one of `millpond-sim scenarios`".into());
        }
        Ok(run)
    }
}

impl Chart {
    fn parse(mut args: lexopt::Parser) -> Result<Self, Box<dyn Error>> {
        let (mut name, mut svg) = (None, None);
        while let Some(arg) = args.next()? {
            match arg {
                Value(value) if name.is_none() => name = Some(value.string()?),
                Long("svg") => svg = Some(args.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        let name = name.ok_or("which chart? It is stop or load")?;
        Ok(Self { name, svg })
    }
}

/// The value of a flag that wants a number.
fn number<T: FromStr>(flag: &str, value: OsString) -> Result<T, String> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("`{flag}` must be a number, not {value:?}"))
}

impl Experiments {
    fn parse(mut args: lexopt::Parser) -> Result<Self, Box<dyn Error>> {
        let mut experiments = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Value(name) => experiments.names.push(name.string()?),
                Long("tune") => experiments.tune = true,
                other => return Err(other.unexpected().into()),
            }
        }
        let known =
            |name: &&String| Experiment::ALL.iter().any(|e| e.name.eq_ignore_ascii_case(name));
        match experiments.names.iter().find(|name| !known(name)) {
            Some(name) => Err(format!("there is no experiment `{name}`").into()),
            None => Ok(experiments),
        }
    }
}

pub(crate) const USAGE: &str = "\
usage: millpond-sim <command>

  run SCENARIO [--policy A,B,..] [--seed N] [--lasts TIME] [--size N] [--load X] [--html FILE]
      Simulates a scenario under each policy and prints a table. SCENARIO is a file, or a name from `scenarios`.
      Policies: auto, fifo, target 50ms, bare timeout, zombies. The other options override the file.
      --load multiplies all rates.
  experiments [NAME..] [--tune]
      Judges the policy: one line for each gate, with the worst of the seeds. Fails if a gate fails. --tune takes the
      seeds that settings are found with instead of those that judge.
  chart stop|load [--svg FILE]
      Prints the figures of a picture in the documentation of millpond, and draws it.
  scenarios
      Lists the scenarios that the command brings along.
";
