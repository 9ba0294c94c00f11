//! Many callers at once: how many resources that costs, and how long it takes.

use std::time::{Duration, Instant};

use super::rig::{Answer, Rig, ms, secs};
use crate::io::{Action, GiveBack, Input, Job, Outcome};
use crate::timers::TimerKey;
use crate::{SlotId, WaiterId};

/// A pool of up to fifty, some of them open, meets so many callers at once.
#[derive(Clone, Copy, Debug)]
struct Spike {
    open: u32,
    callers: usize,
    lease: Duration,
    connect: Duration,
    max_creating: u32,
    min_idle: u32,
}

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    /// How many resources there are afterwards.
    size: u32,
    /// How long the last caller waited.
    longest: Duration,
}

/// A spike under way.
struct Course {
    spike: Spike,
    rig: Rig,
    leases: Vec<(Instant, u32)>,
    creations: Vec<(Instant, SlotId)>,
    served: usize,
}

impl Spike {
    /// FAULTS 4.
    const SHORT: Self =
        Self { open: 5, callers: 50, lease: ms(2), connect: ms(150), max_creating: 8, min_idle: 0 };

    fn run(self) -> Cost {
        let mut course = Course::new(self);
        let start = course.rig.now;
        for _ in 0..self.callers {
            if let Answer::Lent(slot) = course.rig.get() {
                course.lend(slot);
            }
            course.begin();
        }
        let mut longest = Duration::ZERO;
        while course.served < self.callers {
            course.advance();
            longest = course.rig.now - start;
        }
        while !course.leases.is_empty() || !course.creations.is_empty() {
            course.advance();
        }
        let counts = course.rig.counts();
        assert_eq!(counts.charged(), counts.live, "{counts:?}");
        Cost { size: counts.live, longest }
    }
}

impl Course {
    /// A pool with what is open, all of it idle.
    fn new(spike: Spike) -> Self {
        let rig = Rig::with(|config| (config.max_size, config.max_creating) = (50, 50));
        let mut course = Self { spike, rig, leases: Vec::new(), creations: Vec::new(), served: 0 };
        course.rig.queue_many(spike.open as usize);
        course.begin();
        while course.rig.idle() < spike.open {
            course.advance();
        }
        course.rig.core.config.max_creating = spike.max_creating;
        course.rig.core.config.min_idle = spike.min_idle;
        course.served = 0;
        course
    }

    fn lend(&mut self, slot: u32) {
        self.leases.push((self.rig.now + self.spike.lease, slot));
        self.served += 1;
    }

    /// Every creation that was ordered begins.
    fn begin(&mut self) {
        for (slot, job) in std::mem::take(&mut self.rig.jobs) {
            assert_eq!(job, Job::Create);
            if self.rig.begin(slot) {
                self.creations.push((self.rig.now + self.spike.connect, slot));
            } else {
                self.rig.feed(Input::Ended(slot, Outcome::Skipped));
            }
        }
    }

    /// Goes on to the next moment at which something happens.
    fn advance(&mut self) {
        let ends = self.leases.iter().map(|(at, _)| *at);
        let ends = ends.chain(self.creations.iter().map(|(at, _)| *at));
        let next = ends.chain(self.rig.core.next_timeout()).min();
        self.rig.now = next.expect("something is under way").max(self.rig.now);
        let now = self.rig.now;
        self.rig.feed(Input::Tick);
        for slot in take_due(&mut self.creations, now) {
            self.rig.feed(Input::Ended(slot, Outcome::Created));
        }
        for slot in take_due(&mut self.leases, now) {
            if self.rig.bits.attended {
                self.rig.bring(slot);
            } else {
                self.rig.home(slot);
            }
        }
        for id in self.woken() {
            let slot = self.rig.poll_lent(id);
            self.lend(slot);
        }
        self.begin();
    }

    fn woken(&mut self) -> Vec<WaiterId> {
        let woken = self.rig.woken();
        self.rig.log.retain(|action| !matches!(action, Action::Wake(_)));
        woken
    }
}

fn take_due<T: Copy>(from: &mut Vec<(Instant, T)>, now: Instant) -> Vec<T> {
    let due = from.iter().filter(|(at, _)| *at <= now).map(|(_, what)| *what).collect();
    from.retain(|(at, _)| *at > now);
    due
}

/// FAULTS 4.
#[test]
fn a_spike_of_short_leases_opens_one_resource_more() {
    assert_eq!(Spike::SHORT.run(), Cost { size: 6, longest: ms(18) });
    let kept = Spike { min_idle: 5, ..Spike::SHORT }.run();
    assert_eq!(kept, Cost { size: 6, longest: ms(18) }, "with as many to lie idle");
    for lease in [1, 5, 10] {
        let cost = Spike { lease: ms(lease), ..Spike::SHORT }.run();
        assert_eq!(cost, Cost { size: 6, longest: ms(lease * 9) }, "with leases of {lease} ms");
    }
}

#[test]
fn a_spike_of_long_leases_opens_all_it_needs_a_quarter_of_a_connect_later_at_worst() {
    for (callers, rounds) in [(8, 1), (20, 2), (50, 6)] {
        let cost = Spike { lease: secs(10), callers, ..Spike::SHORT }.run();
        let at_once = ms(150) * rounds;
        assert_eq!(cost.size as usize, callers);
        assert!(cost.longest <= at_once + ms(150) / 4, "{callers} callers: {cost:?}");
    }
}

#[test]
fn where_nothing_is_lent_nothing_is_waited_for() {
    for callers in [1, 4, 8] {
        let cost = Spike { open: 0, callers, ..Spike::SHORT }.run();
        assert_eq!(cost, Cost { size: callers as u32, longest: ms(150) });
    }
    // The same in a pool that knows how long a creation takes.
    let mut rig = slow(4);
    (0..4).for_each(|slot| rig.give_back(slot, GiveBack::Discard));
    rig.run_jobs();
    rig.queue_many(4);
    assert_eq!((rig.counts().live, rig.counts().creating), (0, 4));
}

/// A pool of four, all lent, that may grow to twenty, and to which a creation takes 400 ms.
fn slow(lent: u32) -> Rig {
    let mut rig = Rig::with(|config| (config.max_size, config.max_creating) = (20, 20));
    let ids = rig.queue_many(lent as usize);
    let creations = rig.jobs_of(Job::Create);
    assert!(creations.iter().all(|creation| rig.begin(*creation)));
    rig.pass(ms(400));
    creations.into_iter().for_each(|creation| drop(rig.end(creation, Outcome::Created)));
    for id in ids {
        rig.poll_lent(id);
    }
    rig
}

#[test]
fn one_creation_is_under_way_at_once_and_the_others_when_the_returns_were_counted() {
    let mut rig = slow(4);
    rig.queue_many(10);
    assert_eq!(rig.counts().creating, 1);
    rig.pass(ms(99));
    assert_eq!(rig.counts().creating, 1, "a quarter of 400 ms");
    rig.pass(ms(1));
    assert_eq!(rig.counts().creating, 10, "nothing came home");
}

#[test]
fn those_whom_returns_will_serve_need_no_creation() {
    let mut rig = slow(4);
    let ids = rig.queue_many(10);
    rig.bring(0);
    rig.poll_lent(ids[0]);
    rig.pass(ms(100));
    // One in a hundred milliseconds: four more while one is created, for nine that wait.
    assert_eq!((rig.counts().waiting, rig.counts().creating), (9, 5));
}

#[test]
fn returns_that_stop_are_noticed_by_the_next_count() {
    let mut rig = slow(4);
    let ids = rig.queue_many(12);
    for id in &ids[..3] {
        rig.pass(ms(25));
        rig.bring(0);
        assert_eq!(rig.poll_lent(*id), 0);
    }
    rig.pass(ms(25));
    assert_eq!((rig.counts().waiting, rig.counts().creating), (9, 1), "three: twelve in all");
    rig.pass(ms(99));
    assert_eq!(rig.counts().creating, 1);
    rig.pass(ms(1));
    assert_eq!(rig.counts().creating, 9);
}

#[test]
fn a_queue_that_lasts_as_long_as_a_creation_shows_that_more_are_needed() {
    let mut rig = slow(4);
    let mut ids: std::collections::VecDeque<_> = rig.queue_many(8).into();
    for millis in (10..=400).step_by(10) {
        assert_eq!((rig.counts().waiting, rig.counts().creating), (8, 1), "after {millis} ms");
        rig.pass(ms(10));
        rig.bring(0);
        let id = ids.pop_front().expect("there are eight");
        rig.poll_lent(id);
        ids.push_back(rig.queue());
    }
    assert_eq!(
        rig.counts().creating,
        8,
        "forty came home in that time, and still there is a queue"
    );
}

#[test]
fn a_queue_that_forms_anew_trusts_anew() {
    let mut rig = slow(4);
    let ids = rig.queue_many(2);
    rig.pass(ms(100));
    let creations = rig.jobs_of(Job::Create);
    assert!(creations.len() == 2 && creations.iter().all(|creation| rig.begin(*creation)));
    for id in ids {
        rig.bring(0);
        rig.poll_lent(id);
    }
    creations.into_iter().for_each(|creation| drop(rig.end(creation, Outcome::Created)));
    let (first, second) = (rig.lend(), rig.lend());
    assert_ne!(first, second);
    rig.queue_many(3);
    assert_eq!(rig.counts().creating, 1);
}

#[test]
fn a_used_resource_that_comes_to_be_cleaned_counts_as_a_return() {
    let mut rig = slow(4);
    let ids = rig.queue_many(8);
    for id in &ids[..4] {
        rig.give_back(0, GiveBack::Reset);
        let reset = rig.job(Job::Reset);
        rig.end(reset, Outcome::Fit);
        rig.poll_lent(*id);
    }
    rig.pass(ms(100));
    assert_eq!((rig.counts().waiting, rig.counts().creating), (4, 1));
}

#[test]
fn the_mean_of_the_latest_creations_tells_how_long_to_count() {
    let mut rig = slow(1);
    for (takes, count) in [(400, 100), (800, 125), (800, 143), (0, 107)] {
        let id = rig.queue();
        let creation = rig.job(Job::Create);
        assert!(rig.begin(creation));
        rig.pass(ms(takes));
        rig.end(creation, Outcome::Created);
        rig.poll_lent(id);
        let ids = rig.queue_many(2);
        let look = rig.core.timers.get(TimerKey::Growth).expect("the returns are counted");
        assert_eq!((look - rig.now).as_millis(), count);
        ids.into_iter().for_each(|id| rig.cancel(id));
        rig.run_jobs();
        assert_eq!(rig.counts().creating, 0);
    }
}

#[test]
fn nobody_looks_again_when_nothing_more_may_be_opened() {
    let mut rig = slow(2);
    let growth = |rig: &Rig| rig.core.timers.get(TimerKey::Growth).is_some();
    let ids = rig.queue_many(3);
    assert!(growth(&rig));
    rig.feed(Input::Resize(3));
    assert!(!growth(&rig), "one is under way, and that is all there may be");
    rig.feed(Input::Resize(20));
    assert!(growth(&rig));
    ids.into_iter().for_each(|id| rig.cancel(id));
    assert!(!growth(&rig));
}
