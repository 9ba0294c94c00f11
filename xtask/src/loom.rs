//! `cargo xtask loom`: builds the loom models and runs each as a process of its own, with its own time and limit.
//!
//! The models are the unit tests of `millpond` below `loom_models`. `mutants` runs them on a changed copy.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use lexopt::prelude::*;

use crate::report::{Count, seconds};
use crate::step::{Ended, Step};
use crate::{files, libtest, mutants};

pub(crate) fn command(args: lexopt::Parser) -> Result<ExitCode, String> {
    let options = Options::parse(args).map_err(|e| e.to_string())?;
    let passed = match (options.mutate, options.list) {
        (true, true) => {
            mutants::print_sites(&options)?;
            true
        }
        (true, false) => mutants::run(&options, None)?.count.failed == 0,
        (false, true) => {
            let binary = build_here()?;
            list(&binary, options.filter.as_deref())?.iter().for_each(|model| println!("{model}"));
            true
        }
        (false, false) => run(&options)?.count.failed == 0,
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `cargo xtask loom` was asked to do.
pub(crate) struct Options {
    /// Part of a model's name, or of a mutant's place.
    pub(crate) filter: Option<String>,
    pub(crate) mutate: bool,
    pub(crate) list: bool,
    /// How many mutants to draw; all of them if absent.
    pub(crate) sample: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) include_explained: bool,
    /// For each model.
    pub(crate) limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filter: None,
            mutate: false,
            list: false,
            sample: None,
            seed: mutants::DEFAULT_SEED,
            include_explained: false,
            limit: DEFAULT_LIMIT,
        }
    }
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Long("mutate") => options.mutate = true,
                Long("list") => options.list = true,
                Long("sample") => options.sample = Some(args.value()?.parse()?),
                Long("seed") => options.seed = args.value()?.parse()?,
                Long("include-explained") => options.include_explained = true,
                Long("limit") => options.limit = Duration::from_secs(args.value()?.parse()?),
                Value(filter) if options.filter.is_none() => {
                    options.filter = Some(filter.string()?)
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// What the models said.
pub(crate) struct Report {
    pub(crate) count: Count,
    pub(crate) failed: Vec<String>,
    /// The models that passed and how long they took, quickest first.
    pub(crate) passed: Vec<(String, Duration)>,
}

/// Builds and runs the models of the working tree.
pub(crate) fn run(options: &Options) -> Result<Report, String> {
    let binary = build_here()?;
    let models = list(&binary, options.filter.as_deref())?;
    let report = run_all(&binary, &models, options.limit)?;
    println!("models: {}", report.count.line());
    Ok(report)
}

/// Runs every model, two at a time, and prints each as it ends: its time, and what it said if it failed.
pub(crate) fn run_all(binary: &Path, models: &[String], limit: Duration) -> Result<Report, String> {
    let mut report = Report { count: Count::default(), failed: Vec::new(), passed: Vec::new() };
    let go_on = |ran: &Ran| {
        println!("{}", ran.describe(limit));
        true
    };
    for ran in run_models(binary, models, limit, go_on)? {
        report.count += Count::one(ran.ended == Ended::Passed);
        if ran.ended == Ended::Passed {
            report.passed.push((ran.model, ran.took));
        } else {
            report.failed.push(ran.model);
        }
    }
    report.passed.sort_by_key(|(_, took)| *took);
    Ok(report)
}

/// One run of one model.
pub(crate) struct Ran {
    pub(crate) model: String,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
    lines: Vec<String>,
}

impl Ran {
    fn describe(&self, limit: Duration) -> String {
        let outcome = match self.ended {
            Ended::Passed => "ok".to_owned(),
            Ended::TimedOut => format!("FAILED: took over {} s", limit.as_secs()),
            Ended::Failed(_) | Ended::Stopped => format!("FAILED\n{}", self.lines.join("\n")),
        };
        format!("{:>7} s  {}  {outcome}", seconds(self.took), self.model)
    }
}

/// Runs models in their order, two at a time, as long as `go_on` says so of each that ended; a model running beside
/// the one that ends it all is stopped. Returns those that came to an end of their own, or to their limit.
pub(crate) fn run_models(
    binary: &Path,
    models: &[String],
    limit: Duration,
    go_on: impl Fn(&Ran) -> bool + Sync,
) -> Result<Vec<Ran>, String> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let done = Mutex::new(Vec::new());
    let work = || -> Result<(), String> {
        while !stop.load(Ordering::Relaxed) {
            let Some(model) = models.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let step = Step::new(binary).args(["--exact", model]).dir(files::root()).quiet();
            let finished = step.limit(limit).run_until(&stop).inspect_err(|_| {
                stop.store(true, Ordering::Relaxed);
            })?;
            if finished.ended == Ended::Stopped {
                break;
            }
            // A model that was filtered out passes: trust the count, not the exit code alone.
            let ran_one = libtest::total(&libtest::parse(&finished.lines)).passed == 1;
            if finished.passed() && !ran_one {
                return Err(format!("{model} did not run:\n{}", finished.lines.join("\n")));
            }
            let ran = Ran {
                model: model.clone(),
                ended: finished.ended,
                took: finished.took,
                lines: finished.lines,
            };
            let mut done = done.lock().expect("no worker panics");
            if !go_on(&ran) {
                stop.store(true, Ordering::Relaxed);
            }
            done.push(ran);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WIDTH).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|w| w.join().expect("no worker panics"))
    })?;
    Ok(done.into_inner().expect("no worker panics"))
}

/// A build that did not come to a test binary.
pub(crate) struct BuildError {
    /// What cargo said.
    pub(crate) lines: Vec<String>,
}

/// Builds the unit tests of `millpond` in the workspace at `root` for loom. `incremental` makes the next build quicker.
pub(crate) fn build(
    root: &Path,
    target: &Path,
    incremental: bool,
) -> Result<Result<PathBuf, BuildError>, String> {
    let done = Step::cargo()
        .args(["test", "--release", "-p", "millpond", "--lib", "--no-run"])
        .args(["--message-format=json-render-diagnostics"])
        .dir(root)
        // The caller's own flags are not passed on: with `-D warnings` among them, a mutant with an unused variable
        // would not compile.
        .env("RUSTFLAGS", "--cfg millpond_loom")
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", if incremental { "1" } else { "0" })
        .quiet()
        .run()?;
    let binary = libtest::executables(&done.lines).first().map(PathBuf::from);
    match binary {
        Some(binary) if done.passed() => Ok(Ok(binary)),
        _ => {
            let said = done.lines.into_iter().filter(|line| !line.starts_with('{'));
            Ok(Err(BuildError { lines: said.collect() }))
        }
    }
}

/// The models in a test binary whose name contains `filter`. None at all is an error: a proof that lost its models must
/// not pass.
pub(crate) fn list(binary: &Path, filter: Option<&str>) -> Result<Vec<String>, String> {
    let done = Step::new(binary).args(["--list"]).quiet().run()?;
    let mut models = libtest::listed(&done.lines);
    models.retain(|model| {
        let name = model.strip_prefix("loom_models::");
        name.is_some_and(|name| filter.is_none_or(|filter| name.contains(filter)))
    });
    if models.is_empty() {
        return Err(match filter {
            Some(filter) => format!("no loom model is called `…{filter}…`"),
            None => "there are no loom models in crates/millpond/src/loom_models".to_owned(),
        });
    }
    Ok(models)
}

fn build_here() -> Result<PathBuf, String> {
    let built = build(files::root(), &files::target().join("loom"), false)?;
    built.map_err(|error| format!("the loom models do not build:\n{}", error.lines.join("\n")))
}

/// A model explores on one thread, and two cores are what every CI machine has.
const WIDTH: usize = 2;

/// A model is one property on at most four threads; one that takes longer has become two.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
