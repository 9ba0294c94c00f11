//! The steps of `cargo xtask test`, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use super::conformance::Conformance;
use super::layers::{Layer, Tally};
use super::{Options, Verdict, package};
use crate::ci::{CLIPPY, GIT, Need, POSTGRES, RUSTFMT, SERVICES_REQUIRED, TAR};
use crate::report::Count;
use crate::step::{Finished, Step};
use crate::{libtest, loom, mutants, patches, tidy};

/// A step of the plan.
pub(super) struct Planned {
    pub(super) name: &'static str,
    /// What the machine must have.
    pub(super) needs: &'static [Need],
    /// Left out when the workspace does not compile.
    pub(super) compiles: bool,
    /// Left out by `--quick`.
    pub(super) slow: bool,
    pub(super) run: fn(&mut Findings) -> Result<Verdict, String>,
}

/// `build` comes early so that an error of the compiler is printed once, there, and nowhere else.
pub(super) const PLAN: &[Planned] = &[
    Planned {
        needs: &[RUSTFMT],
        compiles: false,
        ..step("fmt", |s| s.check(&["fmt", "--all", "--check"]))
    },
    Planned { compiles: false, ..step("build", build) },
    Planned { needs: &[CLIPPY], ..step("clippy", |s| s.check(CLIPPY_ARGS)) },
    Planned { needs: &[GIT], compiles: false, ..step("tidy", tidy) },
    step("tests", tests),
    step("doctests", doctests),
    step("docs", |s| {
        s.check_step(
            Step::cargo()
                .args(["doc", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    }),
    Planned { needs: &[GIT, TAR], slow: true, ..step("package", packages) },
    // The one optional feature: everything above is without it.
    Planned { needs: &[CLIPPY], ..step("clippy with tracing", |s| s.check(TRACING_CLIPPY_ARGS)) },
    step("tests with tracing", tracing_tests),
    step("docs with tracing", |s| {
        s.check_step(
            Step::cargo()
                .args(["doc", "-p", "millpond", "--features", "tracing", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    }),
    step("model check", model_check),
    step("simulator", |s| s.check(EXPERIMENTS_ARGS)),
    step("examples", examples),
    Planned { needs: &[POSTGRES], ..step("postgres examples", postgres_examples) },
    step("storm", storms),
    // In the profile of the tests, so that nothing is compiled anew: all it judges are ratios.
    Planned { slow: true, ..step("storm lab", |s| s.check(STORM_LAB_ARGS)) },
    Planned { slow: true, ..step("loom", loom_models) },
    Planned { needs: &[GIT], slow: true, ..step("mutants", sampled_mutants) },
    Planned { needs: &[GIT], slow: true, ..step("patches", sampled_patches) },
];

const CLIPPY_ARGS: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];

/// The examples that end by themselves, with an error unless all is well.
const EXAMPLES: &[&str] =
    &["quickstart_tokio", "quickstart_smol", "quickstart_async_std", "custom_runtime"];

/// What the storm runs on.
const RUNTIMES: &[&str] = &["tokio", "smol", "async-std"];

const TRACING_CLIPPY_ARGS: &[&str] = &[
    "clippy",
    "-p",
    "millpond",
    "-p",
    "millpond-tests",
    "--features",
    "millpond-tests/tracing",
    "--all-targets",
    "--",
    "-D",
    "warnings",
];

/// One line for each gate, with the worst of the seeds that judge.
const EXPERIMENTS_ARGS: &[&str] =
    &["run", "--release", "-p", "millpond-sim", "--quiet", "--", "experiments"];

const STORM_LAB_ARGS: &[&str] =
    &["bench", "-p", "millpond-tests", "--profile=dev", "--bench=storm_lab", "--", "--quick"];

const fn step(name: &'static str, run: fn(&mut Findings) -> Result<Verdict, String>) -> Planned {
    Planned { name, needs: &[], compiles: true, slow: false, run }
}

/// What the steps so far found out.
pub(super) struct Findings {
    pub(super) options: Options,
    pub(super) tally: Tally,
    /// Whether the workspace does not compile.
    pub(super) broken: bool,
    /// Lines to repeat at the end.
    pub(super) notes: Vec<String>,
    /// The tests that failed.
    pub(super) failures: Vec<String>,
    /// What failed, and what it said about it.
    pub(super) complaints: Vec<Complaint>,
    packages: BTreeMap<String, String>,
    /// The loom models that passed and their times, once they all did.
    measured: Option<Vec<(String, Duration)>>,
}

impl Findings {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            tally: Tally::default(),
            broken: false,
            notes: Vec::new(),
            failures: Vec::new(),
            complaints: Vec::new(),
            packages: BTreeMap::new(),
            measured: None,
        }
    }

    /// A cargo command that is one check by itself.
    fn check(&mut self, args: &[&str]) -> Result<Verdict, String> {
        self.check_step(Step::cargo().args(args))
    }

    fn check_step(&mut self, step: Step) -> Result<Verdict, String> {
        let done = step.run()?;
        self.tally.add(Layer::Checks, Count::one(done.passed()));
        if !done.passed() {
            self.complaints.push(Complaint::last(step.shown(), &done.lines));
        }
        Ok(verdict(done.passed(), || format!("`{}` {}", step.shown(), done.ended.describe())))
    }

    /// Checks that make one step: each is run, and one that fails is enough.
    fn check_all(&mut self, steps: impl Iterator<Item = Step>) -> Result<Verdict, String> {
        let mut failures = Vec::new();
        for step in steps {
            if let Verdict::Failed(why) = self.check_step(step)? {
                failures.push(why);
            }
        }
        Ok(verdict(failures.is_empty(), || failures.join(", ")))
    }

    /// Notes the tests of a run that failed, and judges it. A run in which nothing ran proves nothing, and fails.
    fn judge(&mut self, done: &Finished, targets: &[libtest::Target]) -> Verdict {
        for target in targets {
            let name = target.short_name();
            self.failures.extend(target.failed.iter().map(|test| format!("{name}: {test}")));
            self.notes.extend(target.skipped.iter().map(|test| format!("skipped {name}: {test}")));
            if !target.said.is_empty() {
                self.complaints.push(Complaint::first(name.to_owned(), &target.said));
            }
        }
        let count = libtest::total(targets);
        if done.passed() && count.passed == 0 {
            return Verdict::Failed("no test ran".to_owned());
        }
        verdict(done.passed(), || match count.failed {
            0 => format!("cargo {}", done.ended.describe()),
            n => format!("{n} failed"),
        })
    }
}

/// What failed, and the part of what it said that tells most.
pub(super) struct Complaint {
    pub(super) of: String,
    pub(super) lines: Vec<String>,
}

impl Complaint {
    /// Few enough that the complaints of a bad day can be read, and enough for some panics with their messages.
    const LINES: usize = 25;

    /// A command says last why it gives up.
    fn last(of: String, lines: &[String]) -> Self {
        let told: Vec<_> = lines.iter().filter(|line| !libtest::is_json(line)).cloned().collect();
        Self { of, lines: told[told.len().saturating_sub(Self::LINES)..].to_vec() }
    }

    fn first(of: String, lines: &[String]) -> Self {
        Self { of, lines: lines.iter().take(Self::LINES).cloned().collect() }
    }
}

fn build(findings: &mut Findings) -> Result<Verdict, String> {
    let args = ["test", "--workspace", "--all-targets", "--no-run"];
    let step = Step::cargo().args(args).args(["--message-format=json-render-diagnostics"]);
    let done = step.run()?;
    findings.packages = libtest::packages(&done.lines);
    findings.broken = !done.passed();
    if findings.broken {
        findings.complaints.push(Complaint::last(step.shown(), &done.lines));
    }
    findings.tally.add(Layer::Checks, Count::one(done.passed()));
    Ok(verdict(done.passed(), || "the workspace does not compile".to_owned()))
}

fn tidy(findings: &mut Findings) -> Result<Verdict, String> {
    let violations = tidy::check()?;
    for violation in &violations {
        println!("{violation}");
    }
    findings.tally.add(Layer::Checks, Count::one(violations.is_empty()));
    Ok(verdict(violations.is_empty(), || format!("{} violations", violations.len())))
}

fn tests(findings: &mut Findings) -> Result<Verdict, String> {
    let args = ["test", "--workspace", "--all-targets", "--no-fail-fast"];
    let mut step = Step::cargo().args(args);
    if findings.options.require_services {
        step = step.env(SERVICES_REQUIRED, "1");
    }
    let done = step.run()?;
    let targets = libtest::parse(&done.lines);
    findings.tally.add_targets(&targets, &findings.packages);
    let conformance = Conformance::of(&targets);
    findings.tally.add(Layer::Checks, Count::one(conformance.is_even()));
    findings.notes.push(conformance.to_string());
    Ok(match findings.judge(&done, &targets) {
        Verdict::Passed => verdict(conformance.is_even(), || conformance.to_string()),
        failed => failed,
    })
}

fn doctests(findings: &mut Findings) -> Result<Verdict, String> {
    let done = Step::cargo().args(["test", "--workspace", "--doc", "--no-fail-fast"]).run()?;
    let targets = libtest::parse(&done.lines);
    findings.tally.add(Layer::Doctests, libtest::total(&targets));
    Ok(findings.judge(&done, &targets))
}

/// What needs the feature `tracing`: a test target of its own, and one example in the documentation.
fn tracing_tests(findings: &mut Findings) -> Result<Verdict, String> {
    let mut verdict = Verdict::Passed;
    for (layer, args) in [
        (Layer::WholePool, ["-p", "millpond-tests", "--test", "tracing"]),
        (Layer::Doctests, ["-p", "millpond", "--doc", "TracingSink"]),
    ] {
        let done = Step::cargo().args(["test", "--features", "tracing"]).args(args).run()?;
        let targets = libtest::parse(&done.lines);
        findings.tally.add(layer, libtest::total(&targets));
        match findings.judge(&done, &targets) {
            Verdict::Passed => {}
            failed => verdict = failed,
        }
    }
    Ok(verdict)
}

fn packages(findings: &mut Findings) -> Result<Verdict, String> {
    let names = package::names()?;
    match findings.check_step(package::pack(&names))? {
        Verdict::Passed => package::unpack(&names)?,
        failed => return Ok(failed),
    }
    findings.check_all(names.iter().map(|name| package::check(name)))
}

fn examples(findings: &mut Findings) -> Result<Verdict, String> {
    let build = Step::cargo().args(["build", "--release", "-p", "millpond-examples", "--examples"]);
    findings.check_all([build].into_iter().chain(EXAMPLES.iter().map(|name| run_example(name))))
}

/// Short: this asks whether it verifies itself on each runtime, not how fast it is.
fn storms(findings: &mut Findings) -> Result<Verdict, String> {
    let storm = |runtime: &&str| {
        run_example("storm").args(["--", "--seconds", "4", "--millpond", "--runtime", *runtime])
    };
    findings.check_all(RUNTIMES.iter().map(storm))
}

fn postgres_examples(findings: &mut Findings) -> Result<Verdict, String> {
    let elsewhere = ["smol", "async-std"]
        .map(|runtime| run_example("postgres_elsewhere").args(["--", runtime]));
    findings.check_all([run_example("postgres")].into_iter().chain(elsewhere))
}

fn run_example(name: &str) -> Step {
    Step::cargo().args(["run", "--release", "-p", "millpond-examples", "--example", name])
}

/// In release, since it visits every state; it says how many.
fn model_check(findings: &mut Findings) -> Result<Verdict, String> {
    let args =
        ["test", "--release", "-p", "millpond-core", "--lib", "model_check::", "--", "--nocapture"];
    let done = Step::cargo().args(args).run()?;
    let targets = libtest::parse(&done.lines);
    findings.tally.add(Layer::Model, libtest::total(&targets));
    let notes = findings.notes.len();
    findings.notes.extend(done.lines.iter().filter_map(|line| model_line(line)).map(str::to_owned));
    if done.passed() && findings.notes.len() == notes {
        return Ok(Verdict::Failed("no `model:` line tells how many states it saw".to_owned()));
    }
    Ok(findings.judge(&done, &targets))
}

/// The part of a line that the model check wants repeated. On one thread, libtest prints the name of the test, and no
/// line break, before what the test says.
fn model_line(line: &str) -> Option<&str> {
    let said = match line.strip_prefix("test ") {
        Some(rest) => rest.split_once(" ... ")?.1,
        None => line,
    };
    said.starts_with("model:").then_some(said)
}

fn loom_models(findings: &mut Findings) -> Result<Verdict, String> {
    let report = loom::run(&loom::Options::default())?;
    findings.tally.add(Layer::Loom, report.count);
    let failed = report.failed.len();
    findings.failures.extend(report.failed);
    if failed == 0 {
        findings.measured = Some(report.passed);
    }
    Ok(verdict(failed == 0, || format!("{failed} models failed")))
}

fn sampled_mutants(findings: &mut Findings) -> Result<Verdict, String> {
    let Some(measured) = &findings.measured else {
        return Ok(Verdict::Skipped("the models do not pass on unchanged code".to_owned()));
    };
    let Options { sample, seed, .. } = findings.options;
    let options = loom::Options { sample: Some(sample), seed, ..loom::Options::default() };
    let report = mutants::run(&options, Some(measured))?;
    findings.tally.add(Layer::Mutants, report.count);
    let survived = report.survivors.len();
    findings.failures.extend(report.survivors);
    Ok(verdict(survived == 0, || format!("{survived} survived")))
}

fn sampled_patches(findings: &mut Findings) -> Result<Verdict, String> {
    let Options { sample, seed, require_services, .. } = findings.options;
    let report = patches::run_sample(sample, seed, require_services)?;
    findings.tally.add(Layer::Patches, report.count);
    let failed = report.failed.len();
    findings.failures.extend(report.failed);
    Ok(verdict(failed == 0, || format!("{failed} proved nothing")))
}

fn verdict(passed: bool, why: impl FnOnce() -> String) -> Verdict {
    if passed { Verdict::Passed } else { Verdict::Failed(why()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_check_says_is_found() {
        assert_eq!(model_line("model: 5 states"), Some("model: 5 states"));
        assert_eq!(
            model_line("test model_check::all ... model: 5 states"),
            Some("model: 5 states")
        );
        assert_eq!(model_line("test model_check::all ... ok"), None);
        assert_eq!(model_line("    println!(\"model: {n} states\");"), None);
    }
}
