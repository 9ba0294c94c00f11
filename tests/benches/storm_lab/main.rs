//! What becomes of requests when more come than can be served, or when the backend stands still: millpond beside a plain
//! queue under a timeout, deadpool and bb8, on tokio and on smol.
//!
//! `cargo xtask storm-lab` runs it. Every pool of an experiment gets the same requests at the same times; they take turns, and
//! go the other way round in the second pass, so that whatever else the machine does strikes all alike. What is verified is
//! that each request ends once, that never more resources are open or busy than may be, and that all are there at the end;
//! what is judged are ratios within the run.

#![expect(clippy::print_stdout, reason = "the lab is there to be read")]

mod args;
mod backend;
mod contender;
mod desk;
mod figures;
mod judge;
mod predict;
mod run;
mod schedule;
mod stage;
mod table;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::args::{Args, Command};
use crate::contender::{Entrant, on_smol, on_tokio};
use crate::figures::{Figures, WELL, WINDOW};
use crate::judge::{Haste, Row, Trial};
use crate::run::{Run, Scene};
use crate::schedule::{DEADLINE, Experiment, SIZE, WORK};
use crate::stage::OnTokio;
use crate::table::Table;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args().skip(1)) {
        Ok(Command::Run(args)) => args,
        Ok(Command::Nothing(why)) => {
            println!("{why}");
            return ExitCode::SUCCESS;
        }
        Err(refusal) => {
            eprintln!("storm-lab: {refusal}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::default();
    report.say(&introduction(&args));
    let tokio = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let on_tokio = on_tokio(&OnTokio(tokio.handle().clone()));
    let mut failures = Vec::new();
    for (runtime, entrants) in [("tokio", on_tokio), ("smol", on_smol())] {
        for experiment in args.experiments() {
            let trial = perform(experiment, runtime, &entrants, &args);
            report.say(&markdown(&trial));
            let verdict = trial.judge();
            verdict.notes.iter().for_each(|note| report.say(&format!("{note}\n")));
            failures.extend(verdict.failures);
        }
    }
    if args.wants_desk() {
        let (text, cheap) = desk::measure(DESK_ROUNDS);
        report.say(&text);
        if !cheap {
            failures.push("BROKEN: E12: a decision takes longer than a microsecond".to_owned());
        }
    }
    for failure in &failures {
        report.say(failure);
    }
    if let Err(error) = report.write(args.markdown.as_deref()) {
        eprintln!("storm-lab: {error}");
        return ExitCode::FAILURE;
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How often the costs of a decision are measured.
const DESK_ROUNDS: usize = 41;

/// Lets the pools take turns.
fn perform(
    experiment: Experiment,
    runtime: &'static str,
    entrants: &[Entrant],
    args: &Args,
) -> Trial {
    let mut runs: Vec<Vec<Run>> = entrants.iter().map(|_| Vec::new()).collect();
    for pass in 0..args.passes() {
        let requests = experiment.draw(args.seed + pass);
        let scene = Scene { experiment: experiment.clone(), requests };
        let turns: Vec<usize> = match pass % 2 {
            0 => (0..entrants.len()).collect(),
            _ => (0..entrants.len()).rev().collect(),
        };
        for turn in turns {
            runs[turn].push((entrants[turn].run)(&scene));
        }
    }
    let haste = Haste::of(&runs);
    let mean = mean_work(&runs) + haste.overrun;
    let predicted = predict::predict(&experiment);
    let rows = entrants.iter().zip(&runs).map(|(entrant, runs)| Row {
        name: entrant.name,
        broken: runs.iter().flat_map(|run| run.broken.clone()).collect(),
        figures: Figures::of(&experiment, runs, mean),
    });
    Trial { rows: rows.collect(), predicted, runtime, experiment, haste }
}

/// As it was drawn; another seed draws otherwise.
fn mean_work(runs: &[Vec<Run>]) -> Duration {
    let works = || runs.iter().flatten().flat_map(|run| &run.records).map(|r| r.request.work);
    works().sum::<Duration>() / works().count().max(1) as u32
}

fn introduction(args: &Args) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "`cargo xtask storm-lab{}`, on {cores} cores: {SIZE} resources, held for {} ms on average, deadline {} ms. \
         Latencies count from the scheduled arrival. Back is when two windows of {} ms in a row \
         have {:.0} % good.\n",
        args.shown(),
        WORK.as_millis(),
        DEADLINE.as_millis(),
        WINDOW.as_millis(),
        WELL * 100.0
    )
}

fn markdown(trial: &Trial) -> String {
    let mut table = Table::new();
    for row in &trial.rows {
        table.push(row.name, &row.figures);
    }
    for (name, figures) in &trial.predicted {
        table.push(&format!("{name}, simulated"), figures);
    }
    format!(
        "**{} on {}**: {}. Work took {:.1} ms too long, {:.1} % were late by a tenth of \
         a deadline.\n\n{}",
        trial.experiment.name,
        trial.runtime,
        trial.experiment.title,
        trial.haste.overrun.as_secs_f64() * 1e3,
        trial.haste.hit * 100.0,
        table.markdown()
    )
}

/// What is said, kept for a file.
#[derive(Default)]
struct Report(String);

impl Report {
    fn say(&mut self, text: &str) {
        println!("{text}");
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn write(&self, file: Option<&Path>) -> Result<(), String> {
        let Some(file) = file else { return Ok(()) };
        fs::write(file, &self.0).map_err(|e| format!("cannot write {}: {e}", file.display()))
    }
}
