//! What scenario files may say, and what is said of those that say something else.

use std::error::Error;
use std::time::Duration;

use millpond_core::Overload;
use millpond_sim::{AtDeadline, Load, Policy, Retries, Told, Trouble};

use super::Scene;
use crate::show::BUILT_IN;

const SMALL: &str = r#"
[pool]
size = 4

[[callers]]
load = 0.5
hold = "20ms"
deadline = "100ms"
"#;

/// The message for the small scenario with `old` replaced.
fn error(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old}");
    match Scene::parse("a.toml", &SMALL.replace(old, new)) {
        Ok(_) => "no error".to_owned(),
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        }
    }
}

#[test]
fn the_scenarios_that_come_along_are_sound() {
    assert!(BUILT_IN.len() >= 10);
    for (name, text) in BUILT_IN {
        let scene = Scene::parse(name, text);
        assert!(scene.as_ref().is_ok_and(|scene| !scene.about.is_empty()), "{name}: {scene:?}");
    }
}

#[test]
fn what_is_left_out_is_as_usual() {
    let scene = Scene::parse("a.toml", SMALL).expect("it is sound");
    let scenario = scene.scenario;
    assert_eq!(scenario.lasts, Duration::from_secs(30));
    assert_eq!(scenario.pool.config.overload, Overload::Auto);
    assert_eq!((scenario.pool.open, scenario.pool.config.max_creating), (4, 1));
    // Half of 4 in 20 ms.
    let Load::Open(arrivals) = &scenario.callers[0].load else { panic!("{scenario:?}") };
    assert_eq!(arrivals.rate_at(Duration::ZERO), 100.0);
    assert_eq!(scenario.callers[0].retries, Retries::NONE);
    assert_eq!(scene.policies.len(), 4);
}

#[test]
fn everything_can_be_said() {
    let text = r#"
name = "All"
lasts = "1m"
warm_up = "5s"
seed = 7
policies = ["target 20ms", "zombies"]

[pool]
size = 8
open = 2
overload = "target 10ms"
max_waiters = 5
max_creating = 3
min_idle = 1
claim_window = "2s"
create_timeout = "4s"
check_after_idle = "3s"
self_service = false
connect = { short = "5ms", long = "1s", share = 0.1 }
refusal = "2ms"
check = "3ms"
claim_latency = "1ms"
lanes = [{ max_waiters = 9, head_start = "50ms", reserved = 2 }]

[[callers]]
name = "some"
lane = 1
rate = 50
spacing = "even"
changes = [{ at = "10s", rate = 70 }]
hold = { mean = "10ms", cv = 0.5 }
crowding = 0.1
deadline = "1s"
told = "nothing"
at_deadline = "stays"
absent = 0.25
retries = { most = 2, pause = "10ms", budget = 0.2, honours_retry_after = true }

[[callers]]
tasks = 3
cycles = 4
pause = "1ms"
hold = { exponential = "2ms" }
deadline = "1s"
told = "30s"

[[faults]]
kind = "slow"
times = 4
from = "2s"
lasts = "3s"
"#;
    let scene = Scene::parse("a.toml", text).expect("it is sound");
    let scenario = scene.scenario;
    assert_eq!(scene.policies[0].1, Policy::TargetWait(Duration::from_millis(20)));
    assert_eq!(scenario.pool.config.overload, Overload::TargetWait(Duration::from_millis(10)));
    assert_eq!(scenario.pool.config.lanes[0].reserved, 2);
    assert_eq!(scenario.callers[0].told, Told::Nothing);
    assert_eq!(scenario.callers[0].at_deadline, AtDeadline::Stays);
    assert_eq!(scenario.callers[1].told, Told::Timeout(Duration::from_secs(30)));
    assert!(matches!(scenario.callers[1].load, Load::Closed { tasks: 3, cycles: 4, .. }));
    assert_eq!(scenario.faults[0].trouble, Trouble::Slow(4.0));
}

#[test]
fn an_error_names_the_file_the_key_and_what_is_allowed() {
    assert_eq!(error("size = 4", "size = 0"), "a.toml: `pool.size` must be from 1 to 100000");
    assert_eq!(
        error("\"100ms\"", "\"soon\""),
        "a.toml: `callers[0].deadline` must be a time of at most ten years, such as \"200us\" or \"1m 30s\""
    );
    assert_eq!(
        error("load = 0.5", "load = -1.0"),
        "a.toml: `callers[0].load` must be from 0 to 1000000"
    );
    assert_eq!(
        error("load = 0.5", "load = nan"),
        "a.toml: `callers[0].load` must be from 0 to 1000000"
    );
    assert_eq!(
        error("load = 0.5", ""),
        "a.toml: `callers[0]` must have either `rate` (callers a second) or `load` (1 = all the pool can do)"
    );
    assert_eq!(
        error("load = 0.5", "load = 0.5\nlane = 1"),
        "a.toml: `callers[0].lane` must be from 0 to 0"
    );
    assert_eq!(
        error("size = 4", "size = 4\noverload = \"lifo\""),
        "a.toml: `pool.overload` must be \"auto\", \"fifo\" or a target such as \"target 50ms\""
    );
    let fault = "[[faults]]\nkind = \"slow\"\nfrom = \"1s\"\nlasts = \"1s\"\n";
    let text = format!("{SMALL}{fault}");
    let message = Scene::parse("a.toml", &text).map_or_else(|e| e.to_string(), |_| String::new());
    assert_eq!(message, "a.toml: `faults[0].times` must be from 1 to 1000000");
    assert_eq!(
        error("[pool]", "lasts = \"1s\"\nwarm_up = \"2s\"\n[pool]"),
        "a.toml: `lasts` must be longer than `warm_up`"
    );
}

#[test]
fn an_unknown_key_is_told_with_those_that_are_known() {
    let message = error("size = 4", "size = 4\nsise = 4");
    assert!(
        message.contains("unknown field `sise`") && message.contains("`max_waiters`"),
        "{message}"
    );
    let message = error("\"20ms\"", "{ average = \"20ms\" }");
    assert!(message.contains("a time, `{ exponential }`, `{ mean, cv }`"), "{message}");
}
