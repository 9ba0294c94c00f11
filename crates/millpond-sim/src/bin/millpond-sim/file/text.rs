//! The words of scenario files: times, numbers, policies, and the errors that name what is wrong with them.

use std::ops::RangeInclusive;
use std::time::Duration;

use millpond_core::Overload;
use millpond_sim::Policy;
use serde::Deserialize;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("`{file}` is no scenario that comes along, and no file that can be read")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file}: is no scenario")]
    Malformed { file: String, source: toml::de::Error },
    #[error("{file}: `{key}` must {allowed}")]
    NotAllowed { file: String, key: String, allowed: String },
}

/// A place in a file, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    file: String,
    path: String,
}

/// A time as it is written, such as `"1m 30s"`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text(String);

impl Key {
    pub(crate) fn root(file: &str) -> Self {
        Self { file: file.to_owned(), path: String::new() }
    }

    /// What stands there under this name.
    pub(crate) fn of(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { file: self.file.clone(), path: format!("{}{dot}{name}", self.path) }
    }

    /// The entry of this number, from zero.
    pub(crate) fn at(&self, number: usize) -> Self {
        Self { file: self.file.clone(), path: format!("{}[{number}]", self.path) }
    }

    /// The error of what stands there not being what it must.
    pub(crate) fn must(&self, allowed: &str) -> FileError {
        let (file, key) = (self.file.clone(), self.path.clone());
        FileError::NotAllowed { file, key, allowed: allowed.to_owned() }
    }
}

impl Text {
    pub(crate) fn time(&self, key: &Key) -> Result<Duration, FileError> {
        humantime::parse_duration(&self.0).ok().filter(|time| *time <= LONGEST).ok_or_else(|| {
            key.must("be a time of at most ten years, such as \"200us\" or \"1m 30s\"")
        })
    }
}

/// A time that may be left out.
pub(crate) fn time(text: Option<Text>, usual: Duration, key: &Key) -> Result<Duration, FileError> {
    text.map_or(Ok(usual), |text| text.time(key))
}

/// A number within bounds.
pub(crate) fn count(
    number: u32,
    allowed: RangeInclusive<u32>,
    key: &Key,
) -> Result<u32, FileError> {
    if allowed.contains(&number) {
        return Ok(number);
    }
    Err(key.must(&format!("be from {} to {}", allowed.start(), allowed.end())))
}

/// A finite number that is not negative, and at most `most`.
pub(crate) fn number(number: f64, most: f64, key: &Key) -> Result<f64, FileError> {
    if (0.0..=most).contains(&number) {
        return Ok(number);
    }
    Err(key.must(&format!("be from 0 to {most}")))
}

pub(crate) fn overload(text: &str, key: &Key) -> Result<Overload, FileError> {
    match policy(text) {
        Some(Policy::Auto) => Ok(Overload::Auto),
        Some(Policy::Fifo) => Ok(Overload::Fifo),
        Some(Policy::TargetWait(target)) => Ok(Overload::TargetWait(target)),
        _ => Err(key.must("be \"auto\", \"fifo\" or a target such as \"target 50ms\"")),
    }
}

/// The policy of this name.
pub(crate) fn policy(name: &str) -> Option<Policy> {
    match name {
        "auto" => Some(Policy::Auto),
        "fifo" => Some(Policy::Fifo),
        "bare timeout" => Some(Policy::BareTimeout),
        "zombies" => Some(Policy::Zombies),
        _ => {
            let target = humantime::parse_duration(name.strip_prefix("target ")?).ok()?;
            Some(Policy::TargetWait(target))
        }
    }
}

/// What `policy` knows.
pub(crate) const POLICIES: &str =
    "be \"auto\", \"fifo\", \"bare timeout\", \"zombies\" or a target such as \"target 50ms\"";
/// The longest time that may be named: far beyond use, and far from where sums of times overflow.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);
