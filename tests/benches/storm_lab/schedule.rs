//! The experiments: who arrives when, for how much work, and what befalls the backend meanwhile.
//!
//! All of it is drawn before a run begins, so a slow pool cannot slow its own load down, and every pool gets the same.

use std::ops::Range;
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, LogNormal};
use rand_pcg::Pcg64Mcg;

use crate::backend::Brownout;

/// How many resources every pool has.
pub(crate) const SIZE: usize = 5;
/// How long a request has its resource for, on average.
pub(crate) const WORK: Duration = Duration::from_millis(25);
/// A request that is not done this long after it arrived is of no use to anybody, and its client has gone.
pub(crate) const DEADLINE: Duration = Duration::from_millis(250);

/// One experiment of the lab.
#[derive(Clone)]
pub(crate) struct Experiment {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// From each moment on, so many times what the resources can bear arrive.
    pub(crate) load: &'static [(Duration, f64)],
    /// Nobody arrives after this.
    pub(crate) length: Duration,
    /// Only requests that arrive in this time are judged.
    pub(crate) judged: Range<Duration>,
    pub(crate) work: Work,
    pub(crate) brownout: Option<Brownout>,
    /// When whatever was out of the ordinary is over.
    pub(crate) calm: Option<Duration>,
    /// Whether work ends with its client, at its deadline, and leaves its resource as good as new. Few backends are like that.
    pub(crate) broken_off: bool,
    /// How often a client asks again, at once, after it got nothing.
    pub(crate) retries: u32,
    /// Which share of the requests is critical.
    pub(crate) critical: f64,
    /// What is required of the pool.
    pub(crate) gate: Gate,
}

/// What the pool must achieve in an experiment, beside the rules.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Gate {
    /// Nothing: the figures are for reading.
    None,
    /// Good work, and more of it than the others do.
    Useful,
    /// To be as before soon, and sooner than a plain queue.
    Recovers,
}

/// How the work of requests differs.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Work {
    Alike,
    /// Lognormal, the deviation as large as the mean.
    Uneven,
}

/// One request, as it was drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// When it arrives, counted from the start.
    pub(crate) at: Duration,
    /// What it asks of the backend, as time at the usual speed.
    pub(crate) work: Duration,
    pub(crate) critical: bool,
}

impl Experiment {
    /// The requests of one pass: the same for the same seed.
    pub(crate) fn draw(&self, seed: u64) -> Vec<Request> {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let capacity = SIZE as f64 / WORK.as_secs_f64();
        let ends = self.load.iter().skip(1).map(|(from, _)| *from).chain([self.length]);
        let mut requests = Vec::new();
        for ((from, load), to) in self.load.iter().zip(ends) {
            let mut at = *from;
            loop {
                let gap: f64 = Exp1.sample(&mut random);
                at += Duration::from_secs_f64(gap / (load * capacity));
                if at >= to {
                    break;
                }
                let work = self.work.draw(&mut random);
                requests.push(Request {
                    at,
                    work,
                    critical: random.random::<f64>() < self.critical,
                });
            }
        }
        requests
    }
}

impl Work {
    fn draw(self, random: &mut impl Rng) -> Duration {
        match self {
            Self::Alike => WORK,
            Self::Uneven => {
                // Then the deviation is the mean.
                let variance = std::f64::consts::LN_2;
                let location = WORK.as_secs_f64().ln() - variance / 2.0;
                let times = LogNormal::new(location, variance.sqrt()).expect("both are finite");
                Duration::from_secs_f64(times.sample(random))
            }
        }
    }
}

/// E1 to E6, each a few seconds long: as many deadlines as the usual minute has at deadlines of seconds.
pub(crate) const EXPERIMENTS: &[Experiment] = &[
    steady("E1", "steady, half of what the resources bear", &[(ms(0), 0.5)]),
    steady("E1", "steady, 0.7 times what they bear", &[(ms(0), 0.7)]),
    steady("E1", "steady, 0.9 times what they bear", &[(ms(0), 0.9)]),
    steady("E2", "overload, 1.5 times what they bear", &[(ms(0), 1.5)]),
    DOUBLE,
    Experiment {
        title: "overload, twice what they bear, all work alike",
        work: Work::Alike,
        ..DOUBLE
    },
    Experiment {
        title: "overload, twice what they bear; work is broken off at the deadline, at no cost",
        broken_off: true,
        gate: Gate::None,
        ..DOUBLE
    },
    steady("E2", "overload, 5 times what they bear", &[(ms(0), 5.0)]),
    Experiment {
        judged: ms(600)..ms(2100),
        calm: Some(ms(2100)),
        length: ms(4000),
        ..steady(
            "E3",
            "a pulse of 1.5 s at twice what they bear, 0.7 times before and after; judged in the pulse",
            &[(ms(0), 0.7), (ms(600), 2.0), (ms(2100), 0.7)],
        )
    },
    STOP,
    Experiment {
        title: "the backend is ten times slower for 1 s, at 0.8 times what it bears; judged afterwards",
        brownout: Some(Brownout { during: STOPPED, speed: 0.1 }),
        ..STOP
    },
    RETRIES,
    Experiment {
        name: "E6",
        title: "twice what they bear, one request in five critical",
        critical: 0.2,
        gate: Gate::None,
        ..DOUBLE
    },
];

/// E2 as all know it: a queue serves everybody just too late.
pub(crate) const DOUBLE: Experiment = Experiment {
    gate: Gate::Useful,
    ..steady("E2", "overload, twice what they bear", &[(ms(0), 2.0)])
};

/// E4: whether it goes on as before when the cause is gone.
const STOP: Experiment = Experiment {
    length: ms(4000),
    judged: ms(1600)..ms(4000),
    brownout: Some(Brownout { during: STOPPED, speed: 0.0 }),
    calm: Some(STOPPED.end),
    ..steady(
        "E4",
        "the backend stands still for 1 s, at 0.8 times what it bears; judged afterwards",
        &[(ms(0), 0.8)],
    )
};

/// E5: the stop leaves behind a load of four times as many requests, which sustains itself.
pub(crate) const RETRIES: Experiment = Experiment {
    name: "E5",
    title: "the stop again, and clients that ask again up to 3 times, at once; judged afterwards",
    retries: 3,
    gate: Gate::Recovers,
    ..STOP
};

const STOPPED: Range<Duration> = ms(600)..ms(1600);

/// One load throughout, judged once every pool has opened what it may and queues have grown as they will.
const fn steady(
    name: &'static str,
    title: &'static str,
    load: &'static [(Duration, f64)],
) -> Experiment {
    Experiment {
        name,
        title,
        load,
        length: ms(2400),
        judged: ms(600)..ms(2400),
        work: Work::Uneven,
        brownout: None,
        calm: None,
        broken_off: false,
        retries: 0,
        critical: 0.0,
        gate: Gate::None,
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
