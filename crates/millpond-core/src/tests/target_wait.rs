//! The policy with a target that somebody has named.
//!
//! A resource is held for 50 ms.

use std::time::Duration;

use super::rig::{Rig, ms};
use crate::io::{Input, Why};
use crate::{Config, Overload, ShedReason};

const HOLD: Duration = ms(50);
const NO_ROOM: Why = Why::Shed(ShedReason::Overloaded);

#[test]
fn with_a_target_that_is_named_nobody_need_be_harmed() {
    let target = |config: &mut Config| config.overload = Overload::TargetWait(ms(80));
    let mut rig = Rig::strained(HOLD, target);
    let first = rig.queue();
    rig.queue_many(2);
    rig.pass(ms(80));
    rig.home(0);
    assert_eq!(rig.poll_lent(first), 0);
    rig.pass(ms(240));
    assert!(!rig.is_overloaded(0), "one was served in time");
    rig.pass(ms(320));
    assert!(rig.is_overloaded(0), "nobody was");
    assert_eq!(rig.counts().waiting, 0, "all have waited for more than twice as long");
}

#[test]
fn with_a_target_that_is_named_there_is_room_for_as_many_as_can_be_served_within_it() {
    for (target, room) in [(ms(500), 10), (ms(10), 1)] {
        let named = |config: &mut Config| config.overload = Overload::TargetWait(target);
        let mut rig = Rig::strained(HOLD, named);
        rig.queue();
        rig.pass((4 * target).max(ms(100)));
        assert!(rig.is_overloaded(0));
        // What it took to get here is no part of it.
        rig.core.waiters.queued().collect::<Vec<_>>().into_iter().for_each(|id| rig.cancel(id));
        rig.queue_many(room);
        assert_eq!(rig.get().why(), NO_ROOM);
    }
}

#[test]
fn the_more_resources_the_more_can_be_served_within_it() {
    let named = |config: &mut Config| config.overload = Overload::TargetWait(ms(100));
    let mut rig = Rig::strained(HOLD, named);
    rig.queue();
    rig.pass(ms(400));
    assert!(rig.is_overloaded(0));
    rig.feed(Input::Resize(3));
    rig.queue_many(6);
    assert_eq!(rig.get().why(), NO_ROOM);
}
