//! A pool that decides as the core does, in the plainest way: everything in vectors, every count counted anew, every alarm
//! found by looking at all of them. Slow, and hard to get wrong.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::chance::Chance;
use super::growth::Pace;
use super::words::{Reason, Said, Told};
use crate::io::{Outcome, Why};
use crate::{Config, Counts, Phase, Totals};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Vacant,
    Creating { unasked: bool },
    Void,
    Idle,
    Lent,
    Offered,
    Checking { doubtful: bool },
    Resetting,
    Closing,
    Stuck,
}

/// An alarm: when, and set as the how-manieth.
pub(super) type Alarm = Option<(Instant, u64)>;

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) place: Place,
    pub(super) since: Instant,
    pub(super) epoch: u64,
    pub(super) retire_at: Option<Instant>,
    pub(super) began: Instant,
    pub(super) begun: bool,
    pub(super) suspect: bool,
    /// The lane it counts for.
    pub(super) tied: Option<u32>,
    pub(super) proved: Option<Instant>,
    pub(super) task: usize,
    pub(super) timeout: Alarm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Waiting,
    Offered(u32),
    Lapsed,
    Refused(Reason),
    Gone,
}

#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) standing: Standing,
    pub(super) lane: u32,
    pub(super) came: Instant,
    pub(super) deadline: Alarm,
    pub(super) window: Alarm,
    pub(super) offered_at: Instant,
    pub(super) expired: bool,
    pub(super) late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Open,
    Paused,
    Closing,
    Drained,
}

#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) config: Config,
    pub(super) slots: Vec<Slot>,
    pub(super) callers: Vec<Caller>,
    /// All who wait, of all lanes; of each lane, in the order in which they are served.
    pub(super) line: VecDeque<usize>,
    /// Those with an offer, in the order in which they got it.
    pub(super) offered: Vec<usize>,
    pub(super) mode: Mode,
    pub(super) epoch: u64,
    pub(super) driver: bool,
    pub(super) asleep: bool,
    pub(super) attended: bool,
    pub(super) failures: u32,
    pub(super) last_failure: Option<Instant>,
    /// How many creations succeeded since the last failure, that one counted as one.
    pub(super) successes: Option<u32>,
    /// How many rounds of offers in a row nobody came for, and when the last ended.
    pub(super) lapses: (u32, Option<Instant>),
    pub(super) permanent: bool,
    /// The pause after a failed creation; its end is not known before the input has been dealt with.
    pub(super) pause: Option<Alarm>,
    pub(super) pause_order: u64,
    pub(super) tick: Alarm,
    pub(super) pace: Pace,
    /// When to see whether more creations are needed.
    pub(super) look: Alarm,
    pub(super) unasked: u32,
    /// Whether this is an occasion to see whether enough lies idle.
    pub(super) tending: bool,
    pub(super) abandoned: Vec<usize>,
    pub(super) tasks: usize,
    pub(super) totals: Totals,
    /// What those who wait have waited for, and since when.
    pub(super) history: Vec<(Instant, Option<Phase>)>,
    pub(super) orders: u64,
    pub(super) said: Vec<Said>,
}

impl Slot {
    /// Since when nobody has seen it work.
    pub(super) fn unseen(&self) -> Instant {
        self.proved.map_or(self.since, |proved| self.since.max(proved))
    }
}

impl Caller {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|(at, _)| at)
    }
}

impl Pool {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            slots: Vec::new(),
            callers: Vec::new(),
            line: VecDeque::new(),
            offered: Vec::new(),
            mode: Mode::Open,
            epoch: 0,
            driver: false,
            asleep: false,
            attended: false,
            failures: 0,
            last_failure: None,
            successes: None,
            lapses: (0, None),
            permanent: false,
            pause: None,
            pause_order: 0,
            tick: None,
            pace: Pace::default(),
            look: None,
            unasked: 0,
            tending: false,
            abandoned: Vec::new(),
            tasks: 0,
            totals: Totals::default(),
            history: Vec::new(),
            orders: 0,
            said: Vec::new(),
        }
    }

    /// Takes in one input, and learns from `chance` what was left to chance.
    pub(super) fn feed(&mut self, told: Told, now: Instant, chance: &Chance) -> Vec<Said> {
        self.unasked = 0;
        self.tending = match told {
            Told::Ended(_, outcome) => outcome != Outcome::Fit,
            Told::DriverUp | Told::Resize(_) | Told::Resume | Told::RetireAll(_) => true,
            _ => false,
        };
        let rang = self.ring(now, chance);
        if !matches!(told, Told::Tick) && self.asleep {
            self.asleep = false;
            self.tick = self.alarm(now, self.config.tick);
        }
        // What changes hands without anything else having happened concerns nobody else.
        let comes = |caller: usize| matches!(self.callers[caller].standing, Standing::Offered(_));
        let alone = !rang && matches!(told, Told::Claim(caller) if comes(caller));
        self.hear(told, now, chance);
        if !alone {
            self.settle(now);
        }
        if let Told::Claim(caller) = told {
            self.tell(caller);
        }
        if matches!(told, Told::Try) {
            self.answer_try(now);
        }
        // The end of the pause is random: within bounds, it is what the core says.
        if let Some(None) = self.pause {
            let doublings = (self.failures - 1).min(31);
            let longest = self.config.backoff_base.saturating_mul(1 << doublings);
            let end = chance.backoff_ends.expect("a pause has an end");
            assert!(end >= now && end - now <= longest.min(self.config.backoff_cap));
            self.pause = Some(Some((end, self.pause_order)));
        }
        std::mem::take(&mut self.said)
    }

    fn hear(&mut self, told: Told, now: Instant, chance: &Chance) {
        match told {
            Told::Wait(lane, deadline) => self.wait(lane, deadline, now),
            Told::Try if self.is_closing() => {}
            Told::Try => {
                self.serve(now);
                match self.for_caller(now) {
                    Some(slot) => self.said.push(Said::Lend(slot)),
                    None => self.unasked = 1,
                }
            }
            Told::Claim(caller) => self.queue_again(caller, now),
            Told::Cancel(caller) => {
                let was = std::mem::replace(&mut self.callers[caller].standing, Standing::Gone);
                self.line.retain(|other| *other != caller);
                self.offered.retain(|other| *other != caller);
                self.totals.cancelled += u64::from(!matches!(was, Standing::Refused(_)));
                if let Standing::Offered(slot) = was {
                    self.place(slot, now, now);
                }
            }
            Told::GiveBack(slot, how) => self.give_back(slot, how, now),
            Told::Begin(task) => self.begin(task, now),
            Told::Ended(task, outcome) => self.ended(task, outcome, now),
            Told::Resize(max) => self.config.max_size = max,
            Told::Pause if self.mode == Mode::Open => self.mode = Mode::Paused,
            Told::Resume if self.mode == Mode::Paused => self.mode = Mode::Open,
            Told::RetireAll(spread) => self.retire_all(spread, now, chance),
            Told::Close if !self.is_closing() => {
                self.mode = Mode::Closing;
                self.said.push(Said::Closing);
                self.refuse_line(Why::Closed, now);
                for caller in 0..self.callers.len() {
                    if self.callers[caller].standing == Standing::Lapsed {
                        self.refuse(caller, Why::Closed, 0, now);
                    }
                }
            }
            Told::DriverUp => {
                (self.driver, self.asleep) = (true, false);
                self.tick = self.alarm(now, self.config.tick);
                for index in 0..self.slots.len() {
                    if self.slots[index].timeout.is_none() {
                        let timeout = self.timeout_of(self.slots[index].place, now);
                        self.slots[index].timeout = timeout;
                    }
                }
                self.check_where(|slot| slot.suspect, false, now);
            }
            Told::DriverLost => {
                (self.driver, self.tick) = (false, None);
                for index in self.indices() {
                    let slot = &mut self.slots[index as usize];
                    slot.suspect =
                        !matches!(slot.place, Place::Vacant | Place::Closing | Place::Stuck);
                    if slot.suspect {
                        self.said.push(Said::Retag(index));
                    }
                }
                for slot in self.recall_offers(now) {
                    self.place(slot, now, now);
                }
                let line = self.lane_by_lane();
                self.said.extend(line.into_iter().map(Said::Wake));
            }
            Told::Take(slot) => {
                let there = self.slots.get_mut(slot as usize).filter(|it| it.place == Place::Idle);
                if let Some(there) = there {
                    there.place = Place::Lent;
                    self.said.push(Said::Lend(slot));
                }
            }
            Told::Add => self.add(now),
            Told::Tick | Told::Pause | Told::Resume | Told::Close => {}
        }
    }

    fn wait(&mut self, lane: u32, deadline: Option<Instant>, now: Instant) {
        let mut why = Why::Closed;
        if !self.is_closing() {
            self.serve(now);
            if let Some(slot) = self.for_caller(now) {
                self.tie(slot, lane);
                return self.say_lent(slot);
            }
            why = if deadline.is_some_and(|deadline| deadline <= now) {
                self.unasked = 1;
                Why::Deadline
            } else if self.waiting_in(lane) >= self.lane(lane).max_waiters as usize {
                self.unasked = 1;
                Why::TooManyWaiters
            } else {
                let caller = self.callers.len();
                let deadline = deadline.map(|at| (at, self.order()));
                self.callers.push(Caller {
                    standing: Standing::Waiting,
                    lane,
                    came: now,
                    deadline,
                    window: None,
                    offered_at: now,
                    expired: false,
                    late: false,
                });
                self.line.push_back(caller);
                self.totals.queued += 1;
                return self.said.push(Said::Queue(caller));
            };
        }
        let reason = self.reason(why, self.waiting_in(lane), now, now);
        self.said.push(Said::Refuse(reason));
    }

    fn queue_again(&mut self, caller: usize, now: Instant) {
        if self.callers[caller].standing != Standing::Lapsed {
            return;
        }
        self.serve(now);
        self.callers[caller].standing = Standing::Waiting;
        if std::mem::replace(&mut self.callers[caller].late, true) {
            self.line.push_back(caller);
        } else {
            self.line.push_front(caller);
        }
    }

    fn tell(&mut self, caller: usize) {
        match self.callers[caller].standing {
            Standing::Offered(slot) => {
                self.slots[slot as usize].place = Place::Lent;
                self.lapses = (0, None);
                self.offered.retain(|other| *other != caller);
                self.say_lent(slot);
            }
            Standing::Refused(reason) => self.said.push(Said::Refuse(reason)),
            _ => return,
        }
        self.callers[caller].standing = Standing::Gone;
    }

    fn answer_try(&mut self, now: Instant) {
        if self.said.iter().any(|said| matches!(said, Said::Lend(_))) {
            return;
        }
        let counts = self.counts();
        let why = match self.mode {
            Mode::Closing | Mode::Drained => Why::Closed,
            Mode::Paused => Why::Paused,
            Mode::Open if counts.checking > 0 => Why::Checking,
            Mode::Open if counts.creating > 0 => Why::Creating,
            Mode::Open if self.failures > 0 && counts.live + counts.offered == 0 => {
                Why::CreateFailed
            }
            Mode::Open => Why::Exhausted,
        };
        let reason = self.reason(why, self.line.len(), now, now);
        self.said.push(Said::Refuse(reason));
    }

    pub(super) fn refuse_line(&mut self, why: Why, now: Instant) {
        let mut ahead = [0; 3];
        for caller in self.lane_by_lane() {
            let ahead = &mut ahead[self.callers[caller].lane as usize];
            self.refuse(caller, why, std::mem::replace(ahead, *ahead + 1), now);
        }
    }

    pub(super) fn refuse(&mut self, caller: usize, why: Why, ahead: usize, now: Instant) {
        let reason = self.reason(why, ahead, self.callers[caller].came, now);
        self.callers[caller].standing = Standing::Refused(reason);
        self.line.retain(|other| *other != caller);
        self.said.push(Said::Wake(caller));
    }

    pub(super) fn reason(&mut self, why: Why, ahead: usize, came: Instant, now: Instant) -> Reason {
        match why {
            Why::Deadline => self.totals.timed_out += 1,
            Why::TooManyWaiters => self.totals.too_many_waiters += 1,
            Why::CreateFailed => self.totals.create_refused += 1,
            Why::Closed => self.totals.closed_refused += 1,
            _ => {}
        }
        let mut phases = [Duration::ZERO; 6];
        let ends = self.history.iter().skip(1).map(|(at, _)| *at).chain([now]);
        for ((start, phase), end) in self.history.iter().zip(ends) {
            if let Some(phase) = phase {
                phases[*phase as usize] += end.saturating_duration_since((*start).max(came));
            }
        }
        let ahead = u32::try_from(ahead).expect("a few callers");
        Reason { why, ahead, waited: now - came, phases }
    }

    /// An alarm after so long, later than all that were set for the same moment.
    pub(super) fn alarm(&mut self, now: Instant, after: Duration) -> Alarm {
        let order = self.order();
        now.checked_add(after).map(|at| (at, order))
    }

    pub(super) fn order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }

    pub(super) fn is_closing(&self) -> bool {
        matches!(self.mode, Mode::Closing | Mode::Drained)
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts { max: self.config.max_size, ..Counts::default() };
        for slot in &self.slots {
            match slot.place {
                Place::Vacant => {}
                Place::Creating { .. } | Place::Void => counts.creating += 1,
                Place::Idle | Place::Lent => counts.live += 1,
                Place::Offered => counts.offered += 1,
                Place::Checking { .. } => counts.checking += 1,
                Place::Resetting => counts.resetting += 1,
                Place::Closing => counts.closing += 1,
                Place::Stuck => counts.stuck += 1,
            }
        }
        counts.abandoned = u32::try_from(self.abandoned.len()).expect("a few");
        counts.waiting = u32::try_from(self.line.len()).expect("a few");
        let fronts = (0..3).filter_map(|lane| self.first_in(lane));
        counts.oldest_wait = fronts.map(|caller| self.callers[caller].came).min();
        counts
    }
}
