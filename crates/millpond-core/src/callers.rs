//! Those who ask: how a caller is served, queued, refused, and forgotten.

use std::time::{Duration, Instant};

use crate::core::{Core, Mode};
use crate::io::{Action, Idle, Refusal, Request, Why};
use crate::notes::Note;
use crate::overload::ShedReason;
use crate::phases::Phases;
use crate::slots::State;
use crate::timers::TimerKey;
use crate::waiters::{Standing, WaiterId};

impl Core {
    pub(crate) fn wait(&mut self, request: Request, now: Instant, idle: &mut impl Idle) {
        let Request { lane, deadline, covers_lease } = request;
        debug_assert!(self.waiters.lanes().contains(&lane), "there is no lane {lane}");
        let refused = if self.is_closing() {
            Some(Why::Closed)
        } else {
            // Those who came first come first, also by a bit that has just come home.
            self.serve(now, idle);
            // What lies idle costs no waiting, so it is lent even past the deadline.
            if let Some(index) = self.take_for_caller(now, idle) {
                self.lanes[lane as usize].look.prompt = true;
                self.tie(index, lane);
                return self.lend(index, now);
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                Some(Why::Deadline)
            } else {
                self.admit(request, now).err()
            }
        };
        if let Some(why) = refused {
            // The next caller may find what this one may not wait for.
            self.unasked = 1;
            let ahead = match why {
                Why::Shed(ShedReason::PredictedTooLate) => {
                    u32::try_from(self.returns_for(lane, 0)).unwrap_or(u32::MAX)
                }
                _ => self.waiters.waiting_in(lane),
            };
            let refusal = self.refusal(why, lane, ahead, now, now, None);
            return self.act(Action::Refuse(refusal));
        }
        let phases = self.phases.read(now);
        let id = self.waiters.push(lane, now, phases);
        if let Some(deadline) = deadline {
            let waiter = self.waiters.get_mut(id);
            waiter.patience = deadline.saturating_duration_since(now);
            waiter.covers_lease = covers_lease;
            self.timers.set(TimerKey::Deadline(id.index()), deadline);
        }
        self.totals.queued += 1;
        self.note_queued(lane);
        self.act(Action::Queue(id));
    }

    pub(crate) fn try_lend(&mut self, now: Instant, idle: &mut impl Idle) {
        if self.is_closing() {
            return;
        }
        self.serve(now, idle);
        match self.take_for_caller(now, idle) {
            Some(index) => self.lend(index, now),
            None => self.unasked = 1,
        }
    }

    /// Lends what lies idle in a place, to one who does not ask whether it is fit.
    pub(crate) fn take(&mut self, index: u32, idle: &mut impl Idle) {
        if self.is_open(index) && idle.claim(index) {
            self.act(Action::Lend(self.slots.id(index)));
        }
    }

    /// Answers a `Try` that was not served, by what the rest of the input's handling left.
    pub(crate) fn settle_try(&mut self, now: Instant) {
        if self.actions.iter().any(|action| matches!(action, Action::Lend(_))) {
            return;
        }
        let counts = self.slots.counts();
        let why = match self.mode {
            Mode::Closing | Mode::Drained => Why::Closed,
            Mode::Paused => Why::Paused,
            Mode::Open if counts.checking > 0 => Why::Checking,
            Mode::Open if counts.creating > 0 => Why::Creating,
            Mode::Open if self.backoff.is_failing() && counts.live + counts.offered == 0 => {
                Why::CreateFailed
            }
            Mode::Open => Why::Exhausted,
        };
        let refusal = self.refusal(why, 0, self.waiters.waiting(), now, now, None);
        self.act(Action::Refuse(refusal));
    }

    pub(crate) fn claim(&mut self, id: WaiterId, now: Instant, idle: &mut impl Idle) {
        debug_assert!(self.waiters.is_current(id), "{id:?} was told its outcome already");
        if !self.waiters.is_current(id) || self.waiters.get(id).standing != Standing::Lapsed {
            return;
        }
        // It did not come for an offer in time, so others were served; once, that is held in its favour.
        self.serve(now, idle);
        let waiter = self.waiters.get_mut(id);
        let before = std::mem::replace(&mut waiter.requeued, true);
        if before {
            self.waiters.enqueue_back(id);
        } else {
            self.waiters.enqueue_front(id);
        }
    }

    /// Tells a waiter that was polled its outcome, if there is one.
    pub(crate) fn settle_claim(&mut self, id: WaiterId, now: Instant) {
        if !self.waiters.is_current(id) {
            return;
        }
        match self.waiters.get(id).standing {
            Standing::Offered(index) => {
                self.slots.enter(index, State::Live);
                self.lapses = Lapses::default();
                self.forget(id);
                self.lend(index, now);
            }
            Standing::Refused(refusal) => {
                self.forget(id);
                self.act(Action::Refuse(refusal));
            }
            Standing::Waiting | Standing::Lapsed => {}
        }
    }

    pub(crate) fn cancel(&mut self, id: WaiterId, now: Instant, idle: &mut impl Idle) {
        debug_assert!(self.waiters.is_current(id), "{id:?} was told its outcome already");
        if !self.waiters.is_current(id) {
            return;
        }
        let standing = self.waiters.get(id).standing;
        if standing == Standing::Waiting {
            self.note_left(id, now);
        }
        self.forget(id);
        self.totals.cancelled += u64::from(!matches!(standing, Standing::Refused(_)));
        if let Standing::Offered(index) = standing {
            self.place(index, now, now, idle);
        }
    }

    pub(crate) fn deadline_passed(&mut self, index: u32, now: Instant) {
        let Some(id) = self.waiters.id(index) else { return };
        match self.waiters.get(id).standing {
            Standing::Offered(_) => self.waiters.get_mut(id).expired = true,
            Standing::Waiting => {
                let ahead = self
                    .waiters
                    .queue(self.waiters.get(id).lane)
                    .take_while(|other| *other != id)
                    .take(MOST_COUNTED)
                    .count();
                self.refuse(id, Why::Deadline, u32::try_from(ahead).unwrap_or(u32::MAX), now);
            }
            Standing::Lapsed => self.refuse(id, Why::Deadline, 0, now),
            Standing::Refused(_) => {}
        }
    }

    pub(crate) fn revoke(&mut self, index: u32, now: Instant, idle: &mut impl Idle) {
        let Some((id, slot)) = self.waiters.id(index).and_then(|id| Some((id, self.offered(id)?)))
        else {
            return;
        };
        self.totals.revoked += 1;
        self.lapses.add(self.waiters.get(id).offered_at, now);
        self.note(Note::Revoked { waiter: id, slot: self.slots.id(slot) });
        self.withdraw(id, now);
        self.place(slot, now, now, idle);
    }

    /// Refuses a waiter with so many before it; its next poll tells it.
    pub(crate) fn refuse(&mut self, id: WaiterId, why: Why, ahead: u32, now: Instant) {
        let waiter = self.waiters.get(id);
        let (lane, since, phases) = (waiter.lane, waiter.since, waiter.phases);
        let refusal = self.refusal(why, lane, ahead, since, now, Some(phases));
        self.timers.clear(TimerKey::Deadline(id.index()));
        self.waiters.set(id, Standing::Refused(refusal));
        // mutate:
        self.act(Action::Wake(id));
    }

    /// Takes from a waiter what was offered to it; says whether it may wait for something else.
    pub(crate) fn withdraw(&mut self, id: WaiterId, now: Instant) -> bool {
        self.timers.clear(TimerKey::Offer(id.index()));
        self.waiters.set(id, Standing::Lapsed);
        let why = if self.waiters.get(id).expired {
            Why::Deadline
        } else if self.is_closing() {
            Why::Closed
        } else {
            return true;
        };
        self.refuse(id, why, 0, now);
        false
    }

    /// Refuses everybody in the queue.
    pub(crate) fn refuse_all(&mut self, why: Why, now: Instant) {
        for lane in self.waiters.lanes() {
            let mut ahead = 0;
            while let Some(id) = self.waiters.front(lane) {
                self.refuse(id, why, ahead, now);
                ahead += 1;
            }
        }
    }

    fn refusal(
        &mut self,
        why: Why,
        lane: u32,
        ahead: u32,
        since: Instant,
        now: Instant,
        start: Option<Phases>,
    ) -> Refusal {
        match why {
            Why::Deadline => self.totals.timed_out += 1,
            Why::TooManyWaiters => self.totals.too_many_waiters += 1,
            Why::CreateFailed => self.totals.create_refused += 1,
            Why::Closed => self.totals.closed_refused += 1,
            Why::Shed(reason) => self.totals.count_shed(reason),
            // Who only tries is told how it is, which is no refusal.
            Why::Exhausted | Why::Full | Why::Creating | Why::Checking | Why::Paused => {
                let (waited, phases) = (Duration::ZERO, Phases::default());
                return Refusal { why, ahead, waited, phases, retry_after: Duration::ZERO };
            }
        }
        let phases = start.map_or_else(Phases::default, |start| self.phases.since(&start, now));
        let waited = now.saturating_duration_since(since);
        let retry_after = self.note_refused(lane, why, waited, now);
        Refusal { why, ahead, waited, phases, retry_after }
    }

    /// The caller of this input has what is set aside for it, or was idle.
    fn lend(&mut self, index: u32, now: Instant) {
        let slot = self.slots.get_mut(index);
        slot.lent = self.holds.began(now);
        let tied = slot.tied.is_some();
        let id = self.slots.id(index);
        self.act(Action::Lend(id));
        if tied {
            self.act(Action::Retag(id));
        }
    }

    /// Whether something is set aside for this waiter, which has not come for it yet.
    pub(crate) fn is_offered(&self, id: WaiterId) -> bool {
        self.waiters.is_current(id) && self.offered(id).is_some()
    }

    /// The slot set aside for a waiter.
    pub(crate) fn offered(&self, id: WaiterId) -> Option<u32> {
        match self.waiters.get(id).standing {
            Standing::Offered(index) => Some(index),
            _ => None,
        }
    }

    /// Forgets a waiter and its timers.
    fn forget(&mut self, id: WaiterId) {
        self.timers.clear(TimerKey::Deadline(id.index()));
        self.timers.clear(TimerKey::Offer(id.index()));
        self.waiters.remove(id);
    }
}

/// How many offers in a row nobody came for. Those that overlap are one round: that everybody was late once is one fact about
/// the program, not many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lapses {
    rounds: u32,
    last: Option<Instant>,
}

impl Lapses {
    fn add(&mut self, offered_at: Instant, now: Instant) {
        if self.last.is_none_or(|last| offered_at >= last) {
            self.rounds = self.rounds.saturating_add(1);
        }
        self.last = Some(now);
    }

    /// How long the next has to come: half as long after each round, so that a thousand who never come keep those behind them
    /// waiting for two windows, not for hundreds.
    pub(crate) fn shortened(self, window: Duration) -> Duration {
        window / (1 << self.rounds.min(MOST_HALVINGS))
    }
}

/// A window of one second is then a millisecond: whoever comes at all does so within that.
const MOST_HALVINGS: u32 = 10;
/// How many of those ahead are counted for one that gives up: the walk is for the message only, and all in a long queue may
/// give up at once.
const MOST_COUNTED: usize = 1000;
