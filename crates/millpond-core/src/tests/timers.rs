//! The timer table, against a sorted map.

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;

use super::rig::{ms, some_instant};
use crate::timers::{TimerKey, Timers};

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(TimerKey, u64),
    SetEarlier(TimerKey, u64),
    Clear(TimerKey),
    Pop(u64),
}

fn key() -> impl Strategy<Value = TimerKey> {
    prop_oneof![
        (0u32..6).prop_map(TimerKey::Deadline),
        (0u32..6).prop_map(TimerKey::Offer),
        (0u32..6).prop_map(TimerKey::Job),
        Just(TimerKey::Backoff),
        Just(TimerKey::Tick),
        Just(TimerKey::Sweep),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (key(), 0u64..40).prop_map(|(key, at)| Step::Set(key, at)),
        1 => (key(), 0u64..40).prop_map(|(key, at)| Step::SetEarlier(key, at)),
        2 => key().prop_map(Step::Clear),
        2 => (0u64..40).prop_map(Step::Pop),
    ]
}

/// The same by a map sorted by moment and order of setting.
#[derive(Default)]
struct Sorted {
    by_time: BTreeMap<(Instant, usize), TimerKey>,
}

impl Sorted {
    fn get(&self, key: TimerKey) -> Option<(Instant, usize)> {
        self.by_time.iter().find(|(_, other)| **other == key).map(|(at, _)| *at)
    }

    fn clear(&mut self, key: TimerKey) {
        if let Some(at) = self.get(key) {
            self.by_time.remove(&at);
        }
    }

    fn set(&mut self, key: TimerKey, at: Instant, order: usize) {
        self.clear(key);
        self.by_time.insert((at, order), key);
    }

    fn pop_due(&mut self, now: Instant) -> Option<TimerKey> {
        let (at, key) = self.by_time.first_key_value().map(|(at, key)| (*at, *key))?;
        (at.0 <= now).then(|| self.by_time.remove(&at)).flatten().map(|_| key)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_table_agrees_with_a_sorted_map(steps in prop::collection::vec(step(), 1..200)) {
        let start = some_instant();
        let mut timers = Timers::default();
        let mut sorted = Sorted::default();
        for (order, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set(key, at) => {
                    timers.set(key, start + ms(at));
                    sorted.set(key, start + ms(at), order);
                }
                Step::SetEarlier(key, at) => {
                    let at = start + ms(at);
                    timers.set_earlier(key, at);
                    if sorted.get(key).is_none_or(|(set, _)| at < set) {
                        sorted.set(key, at, order);
                    }
                }
                Step::Clear(key) => {
                    timers.clear(key);
                    sorted.clear(key);
                }
                Step::Pop(now) => {
                    let now = start + ms(now);
                    loop {
                        let due = timers.pop_due(now);
                        prop_assert_eq!(due, sorted.pop_due(now));
                        if due.is_none() {
                            break;
                        }
                    }
                }
            }
            prop_assert_eq!(timers.next(), sorted.by_time.first_key_value().map(|(at, _)| at.0));
            let mut keys: Vec<_> = timers.keys().collect();
            let mut expected: Vec<_> = sorted.by_time.values().copied().collect();
            keys.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(&keys, &expected);
            for key in keys {
                prop_assert_eq!(timers.get(key), sorted.get(key).map(|(at, _)| at));
            }
        }
    }
}

#[test]
fn equal_deadlines_fire_in_the_order_in_which_they_were_set() {
    let now = some_instant();
    let mut timers = Timers::default();
    for index in [3, 1, 4, 0, 2] {
        timers.set(TimerKey::Deadline(index), now);
    }
    timers.set(TimerKey::Deadline(4), now);
    let fired = std::iter::from_fn(|| timers.pop_due(now)).collect::<Vec<_>>();
    assert_eq!(fired, [3, 1, 0, 2, 4].map(TimerKey::Deadline));
}

#[test]
fn a_timer_is_due_at_its_moment_and_not_before() {
    let now = some_instant();
    let mut timers = Timers::default();
    timers.set(TimerKey::Tick, now + ms(1));
    assert_eq!(timers.pop_due(now), None);
    assert_eq!(timers.pop_due(now + ms(1)), Some(TimerKey::Tick));
    assert_eq!(timers.next(), None);
}
