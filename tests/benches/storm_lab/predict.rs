//! What the simulator says of the same experiments: other requests, drawn alike, and a machine without friction.

use std::time::Duration;

use millpond_core::{Lane, Why};
use millpond_sim::{
    Arrivals, Callers, Fate, Fault, Hold, Policy, Retries, Scenario, Trouble, run as simulate,
};

use crate::contender::{AUTO, BARE};
use crate::figures::Figures;
use crate::run::{Record, Refusal, Run};
use crate::schedule::{DEADLINE, Experiment, Request, SIZE, WORK, Work};

/// The figures of the pool and of the plain queue; none where work is broken off, which the simulator does not do.
pub(crate) fn predict(experiment: &Experiment) -> Vec<(&'static str, Figures)> {
    if experiment.broken_off {
        return Vec::new();
    }
    let scenario = scenario(experiment);
    let policies = [(AUTO, Policy::Auto), (BARE, Policy::BareTimeout)];
    policies
        .map(|(name, policy)| {
            let mut scenario = scenario.under(policy);
            if policy == Policy::BareTimeout {
                scenario.callers.iter_mut().for_each(|callers| callers.lane = 0);
            }
            let runs: Vec<_> =
                (0..PASSES).map(|seed| run(&scenario.clone().seeded(seed))).collect();
            (name, Figures::of(experiment, &runs, WORK))
        })
        .into()
}

fn scenario(experiment: &Experiment) -> Scenario {
    let capacity = SIZE as f64 / WORK.as_secs_f64();
    let (_, first) = experiment.load[0];
    let arrivals = experiment.load[1..]
        .iter()
        .fold(Arrivals::poisson(first * capacity), |arrivals, (from, load)| {
            arrivals.then(*from, load * capacity)
        });
    let hold = match experiment.work {
        Work::Alike => Hold::Constant(WORK),
        Work::Uneven => Hold::LogNormal { mean: WORK, cv: 1.0 },
    };
    let ordinary = Callers {
        retries: Retries::at_once(experiment.retries),
        ..Callers::new(arrivals.clone().times(1.0 - experiment.critical), hold, DEADLINE)
    };
    let mut scenario = Scenario::new(SIZE as u32, ordinary.clone()).lasting(experiment.length);
    if experiment.critical > 0.0 {
        let max_waiters = scenario.pool.config.max_waiters;
        scenario.pool.config.lanes = vec![Lane { max_waiters, head_start: DEADLINE, reserved: 0 }];
        let critical = arrivals.times(experiment.critical);
        scenario.callers.push(Callers { lane: 1, ..Callers::new(critical, hold, DEADLINE) });
    }
    if let Some(brownout) = &experiment.brownout {
        let trouble = match brownout.speed {
            0.0 => Trouble::Stop,
            speed => Trouble::Slow(1.0 / speed),
        };
        let lasts = brownout.during.end - brownout.during.start;
        scenario = scenario.with(Fault { from: brownout.during.start, lasts, trouble });
    }
    scenario
}

/// One simulation, in the terms of the lab.
fn run(scenario: &Scenario) -> Run {
    let run = simulate(scenario);
    let records = run.records.iter().map(|record| Record {
        request: Request { at: record.due, work: record.held, critical: record.kind == 1 },
        done: matches!(record.fate, Fate::Good | Fate::Late).then(|| record.end - record.due),
        attempts: record.attempts,
        refused: matches!(record.fate, Fate::Refused(why) if why != Why::Deadline),
        lag: Duration::ZERO,
        overrun: None,
    });
    let refused = run.refusals.iter().filter(|refused| refused.why != Why::Deadline);
    let refusals =
        refused.map(|refused| Refusal { asked: refused.at - refused.after, took: refused.after });
    Run { records: records.collect(), refusals: refusals.collect(), broken: Vec::new() }
}

/// More than the lab has time for.
const PASSES: u64 = 20;
