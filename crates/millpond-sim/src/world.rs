//! The event loop: a core, its bits and its driver on a virtual clock.

mod attempts;
mod jobs;
mod watch;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use millpond_core::{Action, Config, Core, Idle, Input, Outcome, Refusal, SlotId, WaiterId};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::agenda::{Agenda, Event};
use crate::arrivals::Clock;
use crate::backend::Backend;
use crate::holds::Sampler;
use crate::log::{Fate, Run};
use crate::scenario::{Load, Scenario};
use crate::shelf::Shelf;
use crate::world::attempts::{Attempt, Request};
use crate::world::watch::Watch;

/// Simulates a scenario from its beginning to its end.
///
/// ```
/// use std::time::Duration;
/// use millpond_sim::{Arrivals, Callers, Hold, Scenario, run};
///
/// let hold = Hold::Constant(Duration::from_millis(10));
/// let callers = Callers::new(Arrivals::even(50.0), hold, Duration::from_millis(100));
/// let run = run(&Scenario::new(1, callers).lasting(Duration::from_secs(2)));
/// assert_eq!(run.useful(), 1.0);
/// ```
#[must_use]
pub fn run(scenario: &Scenario) -> Run {
    run_watched(scenario, |_| {})
}

/// Simulates a scenario and calls `progress` now and then with the time it has come to.
///
/// ```
/// use std::time::Duration;
/// use millpond_sim::{Arrivals, Callers, Hold, Scenario, run_watched};
///
/// let hold = Hold::Constant(Duration::from_millis(1));
/// let callers = Callers::new(Arrivals::even(20_000.0), hold, Duration::from_millis(100));
/// let mut last = Duration::ZERO;
/// let run = run_watched(&Scenario::new(25, callers), |at| last = at);
/// assert!(last > Duration::from_secs(20) && run.records.len() == 599_999);
/// ```
#[must_use]
pub fn run_watched(scenario: &Scenario, mut progress: impl FnMut(Duration)) -> Run {
    let mut world = World::new(scenario);
    let mut steps = 0_u64;
    while world.step() {
        steps += 1;
        if steps % STEPS_PER_REPORT == 0 {
            progress(Duration::from_nanos(world.now));
        }
    }
    world.end()
}

struct World<'a> {
    scenario: &'a Scenario,
    core: Core,
    shelf: Shelf,
    backend: Backend,
    agenda: Agenda,
    /// The virtual time, in nanoseconds.
    now: u64,
    /// The core's instant at time zero.
    base: Instant,
    kinds: Vec<Kind>,
    tasks: Vec<Task>,
    requests: Vec<Request>,
    free_requests: Vec<u32>,
    attempts: Vec<Attempt>,
    free_attempts: Vec<u32>,
    /// The attempt of each waiter, by its index.
    waiters: Vec<Option<(WaiterId, u32)>>,
    /// The attempt that each slot is lent to.
    leases: Vec<Option<u32>>,
    lent: u32,
    /// When the resource in each slot was opened.
    born: Vec<u64>,
    /// Jobs whose `Ended` is owed.
    jobs: HashSet<SlotId>,
    connect: Sampler,
    /// For whatever is not drawn when a request comes, so that equal requests come whatever the policy does.
    random: Pcg64Mcg,
    serial: u64,
    watch: Watch,
}

/// One kind of callers, at work.
struct Kind {
    clock: Option<Clock>,
    hold: Sampler,
    random: Pcg64Mcg,
    deadline: u64,
    /// What is left of its budget for retries.
    tokens: f64,
}

/// One task of a closed loop.
struct Task {
    kind: u32,
    left: u32,
}

/// What the core answered to the caller of an input.
enum Answer {
    Lent(u32),
    Queued(WaiterId),
    Refused(Refusal),
    Nothing,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(scenario.seed);
        let config =
            Config { seed: random.next_u64(), watched: true, ..scenario.pool.config.clone() };
        let kinds = scenario.callers.iter().map(|callers| Kind {
            clock: match &callers.load {
                Load::Open(arrivals) => Some(Clock::new(arrivals)),
                Load::Closed { .. } => None,
            },
            hold: Sampler::new(&callers.hold),
            random: Pcg64Mcg::seed_from_u64(random.next_u64()),
            deadline: whole(callers.deadline),
            tokens: 0.0,
        });
        let mut world = Self {
            shelf: Shelf::new(&config),
            kinds: kinds.collect(),
            core: Core::new(config),
            scenario,
            backend: Backend::new(&scenario.faults),
            agenda: Agenda::default(),
            now: 0,
            base: some_instant(),
            tasks: Vec::new(),
            requests: Vec::new(),
            free_requests: Vec::new(),
            attempts: Vec::new(),
            free_attempts: Vec::new(),
            waiters: Vec::new(),
            leases: Vec::new(),
            lent: 0,
            born: Vec::new(),
            jobs: HashSet::new(),
            connect: Sampler::new(&scenario.pool.connect),
            random,
            serial: 0,
            watch: Watch::new(scenario),
        };
        world.open();
        world
    }

    /// Brings up the pool and lets the first callers come.
    fn open(&mut self) {
        self.feed(Input::DriverUp);
        for _ in 0..self.scenario.pool.open {
            if let Answer::Lent(slot) = self.feed(Input::Add) {
                self.bear(slot);
                self.feed(Input::Ended(self.core.id(slot), Outcome::Added));
            }
        }
        for (kind, callers) in (0..).zip(&self.scenario.callers) {
            match callers.load {
                Load::Open(_) => self.expect_arrival(kind),
                Load::Closed { tasks, cycles, .. } => {
                    for _ in 0..tasks {
                        self.agenda.enter(0, Event::Cycle(index(self.tasks.len())));
                        self.tasks.push(Task { kind, left: cycles });
                    }
                }
            }
        }
    }

    /// Lets happen what happens next; whether there was anything.
    fn step(&mut self) -> bool {
        let next = self.agenda.next();
        let timer =
            self.core.next_timeout().map(|at| whole(at.saturating_duration_since(self.base)));
        let limit = if self.watch.open > 0 { self.now.saturating_add(PATIENCE) } else { 0 };
        match (next, timer) {
            (next, Some(timer)) if timer <= next.unwrap_or(limit) => {
                self.now = self.now.max(timer);
                self.feed(Input::Tick);
            }
            (Some(next), _) => {
                self.now = next;
                if let Some(event) = self.agenda.pop() {
                    self.happen(event);
                }
            }
            _ => return false,
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival(kind) => {
                self.request(kind, None);
                self.expect_arrival(kind);
            }
            Event::Cycle(task) => self.cycle(task),
            Event::Again(request) => self.again(request),
            Event::Ask(attempt) => self.ask(attempt),
            Event::Come(waiter) => self.come(waiter),
            Event::Late(attempt, serial) => self.late(attempt, serial),
            Event::Return(slot) => self.give_back(slot),
            Event::Begin(slot, job) => self.begin(slot, job),
            Event::End(slot, outcome) => self.end_job(slot, outcome),
        }
    }

    /// Tells the core one thing and does what it wants done.
    fn feed(&mut self, input: Input) -> Answer {
        let mut answer = Answer::Nothing;
        let now = self.instant();
        let late = self.now + whole(self.scenario.pool.claim_latency);
        for action in self.core.handle(input, now, &mut self.shelf) {
            match action {
                Action::Lend(slot) | Action::Adopt(slot) => answer = Answer::Lent(slot.index()),
                Action::Queue(waiter) => answer = Answer::Queued(waiter),
                Action::Refuse(refusal) => answer = Answer::Refused(refusal),
                Action::Wake(waiter) => self.agenda.enter(late, Event::Come(waiter)),
                Action::Start(slot, job) => {
                    self.jobs.insert(slot);
                    self.agenda.enter(self.now, Event::Begin(slot, job));
                }
                Action::Proceed(slot) => answer = Answer::Lent(slot.index()),
                Action::Abandon(slot, job) => {
                    self.agenda.enter(self.now, Event::End(slot, jobs::stopped(job)));
                }
                Action::Retag(_) | Action::Closing | Action::Drained => {}
            }
        }
        self.watch.look(self.now, self.lent, &mut self.core, self.shelf.count());
        answer
    }

    fn expect_arrival(&mut self, kind: u32) {
        let Kind { clock, random, .. } = &mut self.kinds[kind as usize];
        let next = clock.as_mut().and_then(|clock| clock.next(random));
        if let Some(at) = next.filter(|at| *at < whole(self.scenario.lasts)) {
            self.agenda.enter(at, Event::Arrival(kind));
        }
    }

    fn cycle(&mut self, task: u32) {
        let Task { kind, left } = &mut self.tasks[task as usize];
        if *left > 0 {
            *left -= 1;
            let kind = *kind;
            self.request(kind, Some(task));
        }
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_nanos(self.now)
    }

    /// Ends the run: whatever is still under way remains so.
    fn end(mut self) -> Run {
        let open: Vec<_> = (0..index(self.requests.len()))
            .filter(|request| self.requests[*request as usize].live > 0)
            .collect();
        for request in open {
            let fate = self.requests[request as usize].fate.unwrap_or(Fate::Unfinished);
            self.record(request, fate);
        }
        let (counts, totals) = (self.core.counts(), self.core.totals());
        self.watch.end(self.scenario, self.now, counts, totals, self.agenda.entered())
    }

    /// A random factor from 0.5 to 1.5.
    fn jitter(&mut self) -> f64 {
        0.5 + self.random.random::<f64>()
    }
}

/// A length of time as whole nanoseconds; as good as for ever if it is too long for that.
fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(LONGEST).min(LONGEST)
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("fewer than 2^32 requests are under way at a time")
}

/// Where the virtual clock begins.
#[expect(
    clippy::disallowed_methods,
    reason = "a virtual clock needs some instant to begin at; it is never read again"
)]
pub(crate) fn some_instant() -> Instant {
    Instant::now()
}

/// The longest time that is reckoned with, in nanoseconds: 146 years. A few of them add up without overflow.
const LONGEST: u64 = u64::MAX / 4;
/// How often progress is told.
const STEPS_PER_REPORT: u64 = 1 << 18;
/// How long nothing but the pool's own timers may happen while requests are open, before they count as unfinished.
const PATIENCE: u64 = 3_600_000_000_000;
