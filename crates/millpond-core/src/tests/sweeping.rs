//! The reaper: what lies idle too long, or is too old.

use super::rig::{Rig, ms, secs};
use crate::io::{Input, Job, Outcome};

/// The looks are a sixteenth of the shortest window apart at most.
const LATE: u64 = 600 / 16 + 1;

#[test]
fn what_lies_idle_too_long_is_closed() {
    let mut rig = Rig::filled(3);
    rig.pass(secs(599));
    assert_eq!(rig.idle(), 3);
    rig.pass(secs(1 + LATE));
    assert_eq!(rig.idle(), 0);
    assert_eq!(rig.counts().closing + rig.counts().abandoned, 3);
}

#[test]
fn what_is_used_now_and_then_stays() {
    let mut rig = Rig::filled(2);
    for _ in 0..20 {
        rig.pass(ms(900));
        rig.skip(ms(0));
        let lent = rig.lend();
        rig.home(lent);
    }
    rig.pass(secs(595));
    assert_eq!(rig.idle(), 1, "slot 0 was used, slot 1 was not");
    assert_eq!(rig.bits.idle, 1);
}

#[test]
fn what_is_too_old_is_closed_when_it_lies_idle() {
    let mut rig = Rig::filled_with(2, |config| {
        (config.max_lifetime, config.lifetime_jitter) = (secs(100), 0);
    });
    let lent = rig.lend();
    rig.pass(secs(100));
    assert_eq!((rig.counts().closing, rig.idle(), rig.counts().live), (1, 0, 1));
    rig.home(lent);
    rig.pass(secs(100 / 16 + 1));
    assert_eq!((rig.counts().live, rig.idle()), (0, 0));
}

#[test]
fn a_look_is_taken_at_one_that_was_never_idle() {
    let mut rig = Rig::new(1);
    let id = rig.queue();
    rig.create();
    rig.poll_lent(id);
    rig.pass(secs(3600));
    assert_eq!(rig.counts().live, 1);
    rig.home(0);
    rig.pass(secs(600 + LATE));
    assert_eq!(rig.counts().live, 0);
}

#[test]
fn a_resource_that_was_busy_in_the_pool_during_a_look_is_not_forgotten() {
    let never = |config: &mut crate::Config| {
        config.max_lifetime = std::time::Duration::MAX;
        (config.check_timeout, config.reset_timeout) = (secs(1000), secs(1000));
        config.claim_window = secs(1000);
    };
    // In a check.
    let mut checked = Rig::filled_with(1, never);
    checked.pass(secs(599));
    checked.try_get();
    checked.pass(secs(2));
    checked.finish(Job::Check, Outcome::Fit);
    // Being cleaned.
    let mut cleaned = Rig::filled_with(1, never);
    let lent = cleaned.lend();
    cleaned.pass(secs(599));
    cleaned.give_back(lent, crate::GiveBack::Reset);
    cleaned.pass(secs(2));
    cleaned.finish(Job::Reset, Outcome::Fit);
    // Set aside.
    let mut offered = Rig::filled_with(1, never);
    let lent = offered.lend();
    let id = offered.queue();
    offered.pass(secs(599));
    offered.home(lent);
    offered.pass(secs(2));
    let lent = offered.poll_lent(id);
    offered.home(lent);
    for rig in [&mut checked, &mut cleaned, &mut offered] {
        assert_eq!(rig.idle(), 1);
        rig.pass(secs(600 + LATE));
        assert_eq!(rig.idle(), 0, "it lies idle for ever");
    }
}

#[test]
fn what_comes_back_unused_after_a_look_was_idle_all_the_time() {
    let mut rig = Rig::filled(1);
    rig.skip(secs(599));
    rig.feed(Input::Tick);
    rig.feed(Input::Resume);
    let taken = rig.bits.take().expect("nobody waits");
    // The look comes while its taker has it.
    rig.pass(secs(2));
    assert_eq!(rig.counts().live, 1);
    rig.give_back(taken, crate::GiveBack::Unused);
    rig.pass(secs(LATE));
    assert_eq!(rig.idle(), 0, "it may lie there as long again");
}

#[test]
fn looks_are_not_taken_in_a_rush_while_what_is_overdue_is_lent() {
    let mut rig = Rig::filled_with(1, |config| {
        (config.max_lifetime, config.lifetime_jitter) = (secs(160), 0);
        config.tick = std::time::Duration::MAX;
    });
    rig.lend();
    rig.pass(secs(160));
    let mut looks = 0;
    let end = rig.now + secs(160);
    while let Some(due) = rig.core.next_timeout().filter(|due| *due < end) {
        rig.now = due;
        rig.feed(Input::Tick);
        looks += 1;
    }
    assert!((1..=17).contains(&looks), "{looks} looks in 160 s");
}

#[test]
fn nothing_is_looked_for_when_nothing_can_be_too_old() {
    let mut rig = Rig::filled_with(1, |config| {
        config.idle_timeout = std::time::Duration::MAX;
        config.max_lifetime = std::time::Duration::MAX;
    });
    rig.pass(secs(1));
    assert_eq!(rig.core.next_timeout(), None);
}

#[test]
fn looks_are_a_sixteenth_of_the_shortest_window_apart_but_a_millisecond_at_least() {
    for (window, apart) in [(secs(16), secs(1)), (ms(32), ms(2)), (ms(16), ms(1)), (ms(8), ms(1))] {
        let rig = Rig::with(|config| config.idle_timeout = window);
        assert_eq!(rig.core.look_interval(), apart, "{window:?}");
    }
}
