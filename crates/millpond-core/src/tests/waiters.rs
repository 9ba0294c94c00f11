//! The queue, against a `VecDeque`.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::rig::some_instant;
use crate::phases::Phases;
use crate::waiters::{Standing, Waiters};

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    /// Takes the caller at this place of the queue out of it.
    Take(usize),
    /// Puts the caller at this place of those taken out back at the front, or at the back.
    Front(usize),
    Back(usize),
    /// Forgets the caller at this place of the queue, or of those taken out.
    Remove(usize),
    RemoveTaken(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Push),
        2 => any::<usize>().prop_map(Step::Take),
        1 => any::<usize>().prop_map(Step::Front),
        1 => any::<usize>().prop_map(Step::Back),
        1 => any::<usize>().prop_map(Step::Remove),
        1 => any::<usize>().prop_map(Step::RemoveTaken),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_queue_agrees_with_a_deque(steps in prop::collection::vec(step(), 1..200)) {
        let now = some_instant();
        let mut waiters = Waiters::new(1);
        let (mut queue, mut taken) = (VecDeque::new(), Vec::new());
        let mut gone = Vec::new();
        for step in steps {
            match step {
                Step::Push => queue.push_back(waiters.push(0, now, Phases::default())),
                Step::Take(at) if !queue.is_empty() => {
                    let id = queue.remove(at % queue.len()).expect("in range");
                    waiters.set(id, Standing::Offered(at as u32));
                    taken.push(id);
                }
                Step::Front(at) if !taken.is_empty() => {
                    let id = taken.remove(at % taken.len());
                    waiters.enqueue_front(id);
                    queue.push_front(id);
                }
                Step::Back(at) if !taken.is_empty() => {
                    let id = taken.remove(at % taken.len());
                    waiters.enqueue_back(id);
                    queue.push_back(id);
                }
                Step::Remove(at) if !queue.is_empty() => {
                    let id = queue.remove(at % queue.len()).expect("in range");
                    waiters.remove(id);
                    gone.push(id);
                }
                Step::RemoveTaken(at) if !taken.is_empty() => {
                    let id = taken.remove(at % taken.len());
                    waiters.remove(id);
                    gone.push(id);
                }
                _ => {}
            }
            prop_assert_eq!(waiters.front(0), queue.front().copied());
            prop_assert_eq!(waiters.queue(0).collect::<VecDeque<_>>(), queue.clone());
            prop_assert_eq!(waiters.waiting() as usize, queue.len());
            prop_assert_eq!(waiters.all().count(), queue.len() + taken.len());
            for id in &queue {
                prop_assert_eq!(waiters.get(*id).standing, Standing::Waiting);
            }
            for id in queue.iter().chain(&taken) {
                prop_assert!(waiters.is_current(*id));
                prop_assert_eq!(waiters.id(id.index()), Some(*id));
            }
            for id in &gone {
                prop_assert!(!waiters.is_current(*id), "an id never comes back");
            }
        }
    }
}
