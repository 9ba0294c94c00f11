//! Scenario files: what they may say, and what each wrong word is answered with.

mod parts;
mod text;
#[cfg(test)]
mod tests;

use std::path::Path;

use millpond_core::{Config, Lane};
use millpond_sim::{Callers, Fault, Hold, Pool, Scenario};
use serde::Deserialize;

use self::parts::{CallersText, FaultText, HoldText};
pub(crate) use self::text::{FileError, Key, POLICIES, policy};
use self::text::{Text, count, overload, time};

/// A scenario, and how it is to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) about: String,
    pub(crate) scenario: Scenario,
    pub(crate) policies: Vec<(String, millpond_sim::Policy)>,
}

/// A file as it is written. Times are texts such as `"1m 30s"`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SceneText {
    name: Option<String>,
    about: Option<String>,
    lasts: Option<Text>,
    warm_up: Option<Text>,
    seed: Option<u64>,
    policies: Option<Vec<String>>,
    pool: PoolText,
    callers: Vec<CallersText>,
    #[serde(default)]
    faults: Vec<FaultText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolText {
    size: u32,
    open: Option<u32>,
    overload: Option<String>,
    max_waiters: Option<u32>,
    max_creating: Option<u32>,
    min_idle: Option<u32>,
    claim_window: Option<Text>,
    create_timeout: Option<Text>,
    check_after_idle: Option<Text>,
    self_service: Option<bool>,
    connect: Option<HoldText>,
    refusal: Option<Text>,
    check: Option<Text>,
    claim_latency: Option<Text>,
    #[serde(default)]
    lanes: Vec<LaneText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaneText {
    max_waiters: Option<u32>,
    head_start: Option<Text>,
    reserved: Option<u32>,
}

impl Scene {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| FileError::Unreadable { file: file.clone(), source })?;
        Self::parse(&file, &text)
    }

    /// Reads what stands in the file of this name.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let scene: SceneText = toml::from_str(text)
            .map_err(|source| FileError::Malformed { file: file.to_owned(), source })?;
        scene.check(&Key::root(file))
    }
}

impl SceneText {
    fn check(self, key: &Key) -> Result<Scene, FileError> {
        let pool = self.pool.check(&key.of("pool"))?;
        let callers_key = key.of("callers");
        if self.callers.is_empty() {
            return Err(callers_key.must("have at least one entry"));
        }
        let mut callers: Vec<Callers> = Vec::new();
        for (number, text) in self.callers.into_iter().enumerate() {
            let key = callers_key.at(number);
            // Loads are told as shares of what the pool can do for callers of the first kind.
            let hold = callers.first().map(|first| first.hold);
            callers.push(text.check(&key, &pool, hold)?);
        }
        let faults_key = key.of("faults");
        let faults: Result<Vec<Fault>, _> = (0..)
            .zip(self.faults)
            .map(|(number, text)| text.check(&faults_key.at(number)))
            .collect();
        let first = callers.remove(0);
        let mut scenario = Scenario::new(pool.config.max_size, first);
        scenario.name = self.name.unwrap_or_default();
        scenario.pool = pool;
        scenario.callers.append(&mut callers);
        scenario.faults = faults?;
        scenario.lasts = time(self.lasts, scenario.lasts, &key.of("lasts"))?;
        scenario.warm_up = time(self.warm_up, scenario.warm_up, &key.of("warm_up"))?;
        if scenario.lasts.is_zero() || scenario.warm_up >= scenario.lasts {
            return Err(key.of("lasts").must("be longer than `warm_up`"));
        }
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        let names = self.policies.unwrap_or_else(|| USUAL.map(str::to_owned).to_vec());
        let policies = names.into_iter().map(|name| {
            let found = policy(&name).ok_or_else(|| key.of("policies").must(POLICIES))?;
            Ok((name, found))
        });
        Ok(Scene {
            about: self.about.unwrap_or_default(),
            policies: policies.collect::<Result<_, FileError>>()?,
            scenario,
        })
    }
}

impl PoolText {
    fn check(self, key: &Key) -> Result<Pool, FileError> {
        let usual = Config::default();
        let size = count(self.size, 1..=100_000, &key.of("size"))?;
        let lanes_key = key.of("lanes");
        let lanes: Result<Vec<Lane>, _> =
            (0..).zip(self.lanes).map(|(number, lane)| lane.check(&lanes_key.at(number))).collect();
        let config = Config {
            max_size: size,
            min_idle: self.min_idle.unwrap_or(usual.min_idle),
            max_waiters: self.max_waiters.unwrap_or(usual.max_waiters),
            max_creating: match self.max_creating {
                Some(most) => count(most, 1..=size, &key.of("max_creating"))?,
                None => (size / 4).clamp(1, 8),
            },
            overload: match self.overload {
                Some(text) => overload(&text, &key.of("overload"))?,
                None => millpond_core::Overload::Auto,
            },
            claim_window: time(self.claim_window, usual.claim_window, &key.of("claim_window"))?,
            create_timeout: time(
                self.create_timeout,
                usual.create_timeout,
                &key.of("create_timeout"),
            )?,
            check_after_idle: time(
                self.check_after_idle,
                usual.check_after_idle,
                &key.of("check_after_idle"),
            )?,
            self_service: self.self_service.unwrap_or(usual.self_service),
            lanes: lanes?,
            ..usual
        };
        let millisecond = std::time::Duration::from_millis(1);
        Ok(Pool {
            config,
            open: count(self.open.unwrap_or(size), 0..=size, &key.of("open"))?,
            connect: match self.connect {
                Some(text) => text.check(&key.of("connect"))?,
                None => Hold::Constant(5 * millisecond),
            },
            refusal: time(self.refusal, millisecond, &key.of("refusal"))?,
            check: time(self.check, millisecond, &key.of("check"))?,
            claim_latency: time(
                self.claim_latency,
                std::time::Duration::ZERO,
                &key.of("claim_latency"),
            )?,
        })
    }
}

impl LaneText {
    fn check(self, key: &Key) -> Result<Lane, FileError> {
        Ok(Lane {
            max_waiters: self.max_waiters.unwrap_or(Config::default().max_waiters),
            head_start: time(self.head_start, std::time::Duration::ZERO, &key.of("head_start"))?,
            reserved: self.reserved.unwrap_or(0),
        })
    }
}

/// What is compared unless a file says otherwise.
const USUAL: [&str; 4] = ["auto", "target 50ms", "fifo", "bare timeout"];
