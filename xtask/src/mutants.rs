//! `cargo xtask loom --mutate`: the models must be able to fail.
//!
//! Works on a copy of the two modelled crates. One place at a time is weakened there (`mutants/sites.rs` says which
//! places and how), and the models run, quickest first, until one fails. A mutant that no model kills shows a hole in
//! the proof: the command fails, unless a comment beside the place explains it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files;
use crate::loom::{self, Options};
use crate::report::{Count, seconds, table};
use crate::source::Source;
use crate::step::{Ended, Stopwatch};

mod sites;

use sites::Site;

/// What became of the mutants: one check for each that ran.
pub(crate) struct Report {
    pub(crate) count: Count,
    pub(crate) survivors: Vec<String>,
}

/// `--list`: every place, and why it is left out if it is.
pub(crate) fn print_sites(options: &Options) -> Result<(), String> {
    let sites = find_sites(options.filter.as_deref())?;
    for site in &sites {
        match &site.explained {
            Some(reason) => println!("{}  {}  (explained: {reason})", site.place(), site.change()),
            None => println!("{}  {}", site.place(), site.change()),
        }
    }
    println!("{} places", sites.len());
    Ok(())
}

/// Tries the mutants that `options` choose. `measured` are the times of the models if they have just passed on the
/// working tree; without them all models run on the unchanged copy first.
pub(crate) fn run(
    options: &Options,
    measured: Option<&[(String, Duration)]>,
) -> Result<Report, String> {
    let sites = find_sites(options.filter.as_deref())?;
    let (explained, runnable): (Vec<_>, Vec<_>) =
        sites.into_iter().partition(|s| s.explained.is_some() && !options.include_explained);
    let chosen = match options.sample {
        Some(n) if n < runnable.len() => {
            println!("{n} of {} mutants, drawn with --seed {}", runnable.len(), options.seed);
            sample(runnable, n, options.seed)
        }
        _ => {
            println!("all {} mutants", runnable.len());
            runnable
        }
    };
    if chosen.is_empty() {
        return Err("there is no place to mutate".to_owned());
    }
    let copy = Copy::make()?;
    let models = copy.models(options, measured)?;
    let mut outcomes = Vec::new();
    for (i, site) in chosen.iter().enumerate() {
        let watch = Stopwatch::start();
        let outcome = copy.try_mutant(site, &models, options.limit)?;
        let (n, all, took) = (i + 1, chosen.len(), seconds(watch.elapsed()));
        println!(
            "[{n}/{all}] {}  {}  {}  {took} s",
            site.place(),
            site.change(),
            outcome.describe()
        );
        outcomes.push(outcome);
    }
    Ok(summarise(&chosen, &outcomes, &explained))
}

/// The copy of the modelled crates that is mutated.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Copies what the loom build needs. The smaller the workspace, the sooner a mutant is built.
    fn make() -> Result<Self, String> {
        let dir = files::target().join("mutants");
        let copy = Self { tree: dir.join("tree"), target: dir.join("target") };
        let kept = |file: &String| {
            file == "Cargo.lock" || CRATES.iter().any(|name| file.starts_with(&format!("{name}/")))
        };
        let files: Vec<String> = files::list()?.into_iter().filter(kept).collect();
        files::sync(&files, &copy.tree)?;
        // A run that was interrupted may leave the intermediate results of a mutant, which rustc then takes for the original's.
        files::remove_if_there(&copy.target.join("release/incremental"))?;
        copy.write("Cargo.toml", &reduced_root(&read(Path::new("Cargo.toml"))?))?;
        for name in CRATES {
            let manifest = format!("{name}/Cargo.toml");
            copy.write(&manifest, &without_absent_crates(&read(Path::new(&manifest))?))?;
        }
        Ok(copy)
    }

    /// The names of the models, quickest first, once it is clear that they pass here.
    fn models(
        &self,
        options: &Options,
        measured: Option<&[(String, Duration)]>,
    ) -> Result<Vec<String>, String> {
        let built = loom::build(&self.tree, &self.target, true)?;
        let binary = built
            .map_err(|e| format!("the unchanged copy does not build:\n{}", e.lines.join("\n")))?;
        let to_run = match measured {
            // The same source has just passed. One model still runs, to see that the copy runs at all.
            Some(measured) => measured.iter().take(1).map(|(model, _)| model.clone()).collect(),
            None => {
                println!("the models on unchanged code:");
                loom::list(&binary, None)?
            }
        };
        let report = loom::run_all(&binary, &to_run, options.limit)?;
        if !report.failed.is_empty() {
            return Err(format!("on unchanged code, {} failed", report.failed.join(", ")));
        }
        let times = measured.unwrap_or(&report.passed);
        Ok(times.iter().map(|(model, _)| model.clone()).collect())
    }

    fn try_mutant(
        &self,
        site: &Site,
        models: &[String],
        limit: Duration,
    ) -> Result<Outcome, String> {
        let original = read(&self.tree.join(&site.path))?;
        self.write(&site.path, &site.apply(&original))?;
        let outcome = match loom::build(&self.tree, &self.target, true)? {
            Ok(binary) => outcome(&binary, models, limit),
            Err(error) => {
                let first = error.lines.iter().find(|line| line.starts_with("error"));
                Ok(Outcome::Compiler(first.cloned().unwrap_or_default()))
            }
        };
        self.write(&site.path, &original)?;
        outcome
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        files::write_if_changed(&self.tree.join(file), text.as_bytes())
    }
}

/// What killed a mutant, if anything did.
enum Outcome {
    Model(String),
    /// No model failed, and this one did not end. A death, but one that says little about the property.
    Timeout(String),
    /// It did not compile, for this reason, and so says nothing about the models.
    Compiler(String),
    Survived,
}

impl Outcome {
    fn describe(&self) -> String {
        match self {
            Self::Model(model) => format!("killed by {model}"),
            Self::Timeout(model) => format!("killed by the time limit of {model}"),
            Self::Compiler(error) => format!("killed by the compiler: {error}"),
            Self::Survived => "SURVIVED".to_owned(),
        }
    }
}

/// Runs the models until one fails. One that hangs does not end the search: a failure says more.
fn outcome(binary: &Path, models: &[String], limit: Duration) -> Result<Outcome, String> {
    let go_on = |ran: &loom::Ran| !matches!(ran.ended, Ended::Failed(_));
    let ran = loom::run_models(binary, models, limit, go_on)?;
    let ended = |wanted: fn(Ended) -> bool| {
        ran.iter().find(|ran| wanted(ran.ended)).map(|ran| ran.model.clone())
    };
    if let Some(model) = ended(|ended| matches!(ended, Ended::Failed(_))) {
        return Ok(Outcome::Model(model));
    }
    Ok(ended(|ended| ended == Ended::TimedOut).map_or(Outcome::Survived, Outcome::Timeout))
}

fn summarise(chosen: &[Site], outcomes: &[Outcome], explained: &[Site]) -> Report {
    let mut rows = Vec::new();
    let mut report = Report { count: Count::default(), survivors: Vec::new() };
    let (mut models, mut timeouts, mut compiler) = (0, 0, 0);
    for (site, outcome) in chosen.iter().zip(outcomes) {
        let nothing_proved = Count { skipped: 1, ..Count::default() };
        let mut said = outcome.describe();
        report.count += match (outcome, &site.explained) {
            (Outcome::Survived, None) => {
                report.survivors.push(format!("{}  {}", site.place(), site.change()));
                Count::one(false)
            }
            (Outcome::Survived, Some(reason)) => {
                said = format!("survived, explained: {reason}");
                nothing_proved
            }
            (Outcome::Model(_), _) => {
                models += 1;
                Count::one(true)
            }
            (Outcome::Timeout(_), _) => {
                timeouts += 1;
                Count::one(true)
            }
            (Outcome::Compiler(_), _) => {
                compiler += 1;
                nothing_proved
            }
        };
        if site.explained.is_some() && !matches!(outcome, Outcome::Survived) {
            said += " (its explanation is out of date)";
        }
        rows.push([site.place(), site.change(), said]);
    }
    for site in explained {
        let reason = site.explained.as_deref().unwrap_or_default();
        rows.push([site.place(), site.change(), format!("not run, explained: {reason}")]);
    }
    println!("\n{}", table(["place", "mutant", "outcome"], &rows));
    let (survived, not_run) = (report.survivors.len(), explained.len());
    println!(
        "{models} killed by a model, {timeouts} by a time limit, {compiler} by the compiler, \
         {survived} survived, {not_run} explained and not run"
    );
    if compiler > 0 {
        println!(
            "warning: a mutant that does not compile proves nothing, its place needs another replacement"
        );
    }
    report
}

/// Every place in the modelled crates, or those whose `path:line` contains `filter`.
fn find_sites(filter: Option<&str>) -> Result<Vec<Site>, String> {
    let mut paths = files::list()?;
    paths.retain(|path| {
        path.ends_with(".rs") && CRATES.iter().any(|name| path.starts_with(&format!("{name}/src/")))
    });
    let mut sites = Vec::new();
    for source in Source::read_all(&paths)? {
        sites.extend(sites::find(&source)?);
    }
    sites.retain(|site| filter.is_none_or(|filter| site.place().contains(filter)));
    Ok(sites)
}

/// Draws `n` of `all`, each with the same chance, and keeps their order. The same seed draws the same ones.
pub(crate) fn sample<T>(mut all: Vec<T>, n: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    while all.len() > n {
        // SplitMix64; the bias of the remainder is far below one place in a million.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let drawn = (z ^ (z >> 31)) % all.len() as u64;
        all.remove(drawn as usize);
    }
    all
}

/// The root manifest with the modelled crates as its only members.
fn reduced_root(manifest: &str) -> String {
    let members = CRATES.map(|name| format!("\"{name}\"")).join(", ");
    replace_list(manifest, "members", &format!("members = [{members}]"))
}

/// Replaces `key = [ … ]`, which may go over several lines.
fn replace_list(manifest: &str, key: &str, with: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in manifest.lines() {
        let starts = line.split('=').next().is_some_and(|name| name.trim() == key);
        if starts {
            text += with;
            text += "\n";
        }
        inside |= starts;
        if !inside {
            text += line;
            text += "\n";
        }
        inside &= !line.contains(']');
    }
    text
}

/// A manifest without the dependencies on those members of the workspace that the copy leaves out: only tests for other
/// builds use them.
fn without_absent_crates(manifest: &str) -> String {
    let absent = |line: &&str| {
        let key = line.split(['=', '.', ' ']).next().unwrap_or_default();
        key.starts_with("millpond-") && !CRATES.iter().any(|name| *name == format!("crates/{key}"))
    };
    manifest
        .lines()
        .filter(|line| !absent(line))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

/// The crates that the loom build contains.
const CRATES: [&str; 2] = ["crates/millpond", "crates/millpond-core"];

/// Any fixed number will do: two runs of the same tree try the same mutants, and a scheduled run passes another.
pub(crate) const DEFAULT_SEED: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_drawn_by_its_seed() {
        let sites = || {
            let text = "a.load(Ordering::Acquire);\n".repeat(50);
            sites::find(&Source::new("a.rs", &text)).expect("no markers")
        };
        let lines =
            |seed| -> Vec<usize> { sample(sites(), 5, seed).iter().map(|s| s.line).collect() };
        assert_eq!(lines(1).len(), 5);
        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
        assert!(lines(1).is_sorted());
    }

    #[test]
    fn the_copy_has_two_members_and_no_absent_dependency() {
        let root = "[workspace]\nmembers = [\n    \"crates/*\",\n]\n[workspace.package]\n";
        let members = "members = [\"crates/millpond\", \"crates/millpond-core\"]";
        assert_eq!(reduced_root(root), format!("[workspace]\n{members}\n[workspace.package]\n"));
        let manifest = "\
[package]
name = \"millpond\"
[dependencies]
millpond-core = { workspace = true }
[dev-dependencies]
";
        let absent = "millpond-test.workspace = true\nmillpond-tokio = { workspace = true }\n";
        assert_eq!(without_absent_crates(&format!("{manifest}{absent}")), manifest);
    }
}
