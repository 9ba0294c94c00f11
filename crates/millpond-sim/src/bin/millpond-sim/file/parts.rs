//! The parts of a scenario file that may stand there several times: callers, holds and faults.

use std::time::Duration;

use millpond_sim::{
    Arrivals, AtDeadline, Callers, Fault, Hold, Load, Pool, Retries, Spacing, Told, Trouble,
};
use serde::Deserialize;

use super::text::{FileError, Key, Text, count, number, time};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallersText {
    name: Option<String>,
    lane: Option<u32>,
    load: Option<f64>,
    rate: Option<f64>,
    spacing: Option<SpacingText>,
    #[serde(default)]
    changes: Vec<ChangeText>,
    tasks: Option<u32>,
    cycles: Option<u32>,
    pause: Option<Text>,
    hold: HoldText,
    crowding: Option<f64>,
    deadline: Text,
    told: Option<String>,
    at_deadline: Option<AtDeadlineText>,
    absent: Option<f64>,
    retries: Option<RetriesText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeText {
    at: Text,
    load: Option<f64>,
    rate: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SpacingText {
    Even,
    Poisson,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AtDeadlineText {
    Leaves,
    Stays,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetriesText {
    most: u32,
    pause: Option<Text>,
    budget: Option<f64>,
    honours_retry_after: Option<bool>,
}

/// A time, or how times are distributed.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a time, `{ exponential }`, `{ mean, cv }` or `{ short, long, share }` is expected here"
)]
pub(super) enum HoldText {
    Constant(Text),
    Exponential(ExponentialText),
    LogNormal(LogNormalText),
    Bimodal(BimodalText),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExponentialText {
    exponential: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogNormalText {
    mean: Text,
    cv: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BimodalText {
    short: Text,
    long: Text,
    share: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultText {
    kind: FaultKind,
    from: Text,
    lasts: Text,
    times: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultKind {
    Stop,
    Slow,
    Outage,
}

impl CallersText {
    /// `first`: how long callers of the first kind hold, if this is not the first.
    pub(super) fn check(
        mut self,
        key: &Key,
        pool: &Pool,
        first: Option<Hold>,
    ) -> Result<Callers, FileError> {
        let hold = std::mem::replace(&mut self.hold, HoldText::Constant(Text::default()));
        let hold = hold.check(&key.of("hold"))?;
        let mean = first.unwrap_or(hold).mean();
        let capacity = f64::from(pool.config.max_size) / mean.as_secs_f64().max(1e-9);
        let load = self.load(key, capacity)?;
        let deadline = self.deadline.time(&key.of("deadline"))?;
        let lanes = u32::try_from(pool.config.lanes.len()).unwrap_or(u32::MAX);
        let mut callers = Callers::new(Arrivals::even(1.0), hold, deadline);
        callers.load = load;
        callers.name = self.name.unwrap_or(callers.name);
        callers.lane = count(self.lane.unwrap_or(0), 0..=lanes, &key.of("lane"))?;
        callers.crowding = number(self.crowding.unwrap_or(0.0), 1e6, &key.of("crowding"))?;
        callers.absent = number(self.absent.unwrap_or(0.0), 1.0, &key.of("absent"))?;
        callers.told = match self.told.as_deref() {
            None | Some("deadline") => Told::Deadline,
            Some("nothing") => Told::Nothing,
            Some(text) => {
                let time = humantime::parse_duration(text);
                Told::Timeout(time.map_err(|_| {
                    key.of("told").must("be \"deadline\", \"nothing\" or a time such as \"30s\"")
                })?)
            }
        };
        callers.at_deadline = match self.at_deadline {
            None | Some(AtDeadlineText::Leaves) => AtDeadline::Leaves,
            Some(AtDeadlineText::Stays) => AtDeadline::Stays,
        };
        if let Some(retries) = self.retries {
            callers.retries = retries.check(&key.of("retries"))?;
        }
        Ok(callers)
    }

    fn load(&self, key: &Key, capacity: f64) -> Result<Load, FileError> {
        if let Some(tasks) = self.tasks {
            if self.rate.is_some() || self.load.is_some() || !self.changes.is_empty() {
                return Err(key.of("tasks").must("stand without `rate`, `load` and `changes`"));
            }
            return Ok(Load::Closed {
                tasks: count(tasks, 1..=10_000_000, &key.of("tasks"))?,
                cycles: count(self.cycles.unwrap_or(1), 1..=u32::MAX, &key.of("cycles"))?,
                pause: time(self.pause.clone(), Duration::ZERO, &key.of("pause"))?,
            });
        }
        let mut arrivals = Arrivals::poisson(rate(self.rate, self.load, capacity, key)?);
        if let Some(SpacingText::Even) = self.spacing {
            arrivals.spacing = Spacing::Even;
        }
        let changes = key.of("changes");
        for (place, change) in self.changes.iter().enumerate() {
            let key = changes.at(place);
            let at = change.at.time(&key.of("at"))?;
            if arrivals.rates.last().is_some_and(|(last, _)| at <= *last) {
                return Err(key.of("at").must("be later than the change before"));
            }
            arrivals = arrivals.then(at, rate(change.rate, change.load, capacity, &key)?);
        }
        Ok(Load::Open(arrivals))
    }
}

/// How many come in a second: told as such, or as a share of what the pool can do.
fn rate(rate: Option<f64>, load: Option<f64>, capacity: f64, key: &Key) -> Result<f64, FileError> {
    match (rate, load) {
        (Some(rate), None) => number(rate, 1e9, &key.of("rate")),
        (None, Some(load)) => Ok(number(load, 1e6, &key.of("load"))? * capacity),
        _ => {
            Err(key
                .must("have either `rate` (callers a second) or `load` (1 = all the pool can do)"))
        }
    }
}

impl RetriesText {
    fn check(self, key: &Key) -> Result<Retries, FileError> {
        Ok(Retries {
            most: count(self.most, 0..=1000, &key.of("most"))?,
            pause: time(self.pause, Duration::ZERO, &key.of("pause"))?,
            budget: self.budget.map(|b| number(b, 1000.0, &key.of("budget"))).transpose()?,
            honours_retry_after: self.honours_retry_after.unwrap_or(false),
        })
    }
}

impl HoldText {
    pub(super) fn check(self, key: &Key) -> Result<Hold, FileError> {
        match self {
            Self::Constant(text) => Ok(Hold::Constant(text.time(key)?)),
            Self::Exponential(text) => {
                Ok(Hold::Exponential(text.exponential.time(&key.of("exponential"))?))
            }
            Self::LogNormal(text) => Ok(Hold::LogNormal {
                mean: text.mean.time(&key.of("mean"))?,
                cv: number(text.cv, 100.0, &key.of("cv"))?,
            }),
            Self::Bimodal(text) => Ok(Hold::Bimodal {
                short: text.short.time(&key.of("short"))?,
                long: text.long.time(&key.of("long"))?,
                share: number(text.share, 1.0, &key.of("share"))?,
            }),
        }
    }
}

impl FaultText {
    pub(super) fn check(self, key: &Key) -> Result<Fault, FileError> {
        let trouble = match (self.kind, self.times) {
            (FaultKind::Stop, None) => Trouble::Stop,
            (FaultKind::Outage, None) => Trouble::Outage,
            (FaultKind::Slow, Some(times)) if (1.0..=1e6).contains(&times) => Trouble::Slow(times),
            (FaultKind::Slow, _) => return Err(key.of("times").must("be from 1 to 1000000")),
            _ => return Err(key.of("times").must("stand beside kind = \"slow\" only")),
        };
        let (from, lasts) = (self.from.time(&key.of("from"))?, self.lasts.time(&key.of("lasts"))?);
        Ok(Fault { from, lasts, trouble })
    }
}
