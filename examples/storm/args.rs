//! The command line of the storm: what may be set, between which bounds, and what is said of anything else.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use tokio_postgres::Config;

use crate::runtime::Runtime;

/// One run of the storm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    /// Requests per second, on average.
    pub(crate) rate: u64,
    /// How long requests arrive.
    pub(crate) seconds: u64,
    /// Connections at most.
    pub(crate) size: usize,
    /// How long after its arrival a request is still worth an answer.
    pub(crate) deadline: Duration,
    /// How long each request keeps its connection, its transaction included.
    pub(crate) hold: Duration,
    /// How long the database stands still.
    pub(crate) stall: Duration,
    pub(crate) seed: u64,
    /// One run for each.
    pub(crate) queues: &'static [Queue],
    pub(crate) runtime: Runtime,
    /// The server to ask, instead of an SQLite file.
    pub(crate) postgres: Option<Box<Config>>,
}

/// Who decides how long a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// The pool, which is told the deadline.
    Millpond,
    /// Nobody: the queue has no end, and each caller leaves it when its own timer fires.
    Naive,
}

impl Queue {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Millpond => "millpond",
            Self::Naive => "naive",
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(Args),
    Help,
}

impl Default for Args {
    /// A load of 105 %: little enough that even an endless queue fills only slowly, and too much for it ever to empty.
    fn default() -> Self {
        Self {
            rate: 840,
            seconds: 8,
            size: 8,
            deadline: Duration::from_millis(500),
            hold: Duration::from_millis(10),
            stall: Duration::from_millis(1500),
            seed: 1,
            queues: &[Queue::Millpond, Queue::Naive],
            runtime: Runtime::Tokio,
            postgres: None,
        }
    }
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
///
/// One line that names the flag and says what it takes.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut args = Args::default();
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Long("rate") => args.rate = number(&mut parser, "--rate", 1..=100_000)?,
            Arg::Long("seconds") => args.seconds = number(&mut parser, "--seconds", 1..=3600)?,
            Arg::Long("size") => args.size = number(&mut parser, "--size", 1..=256)? as usize,
            Arg::Long("deadline") => args.deadline = millis(&mut parser, "--deadline", 1..=60_000)?,
            Arg::Long("hold") => args.hold = millis(&mut parser, "--hold", 0..=10_000)?,
            Arg::Long("stall") => args.stall = millis(&mut parser, "--stall", 0..=60_000)?,
            Arg::Long("seed") => args.seed = number(&mut parser, "--seed", 0..=u64::MAX)?,
            Arg::Long("runtime") => args.runtime = runtime(&mut parser)?,
            Arg::Long("postgres") => args.postgres = Some(config(&mut parser)?),
            Arg::Long("millpond") => args.queues = &[Queue::Millpond],
            Arg::Long("naive") => args.queues = &[Queue::Naive],
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if args.rate * args.seconds > MOST_REQUESTS {
        return Err(format!("--rate times --seconds: at most {MOST_REQUESTS} requests in one run"));
    }
    if args.stall >= Duration::from_secs(args.seconds) {
        return Err("--stall: must be shorter than the run, see --seconds".to_owned());
    }
    if args.postgres.is_some() && args.runtime != Runtime::Tokio {
        return Err("--postgres: its connections live on tokio, see --runtime".to_owned());
    }
    Ok(Command::Run(args))
}

fn config(parser: &mut Parser) -> Result<Box<Config>, String> {
    let url = parser.value().map_err(|error| error.to_string())?;
    let config = url.to_string_lossy().parse().map(Box::new);
    // What it says may show a password.
    config.map_err(|_| {
        "--postgres: this is not a URL like postgres://user:password@host/database".to_owned()
    })
}

fn runtime(parser: &mut Parser) -> Result<Runtime, String> {
    let text = parser.value().map_err(|error| error.to_string())?;
    let runtime = Runtime::ALL.into_iter().find(|runtime| text == runtime.name());
    runtime.ok_or_else(|| {
        format!("--runtime: '{}' is not tokio, smol or async-std", text.to_string_lossy())
    })
}

fn millis(parser: &mut Parser, flag: &str, range: RangeInclusive<u64>) -> Result<Duration, String> {
    number(parser, flag, range).map(Duration::from_millis)
}

fn number(parser: &mut Parser, flag: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let text = parser.value().map_err(|error| error.to_string())?;
    let number = text.parse::<u64>().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        format!(
            "{flag}: '{}' is not a whole number from {} to {}",
            text.to_string_lossy(),
            range.start(),
            range.end()
        )
    })
}

/// Each is remembered until the end, in some 60 bytes with its latency.
const MOST_REQUESTS: u64 = 10_000_000;

pub(crate) const USAGE: &str = "\
usage: storm [options]
  --rate N       requests per second, arriving at random                 (840)
  --seconds N    how long they arrive                                      (8)
  --size N       connections to the database, at most                      (8)
  --deadline MS  how long after its arrival an answer is worth having    (500)
  --hold MS      how long a request keeps its connection                  (10)
  --stall MS     how long the database stands still, in the middle      (1500)
  --seed N       of the arrivals                                           (1)
  --runtime NAME tokio, smol or async-std                            (tokio)
  --postgres URL a PostgreSQL server (without TLS) instead of an SQLite file
  --millpond     only the pool, told by when each request has to be done
  --naive        only an endless queue that each caller leaves by its own timer
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        super::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn no_argument_is_needed() {
        assert_eq!(parse(""), Ok(Command::Run(Args::default())));
    }

    #[test]
    fn each_flag_sets_its_own_value() {
        let line = "--rate 1 --seconds 2 --size 3 --deadline 4 --hold 5 --stall 6 --seed 7 \
                    --runtime smol --naive";
        let expected = Args {
            rate: 1,
            seconds: 2,
            size: 3,
            deadline: Duration::from_millis(4),
            hold: Duration::from_millis(5),
            stall: Duration::from_millis(6),
            seed: 7,
            queues: &[Queue::Naive],
            runtime: Runtime::Smol,
            postgres: None,
        };
        assert_eq!(parse(line), Ok(Command::Run(expected)));
        let alone = Args { queues: &[Queue::Millpond], ..Args::default() };
        assert_eq!(parse("--millpond"), Ok(Command::Run(alone)));
        assert_eq!(parse("--rate=5 --help"), Ok(Command::Help));
    }

    #[test]
    fn what_is_no_number_is_refused_by_the_name_of_its_flag() {
        for (line, expected) in [
            ("--rate fast", "--rate: 'fast' is not a whole number from 1 to 100000"),
            ("--rate=-5", "--rate: '-5' is not a whole number from 1 to 100000"),
            ("--size 0", "--size: '0' is not a whole number from 1 to 256"),
            ("--deadline 1.5", "--deadline: '1.5' is not a whole number from 1 to 60000"),
            ("--runtime Tokio", "--runtime: 'Tokio' is not tokio, smol or async-std"),
            ("--seconds 10 --stall 10000", "--stall: must be shorter than the run, see --seconds"),
        ] {
            assert_eq!(parse(line), Err(expected.to_owned()));
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (line, name) in
            [("--rat 5", "--rat"), ("-x", "-x"), ("fast", "fast"), ("--rate", "--rate")]
        {
            assert!(parse(line).unwrap_err().contains(name), "{line}");
        }
        assert!(parse("--naive=yes").is_err());
        assert!(parse("--rate 100000 --seconds 3600").unwrap_err().contains("at most"));
    }

    #[test]
    fn the_usage_tells_the_defaults() {
        let Args {
            rate,
            seconds,
            size,
            deadline,
            hold,
            stall,
            seed,
            queues: _,
            runtime,
            postgres: _,
        } = Args::default();
        let numbers =
            [rate, seconds, size as u64, deadline.as_millis() as u64, hold.as_millis() as u64];
        for number in numbers.into_iter().chain([stall.as_millis() as u64, seed]) {
            assert!(USAGE.contains(&format!("({number})\n")), "{number}");
        }
        assert!(USAGE.contains(&format!("({})\n", runtime.name())));
    }

    #[test]
    fn a_server_is_named_by_its_url_and_lives_on_tokio() {
        let Ok(Command::Run(args)) = parse("--postgres postgres://me@pond/fish") else {
            panic!("it is a URL")
        };
        assert_eq!(args.postgres.unwrap().get_dbname(), Some("fish"));
        assert!(parse("--postgres postgres://me@pond:x").unwrap_err().contains("not a URL"));
        let refusal = parse("--runtime smol --postgres postgres://me@pond/fish").unwrap_err();
        assert_eq!(refusal, "--postgres: its connections live on tokio, see --runtime");
    }

    #[test]
    fn each_runtime_is_known_by_its_name() {
        for runtime in Runtime::ALL {
            let parsed = parse(&format!("--runtime {}", runtime.name()));
            assert_eq!(parsed, Ok(Command::Run(Args { runtime, ..Args::default() })));
            assert!(USAGE.contains(runtime.name()));
        }
    }
}
