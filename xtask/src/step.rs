//! Runs one outside command: echoes what it says, keeps the lines, times it, and ends it at a limit.
//!
//! All the commands of this program are made of these.
//!
//! *Invariant:* no command can ask a question. Standard input is empty and the output is a pipe, so cargo draws no
//! progress bar and no colours, in CI or at a terminal.

#![expect(clippy::disallowed_methods, reason = "wall time is what this file measures")]

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::libtest;

/// A command to run, and how to run it.
pub(crate) struct Step {
    command: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: PathBuf,
    echo: bool,
    limit: Option<Duration>,
    grouped: bool,
}

/// What became of a [`Step`].
pub(crate) struct Finished {
    pub(crate) ended: Ended,
    /// Standard output and standard error, in the order they were written.
    pub(crate) lines: Vec<String>,
    pub(crate) took: Duration,
}

/// How a command came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Passed,
    Failed(ExitStatus),
    TimedOut,
    /// Ended by [`Step::run_until`], because its answer was no longer needed.
    Stopped,
}

impl Step {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: vec![program.as_ref().into()],
            env: vec![("CARGO_TERM_COLOR".into(), "never".into())],
            dir: PathBuf::from("."),
            echo: true,
            limit: None,
            grouped: false,
        }
    }

    /// Cargo, the one that runs this program.
    pub(crate) fn cargo() -> Self {
        Self::new(cargo())
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().into()));
        self
    }

    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = dir.as_ref().into();
        self
    }

    /// Prints nothing: the caller looks at the lines.
    pub(crate) fn quiet(mut self) -> Self {
        self.echo = false;
        self
    }

    /// Kills the command if it runs longer than this.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Gives the command a process group of its own, so that killing it kills what it started. Ctrl-C at a terminal
    /// then no longer reaches it; that is why it is not the rule.
    pub(crate) fn grouped(mut self) -> Self {
        self.grouped = true;
        self
    }

    pub(crate) fn run(&self) -> Result<Finished, String> {
        self.run_until(&AtomicBool::new(false))
    }

    /// Runs until the command ends, its limit passes or `stop` is set.
    pub(crate) fn run_until(&self, stop: &AtomicBool) -> Result<Finished, String> {
        let watch = Stopwatch::start();
        let mut child = self.spawn()?;
        let output = child.stdout.take().expect("the output of a step is always piped");
        let (send, receive) = mpsc::channel();
        thread::spawn(move || forward_lines(output, &send));

        let mut lines = Vec::new();
        let mut killed: Option<(Ended, Duration)> = None;
        loop {
            match receive.recv_timeout(POLL) {
                Ok(line) => {
                    if self.echo && !libtest::is_json(&line) {
                        println!("{line}");
                    }
                    lines.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let ran = watch.elapsed();
            match killed {
                None if self.limit.is_some_and(|limit| ran > limit) => {
                    self.kill(&mut child);
                    killed = Some((Ended::TimedOut, ran));
                }
                None if stop.load(Ordering::Relaxed) => {
                    self.kill(&mut child);
                    killed = Some((Ended::Stopped, ran));
                }
                Some((_, at)) if ran > at + GRACE => {
                    return Err(format!(
                        "`{}` left a process behind when it was killed",
                        self.shown()
                    ));
                }
                _ => {}
            }
        }
        let status =
            child.wait().map_err(|e| format!("cannot wait for `{}`: {e}", self.shown()))?;
        let ended = match killed {
            Some((ended, _)) => ended,
            None if status.success() => Ended::Passed,
            None => Ended::Failed(status),
        };
        Ok(Finished { ended, lines, took: watch.elapsed() })
    }

    /// The command as one would type it.
    pub(crate) fn shown(&self) -> String {
        let mut words: Vec<_> = self.command.iter().map(|w| w.to_string_lossy()).collect();
        if let Some(name) = Path::new(&self.command[0]).file_name() {
            words[0] = name.to_string_lossy();
        }
        words.join(" ")
    }

    fn spawn(&self) -> Result<Child, String> {
        // The shell joins the two streams into one pipe, because their common order carries meaning: cargo names a test
        // binary on one and the binary reports on the other. `exec` leaves no shell behind, so the child's id is the
        // command's.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 2>&1", "sh"]).args(&self.command);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.dir).stdin(Stdio::null()).stdout(Stdio::piped());
        if self.grouped {
            command.process_group(0);
        }
        command.spawn().map_err(|e| format!("cannot run `{}`: {e}", self.shown()))
    }

    /// A process that has just ended by itself cannot be killed, and need not be: failures are of no interest.
    fn kill(&self, child: &mut Child) {
        if self.grouped {
            // The shell's own `kill`: small machines have no other.
            let script = format!("kill -s KILL -- -{}", child.id());
            let _ = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status();
        }
        let _ = child.kill();
    }
}

impl Finished {
    pub(crate) fn passed(&self) -> bool {
        self.ended == Ended::Passed
    }
}

impl Ended {
    /// The end of the sentence "the command …".
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Failed(status) => format!("failed ({status})"),
            Self::TimedOut => "ran into its time limit".to_owned(),
            Self::Stopped => "was stopped".to_owned(),
        }
    }
}

/// The path of the cargo that runs this program.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Wall time since a start.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Sends each line on until the stream ends or nobody listens. What is not UTF-8 is shown as well as it can be.
fn forward_lines(output: impl Read, send: &mpsc::Sender<String>) {
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { break };
        if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            break;
        }
    }
}

/// How often a silent command is compared with its limit. Short, since a stopped model holds up the next mutant.
const POLL: Duration = Duration::from_millis(20);

/// How long the output of a killed command may stay open.
const GRACE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Step {
        Step::new("sh").args(["-c", script]).quiet()
    }

    #[test]
    fn keeps_the_order_of_both_streams() {
        let done = sh("echo one; echo two >&2; echo three").run().expect("sh runs");
        assert_eq!(done.lines, ["one", "two", "three"]);
        assert!(done.passed());
    }

    #[test]
    fn tells_a_failure_from_a_success() {
        let done = sh("exit 3").run().expect("sh runs");
        assert!(matches!(done.ended, Ended::Failed(status) if status.code() == Some(3)));
    }

    #[test]
    fn kills_a_whole_group_at_the_limit() {
        let step = sh("sleep 5 & wait").grouped().limit(Duration::from_millis(200));
        let done = step.run().expect("nothing is left behind");
        assert_eq!(done.ended, Ended::TimedOut);
    }

    #[test]
    fn stops_when_told_to() {
        let step = Step::new("sleep").args(["600"]).quiet();
        let done = step.run_until(&AtomicBool::new(true)).expect("sleep runs");
        assert_eq!(done.ended, Ended::Stopped);
    }
}
