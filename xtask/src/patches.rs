//! `cargo xtask patches`: the tests must be able to fail.
//!
//! Each patch in `tests/patches` takes one mechanism out of a copy of the tree, and the test that claims to prove the
//! mechanism must then fail: by a failing test, since code that does not compile proves nothing. The same test must
//! pass on the unchanged copy.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;

use crate::ci::SERVICES_REQUIRED;
use crate::mutants::sample;
use crate::report::{Count, seconds, table};
use crate::step::{Ended, Finished, Step, Stopwatch};
use crate::{files, libtest};

mod header;

use header::Header;

pub(crate) fn command(mut args: lexopt::Parser) -> Result<ExitCode, String> {
    let mut filter = None;
    while let Some(arg) = args.next().map_err(|e| e.to_string())? {
        match arg {
            Value(name) if filter.is_none() => filter = Some(name.to_string_lossy().into_owned()),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let report = run(read_patches(filter.as_deref())?, false)?;
    Ok(if report.count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of the patches: one check for each.
pub(crate) struct Report {
    pub(crate) count: Count,
    pub(crate) failed: Vec<String>,
}

/// Tries those of the specifications, and so many of the others, drawn by a seed. That all apply is seen to in any case.
pub(crate) fn run_sample(n: usize, seed: u64, services_required: bool) -> Result<Report, String> {
    let patches = read_patches(None)?;
    let copy = Copy::make(services_required)?;
    let mut stale = Vec::new();
    for Patch { name, .. } in &patches {
        if !copy.apply(name, &["--check"])?.passed() {
            stale.push(format!("{name}: no longer applies"));
        }
    }
    let all = patches.len();
    let (mut chosen, others): (Vec<_>, Vec<_>) =
        patches.into_iter().partition(|patch| patch.header.proves.starts_with("spec"));
    chosen.extend(sample(others, n, seed));
    println!("{} of {all} patches, {n} of them drawn with --seed {seed}", chosen.len());
    println!("`cargo xtask patches` tries all");
    let mut report = run(chosen, services_required)?;
    for patch in stale {
        report.count += Count::one(false);
        report.failed.push(patch);
    }
    Ok(report)
}

/// Tries patches. Those whose tests skip themselves are skipped, unless services are required: then the tests fail.
fn run(patches: Vec<Patch>, services_required: bool) -> Result<Report, String> {
    let mut copy = Copy::make(services_required)?;
    let mut report = Report { count: Count::default(), failed: Vec::new() };
    let mut rows = Vec::new();
    for Patch { name, header } in &patches {
        let watch = Stopwatch::start();
        let outcome = copy.try_patch(name, header)?;
        println!("{:>7} s  {name}: {}", seconds(watch.elapsed()), outcome.describe());
        // What cargo or git said in full stands above; the table keeps to one line each.
        let said = outcome.describe().lines().next().unwrap_or_default().to_owned();
        match outcome {
            Outcome::Killed(_) | Outcome::TimedOut => report.count += Count::one(true),
            Outcome::Skipped(_) => report.count += Count { skipped: 1, ..Count::default() },
            _ => {
                report.count += Count::one(false);
                report.failed.push(format!("{name}: {said}"));
            }
        }
        rows.push([name.clone(), header.proves.clone(), header.takes_out.clone(), said]);
    }
    println!("\n{}", table(["patch", "proves", "takes out", "outcome"], &rows));
    println!("patches: {}", report.count.line());
    Ok(report)
}

struct Patch {
    name: String,
    header: Header,
}

fn read_patches(filter: Option<&str>) -> Result<Vec<Patch>, String> {
    let mut patches = Vec::new();
    for file in files::list()? {
        let Some(name) = file.strip_prefix(DIRECTORY).and_then(|f| f.strip_suffix(".patch")) else {
            continue;
        };
        if filter.is_none_or(|filter| name.contains(filter)) {
            let text =
                std::fs::read_to_string(&file).map_err(|e| format!("cannot read {file}: {e}"))?;
            let header = Header::parse(&text).map_err(|e| format!("{file}: {e}"))?;
            patches.push(Patch { name: name.to_owned(), header });
        }
    }
    match (patches.is_empty(), filter) {
        (false, _) => Ok(patches),
        (true, Some(filter)) => Err(format!("no patch is called `…{filter}…`")),
        (true, None) => Err(format!("there are no patches in {DIRECTORY}")),
    }
}

/// What became of a patched tree.
enum Outcome {
    /// This test failed, as it should.
    Killed(String),
    TimedOut,
    /// This test needs what the machine lacks.
    Skipped(String),
    /// This command passed all the same.
    Survived(String),
    /// The test is no good: it does not pass, or does not run, on unchanged code.
    NotClean(String),
    DoesNotApply(String),
    DoesNotCompile(String),
    /// The command failed, but no test did.
    FailedOtherwise(String),
}

impl Outcome {
    fn describe(&self) -> String {
        match self {
            Self::Killed(test) => format!("killed by {test}"),
            Self::TimedOut => format!("killed by the time limit of {} s", LIMIT.as_secs()),
            Self::Skipped(test) => format!("skipped {test}"),
            Self::Survived(test) => format!("SURVIVED `cargo test {test}`"),
            Self::NotClean(said) => format!("on unchanged code, {said}"),
            Self::DoesNotApply(said) => format!("no longer applies\n{said}"),
            Self::FailedOtherwise(said) => format!("fails, but by no test\n{said}"),
            Self::DoesNotCompile(said) => format!("does not compile with the patch\n{said}"),
        }
    }
}

/// The copy of the tree that is patched, and what was found out about it while it was clean.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
    files: Vec<String>,
    /// The test commands that passed on the clean copy.
    clean: BTreeSet<String>,
    services_required: bool,
}

impl Copy {
    fn make(services_required: bool) -> Result<Self, String> {
        let dir = files::target().join("patches");
        let (tree, target) = (dir.join("tree"), dir.join("target"));
        let clean = BTreeSet::new();
        let copy = Self { tree, target, files: files::list()?, clean, services_required };
        files::sync(&copy.files, &copy.tree)?;
        Ok(copy)
    }

    fn try_patch(&mut self, name: &str, header: &Header) -> Result<Outcome, String> {
        for test in &header.tests {
            if let Some(problem) = self.problem_when_clean(test)? {
                return Ok(problem);
            }
        }
        let applied = self.apply(name, &[])?;
        let outcome = if applied.passed() {
            self.run_patched(&header.tests)
        } else {
            Ok(Outcome::DoesNotApply(applied.lines.join("\n")))
        };
        files::sync(&self.files, &self.tree)?;
        outcome
    }

    /// Says what is wrong with a test before anything is patched. Asked once for each test.
    fn problem_when_clean(&mut self, test: &str) -> Result<Option<Outcome>, String> {
        if self.clean.contains(test) {
            return Ok(None);
        }
        let not_clean = |said: &str, lines: &[String]| {
            Outcome::NotClean(format!("`cargo test {test}` {said}\n{}", lines.join("\n")))
        };
        let built = self.build(test)?;
        if !built.passed() {
            return Ok(Some(not_clean("does not build", &built.lines)));
        }
        let ran = self.test(test)?;
        if !ran.passed() {
            return Ok(Some(not_clean(&ran.ended.describe(), &ran.lines)));
        }
        let targets = libtest::parse(&ran.lines);
        if let Some(skipped) = targets.iter().find_map(|target| target.skipped.first()) {
            return Ok(Some(Outcome::Skipped(skipped.clone())));
        }
        if libtest::total(&targets).passed == 0 {
            return Ok(Some(not_clean("runs no test", &[])));
        }
        self.clean.insert(test.to_owned());
        Ok(None)
    }

    /// Every test of a patch has to fail: each is claimed to prove the mechanism.
    fn run_patched(&self, tests: &[String]) -> Result<Outcome, String> {
        let mut killed = Outcome::TimedOut;
        for test in tests {
            let built = self.build(test)?;
            if !built.passed() {
                return Ok(Outcome::DoesNotCompile(built.lines.join("\n")));
            }
            let ran = self.test(test)?;
            match ran.ended {
                Ended::Passed => return Ok(Outcome::Survived(test.clone())),
                Ended::TimedOut | Ended::Stopped => {}
                Ended::Failed(_) => {
                    let targets = libtest::parse(&ran.lines);
                    let failed: Vec<_> = targets.into_iter().flat_map(|t| t.failed).collect();
                    if failed.is_empty() {
                        return Ok(Outcome::FailedOtherwise(ran.lines.join("\n")));
                    }
                    killed = Outcome::Killed(failed.join(", "));
                }
            }
        }
        Ok(killed)
    }

    fn apply(&self, name: &str, options: &[&str]) -> Result<Finished, String> {
        let patch = files::root().join(format!("{DIRECTORY}{name}.patch"));
        // Without the ceiling, git would find the repository that this copy lies in, and skip every file as being
        // outside.
        let ceiling = self.tree.parent().expect("the copy lies in a directory of its own");
        let ceiling = ceiling.canonicalize().map_err(|e| format!("cannot find the copy: {e}"))?;
        Step::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .args(options)
            .args([patch])
            .dir(&self.tree)
            .env("GIT_CEILING_DIRECTORIES", ceiling)
            .quiet()
            .run()
    }

    fn build(&self, test: &str) -> Result<Finished, String> {
        self.cargo_test(test, &["--no-run"]).run()
    }

    fn test(&self, test: &str) -> Result<Finished, String> {
        self.cargo_test(test, &["--no-fail-fast"]).limit(LIMIT).grouped().run()
    }

    fn cargo_test(&self, test: &str, options: &[&str]) -> Step {
        let step = Step::cargo()
            .args(["test"])
            .args(options)
            .args(test.split_whitespace())
            .dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .quiet();
        if self.services_required { step.env(SERVICES_REQUIRED, "1") } else { step }
    }
}

const DIRECTORY: &str = "tests/patches/";

/// A test on a virtual clock takes milliseconds; one that waits this long waits for something that was taken out.
const LIMIT: Duration = Duration::from_secs(120);
