//! What happens in a random run.

use std::time::Duration;

use proptest::prelude::*;

use crate::io::GiveBack;
use crate::{Config, Lane, Overload};

/// One step of a run. Callers, borrowers and tasks are chosen by number among those there are at the time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Get(u32, Option<Duration>),
    Try,
    Poll(usize),
    /// One of those is polled that were woken, as happens mostly.
    PollWoken(usize),
    Leave(usize),
    /// A caller helps itself.
    Take,
    /// A borrower gives back: by its bit, or at the desk if that is attended.
    Home(usize),
    /// Somebody comes to the desk without a cause.
    Visit,
    /// Somebody takes what lies idle, only to look at it.
    Look(u32),
    Add,
    Give(usize, GiveBack),
    Begin(usize),
    End(usize, u8),
    /// A task is dropped before it began.
    Lose(usize),
    /// Time passes, and every timeout is kept.
    Pass(Duration),
    /// Time passes, and the timeouts are noticed at its end.
    Jump(Duration),
    /// Time passes, and the timeouts are noticed by whatever comes next.
    Late(Duration),
    Resize(u32),
    Pause,
    Resume,
    Retire(Duration),
    Close,
    DriverUp,
    DriverLost,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let how =
        prop_oneof![Just(GiveBack::Reset), Just(GiveBack::Discard), Just(GiveBack::Detached),];
    prop_oneof![
        24 => (0u32..3, prop::option::of(time())).prop_map(|(lane, time)| Step::Get(lane, time)),
        5 => Just(Step::Try),
        4 => any::<usize>().prop_map(Step::Poll),
        24 => any::<usize>().prop_map(Step::PollWoken),
        4 => any::<usize>().prop_map(Step::Leave),
        8 => Just(Step::Take),
        20 => any::<usize>().prop_map(Step::Home),
        3 => Just(Step::Visit),
        2 => (0u32..8).prop_map(Step::Look),
        1 => Just(Step::Add),
        5 => (any::<usize>(), how).prop_map(|(nth, how)| Step::Give(nth, how)),
        24 => any::<usize>().prop_map(Step::Begin),
        24 => (any::<usize>(), any::<u8>()).prop_map(|(nth, dice)| Step::End(nth, dice)),
        1 => any::<usize>().prop_map(Step::Lose),
        12 => time().prop_map(Step::Pass),
        3 => time().prop_map(Step::Late),
        2 => long_time().prop_map(Step::Jump),
        2 => (0u32..=8).prop_map(Step::Resize),
        1 => Just(Step::Pause),
        3 => Just(Step::Resume),
        1 => Just(Step::Retire(Duration::ZERO)),
        1 => time().prop_map(Step::Retire),
        1 => Just(Step::DriverLost),
        2 => Just(Step::DriverUp),
    ]
}

/// From a millisecond to a few seconds, as many short ones as long ones. To the nanosecond, so that moments seldom coincide
/// by chance.
fn time() -> impl Strategy<Value = Duration> {
    (20u32..33, any::<u64>()).prop_map(|(bits, dice)| Duration::from_nanos(dice >> (64 - bits)))
}

/// Up to a quarter of an hour.
fn long_time() -> impl Strategy<Value = Duration> {
    (0u64..900_000_000_000).prop_map(Duration::from_nanos)
}

/// Up to two lanes beside the default one.
fn lanes() -> impl Strategy<Value = Vec<Lane>> {
    let head_start = prop_oneof![Just(Duration::ZERO), time(), Just(Duration::MAX)];
    let lane = (0u32..=8, head_start, prop_oneof![Just(0), 0u32..=4]);
    let lane = lane.prop_map(|(max_waiters, head_start, reserved)| Lane {
        max_waiters,
        head_start,
        reserved,
    });
    prop_oneof![Just(Vec::new()), prop::collection::vec(lane, 1..=2)]
}

/// A small pool. All times differ, none is a multiple of another, and the back-off is long, so that it seldom ends at once.
pub(super) fn settings() -> impl Strategy<Value = Config> {
    let numbers = (0u32..=8, prop_oneof![Just(0), 0u32..=5], 0u32..=20, 1u32..=4);
    let keepalive =
        prop_oneof![2 => Just(Duration::MAX), 1 => Just(Duration::from_nanos(900_000_097))];
    let policy = (prop::option::of(1u32..=4), lanes());
    (numbers, policy, keepalive, any::<u64>()).prop_map(
        |(numbers, (fail_fast_after, lanes), keepalive, seed)| {
            let (max_size, min_idle, max_waiters, max_creating) = numbers;
            Config {
                max_size,
                min_idle,
                max_waiters,
                lanes,
                overload: Overload::Fifo,
                max_creating,
                create_timeout: Duration::from_nanos(2_300_000_011),
                check_timeout: Duration::from_nanos(1_100_000_023),
                reset_timeout: Duration::from_nanos(1_300_000_037),
                close_timeout: Duration::from_nanos(1_700_000_041),
                check_after_idle: Duration::from_nanos(70_000_053),
                keepalive,
                idle_timeout: Duration::from_nanos(5_100_000_061),
                max_lifetime: Duration::from_nanos(37_000_000_073),
                lifetime_jitter: 0,
                claim_window: Duration::from_nanos(510_000_083),
                backoff_base: Duration::from_nanos(400_000_000),
                backoff_cap: Duration::from_nanos(1_900_000_000),
                fail_fast_after,
                tick: Duration::from_nanos(233_000_089),
                seed,
                self_service: true,
                leases_watched: false,
                watched: true,
            }
        },
    )
}
