//! What the pool knows of how long resources are held.

use std::time::Duration;

use proptest::prelude::*;

use super::rig::{Rig, ms, secs, some_instant};
use crate::Hold;
use crate::hold::Holds;
use crate::io::{GiveBack, Input};

/// So many resources that are lent anew as soon as they come home, for as long as `lease` says, for so many leases: what is
/// known then, if the desk sees every lease from its beginning (`whole`) or none.
fn measure(
    resources: u32,
    leases: usize,
    whole: bool,
    mut lease: impl FnMut() -> Duration,
) -> Hold {
    let mut holds = Holds::default();
    let mut now = some_instant();
    holds.watch(Some(resources), now);
    // In the middle of their leases, each at another point.
    let part = |i: u32| f64::from(i + 1) / f64::from(resources);
    let mut out: Vec<_> = (0..resources).map(|i| (now + lease().mul_f64(part(i)), None)).collect();
    for _ in 0..leases {
        let first = (0..out.len()).min_by_key(|i| out[*i].0).expect("some are out");
        let (end, began) = out.swap_remove(first);
        now = end;
        holds.returned(began.filter(|_| whole), now);
        holds.watch(Some(resources), now);
        out.push((now + lease(), holds.began(now)));
    }
    holds.get().expect("many came home")
}

fn assert_near(measured: Duration, truth: Duration, percent: u32) {
    let tolerance = truth * percent / 100;
    assert!(
        measured >= truth.saturating_sub(tolerance) && measured <= truth + tolerance,
        "{measured:?} instead of {truth:?}"
    );
}

/// Uniform numbers below one, from a seed.
fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut backoff = crate::backoff::Backoff::new(ms(1), ms(1), None, seed);
    move || backoff.up_to(secs(1)).as_secs_f64().min(0.999_999)
}

#[test]
fn nothing_is_known_before_a_few_came_home_while_others_waited() {
    let mut rig = Rig::filled(4);
    let lent: Vec<_> = (0..4).map(|_| rig.lend()).collect();
    for _ in 0..10 {
        rig.skip(ms(100));
        rig.bring(lent[0]);
        assert_eq!(rig.lend(), lent[0], "nobody waits");
    }
    rig.queue_many(10);
    rig.skip(ms(120));
    for slot in &lent[..3] {
        rig.bring(*slot);
        assert_eq!(rig.core.hold(), None);
    }
    rig.bring(lent[3]);
    assert_eq!(rig.core.hold(), Some(Hold { mean: ms(120), p90: ms(120) }));
}

#[test]
fn every_way_to_come_home_counts() {
    for how in [GiveBack::Unused, GiveBack::Reset, GiveBack::Discard, GiveBack::Detached] {
        let mut rig = Rig::filled(4);
        let lent: Vec<_> = (0..4).map(|_| rig.lend()).collect();
        rig.queue_many(10);
        rig.skip(ms(30));
        for slot in lent {
            rig.bits.give_back(slot, rig.now);
            assert!(crate::Idle::claim(&mut rig.bits, slot));
            rig.give_back(slot, how);
        }
        assert_eq!(rig.core.hold().map(|hold| hold.mean), Some(ms(30)), "{how:?}");
    }
}

#[test]
fn the_mean_of_leases_of_one_length_is_that_length() {
    for resources in [1, 4, 50] {
        let hold = measure(resources, 2000, true, || ms(20));
        assert_near(hold.mean, ms(20), 1);
    }
}

#[test]
fn the_mean_of_random_leases_is_near_their_mean() {
    for seed in 0..20 {
        let mut uniform = uniform(seed);
        let exponential = || ms(20).mul_f64(-(1.0 - uniform()).ln());
        assert_near(measure(10, 3000, true, exponential).mean, ms(20), 60);
    }
}

#[test]
fn averaged_over_time_the_mean_is_true() {
    let mut uniform = uniform(1);
    let means = (0..300).map(|_| {
        let exponential = || ms(20).mul_f64(-(1.0 - uniform()).ln());
        measure(4, 200, true, exponential).mean
    });
    assert_near(means.sum::<Duration>() / 300, ms(20), 10);
}

#[test]
fn a_few_long_leases_among_short_ones_count_by_their_length() {
    let mut sum = Duration::ZERO;
    for seed in 0..200 {
        let mut uniform = uniform(seed);
        sum += measure(10, 500, true, || if uniform() < 0.05 { ms(100) } else { ms(2) }).mean;
    }
    assert_near(sum / 200, ms(100) / 20 + ms(2) * 19 / 20, 15);
}

#[test]
fn leases_that_the_desk_did_not_see_begin_count_for_the_mean() {
    let hold = measure(10, 2000, false, || ms(20));
    assert_near(hold.mean, ms(20), 1);
    assert_eq!(hold.p90, hold.mean, "nothing is known of single leases");
}

#[test]
fn one_that_takes_very_long_counts_for_sixteen_times_the_mean_at_most() {
    let mut holds = Holds::default();
    let mut now = some_instant();
    holds.watch(Some(1), now);
    for _ in 0..100 {
        now += ms(10);
        holds.returned(None, now);
    }
    assert_eq!(holds.get().map(|hold| hold.mean), Some(ms(10)));
    now += secs(3600);
    holds.returned(None, now);
    assert_eq!(holds.get().map(|hold| hold.mean), Some((ms(10) * 31 + ms(160)) / 32));
}

#[test]
fn the_mean_follows_a_change_within_a_hundred_returns() {
    for (before, after) in [(ms(100), ms(1)), (ms(1), ms(100))] {
        let mut count = 0;
        let hold = measure(1, 200, true, || {
            count += 1;
            if count <= 100 { before } else { after }
        });
        assert!(hold.mean < after * 6 && hold.mean > after * 9 / 10, "{:?}", hold.mean);
    }
}

#[test]
fn one_in_ten_leases_is_longer_than_the_ninth_decile() {
    for (name, decile) in [("uniform", ms(18)), ("exponential", ms(23))] {
        let mut sum = Duration::ZERO;
        for seed in 0..100 {
            let mut uniform = uniform(seed);
            sum += measure(4, 3000, true, || match name {
                "uniform" => ms(20).mul_f64(uniform()),
                _ => ms(10).mul_f64(-(1.0 - uniform()).ln()),
            })
            .p90;
        }
        assert_near(sum / 100, decile, 12);
    }
}

#[test]
fn the_ninth_decile_moves_by_nine_parts_up_and_by_one_down() {
    let hold = measure(1, 4, true, || ms(10));
    // The first was not seen whole; then once down, once up, once down.
    let expected = ms(10).mul_f64(127.0 / 128.0 * (137.0 / 128.0) * (127.0 / 128.0));
    assert!(hold.p90.abs_diff(expected) < Duration::from_micros(10), "{hold:?}");
}

#[test]
fn a_lease_as_long_as_the_ninth_decile_is_not_longer() {
    let mut holds = Holds::default();
    let mut now = some_instant();
    holds.watch(Some(1), now);
    for whole in [false, false, false, true] {
        let began = holds.began(now).filter(|_| whole);
        now += ms(10);
        holds.returned(began, now);
    }
    assert_eq!(holds.get(), Some(Hold { mean: ms(10), p90: ms(10) * 127 / 128 }));
}

#[test]
fn the_ninth_decile_stays_within_sixteen_times_the_mean_and_a_sixteenth() {
    let mut holds = Holds::default();
    let mut now = some_instant();
    holds.watch(Some(1), now);
    for _ in 0..3000 {
        let began = holds.began(now);
        now += ms(10);
        // Others hold as many, and give back at the same rate, so a lease is much longer than the mean.
        (0..99).for_each(|_| holds.returned(None, now));
        holds.returned(began, now);
    }
    let Hold { mean, p90 } = holds.get().expect("many came home");
    assert!(p90 <= mean * 16, "{p90:?} of {mean:?}");
    let mut holds = Holds::default();
    holds.watch(Some(1), now);
    for _ in 0..3000 {
        now += ms(10);
        holds.returned(holds.began(now), now);
    }
    let Hold { mean, p90 } = holds.get().expect("many came home");
    assert_eq!((mean, p90), (ms(10), mean / 16));
}

#[test]
fn a_lease_is_timed_only_if_callers_waited_all_the_while() {
    let mut holds = Holds::default();
    let mut now = some_instant();
    holds.watch(Some(1), now);
    let began = holds.began(now);
    for _ in 0..8 {
        now += ms(10);
        holds.returned(None, now);
    }
    holds.watch(None, now);
    assert!(holds.began(now).is_none(), "nobody waits");
    now += ms(90);
    holds.watch(Some(1), now);
    now += ms(10);
    let mut other = holds.clone();
    holds.returned(None, now);
    other.returned(began, now);
    assert!(holds.get().is_some());
    assert_eq!(holds.get(), other.get(), "a lease of 180 ms is nothing to go by");
}

#[test]
fn a_time_in_which_nobody_waited_does_not_count() {
    let mut holds = Holds::default();
    let mut now = some_instant();
    for _ in 0..50 {
        holds.watch(Some(2), now);
        now += ms(10);
        holds.returned(None, now);
        now += ms(3);
        holds.watch(None, now);
        now += ms(100);
    }
    assert_eq!(holds.get().map(|hold| hold.mean), Some(ms(20)));
}

#[test]
fn what_was_measured_before_a_calm_counts_for_sixteen_returns_at_most() {
    let mut holds = Holds::default();
    let mut now = some_instant();
    holds.watch(Some(1), now);
    for _ in 0..40 {
        now += ms(10);
        holds.returned(None, now);
    }
    holds.watch(None, now);
    now += ms(100);
    assert_eq!(holds.calm(now), ms(100));
    holds.watch(Some(1), now);
    now += ms(27);
    holds.returned(None, now);
    assert_eq!(holds.get().map(|hold| hold.mean), Some(ms(11)), "(16 * 10 + 27) / 17");
    assert_eq!(holds.calm(now), ms(100));
}

#[test]
fn what_was_measured_long_ago_is_forgotten() {
    for (calm, known) in [(ms(192), true), (ms(193), false)] {
        let mut holds = Holds::default();
        let now = some_instant();
        holds.watch(Some(4), now);
        (0..4).for_each(|_| holds.returned(None, now + ms(12)));
        holds.watch(None, now + ms(12));
        assert_eq!(holds.get().map(|hold| hold.mean), Some(ms(12)));
        holds.watch(Some(1), now + ms(12) + calm);
        assert_eq!(holds.get().is_some(), known, "after {calm:?}");
    }
}

#[test]
fn while_the_pool_is_paused_nothing_is_measured() {
    let mut rig = Rig::filled(1);
    let lent = rig.lend();
    rig.queue();
    rig.feed(Input::Pause);
    rig.skip(secs(1));
    rig.bring(lent);
    assert_eq!(rig.core.hold(), None);
}

#[test]
fn what_is_opened_or_checked_is_nobodys_fault_and_what_is_checked_is_not_idle() {
    let mut rig = Rig::filled_with(3, |config| config.check_after_idle = ms(1));
    let lent = rig.lend();
    rig.feed(Input::Resize(9));
    rig.pass(ms(10));
    rig.queue_many(2);
    assert_eq!((rig.counts().checking, rig.counts().creating), (2, 0));
    rig.queue_many(20);
    assert!(rig.counts().creating > 0);
    for _ in 0..10 {
        rig.skip(ms(10));
        rig.bring(lent);
        let id = rig.woken().pop().expect("it is offered to somebody");
        assert_eq!(rig.poll_lent(id), lent);
    }
    assert_eq!(rig.core.hold().map(|hold| hold.mean), Some(ms(30)), "three are open");
}

#[test]
fn a_lease_without_length_does_not_hold_the_mean_at_nothing() {
    let mut holds = Holds::default();
    let mut now = some_instant();
    holds.watch(Some(1), now);
    (0..50).for_each(|_| holds.returned(None, now));
    for _ in 0..200 {
        now += ms(10);
        holds.returned(None, now);
    }
    assert_near(holds.get().expect("many came home").mean, ms(10), 5);
}

proptest! {
    /// Nothing overflows, and both figures stay within what was seen.
    #[test]
    fn whatever_is_measured_nothing_overflows(
        leases in prop::collection::vec((0u64..1 << 40, any::<bool>(), 0u32..=u32::MAX), 1..60)
    ) {
        let mut holds = Holds::default();
        let mut now = some_instant();
        for (nanos, whole, out) in leases {
            holds.watch(Some(out), now);
            let began = holds.began(now).filter(|_| whole);
            now += Duration::from_nanos(nanos);
            holds.returned(began, now);
            let Some(hold) = holds.get() else { continue };
            prop_assert!(hold.mean >= Duration::from_nanos(1));
            prop_assert!(hold.p90 <= hold.mean.saturating_mul(16));
        }
    }
}

#[test]
fn leases_that_end_together_again_and_again_are_no_shorter_for_that() {
    for resources in [1, 8, 16, 50] {
        let mut holds = Holds::default();
        let mut now = some_instant();
        let mut means = Vec::new();
        for _ in 0..400 {
            holds.watch(Some(resources), now);
            now += ms(20);
            (0..resources).for_each(|_| holds.returned(None, now));
            means.push(holds.get().map_or(Duration::ZERO, |hold| hold.mean));
        }
        // Each round ends with the returns that took no time, so it ends low, and lower the more they are; it does not sink.
        let least = means.iter().skip(10).min().expect("there were many rounds");
        assert!(*least > ms(5) && *least <= ms(20), "{least:?} with {resources}");
    }
}
