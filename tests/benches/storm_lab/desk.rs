//! E12: what a decision at the desk costs, with the policy and without: the core alone, on a virtual clock.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::{Duration, Instant};

use millpond_core::{
    Action, Bits, Config, Core, GiveBack, Idle, Input, Job, Outcome, Overload, Request, SlotId,
    WaiterId,
};

use crate::run::now;
use crate::schedule::DEADLINE;

/// A decision may take this long, in nanoseconds.
const MOST: f64 = 1000.0;

/// What the core decides about, over and over.
#[derive(Clone, Copy)]
struct Regime {
    title: &'static str,
    /// How many wait before it begins.
    waiting: u32,
    /// How much later each return comes than the one before.
    step: Duration,
    /// How many come for each that is served.
    arrivals: u32,
}

/// In the first nobody is ever refused, so both policies do the same; in the second, one of every two is.
const REGIMES: [Regime; 2] = [
    Regime {
        title: "hand-over, 1000 wait, no overload",
        waiting: 1000,
        step: Duration::from_micros(1),
        arrivals: 1,
    },
    Regime {
        title: "hand-over, twice as many come as are served",
        waiting: 0,
        step: Duration::from_millis(2),
        arrivals: 2,
    },
];

/// Measures, and says whether every decision was cheap enough.
pub(crate) fn measure(rounds: usize) -> (String, bool) {
    let mut text = String::from(
        "**E12**: what a decision of the core costs, in ns, the policies in turns.\n\n\
         | load | policy | median | 10 % | 90 % | to plain queue |\n\
         |---|---|--:|--:|--:|--:|\n",
    );
    let mut cheap = true;
    for regime in REGIMES {
        let mut desks = POLICIES.map(|(_, overload)| Desk::new(overload, regime));
        let costs = in_turns(rounds, |which| desks[which].cycles(CYCLES, regime));
        cheap &= put(&mut text, regime.title, costs);
    }
    let mut desks = POLICIES.map(|(_, overload)| Desk::full(overload));
    let costs = in_turns(rounds, |which| desks[which].refusals(CYCLES));
    cheap &= put(&mut text, "refusal on arrival", costs);
    (text, cheap)
}

/// Nanoseconds of each policy, sorted. The first round warms up.
fn in_turns(rounds: usize, mut measure: impl FnMut(usize) -> f64) -> [Vec<f64>; 2] {
    let mut costs = [const { Vec::new() }; 2];
    for round in 0..=rounds {
        for (which, costs) in costs.iter_mut().enumerate() {
            let cost = measure(which);
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    costs.iter_mut().for_each(|costs| costs.sort_by(f64::total_cmp));
    costs
}

fn put(text: &mut String, title: &str, costs: [Vec<f64>; 2]) -> bool {
    let at = |which: usize, share: f64| {
        let costs: &Vec<f64> = &costs[which];
        costs[((costs.len() - 1) as f64 * share).round() as usize]
    };
    for (which, (policy, _)) in POLICIES.iter().enumerate() {
        let (low, median, high) = (at(which, 0.1), at(which, 0.5), at(which, 0.9));
        let ratio = median / at(0, 0.5);
        let _ = writeln!(
            text,
            "| {title} | {policy} | {median:.0} | {low:.0} | {high:.0} | {ratio:.2} |"
        );
    }
    (0..2).all(|which| at(which, 0.5) <= MOST)
}

/// A core with all resources lent, and those who wait for them.
struct Desk {
    core: Core,
    bits: Bits,
    now: Instant,
    /// The slots that are lent, in the order in which they will come home.
    lent: VecDeque<u32>,
    /// Those who were told to come.
    woken: Vec<WaiterId>,
    /// Creations that were ordered.
    opening: Vec<SlotId>,
    decisions: u64,
    refused: u64,
}

impl Desk {
    fn new(overload: Overload, regime: Regime) -> Self {
        let mut desk = Self::open(Config { overload, max_waiters: 100_000, ..Config::default() });
        (0..regime.waiting).for_each(|_| desk.arrive());
        // Until the queue has settled.
        for _ in 0..10_000 {
            desk.cycle(regime);
        }
        desk
    }

    /// One at which all are refused who come: by the policy, or because the queue has an end.
    fn full(overload: Overload) -> Self {
        let max_waiters = if overload == Overload::Fifo { 16 } else { 100_000 };
        let mut desk = Self::open(Config { overload, max_waiters, ..Config::default() });
        for _ in 0..10_000 {
            desk.cycle(REGIMES[1]);
        }
        // Time stands still from here on, and nothing comes home.
        (0..100).for_each(|_| desk.arrive());
        desk
    }

    fn open(config: Config) -> Self {
        let size = config.max_size;
        let mut desk = Self {
            core: Core::new(config),
            bits: Bits::default(),
            now: now(),
            lent: VecDeque::new(),
            woken: Vec::new(),
            opening: Vec::new(),
            decisions: 0,
            refused: 0,
        };
        desk.handle(Input::DriverUp);
        (0..size).for_each(|_| desk.arrive());
        assert_eq!(desk.lent.len(), size as usize, "whoever comes first is lent a new resource");
        desk
    }

    /// The cost of a decision, in nanoseconds, over so many returns.
    fn cycles(&mut self, cycles: u32, regime: Regime) -> f64 {
        let (began, before) = (now(), self.decisions);
        for _ in 0..cycles {
            self.cycle(regime);
        }
        let took = (now() - began).as_nanos() as f64;
        assert_eq!(self.refused > 0, regime.arrivals > 1, "only overload costs anybody its place");
        took / (self.decisions - before) as f64
    }

    /// The cost of a refusal, over so many.
    fn refusals(&mut self, count: u32) -> f64 {
        let (began, before) = (now(), self.refused);
        for _ in 0..count {
            self.arrive();
        }
        let took = (now() - began).as_nanos() as f64;
        assert_eq!(self.refused - before, u64::from(count), "everybody is refused");
        took / f64::from(count)
    }

    /// Some come, one resource comes home, and its next borrower takes it; the driver looks at the timers when it should.
    fn cycle(&mut self, regime: Regime) {
        self.now += regime.step;
        (0..regime.arrivals).for_each(|_| self.arrive());
        if self.core.next_timeout().is_some_and(|due| due <= self.now) {
            self.handle(Input::Tick);
        }
        let slot = self.lent.pop_front().expect("everything is lent");
        // The moment of its return is on the shelf, as any borrower leaves it.
        self.bits.give_back(slot, self.now);
        assert!(self.bits.claim(slot), "nobody else is at the shelf");
        self.handle(Input::GiveBack(slot, GiveBack::Unused));
    }

    fn arrive(&mut self) {
        let deadline = self.now.checked_add(DEADLINE);
        self.handle(Input::Wait(Request { lane: 0, deadline, covers_lease: true }));
    }

    /// Does what the core says, at once.
    fn handle(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            self.decisions += 1;
            for action in self.core.handle(input, self.now, &mut self.bits) {
                match action {
                    Action::Lend(slot) => self.lent.push_back(slot.index()),
                    Action::Refuse(_) => self.refused += 1,
                    Action::Wake(waiter) => self.woken.push(waiter),
                    Action::Start(slot, Job::Create) => self.opening.push(slot),
                    _ => {}
                }
            }
            let opened = self.opening.pop().map(|slot| Input::Ended(slot, Outcome::Created));
            next = opened.or_else(|| self.woken.pop().map(Input::Claim));
        }
    }
}

const POLICIES: [(&str, Overload); 2] = [("plain queue", Overload::Fifo), ("auto", Overload::Auto)];

/// Some milliseconds of work, between two looks at the clock.
const CYCLES: u32 = 20_000;
