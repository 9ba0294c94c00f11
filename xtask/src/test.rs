//! `cargo xtask test`: everything that CI checks, in one command that a person runs too.
//!
//! `PLAN` is the list of steps. A step that fails does not stop the others; only when the workspace does not compile
//! are the steps that would say so again left out. The run ends with a table of the steps, the number of tests in each
//! layer, what was skipped and why, what failed and what it said, and the line `N passed, M failed`.

use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;

use crate::ci::Need;
use crate::mutants;
use crate::report::{Count, seconds, table};
use crate::step::Stopwatch;

mod conformance;
mod layers;
mod package;
mod plan;

use layers::Layer;
use plan::{Findings, PLAN, Planned};

pub(crate) fn command(mut args: lexopt::Parser) -> Result<ExitCode, String> {
    let mut options = Options::default();
    let mut parse = || -> Result<(), lexopt::Error> {
        while let Some(arg) = args.next()? {
            match arg {
                Long("quick") => options.quick = true,
                Long("require-services") => options.require_services = true,
                Long("sample") => options.sample = args.value()?.parse()?,
                Long("seed") => options.seed = args.value()?.parse()?,
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    };
    parse().map_err(|e| e.to_string())?;
    run(options)
}

/// What `cargo xtask test` was asked to do.
pub(crate) struct Options {
    /// Leave out the steps that take minutes.
    pub(crate) quick: bool,
    /// A program or service that is missing is an error.
    pub(crate) require_services: bool,
    /// How many mutants to try, and how many patches beside those of the specifications.
    pub(crate) sample: usize,
    /// Which of them.
    pub(crate) seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { quick: false, require_services: false, sample: SAMPLE, seed: mutants::DEFAULT_SEED }
    }
}

/// How a step ended.
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

struct Row {
    name: &'static str,
    took: Duration,
    verdict: Verdict,
}

/// Runs the plan and reports.
pub(crate) fn run(options: Options) -> Result<ExitCode, String> {
    let mut findings = Findings::new(options);
    let mut rows = Vec::new();
    for planned in PLAN {
        println!("=== {}", planned.name);
        let watch = Stopwatch::start();
        let failures = findings.tally.total().failed;
        let verdict = match reason_to_skip(planned, &findings) {
            Some(verdict) => verdict,
            None => (planned.run)(&mut findings).unwrap_or_else(Verdict::Failed),
        };
        match &verdict {
            Verdict::Passed => {}
            // Whatever failed must show in the last line, once.
            Verdict::Failed(_) if findings.tally.total().failed > failures => {}
            Verdict::Failed(_) => findings.tally.add(Layer::Checks, Count::one(false)),
            Verdict::Skipped(_) => {
                findings.tally.add(Layer::Checks, Count { skipped: 1, ..Count::default() });
            }
        }
        let row = Row { name: planned.name, took: watch.elapsed(), verdict };
        println!("--- {}: {} in {} s\n", row.name, row.outcome(), seconds(row.took));
        rows.push(row);
    }
    report(&findings, &rows);
    // Last and alone on its line, for whoever reads only that.
    println!("{}", findings.tally.total().line());
    Ok(if findings.tally.total().failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn reason_to_skip(planned: &Planned, findings: &Findings) -> Option<Verdict> {
    if planned.slow && findings.options.quick {
        return Some(Verdict::Skipped("--quick".to_owned()));
    }
    if planned.compiles && findings.broken {
        return Some(Verdict::Skipped("the workspace does not compile".to_owned()));
    }
    let missing = planned.needs.iter().find_map(Need::missing)?;
    Some(match findings.options.require_services {
        true => Verdict::Failed(missing),
        false => Verdict::Skipped(missing),
    })
}

impl Row {
    fn outcome(&self) -> String {
        match &self.verdict {
            Verdict::Passed => "ok".to_owned(),
            Verdict::Failed(why) => format!("FAILED: {why}"),
            Verdict::Skipped(why) => format!("skipped: {why}"),
        }
    }

    fn cells(&self) -> [String; 3] {
        let outcome = self.outcome().lines().next().unwrap_or_default().to_owned();
        [self.name.to_owned(), seconds(self.took), outcome]
    }
}

fn report(findings: &Findings, rows: &[Row]) {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    println!("{}", table(["step", "seconds", "outcome"], &cells));
    println!("{}", findings.tally.table());
    for line in &findings.notes {
        println!("{line}");
    }
    for row in rows {
        if let Verdict::Skipped(why) = &row.verdict {
            println!("skipped {}: {why}", row.name);
        }
    }
    for test in &findings.failures {
        println!("failed: {test}");
    }
    for complaint in &findings.complaints {
        println!("\nfailed: {}, which said:", complaint.of);
        for line in &complaint.lines {
            println!("  | {line}");
        }
    }
    println!();
}

/// A mutant costs a build and some models, a patch a build and a test. Few enough for every run; together with another seed now and then they reach
/// every place.
const SAMPLE: usize = 8;
