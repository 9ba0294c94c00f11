//! A core that is fed whatever can happen, in any order, and is then asked for everything it ever had.

use std::time::{Duration, Instant};

use millpond_core::{
    Action, Config, Core, GiveBack, Idle, Input, Job, Lane, Outcome, Overload, Request, SlotId,
    WaiterId,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::shelf::Shelf;
use crate::world::some_instant;

/// What is missing at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// Resources that can no longer be had.
    pub(super) lost: u32,
    /// Callers that were never told anything.
    pub(super) forgotten: u32,
}

/// Feeds so many random inputs, then lets everything come to an end.
pub(super) fn play(seed: u64, operations: u32) -> Missing {
    let mut chaos = Chaos::new(seed);
    for _ in 0..operations {
        chaos.operate();
    }
    chaos.end()
}

struct Chaos {
    core: Core,
    shelf: Shelf,
    now: Instant,
    random: Pcg64Mcg,
    lent: Vec<u32>,
    queued: Vec<WaiterId>,
    jobs: Vec<(SlotId, Job, Stage)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ordered,
    UnderWay,
    /// It said `Begin` and was not answered.
    Unwanted,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let lane = Lane { max_waiters: 50, head_start: Duration::from_millis(20), reserved: 2 };
        let config = Config {
            max_size: SIZE,
            max_waiters: 100,
            overload: Overload::Auto,
            lanes: vec![lane],
            max_creating: 4,
            claim_window: Duration::from_millis(100),
            check_after_idle: Duration::from_millis(50),
            max_lifetime: Duration::from_secs(20),
            seed,
            ..Config::default()
        };
        let mut chaos = Self {
            shelf: Shelf::new(&config),
            core: Core::new(config),
            now: some_instant(),
            random: Pcg64Mcg::seed_from_u64(seed),
            lent: Vec::new(),
            queued: Vec::new(),
            jobs: Vec::new(),
        };
        chaos.feed(Input::DriverUp);
        chaos
    }

    /// One thing happens, and a little time passes; now and then more.
    fn operate(&mut self) {
        let mut time = self.random.random_range(0..2_000);
        match self.random.random_range(0..100) {
            0..30 => self.ask(),
            30..45 => self.come(),
            45..52 => self.leave(),
            52..80 => self.bring_back(),
            80..99 => self.work(),
            _ => time *= 100,
        }
        self.pass(Duration::from_micros(time));
    }

    fn ask(&mut self) {
        if let Some(slot) = self.shelf.take() {
            if self.shelf.is_fresh(slot, &self.core, self.now) {
                return self.lent.push(slot);
            }
            self.feed(Input::GiveBack(slot, GiveBack::Unused));
        }
        let patience = Duration::from_millis(self.random.random_range(1..500));
        let request = Request {
            lane: self.random.random_range(0..2),
            deadline: self.random.random::<bool>().then(|| self.now + patience),
            covers_lease: self.random.random(),
        };
        self.feed(Input::Wait(request));
    }

    /// Some caller looks whether it has something.
    fn come(&mut self) {
        if let Some(waiter) = self.any_queued() {
            if !self.feed(Input::Claim(waiter)) {
                self.queued.push(waiter);
            }
        }
    }

    fn leave(&mut self) {
        if let Some(waiter) = self.any_queued() {
            self.feed(Input::Cancel(waiter));
        }
    }

    fn bring_back(&mut self) {
        if self.lent.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.lent.len());
        let slot = self.lent.swap_remove(place);
        let how = match self.random.random_range(0..20) {
            0 => GiveBack::Discard,
            1 => GiveBack::Reset,
            2 => GiveBack::Detached,
            _ if self.shelf.attended => GiveBack::Unused,
            _ => return self.shelf.release(slot, self.now),
        };
        self.shelf.stamp(slot, self.now);
        self.feed(Input::GiveBack(slot, how));
    }

    /// Some job gets on.
    fn work(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.jobs.len());
        let (slot, job, stage) = self.jobs.swap_remove(place);
        let fails = self.random.random_range(0..20) == 0;
        match stage {
            Stage::Ordered => {
                let wanted = self.feed(Input::Begin(slot));
                let stage = if wanted { Stage::UnderWay } else { Stage::Unwanted };
                self.jobs.push((slot, job, stage));
            }
            Stage::Unwanted => {
                self.feed(Input::Ended(slot, Outcome::Skipped));
            }
            Stage::UnderWay => {
                let outcome = match job {
                    Job::Create if fails => Outcome::CreateFailed { transient: true },
                    Job::Create => Outcome::Created,
                    Job::Check | Job::Reset if fails => Outcome::Unfit,
                    Job::Check | Job::Reset => Outcome::Fit,
                    Job::Close => Outcome::Gone,
                };
                self.feed(Input::Ended(slot, outcome));
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.core.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    /// All is brought back, all jobs end, and everybody comes for what there is. Then as many ask as there may be resources.
    fn end(mut self) -> Missing {
        for _ in 0..ROUNDS {
            while !self.lent.is_empty() {
                self.bring_back();
            }
            self.settle();
        }
        let forgotten = self.queued.len();
        for waiter in std::mem::take(&mut self.queued) {
            self.feed(Input::Cancel(waiter));
        }
        for _ in 0..SIZE {
            self.feed(Input::Wait(Request::default()));
        }
        for _ in 0..ROUNDS {
            self.settle();
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Missing { lost: SIZE.abs_diff(count(self.lent.len())), forgotten: count(forgotten) }
    }

    /// All jobs end, and those in the queue look whether they have something.
    fn settle(&mut self) {
        while !self.jobs.is_empty() {
            self.work();
        }
        for waiter in std::mem::take(&mut self.queued) {
            if !self.feed(Input::Claim(waiter)) {
                self.queued.push(waiter);
            }
        }
        self.pass(Duration::from_millis(20));
    }

    fn any_queued(&mut self) -> Option<WaiterId> {
        if self.queued.is_empty() {
            return None;
        }
        let place = self.random.random_range(0..self.queued.len());
        Some(self.queued.swap_remove(place))
    }

    /// Tells the core one thing; whether it answered the one it is about.
    fn feed(&mut self, input: Input) -> bool {
        let mut answered = false;
        for action in self.core.handle(input, self.now, &mut self.shelf) {
            match action {
                Action::Lend(slot) => {
                    self.lent.push(slot.index());
                    answered = true;
                }
                Action::Queue(waiter) => self.queued.push(waiter),
                Action::Start(slot, job) => self.jobs.push((slot, job, Stage::Ordered)),
                Action::Refuse(_) | Action::Proceed(_) => answered = true,
                // `come` and `settle` look for themselves, and jobs end in any case.
                _ => {}
            }
        }
        answered
    }
}

const SIZE: u32 = 12;
/// More than enough for whatever still has to happen.
const ROUNDS: u32 = 2000;
