//! The simulator against what is known without it: queueing theory, and cases that can be reckoned by hand.

use std::time::Duration;

use millpond_sim::{Arrivals, Callers, Hold, Policy, Run, Scenario, run};

/// The mean wait of everybody, those included who did not have to.
fn mean_wait(run: &Run) -> f64 {
    let sum: f64 = run.records.iter().map(|record| record.wait.as_secs_f64()).sum();
    sum / run.records.len() as f64
}

/// Poisson arrivals at so many servers, first come first served, for so many callers.
fn queue(servers: u32, load: f64, hold: Hold, callers: f64, seed: u64) -> Run {
    let rate = f64::from(servers) * load / hold.mean().as_secs_f64();
    let kind = Callers::new(Arrivals::poisson(rate), hold, Duration::from_secs(3600));
    let lasts = Duration::from_secs_f64(callers / rate);
    let scenario = Scenario::new(servers, kind).lasting(lasts).seeded(seed);
    run(&scenario.under(Policy::Zombies))
}

/// Erlang's C: how likely one has to wait at `servers` servers with an offered load of `erlangs`.
fn erlang_c(servers: u32, erlangs: f64) -> f64 {
    let servers = f64::from(servers);
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while k < servers {
        term *= erlangs / k;
        sum += term;
        k += 1.0;
    }
    let last = term * erlangs / servers / (1.0 - erlangs / servers);
    last / (sum + last)
}

#[test]
fn waits_at_several_servers_are_as_erlang_says() {
    for (servers, load) in [(1, 0.7), (4, 0.8), (16, 0.9)] {
        let hold = Duration::from_millis(10);
        let runs: Vec<_> = (1..=4)
            .map(|seed| queue(servers, load, Hold::Exponential(hold), 50_000.0, seed))
            .collect();
        let waits = erlang_c(servers, f64::from(servers) * load);
        let expected = waits * hold.as_secs_f64() / (f64::from(servers) * (1.0 - load));
        let mean = runs.iter().map(mean_wait).sum::<f64>() / 4.0;
        assert!((mean / expected - 1.0).abs() < 0.1, "{servers} at {load}: {mean}, not {expected}");
        let had_to = runs.iter().flat_map(|run| &run.records).filter(|r| !r.wait.is_zero()).count();
        let all: usize = runs.iter().map(|run| run.records.len()).sum();
        let share = had_to as f64 / all as f64;
        assert!((share - waits).abs() < 0.02, "{servers} at {load}: {share} waited, not {waits}");
    }
}

#[test]
fn waits_for_constant_holds_are_half_as_long() {
    let hold = Duration::from_millis(10);
    let runs = (1..=4).map(|seed| queue(1, 0.7, Hold::Constant(hold), 50_000.0, seed));
    let mean = runs.map(|run| mean_wait(&run)).sum::<f64>() / 4.0;
    // Pollaczek and Khinchine.
    let expected = 0.7 * hold.as_secs_f64() / (2.0 * 0.3);
    assert!((mean / expected - 1.0).abs() < 0.07, "{mean}, not {expected}");
}

#[test]
fn waits_depend_on_the_variance_of_holds() {
    let mean = Duration::from_millis(10);
    let hold = Hold::LogNormal { mean, cv: 2.0 };
    let runs = (1..=4).map(|seed| queue(1, 0.6, hold, 100_000.0, seed));
    let wait = runs.map(|run| mean_wait(&run)).sum::<f64>() / 4.0;
    let expected = 0.6 * mean.as_secs_f64() * (1.0 + 4.0) / (2.0 * 0.4);
    assert!((wait / expected - 1.0).abs() < 0.15, "{wait}, not {expected}");
}

#[test]
fn as_many_come_as_the_rate_says() {
    let callers = |arrivals| Callers::new(arrivals, Hold::Constant(Duration::ZERO), Duration::MAX);
    let pulse = |arrivals: Arrivals| {
        arrivals.then(Duration::from_secs(10), 500.0).then(Duration::from_secs(20), 0.0)
    };
    let even = run(&Scenario::new(1, callers(pulse(Arrivals::even(100.0)))));
    assert_eq!(even.between(Duration::ZERO, Duration::from_secs(10)).requests, 999);
    assert_eq!(even.between(Duration::from_secs(10), Duration::from_secs(20)).requests, 5000);
    assert_eq!(even.records.len(), 5999);

    let counts = (1..=40).map(|seed| {
        run(&Scenario::new(1, callers(pulse(Arrivals::poisson(100.0)))).seeded(seed)).records.len()
    });
    let counts: Vec<f64> = counts.map(|count| count as f64).collect();
    let mean = counts.iter().sum::<f64>() / 40.0;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 39.0;
    assert!((mean - 6000.0).abs() < 50.0, "{mean}");
    // Of a Poisson process it is the mean.
    assert!((0.4..2.0).contains(&(variance / mean)), "{variance} around {mean}");
}

#[test]
fn holds_have_their_mean_and_their_variance() {
    let mean = Duration::from_millis(50);
    for (hold, cv) in [
        (Hold::Constant(mean), 0.0),
        (Hold::Exponential(mean), 1.0),
        (Hold::LogNormal { mean, cv: 0.5 }, 0.5),
        (Hold::LogNormal { mean, cv: 1.0 }, 1.0),
        (
            Hold::Bimodal {
                short: Duration::from_millis(10),
                long: Duration::from_millis(810),
                share: 0.05,
            },
            // 800 ms × √(0.05 × 0.95) to 50 ms.
            3.487,
        ),
    ] {
        let callers = Callers::new(Arrivals::even(1000.0), hold, Duration::MAX);
        let run = run(&Scenario::new(500, callers).lasting(Duration::from_secs(50)));
        let held: Vec<f64> = run.records.iter().map(|record| record.held.as_secs_f64()).collect();
        let found = held.iter().sum::<f64>() / held.len() as f64;
        let square =
            held.iter().map(|held| (held - found).powi(2)).sum::<f64>() / held.len() as f64;
        assert!((found / mean.as_secs_f64() - 1.0).abs() < 0.04, "{hold:?}: {found}");
        assert!((square.sqrt() / found - cv).abs() < 0.1, "{hold:?}: {}", square.sqrt() / found);
    }
}

#[test]
fn a_rate_that_is_no_number_brings_nobody() {
    for rate in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        let callers =
            Callers::new(Arrivals::poisson(rate), Hold::Constant(Duration::ZERO), Duration::MAX);
        assert_eq!(run(&Scenario::new(1, callers)).records.len(), 0, "{rate}");
    }
}
