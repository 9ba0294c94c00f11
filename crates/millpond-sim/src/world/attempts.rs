//! Those who use the pool: how a request comes, asks, waits, holds, gives back, asks again and ends.

use std::time::Duration;

use millpond_core::{GiveBack, Idle, Input, Refusal, Request as Asked, WaiterId};
use rand::RngExt;

use super::{Answer, LONGEST, World, index, whole};
use crate::agenda::Event;
use crate::arrivals::nanos;
use crate::log::{Fate, Record, Refused};
use crate::scenario::{AtDeadline, Callers, Load, Told};

/// What one caller wants done, in as many attempts as it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    kind: u32,
    task: Option<u32>,
    due: u64,
    work: u64,
    attempts: u32,
    wait: u64,
    end: u64,
    held: u64,
    /// Attempts under way or about to be made. *Invariant:* the request ends when this comes to zero, and only then.
    pub(super) live: u32,
    /// How it ends as far as is known.
    pub(super) fate: Option<Fate>,
}

/// One attempt of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    request: u32,
    /// When it began.
    began: u64,
    /// Tells it from others that had this place before.
    serial: u64,
    /// Its place in the queue, while it has one.
    waiter: Option<WaiterId>,
    /// When it got its resource.
    since: u64,
    absent: bool,
    /// Its place among all that queued.
    turn: u64,
}

impl World<'_> {
    /// A request comes.
    pub(super) fn request(&mut self, kind: u32, task: Option<u32>) {
        let state = &mut self.kinds[kind as usize];
        let work = state.hold.draw(&mut state.random).min(LONGEST);
        let retries = &self.scenario.callers[kind as usize].retries;
        state.tokens = (state.tokens + retries.budget.unwrap_or(0.0)).min(MOST_TOKENS);
        let request = Request {
            kind,
            task,
            due: self.now,
            work,
            attempts: 0,
            wait: 0,
            end: self.now,
            held: 0,
            live: 1,
            fate: None,
        };
        let place = put(&mut self.requests, &mut self.free_requests, request);
        self.watch.open += 1;
        self.attempt(place);
    }

    /// A request asks again.
    pub(super) fn again(&mut self, request: u32) {
        if self.requests[request as usize].fate == Some(Fate::Good) {
            return self.close_attempt(request);
        }
        self.attempt(request);
    }

    fn attempt(&mut self, request: u32) {
        let state = &mut self.requests[request as usize];
        state.attempts += 1;
        let share = self.scenario.callers[state.kind as usize].absent;
        self.serial += 1;
        let attempt = Attempt {
            request,
            began: self.now,
            serial: self.serial,
            waiter: None,
            since: 0,
            absent: share > 0.0 && self.random.random::<f64>() < share,
            turn: 0,
        };
        let place = put(&mut self.attempts, &mut self.free_attempts, attempt);
        self.ask(place);
    }

    /// An attempt looks for an idle resource, and asks at the desk if there is none.
    pub(super) fn ask(&mut self, attempt: u32) {
        let now = self.instant();
        if self.scenario.pool.config.self_service {
            if let Some(slot) = self.shelf.take() {
                if self.shelf.is_fresh(slot, &self.core, now) {
                    return self.lease(attempt, slot);
                }
                self.feed(Input::GiveBack(slot, GiveBack::Unused));
            }
        }
        let Attempt { request, began, .. } = self.attempts[attempt as usize];
        let callers = &self.scenario.callers[self.requests[request as usize].kind as usize];
        let began = Duration::from_nanos(began);
        let within = |time: Duration| self.base.checked_add(began.saturating_add(time));
        let asked = Asked {
            lane: callers.lane,
            deadline: match callers.told {
                Told::Deadline => within(callers.deadline),
                Told::Timeout(time) => within(time),
                Told::Nothing => None,
            },
            covers_lease: callers.told == Told::Deadline,
        };
        match self.feed(Input::Wait(asked)) {
            Answer::Lent(slot) => self.lease(attempt, slot),
            Answer::Queued(waiter) => self.queue(attempt, waiter),
            Answer::Refused(refusal) => self.refused(attempt, refusal),
            Answer::Nothing => unreachable!("the core answers whoever waits"),
        }
    }

    fn queue(&mut self, attempt: u32, waiter: WaiterId) {
        let callers = self.callers(attempt);
        let leaves = callers.at_deadline == AtDeadline::Leaves;
        // Whoever told the pool is told by it.
        let told = match callers.told {
            Told::Deadline => true,
            Told::Timeout(time) => time <= callers.deadline,
            Told::Nothing => false,
        };
        let looks = (leaves && !told) || (!leaves && callers.retries.most > 0);
        let deadline = self.kinds[self.kind(attempt)].deadline;
        let lane = callers.lane;
        let turn = self.watch.queued(lane);
        let state = &mut self.attempts[attempt as usize];
        (state.waiter, state.turn) = (Some(waiter), turn);
        let (began, serial, absent) = (state.began, state.serial, state.absent);
        let place = waiter.index() as usize;
        if self.waiters.len() <= place {
            self.waiters.resize(place + 1, None);
        }
        self.waiters[place] = Some((waiter, attempt));
        if absent {
            // Nothing will ever come of it: it is open until the end of the run.
            self.watch.open -= 1;
        } else if looks {
            self.agenda.enter(began + deadline, Event::Late(attempt, serial));
        }
    }

    /// A woken caller looks what it was woken for.
    pub(super) fn come(&mut self, waiter: WaiterId) {
        let place = waiter.index() as usize;
        let Some((_, attempt)) = self.waiters[place].filter(|(known, _)| *known == waiter) else {
            return;
        };
        if self.attempts[attempt as usize].absent {
            return;
        }
        match self.feed(Input::Claim(waiter)) {
            Answer::Lent(slot) => {
                self.waiters[place] = None;
                let turn = self.attempts[attempt as usize].turn;
                self.watch.served(self.callers(attempt).lane, turn);
                self.lease(attempt, slot);
            }
            Answer::Refused(refusal) => {
                self.waiters[place] = None;
                self.refused(attempt, refusal);
            }
            Answer::Queued(_) | Answer::Nothing => {}
        }
    }

    /// A caller that waits is at its deadline.
    pub(super) fn late(&mut self, attempt: u32, serial: u64) {
        let Attempt { waiter, serial: known, request, .. } = self.attempts[attempt as usize];
        let Some(waiter) = waiter.filter(|_| known == serial) else { return };
        match self.callers(attempt).at_deadline {
            AtDeadline::Leaves => {
                self.feed(Input::Cancel(waiter));
                self.waiters[waiter.index() as usize] = None;
                self.fail(attempt, Fate::Left, Duration::ZERO);
            }
            // Its request stays where it is.
            AtDeadline::Stays => self.try_again(request, self.now, Duration::ZERO),
        }
    }

    /// An attempt has a resource, unless that is dead: then it is discarded, and the attempt asks for another one.
    fn lease(&mut self, attempt: u32, slot: u32) {
        self.attempts[attempt as usize].waiter = None;
        if self.is_dead(slot) {
            self.feed(Input::GiveBack(slot, GiveBack::Discard));
            return self.agenda.enter(self.now, Event::Ask(attempt));
        }
        let Attempt { began, request, .. } = self.attempts[attempt as usize];
        let crowding = self.callers(attempt).crowding * f64::from(self.lent);
        let mut work = self.requests[request as usize].work;
        if crowding > 0.0 {
            work = nanos(work as f64 * (1.0 + crowding) / 1e9).min(LONGEST);
        }
        let done = self.done(work);
        let death = self.backend.dies(self.born[slot as usize]);
        self.attempts[attempt as usize].since = self.now;
        self.leases[slot as usize] = Some(attempt);
        self.lent += 1;
        self.watch.lent(self.now, self.lent);
        self.agenda.enter(death.map_or(done, |death| death.min(done)), Event::Return(slot));
        let deadline = began + self.kinds[self.kind(attempt)].deadline;
        if done > deadline {
            // Its client will have given up by then, and will ask again.
            self.try_again(request, deadline.max(self.now), Duration::ZERO);
        }
    }

    /// A lease ends.
    pub(super) fn give_back(&mut self, slot: u32) {
        let lease = self.leases[slot as usize].take();
        let Some(attempt) = lease else { unreachable!("slot {slot} is not lent") };
        self.lent -= 1;
        self.watch.lent(self.now, self.lent);
        let Attempt { since, request, began, .. } = self.attempts[attempt as usize];
        let deadline = self.kinds[self.kind(attempt)].deadline;
        let held = self.now - since;
        self.requests[request as usize].held += held;
        if self.is_dead(slot) {
            self.feed(Input::GiveBack(slot, GiveBack::Discard));
            return self.ask(attempt);
        }
        let state = &mut self.requests[request as usize];
        let good = self.now <= state.due.saturating_add(deadline);
        // What counts is the first time that it was done.
        if !matches!(state.fate, Some(Fate::Good | Fate::Late)) {
            (state.wait, state.end) = (since - began, self.now);
            state.fate = Some(if good { Fate::Good } else { Fate::Late });
        }
        self.home(slot);
        self.free_attempts.push(attempt);
        self.attempts[attempt as usize].serial = 0;
        self.close_attempt(request);
    }

    /// A borrower gives back: by the bit, or at the desk while that is attended.
    fn home(&mut self, slot: u32) {
        let now = self.instant();
        if self.shelf.attended {
            self.shelf.stamp(slot, now);
            self.feed(Input::GiveBack(slot, GiveBack::Unused));
        } else {
            self.shelf.release(slot, now);
        }
    }

    fn refused(&mut self, attempt: u32, refusal: Refusal) {
        let Attempt { began, .. } = self.attempts[attempt as usize];
        self.watch.refusals.push(Refused {
            at: Duration::from_nanos(self.now),
            kind: self.kind(attempt),
            after: Duration::from_nanos(self.now - began),
            why: refusal.why,
            retry_after: refusal.retry_after,
        });
        self.fail(attempt, Fate::Refused(refusal.why), refusal.retry_after);
    }

    /// An attempt came to nothing.
    fn fail(&mut self, attempt: u32, fate: Fate, retry_after: Duration) {
        let Attempt { request, .. } = self.attempts[attempt as usize];
        self.attempts[attempt as usize].waiter = None;
        self.attempts[attempt as usize].serial = 0;
        self.free_attempts.push(attempt);
        let state = &mut self.requests[request as usize];
        if !matches!(state.fate, Some(Fate::Good | Fate::Late)) {
            (state.fate, state.end) = (Some(fate), self.now);
        }
        self.try_again(request, self.now, retry_after);
        self.close_attempt(request);
    }

    /// Enters one more attempt of a request, if it may make one.
    fn try_again(&mut self, request: u32, from: u64, retry_after: Duration) {
        let Request { kind, attempts, live, .. } = self.requests[request as usize];
        let retries = self.scenario.callers[kind as usize].retries;
        // Those that are about to be made have not been counted yet.
        if attempts + live > retries.most + 1 {
            return;
        }
        let tokens = &mut self.kinds[kind as usize].tokens;
        if retries.budget.is_some() {
            if *tokens < 1.0 {
                return;
            }
            *tokens -= 1.0;
        }
        let doubled = retries.pause.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let pause = doubled.as_secs_f64() * self.jitter();
        let mut pause = Duration::from_nanos(nanos(pause).min(LONGEST));
        if retries.honours_retry_after {
            pause = pause.max(retry_after);
        }
        self.requests[request as usize].live += 1;
        self.agenda.enter(from + whole(pause), Event::Again(request));
    }

    /// One attempt less is under way; the request ends with the last.
    fn close_attempt(&mut self, request: u32) {
        let state = &mut self.requests[request as usize];
        state.live -= 1;
        if state.live > 0 {
            return;
        }
        let fate = state.fate.unwrap_or(Fate::Unfinished);
        let (task, kind) = (state.task, state.kind);
        self.record(request, fate);
        self.free_requests.push(request);
        self.watch.open -= 1;
        if let (Some(task), Load::Closed { pause, .. }) =
            (task, &self.scenario.callers[kind as usize].load)
        {
            self.agenda.enter(self.now + whole(*pause), Event::Cycle(task));
        }
    }

    pub(super) fn record(&mut self, request: u32, fate: Fate) {
        let state = &self.requests[request as usize];
        let end = if fate == Fate::Unfinished { self.now } else { state.end };
        self.watch.records.push(Record {
            kind: state.kind as usize,
            due: Duration::from_nanos(state.due),
            end: Duration::from_nanos(end),
            wait: Duration::from_nanos(state.wait),
            held: Duration::from_nanos(state.held),
            attempts: state.attempts,
            fate,
        });
    }

    fn kind(&self, attempt: u32) -> usize {
        self.requests[self.attempts[attempt as usize].request as usize].kind as usize
    }

    fn callers(&self, attempt: u32) -> &Callers {
        &self.scenario.callers[self.kind(attempt)]
    }
}

/// Puts something in a free place, or in a new one.
fn put<T>(all: &mut Vec<T>, free: &mut Vec<u32>, new: T) -> u32 {
    match free.pop() {
        Some(place) => {
            all[place as usize] = new;
            place
        }
        None => {
            all.push(new);
            index(all.len() - 1)
        }
    }
}

/// How many retries a budget may save up.
const MOST_TOKENS: f64 = 10.0;
