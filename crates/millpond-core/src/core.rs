//! The state machine: one entry, and what each input does to the state. What follows from the state as a whole, whatever
//! the input was, stands in `serve.rs`.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::config::Config;
use crate::io::{Action, GiveBack, Idle, Input, Job, Outcome, Refusal, Why};
use crate::overload;
use crate::phases::{PhaseClock, Phases};
use crate::report::Totals;
use crate::slots::{SlotId, Slots, State};
use crate::timers::{TimerKey, Timers};
use crate::waiters::{Standing, WaiterId, Waiters};

/// The decisions of one pool.
#[derive(Clone, Debug)]
pub struct Core {
    pub(crate) config: Config,
    pub(crate) slots: Slots,
    pub(crate) waiters: Waiters,
    pub(crate) timers: Timers,
    pub(crate) backoff: Backoff,
    pub(crate) phases: PhaseClock,
    pub(crate) mode: Mode,
    /// Stamped on creations when they begin; a resource of an earlier epoch is never lent.
    pub(crate) epoch: u64,
    /// Whether somebody performs jobs and watches the timers.
    pub(crate) driver: bool,
    /// Whether the tick has stopped because all that is open lies idle. *Transitions:* set by a quiet tick, cleared by
    /// whatever reaches the desk next.
    pub(crate) asleep: bool,
    /// What `Idle::attend` was last told.
    pub(crate) attended: bool,
    /// What lay idle then may have died with the driver.
    pub(crate) suspect_before: Option<Instant>,
    /// Demand beyond those who wait, for the present input only: a caller that does not wait, or may not.
    pub(crate) unasked: u32,
    /// Jobs past their deadline whose `Ended` is still owed.
    pub(crate) abandoned: u32,
    pub(crate) totals: Totals,
    latest: Option<Instant>,
    actions: VecDeque<Action>,
}

/// What the pool as a whole is doing. *Transitions:* `Open` ⇄ `Paused`; both → `Closing` → `Drained`, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    Open,
    Paused,
    Closing,
    Drained,
}

impl Core {
    /// A pool with nothing in it and no driver.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            backoff: Backoff::new(
                config.backoff_base,
                config.backoff_cap,
                config.fail_fast_after,
                config.seed,
            ),
            config,
            slots: Slots::default(),
            waiters: Waiters::default(),
            timers: Timers::default(),
            phases: PhaseClock::default(),
            mode: Mode::Open,
            epoch: 0,
            driver: false,
            asleep: false,
            attended: false,
            suspect_before: None,
            unasked: 0,
            abandoned: 0,
            totals: Totals::default(),
            latest: None,
            actions: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now` and says what is to be done about it.
    ///
    /// `idle` must be the same set of bits each time. On a fresh core the first call settles whether the bits are attended.
    pub fn handle(&mut self, input: Input, now: Instant, idle: &mut impl Idle) -> Actions<'_> {
        let now = self.latest.map_or(now, |latest| now.max(latest));
        self.latest = Some(now);
        while let Some(key) = self.timers.pop_due(now) {
            self.fire(key, now, idle);
        }
        if input != Input::Tick {
            self.wake_up(now);
        }
        self.unasked = 0;
        match input {
            Input::Wait { deadline } => self.wait(deadline, now, idle),
            Input::Try => self.try_lend(now, idle),
            Input::Claim(id) => self.claim(id, now, idle),
            Input::Cancel(id) => self.cancel(id, now, idle),
            Input::GiveBack(index, how) => self.give_back(index, how, now, idle),
            Input::Begin(id) => self.begin(id, now),
            Input::Ended(id, outcome) => self.ended(id, outcome, now, idle),
            Input::RetireAll { spread } => self.retire_all(spread, now, idle),
            Input::Close => self.close(now),
            Input::DriverUp => self.driver_up(now, idle),
            Input::DriverLost => self.driver_lost(now),
            Input::Resize(max) => self.config.max_size = max,
            Input::Pause if self.mode == Mode::Open => self.mode = Mode::Paused,
            Input::Resume if self.mode == Mode::Paused => self.mode = Mode::Open,
            Input::Returned | Input::Tick | Input::Pause | Input::Resume => {}
        }
        self.settle(now, idle);
        match input {
            Input::Claim(id) => self.settle_claim(id),
            Input::Try => self.settle_try(now),
            _ => {}
        }
        Actions { queue: &mut self.actions }
    }

    /// When [`Input::Tick`] is next due; `None` while nothing is.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The present epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch of a resource, and when it is too old to be lent again.
    #[must_use]
    pub fn tag(&self, index: u32) -> (u64, Option<Instant>) {
        let slot = self.slots.get(index);
        (slot.epoch, slot.retire_at)
    }

    /// Whether the resource that a job of `id` ends with has a place here. If not, it is surplus.
    #[must_use]
    pub fn expects(&self, id: SlotId) -> bool {
        self.slots.is_current(id) && self.slots.get(id.index()).state != State::Stuck
    }

    /// Whether a place has an open resource that the core does not hold: it lies idle or is lent.
    #[must_use]
    pub fn is_open(&self, index: u32) -> bool {
        self.slots.indices().contains(&index) && self.slots.get(index).state == State::Live
    }

    /// Whether the pool accepts callers.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.mode, Mode::Closing | Mode::Drained)
    }

    /// Whether the pool is closed and its last resource gone.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.mode == Mode::Drained
    }

    /// Whether callers are held back until [`Input::Resume`].
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.mode == Mode::Paused
    }

    /// How many callers may wait.
    #[must_use]
    pub fn max_waiters(&self) -> u32 {
        self.config.max_waiters
    }

    /// When creations may start again, while a back-off is running.
    #[must_use]
    pub fn backoff_ends(&self) -> Option<Instant> {
        self.timers.get(TimerKey::Backoff)
    }

    /// What the bits were last told by [`Idle::attend`].
    #[must_use]
    pub fn is_attended(&self) -> bool {
        self.attended
    }

    /// Whether a driver is known to be there.
    #[must_use]
    pub fn has_driver(&self) -> bool {
        self.driver
    }

    fn wait(&mut self, deadline: Option<Instant>, now: Instant, idle: &mut impl Idle) {
        let refused = if self.is_closing() {
            Some(Why::Closed)
        } else if deadline.is_some_and(|deadline| deadline <= now) {
            Some(Why::Deadline)
        } else {
            // Those who came first come first, also by a bit that has just come home.
            self.serve(now, idle);
            if let Some(index) = self.take_for_caller(now, idle) {
                return self.act(Action::Lend(self.slots.id(index)));
            }
            overload::admit(&self.config, &self.waiters).err()
        };
        if let Some(why) = refused {
            // The next caller may find what this one may not wait for.
            self.unasked = u32::from(why == Why::TooManyWaiters);
            let refusal = self.refusal(why, self.waiters.waiting(), now, now, None);
            return self.act(Action::Refuse(refusal));
        }
        let phases = self.phases.read(now);
        let id = self.waiters.push(now, phases);
        if let Some(deadline) = deadline {
            self.timers.set(TimerKey::Deadline(id.index()), deadline);
        }
        self.totals.queued += 1;
        self.act(Action::Queue(id));
    }

    fn try_lend(&mut self, now: Instant, idle: &mut impl Idle) {
        if self.is_closing() {
            return;
        }
        self.serve(now, idle);
        match self.take_for_caller(now, idle) {
            Some(index) => self.act(Action::Lend(self.slots.id(index))),
            None => self.unasked = 1,
        }
    }

    /// Answers a `Try` that was not served, by what the rest of the input's handling left.
    fn settle_try(&mut self, now: Instant) {
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
        let refusal = self.refusal(why, self.waiters.waiting(), now, now, None);
        self.act(Action::Refuse(refusal));
    }

    fn claim(&mut self, id: WaiterId, now: Instant, idle: &mut impl Idle) {
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
    fn settle_claim(&mut self, id: WaiterId) {
        if !self.waiters.is_current(id) {
            return;
        }
        match self.waiters.get(id).standing {
            Standing::Offered(index) => {
                self.slots.enter(index, State::Live);
                self.forget(id);
                self.act(Action::Lend(self.slots.id(index)));
            }
            Standing::Refused(refusal) => {
                self.forget(id);
                self.act(Action::Refuse(refusal));
            }
            Standing::Waiting | Standing::Lapsed => {}
        }
    }

    fn cancel(&mut self, id: WaiterId, now: Instant, idle: &mut impl Idle) {
        debug_assert!(self.waiters.is_current(id), "{id:?} was told its outcome already");
        if !self.waiters.is_current(id) {
            return;
        }
        let standing = self.waiters.get(id).standing;
        self.forget(id);
        self.totals.cancelled += u64::from(!matches!(standing, Standing::Refused(_)));
        if let Standing::Offered(index) = standing {
            self.place(index, now, idle);
        }
    }

    fn give_back(&mut self, index: u32, how: GiveBack, now: Instant, idle: &mut impl Idle) {
        debug_assert!(self.slots.get(index).state == State::Live, "slot {index} is not lent");
        match how {
            GiveBack::Unused if self.is_outdated(index, now) => self.start(index, Job::Close, now),
            GiveBack::Unused => idle.release(index, idle.since(index)),
            GiveBack::Reset if self.is_closing() || self.is_over_size() => {
                self.start(index, Job::Close, now)
            }
            GiveBack::Reset => self.start(index, Job::Reset, now),
            GiveBack::Discard => self.start(index, Job::Close, now),
            GiveBack::Detached => self.slots.enter(index, State::Vacant),
        }
    }

    fn begin(&mut self, id: SlotId, now: Instant) {
        if !self.expects(id) {
            return;
        }
        if let State::Creating { unasked } = self.slots.get(id.index()).state {
            // Demand may have gone since: a waiter takes whatever comes first, a return or a creation.
            let wanted = unasked || self.slots.coming() <= self.waiters.waiting();
            // What is still closing counts here: it and the new one would be open at the same time.
            let in_debt = self.slots.counts().charged() > self.config.max_size;
            if self.mode != Mode::Open || in_debt || !wanted {
                return;
            }
            let slot = self.slots.get_mut(id.index());
            (slot.began, slot.epoch) = (now, self.epoch);
        }
        self.act(Action::Proceed(id));
    }

    fn ended(&mut self, id: SlotId, outcome: Outcome, now: Instant, idle: &mut impl Idle) {
        let index = id.index();
        if !self.slots.is_current(id) {
            self.abandoned -= 1;
            return;
        }
        self.timers.clear(TimerKey::Job(index));
        let slot = self.slots.get(index);
        let began = slot.began;
        match (slot.state, outcome) {
            (State::Creating { .. }, Outcome::Created) => {
                self.backoff.succeed();
                self.timers.clear(TimerKey::Backoff);
                self.totals.created += 1;
                let lifetime =
                    self.backoff.shortened(self.config.max_lifetime, self.config.lifetime_jitter);
                self.slots.get_mut(index).retire_at = now.checked_add(lifetime);
                self.place(index, now, idle);
                self.schedule_sweep(index, now, now);
            }
            (State::Creating { .. }, Outcome::CreateFailed { transient }) => {
                self.slots.enter(index, State::Vacant);
                self.create_failed(began, transient, now);
            }
            (State::Checking { .. } | State::Resetting, Outcome::Fit) => {
                self.place(index, now, idle)
            }
            (State::Checking { .. }, Outcome::Unfit | Outcome::Gone) => {
                self.leave(index, outcome, now);
                self.check_failed(began, now, idle);
            }
            (State::Resetting, Outcome::Unfit | Outcome::Gone) => self.leave(index, outcome, now),
            (State::Closing, _) => {
                self.totals.closed += 1;
                self.slots.enter(index, State::Vacant);
            }
            (State::Stuck, _) | (State::Creating { .. }, Outcome::Skipped) => {
                self.slots.enter(index, State::Vacant)
            }
            (state, outcome) => {
                debug_assert!(false, "a job in {state:?} cannot end as {outcome:?}");
                self.slots.enter(index, State::Vacant);
            }
        }
    }

    /// A resource came out of its job unfit: it is closed, or gone already.
    fn leave(&mut self, index: u32, outcome: Outcome, now: Instant) {
        if outcome == Outcome::Unfit {
            self.start(index, Job::Close, now);
        } else {
            self.totals.closed += 1;
            self.slots.enter(index, State::Vacant);
        }
    }

    fn create_failed(&mut self, began: Instant, transient: bool, now: Instant) {
        self.totals.create_failed += 1;
        let pause = self.backoff.fail(began, now, transient);
        self.set_timer(TimerKey::Backoff, now, pause);
    }

    /// What one resource failed at, all that has lain idle since before may fail at too: they are checked at once, so that
    /// many dead ones cost a caller no more than one.
    fn check_failed(&mut self, began: Instant, now: Instant, idle: &mut impl Idle) {
        self.totals.check_failed += 1;
        self.check_idle(|since| since < began, true, now, idle);
    }

    fn check_idle(
        &mut self,
        doubt: impl Fn(Instant) -> bool,
        doubtful: bool,
        now: Instant,
        idle: &mut impl Idle,
    ) {
        let mut from = 0;
        while let Some(index) = idle.peek(from) {
            from = index + 1;
            if doubt(idle.since(index)) && idle.claim(index) {
                self.slots.enter(index, State::Checking { doubtful });
                self.start(index, Job::Check, now);
            }
        }
    }

    fn retire_all(&mut self, spread: Duration, now: Instant, idle: &mut impl Idle) {
        self.epoch += 1;
        if !spread.is_zero() {
            for index in self.slots.indices() {
                if !self.slots.get(index).state.is_open() {
                    continue;
                }
                let retire_at = now.checked_add(self.backoff.up_to(spread));
                let slot = self.slots.get_mut(index);
                slot.epoch = self.epoch;
                slot.retire_at = match (slot.retire_at, retire_at) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                self.act(Action::Retag(self.slots.id(index)));
                self.schedule_sweep(index, now, now);
            }
            return;
        }
        // An offer is not a lease yet: what is stale never leaves.
        let mut offers: Vec<_> =
            self.waiters.all().filter_map(|id| self.offered(id).map(|index| (id, index))).collect();
        offers.sort_unstable_by_key(|(id, _)| Reverse(self.waiters.get(*id).turn));
        for (id, index) in offers {
            if self.withdraw(id, now) {
                self.waiters.enqueue_front(id);
            }
            self.start(index, Job::Close, now);
        }
        self.close_outdated(now, idle);
    }

    fn close(&mut self, now: Instant) {
        if self.is_closing() {
            return;
        }
        self.mode = Mode::Closing;
        self.act(Action::Closing);
        self.refuse_all(Why::Closed, now);
        let lapsed: Vec<_> = self
            .waiters
            .all()
            .filter(|id| self.waiters.get(*id).standing == Standing::Lapsed)
            .collect();
        for id in lapsed {
            self.refuse(id, Why::Closed, 0, now);
        }
    }

    fn driver_up(&mut self, now: Instant, idle: &mut impl Idle) {
        self.driver = true;
        self.asleep = false;
        self.set_timer(TimerKey::Tick, now, self.config.tick);
        if let Some(before) = self.suspect_before.take() {
            self.check_idle(|since| since <= before, false, now, idle);
        }
    }

    fn driver_lost(&mut self, now: Instant) {
        self.driver = false;
        self.suspect_before = Some(now);
        self.timers.clear(TimerKey::Tick);
        let waiting: Vec<_> = self.waiters.queue().collect();
        for id in waiting {
            self.act(Action::Wake(id));
        }
    }

    /// Whoever reaches the desk ends the sleep of the tick.
    fn wake_up(&mut self, now: Instant) {
        if std::mem::take(&mut self.asleep) {
            self.set_timer(TimerKey::Tick, now, self.config.tick);
        }
    }

    /// Forgets a waiter and its timers.
    fn forget(&mut self, id: WaiterId) {
        self.timers.clear(TimerKey::Deadline(id.index()));
        self.timers.clear(TimerKey::Offer(id.index()));
        self.waiters.remove(id);
    }

    /// The slot set aside for a waiter.
    pub(crate) fn offered(&self, id: WaiterId) -> Option<u32> {
        match self.waiters.get(id).standing {
            Standing::Offered(index) => Some(index),
            _ => None,
        }
    }

    /// Refuses a waiter with so many before it; its next poll tells it.
    pub(crate) fn refuse(&mut self, id: WaiterId, why: Why, ahead: u32, now: Instant) {
        let waiter = self.waiters.get(id);
        let (since, phases) = (waiter.since, waiter.phases);
        let refusal = self.refusal(why, ahead, since, now, Some(phases));
        self.timers.clear(TimerKey::Deadline(id.index()));
        self.waiters.set(id, Standing::Refused(refusal));
        self.act(Action::Wake(id));
    }

    /// Refuses everybody in the queue.
    pub(crate) fn refuse_all(&mut self, why: Why, now: Instant) {
        let mut ahead = 0;
        while let Some(id) = self.waiters.front() {
            self.refuse(id, why, ahead, now);
            ahead += 1;
        }
    }

    fn refusal(
        &mut self,
        why: Why,
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
            Why::Exhausted | Why::Creating | Why::Checking | Why::Paused => {}
        }
        let phases = start.map_or_else(Phases::default, |start| self.phases.since(&start, now));
        Refusal { why, ahead, waited: now.saturating_duration_since(since), phases }
    }

    /// A timer went off.
    pub(crate) fn fire(&mut self, key: TimerKey, now: Instant, idle: &mut impl Idle) {
        match key {
            TimerKey::Deadline(index) => self.deadline_passed(index, now),
            TimerKey::Offer(index) => self.revoke(index, now, idle),
            TimerKey::Job(index) => self.abandon(index, now, idle),
            TimerKey::Backoff => self.backoff.end_pause(),
            TimerKey::Tick => self.tick(now, idle),
            TimerKey::Sweep => self.sweep(now, idle),
        }
    }

    fn deadline_passed(&mut self, index: u32, now: Instant) {
        let Some(id) = self.waiters.id(index) else { return };
        match self.waiters.get(id).standing {
            Standing::Offered(_) => self.waiters.get_mut(id).expired = true,
            Standing::Waiting => {
                let ahead = self.waiters.queue().take_while(|other| *other != id).count();
                self.refuse(id, Why::Deadline, u32::try_from(ahead).unwrap_or(u32::MAX), now);
            }
            Standing::Lapsed => self.refuse(id, Why::Deadline, 0, now),
            Standing::Refused(_) => {}
        }
    }

    fn revoke(&mut self, index: u32, now: Instant, idle: &mut impl Idle) {
        let Some((id, slot)) = self.waiters.id(index).and_then(|id| Some((id, self.offered(id)?)))
        else {
            return;
        };
        self.totals.revoked += 1;
        self.withdraw(id, now);
        self.place(slot, now, idle);
    }

    /// Takes from a waiter what was offered to it; says whether it may wait for something else.
    fn withdraw(&mut self, id: WaiterId, now: Instant) -> bool {
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

    /// A job is past its deadline. The place is freed first; the task, and whatever it holds, goes when it goes.
    fn abandon(&mut self, index: u32, now: Instant, idle: &mut impl Idle) {
        let id = self.slots.id(index);
        let slot = self.slots.get(index);
        let (state, began) = (slot.state, slot.began);
        self.totals.abandoned += 1;
        self.totals.closed += u64::from(!matches!(state, State::Creating { .. }));
        if self.abandoned < self.config.max_size.max(1) {
            self.abandoned += 1;
            self.slots.enter(index, State::Vacant);
        } else {
            self.slots.enter(index, State::Stuck);
        }
        let job = match state {
            State::Creating { .. } => Job::Create,
            State::Checking { .. } => Job::Check,
            State::Resetting => Job::Reset,
            _ => Job::Close,
        };
        self.act(Action::Abandon(id, job));
        match job {
            Job::Create => self.create_failed(began, true, now),
            Job::Check => self.check_failed(began, now, idle),
            Job::Reset | Job::Close => {}
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Sets a timer, unless it lies beyond what an `Instant` can hold: then it never fires.
    pub(crate) fn set_timer(&mut self, key: TimerKey, now: Instant, after: Duration) {
        match now.checked_add(after) {
            Some(at) => self.timers.set(key, at),
            None => self.timers.clear(key),
        }
    }
}

/// What is to be done, to be performed in this order before the next input.
#[must_use = "an action that is not performed is a resource lost or a caller forgotten"]
#[derive(Debug)]
pub struct Actions<'a> {
    queue: &'a mut VecDeque<Action>,
}

impl Iterator for Actions<'_> {
    type Item = Action;

    fn next(&mut self) -> Option<Action> {
        self.queue.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.queue.len(), Some(self.queue.len()))
    }
}
