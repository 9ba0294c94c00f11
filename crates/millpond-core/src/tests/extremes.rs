//! Settings and clocks at the ends of their ranges.

use std::time::Duration;

use super::rig::{Answer, Rig, ms, secs, some_instant};
use crate::io::{GiveBack, Input, Job, Outcome, Request, Why};
use crate::timers::TimerKey;
use crate::{Bits, Config, Core, Lane, Overload};

fn everything_for_ever(config: &mut Config) {
    config.create_timeout = Duration::MAX;
    config.check_timeout = Duration::MAX;
    config.reset_timeout = Duration::MAX;
    config.close_timeout = Duration::MAX;
    config.check_after_idle = Duration::MAX;
    config.idle_timeout = Duration::MAX;
    config.max_lifetime = Duration::MAX;
    config.claim_window = Duration::MAX;
    config.backoff_base = Duration::MAX;
    config.backoff_cap = Duration::MAX;
    config.tick = Duration::MAX;
}

#[test]
fn with_every_duration_at_its_greatest_nothing_panics_and_nothing_is_due() {
    let mut rig = Rig::with(everything_for_ever);
    let id = rig.get_within(Duration::MAX).queued();
    assert_eq!(rig.core.next_timeout(), None);
    rig.create();
    let lent = rig.poll_lent(id);
    rig.home(lent);
    rig.skip(secs(1 << 32));
    assert_eq!(rig.lend(), lent);
    rig.give_back(lent, GiveBack::Reset);
    rig.finish(Job::Reset, Outcome::Fit);
    rig.feed(Input::RetireAll { spread: Duration::MAX });
    assert_eq!(rig.idle(), 1);
    rig.feed(Input::Close);
    rig.run_jobs();
    assert!(rig.core.is_drained());
}

#[test]
fn a_failure_with_an_endless_back_off_is_survived() {
    let mut rig = Rig::with(everything_for_ever);
    rig.queue();
    rig.fail(true);
    assert!(rig.core.backoff.is_running());
    rig.skip(secs(1));
    assert_eq!(rig.try_get().why(), Why::CreateFailed);
}

#[test]
fn with_every_duration_zero_nothing_loops() {
    let mut rig = Rig::with(|config| {
        config.create_timeout = Duration::ZERO;
        config.check_timeout = Duration::ZERO;
        config.reset_timeout = Duration::ZERO;
        config.close_timeout = Duration::ZERO;
        config.check_after_idle = Duration::ZERO;
        config.idle_timeout = Duration::ZERO;
        config.max_lifetime = Duration::ZERO;
        config.claim_window = Duration::ZERO;
        config.backoff_base = Duration::ZERO;
        config.backoff_cap = Duration::ZERO;
        config.max_size = 2;
    });
    for _ in 0..10 {
        rig.queue();
        rig.feed(Input::Tick);
        rig.skip(ms(1));
    }
    assert!(rig.counts().charged() <= 2);
}

#[test]
fn the_greatest_size_and_the_greatest_queue_are_legal() {
    let mut rig = Rig::with(|config| {
        config.max_size = u32::MAX;
        config.max_waiters = u32::MAX;
        config.max_creating = u32::MAX;
        config.fail_fast_after = Some(u32::MAX);
    });
    rig.queue_many(100);
    assert_eq!(rig.counts().creating, 100);
    rig.feed(Input::Resize(0));
    rig.feed(Input::Resize(u32::MAX));
    rig.run_jobs();
    assert_eq!((rig.counts().offered, rig.counts().max), (100, u32::MAX));
}

#[test]
fn a_pool_of_no_resources_refuses_what_will_not_wait_and_lets_the_rest_time_out() {
    let mut rig = Rig::new(0);
    assert_eq!(rig.try_get().why(), Why::Exhausted);
    let id = rig.queue_within(secs(1));
    rig.pass(secs(1));
    assert_eq!(rig.poll(id).why(), Why::Deadline);
    assert!(rig.jobs.is_empty());
}

/// FAULTS 55, 56.
#[test]
fn a_clock_that_goes_backwards_stands_still() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.pass(secs(10));
    let id = rig.queue_within(secs(5));
    let ahead = rig.now;
    rig.now -= secs(8);
    rig.feed(Input::Tick);
    assert_eq!(rig.poll(id), Answer::Pending);
    let why = rig.get_within(secs(5)).why();
    assert_eq!(why, Why::Deadline, "by the clock of the core that deadline has passed");
    rig.give_back(lent, GiveBack::Unused);
    assert_eq!(rig.poll(id), Answer::Pending, "it lay idle for ten seconds by its own account");
    rig.finish(Job::Check, Outcome::Fit);
    assert_eq!(rig.poll_lent(id), lent);
    rig.now = ahead;
    let id = rig.queue_within(secs(5));
    rig.pass(secs(5));
    assert_eq!(rig.poll(id).refused().waited, secs(5));
}

#[test]
fn an_idle_bit_from_the_future_is_as_good_as_new() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.bits.give_back(lent, rig.now + secs(10));
    assert_eq!(rig.lend(), lent);
}

/// FAULTS 55: eight hours asleep.
#[test]
fn a_jump_of_the_clock_expires_what_lies_idle_and_leaves_what_is_lent() {
    let mut rig = Rig::filled_with(4, |config| config.max_lifetime = Duration::MAX);
    let lent = [rig.lend(), rig.lend()];
    rig.skip(secs(8 * 3600));
    rig.feed(Input::Tick);
    assert_eq!((rig.counts().live, rig.counts().closing), (2, 2));
    for slot in lent {
        rig.home(slot);
        assert_eq!(rig.lend(), slot);
    }
}

/// FAULTS 66: a minute stopped.
#[test]
fn after_a_jump_of_the_clock_nothing_is_lent_unchecked() {
    let mut rig = Rig::filled(4);
    rig.skip(secs(60));
    let ids = rig.queue_many(4);
    assert_eq!(rig.counts().checking, 4);
    rig.run_jobs();
    assert_eq!(rig.woken(), ids);
}

#[test]
fn the_first_input_decides_about_the_bits() {
    let now = some_instant();
    let mut bits = Bits::default();
    let mut core = Core::new(Config::default());
    core.handle(Input::Tick, now, &mut bits).for_each(drop);
    assert!(bits.attended);
}

/// Settings of policy at their ends, with everything that it is asked for.
#[test]
fn policy_survives_every_extreme() {
    let policies = [
        Overload::Auto,
        Overload::Fifo,
        Overload::TargetWait(Duration::MAX),
        Overload::TargetWait(Duration::ZERO),
    ];
    let patiences = [Duration::MAX, Duration::ZERO, Duration::from_nanos(1), secs(1 << 40)];
    let holds = [Duration::ZERO, Duration::from_nanos(1), secs(1 << 33)];
    for (policy, patience) in policies.iter().flat_map(|it| patiences.map(|other| (*it, other))) {
        for (hold, max) in holds.into_iter().flat_map(|hold| [(hold, 1), (hold, u32::MAX)]) {
            let lane = Lane { max_waiters: u32::MAX, head_start: patience, reserved: max };
            let mut rig = Rig::filled_with(2, |config| {
                everything_for_ever(config);
                (config.overload, config.lanes) = (policy, vec![lane]);
            });
            let lent = [rig.lend(), rig.get_in(1).lent()];
            rig.feed(Input::Resize(max));
            for round in 0..40 {
                for lane in 0..2 {
                    for covers_lease in [false, true] {
                        let deadline = rig.now.checked_add(patience);
                        rig.ask(Request { lane, deadline, covers_lease });
                    }
                }
                if let Some(slot) = lent.get(round) {
                    rig.skip(hold);
                    rig.bring(*slot);
                }
                rig.pass(ms(100));
            }
            rig.feed(Input::Resize(0));
            rig.feed(Input::Close);
        }
    }
}

/// A clock that stands still, jumps ahead and goes back, in the middle of intervals.
#[test]
fn intervals_survive_every_clock() {
    let mut rig = Rig::strained(ms(50), |_| {});
    for jump in [0, 1 << 33, 0, 1 << 33] {
        rig.queue();
        rig.skip(secs(jump));
        rig.feed(Input::Tick);
        rig.now -= secs(jump / 2);
        rig.feed(Input::Tick);
    }
    assert!(rig.core.timers.get(TimerKey::Overload) > rig.core.latest());
}
