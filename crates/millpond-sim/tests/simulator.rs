//! That the simulator keeps its books: each request ends once, equal scenarios give equal runs, and what goes wrong, what
//! callers do about it, and how long it takes are as told.

use std::time::Duration;

use millpond_core::{Config, Why};
use millpond_sim::{
    Arrivals, AtDeadline, Callers, Fate, Fault, Hold, Load, Policy, Retries, Run, Scenario, Told,
    Trouble, run,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Ten resources held for 50 ms in the mean, and so much of what they can do asked for.
fn usual(load: f64) -> Scenario {
    let hold = Hold::LogNormal { mean: 50 * MS, cv: 1.0 };
    Scenario::new(10, Callers::new(Arrivals::poisson(200.0 * load), hold, 500 * MS))
}

/// One resource held for 10 ms, and a caller each 20 ms.
fn half() -> Scenario {
    Scenario::new(1, Callers::new(Arrivals::even(50.0), Hold::Constant(10 * MS), 500 * MS))
}

const POLICIES: [Policy; 5] = [
    Policy::Auto,
    Policy::Fifo,
    Policy::TargetWait(Duration::from_millis(20)),
    Policy::BareTimeout,
    Policy::Zombies,
];

/// Everything at once.
fn mixture() -> Scenario {
    let mut scenario = usual(1.2)
        .lasting(8 * SECOND)
        .with(Fault { from: 2 * SECOND, lasts: SECOND, trouble: Trouble::Outage })
        .with(Fault { from: 4 * SECOND, lasts: SECOND, trouble: Trouble::Stop })
        .with(Fault { from: 6 * SECOND, lasts: SECOND, trouble: Trouble::Slow(3.0) });
    scenario.callers[0].retries = Retries::polite(2, 20 * MS);
    let zombies = Callers { at_deadline: AtDeadline::Stays, ..scenario.callers[0].clone() };
    scenario.callers.push(Callers { retries: Retries::at_once(2), ..zombies });
    scenario.callers.push(Callers {
        load: Load::Closed { tasks: 5, cycles: 20, pause: 10 * MS },
        told: Told::Timeout(2 * SECOND),
        ..usual(0.1).callers.remove(0)
    });
    scenario
}

fn fates(run: &Run) -> [u64; 5] {
    let summary = run.summary();
    let refused = summary.refused.values().sum();
    [summary.good, summary.late, refused, summary.left, summary.unfinished]
}

#[test]
fn each_request_ends_once() {
    for policy in POLICIES {
        let run = run(&mixture().under(policy));
        assert_eq!(fates(&run).iter().sum::<u64>(), run.records.len() as u64);
        assert_eq!(run.unfinished, 0, "{policy:?}");
        assert_eq!(run.stranded, 0, "{policy:?}");
        assert_eq!(run.records.iter().filter(|r| r.kind == 2).count(), 100, "{policy:?}");
        assert!(run.records.iter().all(|r| r.end >= r.due && r.attempts >= 1));
        assert!(run.most_lent <= 10 && run.counts.waiting == 0 && run.counts.offered == 0);
        assert_eq!(run.counts.live, 10, "{policy:?}: {:?}", run.counts);
    }
}

#[test]
fn equal_scenarios_give_equal_runs() {
    for policy in POLICIES {
        let scenario = mixture().under(policy);
        assert!(run(&scenario) == run(&scenario), "{policy:?}");
        assert!(run(&scenario).records != run(&scenario.seeded(2)).records, "{policy:?}");
    }
}

#[test]
fn the_same_requests_come_whatever_the_policy() {
    let due = |policy| {
        let run = run(&usual(1.5).under(policy));
        let mut due: Vec<_> = run.records.iter().map(|record| record.due).collect();
        due.sort_unstable();
        due
    };
    let auto = due(Policy::Auto);
    assert!(POLICIES.iter().all(|policy| due(*policy) == auto));
}

#[test]
fn a_bare_timeout_keeps_the_delay_of_a_stop() {
    let callers = Callers::new(Arrivals::even(100.0), Hold::Constant(10 * MS), 300 * MS);
    let stop = Fault { from: 5 * SECOND, lasts: SECOND, trouble: Trouble::Stop };
    let scenario = Scenario::new(1, callers).with(stop);
    let totals = |policy, from: u32| {
        run(&scenario.under(policy)).between(from * SECOND, (from + 1) * SECOND).total
    };
    for from in [7, 28] {
        let alone = totals(Policy::BareTimeout, from);
        assert_eq!((alone.p50, alone.max), (300 * MS, 300 * MS));
        // At the deadline is in time.
        let alone = run(&scenario.under(Policy::BareTimeout));
        assert_eq!(alone.between(from * SECOND, (from + 1) * SECOND).useful(), 1.0);
        let without = totals(Policy::Zombies, from);
        assert_eq!((without.p50, without.max), (1010 * MS, 1010 * MS));
    }
}

#[test]
fn what_is_under_way_takes_as_much_longer_as_told() {
    let at = 2 * SECOND + 25 * MS;
    let total_after = |trouble| {
        let fault = Fault { from: at, lasts: SECOND, trouble };
        let run = run(&half().with(fault));
        let first = run.records.iter().find(|record| record.due == 2 * SECOND + 20 * MS);
        first.map(|record| record.end - record.due)
    };
    // Half of its 10 ms are over.
    assert_eq!(total_after(Trouble::Stop), Some(1010 * MS));
    assert_eq!(total_after(Trouble::Slow(4.0)), Some(25 * MS));
}

#[test]
fn who_holds_what_dies_asks_again() {
    let mut scenario = half().lasting(5 * SECOND);
    scenario.callers[0].deadline = 4 * SECOND;
    let outage = Fault { from: 2 * SECOND + 25 * MS, lasts: 500 * MS, trouble: Trouble::Outage };
    let run = run(&scenario.with(outage));
    let hit = run.records.iter().find(|record| record.due == 2 * SECOND + 20 * MS).copied();
    let hit = hit.filter(|hit| hit.fate == Fate::Good && hit.held == 15 * MS && hit.attempts == 1);
    assert!(hit.is_some_and(|hit| hit.end - hit.due > 500 * MS), "{hit:?}");
    assert_eq!((run.totals.created, run.counts.live), (1, 1));
    assert!(run.totals.create_failed > 0);
}

#[test]
fn as_many_attempts_are_made_as_allowed() {
    let attempts = |retries: Retries| {
        // Held for ever, and nobody may wait.
        let callers = Callers::new(Arrivals::even(100.0), Hold::Constant(3600 * SECOND), SECOND);
        let mut scenario = Scenario::new(1, callers);
        scenario.pool.config.max_waiters = 0;
        scenario.callers[0].retries = retries;
        run(&scenario).summary().amplification()
    };
    assert_eq!(attempts(Retries::NONE), 1.0);
    // All but the one that got the resource.
    assert!((attempts(Retries::at_once(3)) - 4.0).abs() < 0.01);
    let polite = attempts(Retries::polite(3, 50 * MS));
    assert!((polite - 1.1).abs() < 0.001, "{polite}");
}

#[test]
fn an_absent_caller_costs_a_claim_window() {
    let mut scenario = half().under(Policy::Fifo);
    scenario.callers[0].load = Load::Open(Arrivals::even(1000.0).then(5 * MS, 0.0));
    scenario.callers[0].deadline = 60 * SECOND;
    let mut absent = scenario.callers[0].clone();
    absent.absent = 1.0;
    absent.load = Load::Open(Arrivals::even(900.0).then(3 * MS, 0.0));
    scenario.callers.push(absent);
    let run = run(&scenario);
    // Four come, and two absent ones among them: while it is offered to one of those, the resource serves nobody.
    assert_eq!(run.summary_of(0).good, 4);
    assert_eq!(u64::from(run.counts.waiting), 0);
    assert_eq!(run.totals.revoked, run.summary_of(1).unfinished);
    let windows = u32::try_from(run.totals.revoked).unwrap_or(u32::MAX);
    assert!(run.summary_of(0).wait.max >= Config::default().claim_window * windows);
}

#[test]
fn a_woken_caller_takes_its_time() {
    let mut scenario = half();
    scenario.callers[0].load = Load::Closed { tasks: 2, cycles: 10, pause: Duration::ZERO };
    scenario.pool.claim_latency = 3 * MS;
    let run = run(&scenario.under(Policy::Fifo));
    // From the second on each waits for the lease of the other, and for itself to come.
    let waits: Vec<_> = run.records.iter().map(|record| record.wait).collect();
    assert!(waits[1..].iter().all(|wait| *wait >= 13 * MS), "{waits:?}");
}

#[test]
fn a_large_pool_is_used_whole() {
    let callers = Callers::new(Arrivals::even(3990.0), Hold::Constant(50 * MS), SECOND);
    let run = run(&Scenario::new(200, callers).lasting(5 * SECOND));
    assert_eq!((run.useful(), run.most_lent, run.counts.live), (1.0, 200, 200));
}

#[test]
fn crowding_makes_leases_longer() {
    let mut scenario = half();
    scenario.pool.config.max_size = 10;
    scenario.pool.open = 10;
    scenario.callers[0].load = Load::Closed { tasks: 10, cycles: 1, pause: Duration::ZERO };
    scenario.callers[0].crowding = 0.5;
    let run = run(&scenario);
    let held: Vec<_> = run.records.iter().map(|record| record.held).collect();
    let expected: Vec<_> = (0..10).map(|lent| 10 * MS + 5 * MS * lent).collect();
    assert_eq!(held, expected);
}

#[test]
fn nobody_is_told_anything_but_by_the_pool() {
    let mut scenario = usual(2.0).under(Policy::Fifo);
    scenario.callers[0].told = Told::Timeout(100 * MS);
    let run = run(&scenario);
    let deadline = run.summary().refused.get(&Why::Deadline).copied().unwrap_or(0);
    assert!(deadline > 1000 && run.summary().left == 0);
    assert!(run.refusals.iter().all(|refused| refused.after == 100 * MS));
}

#[test]
fn what_was_seen_over_time_adds_up() {
    let run = run(&mixture());
    let area: f64 = run.moments.iter().map(|m| f64::from(m.lent)).sum();
    let held: f64 = run.records.iter().map(|record| record.held.as_secs_f64()).sum();
    // The most within each moment: a little more than what there was.
    let seen = area * run.grain.as_secs_f64();
    assert!(seen >= held && seen < held * 1.2, "{seen} seen, {held} held");
    assert!(run.moments.iter().all(|moment| moment.lent <= 10));
    let good: u64 = run.over_time(SECOND).iter().map(|second| second.good).sum();
    assert_eq!(good, run.between(Duration::ZERO, run.scenario.lasts).good);
}

#[test]
fn who_is_served_late_asks_again_at_its_deadline() {
    let callers = Callers::new(Arrivals::even(2.0), Hold::Constant(200 * MS), 100 * MS);
    let mut scenario = Scenario::new(1, callers).under(Policy::Zombies);
    scenario.callers[0].retries = Retries::at_once(1);
    let run = run(&scenario);
    assert_eq!(run.summary().amplification(), 2.0);
    let late = |r: &&millpond_sim::Record| r.fate == Fate::Late && r.end - r.due == 200 * MS;
    assert_eq!(run.records.iter().find(|record| !late(record)), None);
}

#[test]
fn what_lay_idle_for_long_is_checked_first() {
    // One resource is always lent; so callers help themselves to the other.
    let mut scenario = half().lasting(20 * SECOND);
    (scenario.pool.config.max_size, scenario.pool.open) = (2, 2);
    scenario.pool.check = 7 * MS;
    scenario.callers[0].load = Load::Open(Arrivals::even(1.0 / 2.3));
    let busy = Callers {
        load: Load::Closed { tasks: 1, cycles: 20, pause: Duration::ZERO },
        hold: Hold::Constant(SECOND),
        ..scenario.callers[0].clone()
    };
    scenario.callers.push(busy);
    let run = run(&scenario);
    let waits: Vec<_> = run.records.iter().filter(|r| r.kind == 0).map(|r| r.wait).collect();
    assert_eq!(waits, [7 * MS; 8]);
}

#[test]
fn a_check_finds_out_what_died_and_a_creation_under_way_dies_too() {
    let mut scenario = half().lasting(20 * SECOND);
    scenario.callers[0].load = Load::Open(Arrivals::even(0.5));
    scenario.callers[0].deadline = 10 * SECOND;
    scenario.pool.connect = Hold::Constant(300 * MS);
    let outage = |from: u32| Fault { from: from * MS, lasts: 50 * MS, trouble: Trouble::Outage };
    // The second while the first one's loss is being made good.
    let run = run(&scenario.with(outage(3000)).with(outage(4100)));
    assert_eq!(run.totals.check_failed, 1);
    assert!(run.totals.create_failed >= 1 && run.totals.created == 1);
    let hit = run.records.iter().find(|record| record.due == 4 * SECOND);
    assert!(hit.is_some_and(|hit| hit.fate == Fate::Good && hit.wait >= 400 * MS), "{hit:?}");
}

#[test]
fn who_is_not_told_of_leaves_by_itself_or_stays() {
    let mut scenario = usual(2.0).under(Policy::Zombies);
    scenario.callers[0].at_deadline = AtDeadline::Leaves;
    let leaving = run(&scenario);
    assert!(leaving.summary().left > 1000);
    assert!(leaving.records.iter().all(|record| record.wait <= 500 * MS));
    scenario.callers[0].at_deadline = AtDeadline::Stays;
    let staying = run(&scenario);
    assert!(staying.summary().left == 0 && staying.summary().wait.max > SECOND);
    // Whoever stays and asks again is in the queue twice.
    scenario.callers[0].retries = Retries::at_once(1);
    let again = run(&scenario);
    assert!(again.summary().amplification() > 1.5 && again.most_waiting > staying.most_waiting);
}

#[test]
fn who_honours_it_asks_again_when_told() {
    let mut scenario = usual(3.0);
    let mut kept = |honours_retry_after| {
        scenario.callers[0].retries = Retries { honours_retry_after, ..Retries::at_once(1) };
        let run = run(&scenario);
        let twice = |record: &&millpond_sim::Record| {
            record.attempts == 2 && matches!(record.fate, Fate::Refused(_))
        };
        let twice: Vec<_> = run.records.iter().filter(twice).collect();
        let kept = twice.iter().filter(|record| {
            let first = run.refusals.iter().find(|refused| refused.at >= record.due);
            // Those refused at once are told when they come.
            first.is_some_and(|f| f.at == record.due && record.end >= f.at + f.retry_after)
        });
        (kept.count() as f64 / twice.len() as f64, twice.len())
    };
    let ((patient, some), (hasty, more)) = (kept(true), kept(false));
    assert!(patient > 0.8 && hasty < 0.2, "{patient} of {some}, {hasty} of {more}");
}
