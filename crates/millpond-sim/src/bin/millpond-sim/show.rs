//! Performs a command and shows what came of it.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use millpond_sim::{Experiment, Load, Scenario};

use crate::args::{Chart, Command, Experiments, Run, USAGE};
use crate::file::{FileError, Key, Scene, policy};
use crate::pictures::{Drawing, Picture};
use crate::{html, table};

pub(crate) fn perform(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Help => print!("{USAGE}"),
        Command::Scenarios => {
            for (name, text) in BUILT_IN {
                println!("{name:<12} {}", Scene::parse(name, text)?.about);
            }
        }
        Command::Run(run) => simulate(&run)?,
        Command::Chart(chart) => draw(&chart)?,
        Command::Experiments(experiments) => return Ok(judge(&experiments)),
    }
    Ok(ExitCode::SUCCESS)
}

fn simulate(options: &Run) -> Result<(), Box<dyn Error>> {
    let mut scene = find(&options.scenario)?;
    adapt(&mut scene, options)?;
    let began = now();
    let mut runs = Vec::new();
    for (name, policy) in &scene.policies {
        runs.push((name.clone(), watched(name, &scene.scenario.under(*policy))));
    }
    let took = began.elapsed_since();
    let calm = Scenario { faults: Vec::new(), ..scene.scenario.clone() };
    let faulty = !scene.scenario.faults.is_empty();
    let twins: Option<Vec<_>> = faulty.then(|| {
        let twins = scene.policies.iter().map(|(name, policy)| watched(name, &calm.under(*policy)));
        twins.collect()
    });
    println!("{}: {}\n", scene.scenario.name, scene.about);
    print!("{}", table::compare(&runs, twins.as_deref()));
    let requests: usize = runs.iter().map(|(_, run)| run.records.len()).sum();
    let events: u64 = runs.iter().map(|(_, run)| run.events).sum();
    if let Some(file) = &options.html {
        let page = html::page(&scene, &runs, twins.as_deref())?;
        write(file, &page)?;
        println!("\nreport: {}", file.display());
    }
    println!(
        "\n{requests} requests, {events} events in {:.2} s: {:.2} million requests a second",
        took.as_secs_f64(),
        requests as f64 / took.as_secs_f64() / 1e6,
    );
    Ok(())
}

fn draw(options: &Chart) -> Result<(), Box<dyn Error>> {
    let Drawing { svg, table } = Picture::find(&options.name)?.draw()?;
    if let Some(file) = &options.svg {
        write(file, &svg)?;
    }
    print!("{table}");
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text)
        .map_err(|error| format!("{}: cannot be written: {error}", file.display()))
}

/// Judges the experiments: one line for each gate.
fn judge(options: &Experiments) -> ExitCode {
    let began = now();
    let seeds = if options.tune { Experiment::TUNING } else { Experiment::JUDGING };
    let seeds: Vec<u64> = seeds.collect();
    let (mut passed, mut failed) = (0, 0);
    for experiment in Experiment::ALL {
        let chosen = |name: &String| experiment.name.eq_ignore_ascii_case(name);
        if !options.names.is_empty() && !options.names.iter().any(chosen) {
            continue;
        }
        println!("{}: {}", experiment.name, experiment.about);
        let started = now();
        for gate in experiment.judge(&seeds) {
            println!("  {gate}");
            *if gate.passed() { &mut passed } else { &mut failed } += 1;
        }
        println!("  {:.1} s", started.elapsed_since().as_secs_f64());
    }
    let took = began.elapsed_since().as_secs_f64();
    println!("{passed} gates passed, {failed} failed, {} seeds, {took:.1} s", seeds.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a scenario, with a line that shows how far it is if somebody looks on.
fn watched(name: &str, scenario: &Scenario) -> millpond_sim::Run {
    let mut stderr = std::io::stderr();
    let looks_on = stderr.is_terminal();
    let mut shown = false;
    let run = millpond_sim::run_watched(scenario, |at| {
        if looks_on {
            shown = true;
            let share = at.as_secs_f64() / scenario.lasts.as_secs_f64().max(1e-9) * 100.0;
            let _ = write!(stderr, "\r{name}: {:.0} %   ", share.min(100.0));
        }
    });
    if shown {
        let _ = write!(stderr, "\r{:width$}\r", "", width = name.len() + 10);
    }
    run
}

pub(crate) fn find(name: &str) -> Result<Scene, FileError> {
    match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((known, text)) => Scene::parse(known, text),
        None => Scene::read(Path::new(name)),
    }
}

/// Changes what the command line says otherwise.
fn adapt(scene: &mut Scene, options: &Run) -> Result<(), Box<dyn Error>> {
    let key = Key::root("command line");
    let scenario = &mut scene.scenario;
    scenario.seed = options.seed.unwrap_or(scenario.seed);
    if let Some(lasts) = &options.lasts {
        scenario.lasts = humantime::parse_duration(lasts)
            .ok()
            .filter(|lasts| *lasts > scenario.warm_up)
            .ok_or_else(|| {
                key.of("--lasts").must("be a time such as \"30s\", longer than `warm_up`")
            })?;
    }
    if let Some(size) = options.size {
        if size == 0 {
            return Err(key.of("--size").must("be at least 1").into());
        }
        (scenario.pool.config.max_size, scenario.pool.open) = (size, size);
    }
    if let Some(factor) = options.load {
        if !(factor > 0.0 && factor <= 1e6) {
            return Err(key.of("--load").must("be above 0 and at most 1000000").into());
        }
        for callers in &mut scenario.callers {
            if let Load::Open(arrivals) = &mut callers.load {
                *arrivals = arrivals.clone().times(factor);
            }
        }
    }
    if let Some(names) = &options.policies {
        let found = names.iter().map(|name| {
            let found = policy(name);
            let found = found.ok_or_else(|| key.of("--policy").must(crate::file::POLICIES))?;
            Ok((name.clone(), found))
        });
        scene.policies = found.collect::<Result<_, FileError>>()?;
    }
    Ok(())
}

/// The clock on the wall, for the speed of the simulator itself.
#[derive(Clone, Copy)]
struct Stopwatch(Instant);

#[expect(clippy::disallowed_methods, reason = "the speed of the simulator is no virtual time")]
fn now() -> Stopwatch {
    Stopwatch(Instant::now())
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the speed of the simulator is no virtual time")]
    fn elapsed_since(self) -> Duration {
        self.0.elapsed()
    }
}

/// The scenarios that the command brings along.
pub(crate) const BUILT_IN: &[(&str, &str)] = &[
    ("e0", include_str!("../../../scenarios/e0.toml")),
    ("e1", include_str!("../../../scenarios/e1.toml")),
    ("e2", include_str!("../../../scenarios/e2.toml")),
    ("e3", include_str!("../../../scenarios/e3.toml")),
    ("e4", include_str!("../../../scenarios/e4.toml")),
    ("e4-slow", include_str!("../../../scenarios/e4-slow.toml")),
    ("e5", include_str!("../../../scenarios/e5.toml")),
    ("polite", include_str!("../../../scenarios/polite.toml")),
    ("e6", include_str!("../../../scenarios/e6.toml")),
    ("e7", include_str!("../../../scenarios/e7.toml")),
    ("e8", include_str!("../../../scenarios/e8.toml")),
    ("e9", include_str!("../../../scenarios/e9.toml")),
    ("batch", include_str!("../../../scenarios/batch.toml")),
];
