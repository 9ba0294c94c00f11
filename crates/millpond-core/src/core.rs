//! The state machine: one entry, and what each input does to the state. What follows from the state as a whole, whatever
//! the input was, stands in `serve.rs`.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::callers::Lapses;
use crate::config::Config;
use crate::hold::Holds;
use crate::io::{Action, Idle, Input, Job, Outcome, Why};
use crate::lanes::LaneState;
use crate::notes::Note;
use crate::pace::Pace;
use crate::phases::PhaseClock;
use crate::report::Totals;
use crate::slots::{SlotId, Slots, State};
use crate::strain::Strain;
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
    pub(crate) pace: Pace,
    pub(crate) holds: Holds,
    pub(crate) strain: Strain,
    /// The default lane, then those of the settings.
    pub(crate) lanes: Vec<LaneState>,
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
    /// Demand beyond those who wait, for the present input only: a caller that does not wait, or may not.
    pub(crate) unasked: u32,
    /// Whether the present input is an occasion to see whether enough lies idle: neither a caller's nor a borrower's. They come
    /// and go in an instant; what lies idle between two of them says nothing about how much there is.
    pub(crate) tending: bool,
    /// Rounds of offers in a row that nobody came for.
    pub(crate) lapses: Lapses,
    /// Jobs past their deadline whose `Ended` is still owed.
    pub(crate) abandoned: u32,
    pub(crate) totals: Totals,
    latest: Option<Instant>,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) notes: Vec<Note>,
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
            lanes: LaneState::all(&config),
            waiters: Waiters::new(1 + config.lanes.len()),
            config,
            slots: Slots::default(),
            timers: Timers::default(),
            pace: Pace::default(),
            holds: Holds::default(),
            strain: Strain::default(),
            phases: PhaseClock::default(),
            mode: Mode::Open,
            epoch: 0,
            driver: false,
            asleep: false,
            attended: false,
            unasked: 0,
            tending: false,
            lapses: Lapses::default(),
            abandoned: 0,
            totals: Totals::default(),
            latest: None,
            actions: VecDeque::new(),
            notes: Vec::new(),
        }
    }

    /// Takes in what happened at `now` and says what is to be done about it.
    ///
    /// `idle` must be the same set of bits each time. On a fresh core the first call settles whether the bits are attended.
    pub fn handle(&mut self, input: Input, now: Instant, idle: &mut impl Idle) -> Actions<'_> {
        let now = self.latest.map_or(now, |latest| now.max(latest));
        self.latest = Some(now);
        self.notes.clear();
        let mut fired = false;
        self.tending = match input {
            // A creation or a close, or a job that cost a resource; the others give back what a borrower had.
            Input::Ended(_, outcome) => outcome != Outcome::Fit,
            Input::DriverUp | Input::Resize(_) | Input::Resume | Input::RetireAll { .. } => true,
            _ => false,
        };
        while let Some(key) = self.timers.pop_due(now) {
            self.tending |= !matches!(key, TimerKey::Deadline(_) | TimerKey::Offer(_));
            self.fire(key, now, idle);
            fired = true;
        }
        if input != Input::Tick {
            // mutant survives: `settle` does the same as soon as something is not at home; this merely spares a visit or two.
            // mutate:
            self.wake_up(now);
        }
        self.unasked = 0;
        if let Input::Claim(id) = input {
            // What was set aside changes hands, which concerns nobody else: `settle` would find nothing to do.
            if self.is_offered(id) && !fired {
                self.settle_claim(id, now);
                return Actions { queue: &mut self.actions };
            }
        }
        match input {
            Input::Wait(request) => self.wait(request, now, idle),
            Input::Try => self.try_lend(now, idle),
            Input::Claim(id) => self.claim(id, now, idle),
            Input::Cancel(id) => self.cancel(id, now, idle),
            Input::GiveBack(index, how) => self.give_back(index, how, now, idle),
            Input::Take(index) => self.take(index, idle),
            Input::Add => self.add(now),
            Input::Begin(id) => self.begin(id, now, idle),
            Input::Ended(id, outcome) => self.ended(id, outcome, now, idle),
            Input::RetireAll { spread } => self.retire_all(spread, now, idle),
            Input::Close => self.close(now),
            Input::DriverUp => self.driver_up(now, idle),
            Input::DriverLost => self.driver_lost(now, idle),
            Input::Resize(max) => self.resize(max),
            Input::Pause if self.mode == Mode::Open => self.turn(Mode::Paused, Note::Paused),
            Input::Resume if self.mode == Mode::Paused => self.turn(Mode::Open, Note::Resumed),
            Input::Tick | Input::Pause | Input::Resume => {}
        }
        self.settle(now, idle);
        match input {
            Input::Claim(id) => self.settle_claim(id, now),
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

    /// The latest time that the core was told.
    #[must_use]
    pub fn latest(&self) -> Option<Instant> {
        self.latest
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

    /// Whether a resource may have died with a driver, so that it must be checked before it is lent.
    #[must_use]
    pub fn is_suspect(&self, index: u32) -> bool {
        self.slots.get(index).suspect
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

    /// Whether everything open lies idle, so that the tick has stopped.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        self.asleep
    }

    /// Whether callers are held back until [`Input::Resume`].
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.mode == Mode::Paused
    }

    /// Whether the last creation failed.
    #[must_use]
    pub fn is_create_failing(&self) -> bool {
        self.backoff.is_failing()
    }

    /// When a queued caller gives up.
    #[must_use]
    pub fn deadline(&self, id: WaiterId) -> Option<Instant> {
        self.timers.get(TimerKey::Deadline(id.index()))
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

    /// The id of what has a place now.
    #[must_use]
    pub fn id(&self, index: u32) -> SlotId {
        self.slots.id(index)
    }

    /// When the job of `id` began, if it is still expected to end.
    #[must_use]
    pub fn began(&self, id: SlotId) -> Option<Instant> {
        self.expects(id).then(|| self.slots.get(id.index()).began)
    }

    fn resize(&mut self, max: u32) {
        let from = std::mem::replace(&mut self.config.max_size, max);
        if from != max {
            self.note(Note::Resized { from, to: max });
        }
    }

    fn turn(&mut self, mode: Mode, note: Note) {
        self.mode = mode;
        self.note(note);
    }

    fn retire_all(&mut self, spread: Duration, now: Instant, idle: &mut impl Idle) {
        self.epoch += 1;
        self.note(Note::RetiredAll { epoch: self.epoch, spread });
        for index in self.slots.indices() {
            let slot = self.slots.get(index);
            if slot.begun && matches!(slot.state, State::Creating { .. }) {
                self.slots.enter(index, State::Void);
            }
        }
        if !spread.is_zero() {
            for index in self.slots.indices() {
                let slot = self.slots.get(index);
                // What was to go at once before is not pardoned.
                if !slot.state.is_open() || slot.epoch + 1 != self.epoch {
                    continue;
                }
                let retire_at = now.checked_add(self.backoff.up_to(spread));
                let slot = self.slots.get_mut(index);
                slot.epoch = self.epoch;
                if retire_at.is_some_and(|at| slot.retire_at.is_none_or(|old| at < old)) {
                    (slot.retire_at, slot.retired) = (retire_at, true);
                }
                self.act(Action::Retag(self.slots.id(index)));
                self.schedule_sweep(index, now, now);
            }
            return;
        }
        // An offer is not a lease yet: what is stale never leaves.
        for index in self.recall_offers(now) {
            self.start(index, Job::Close, now);
        }
        self.close_outdated(now, idle);
        // A borrower that has looked at the old epoch may put its resource to rest after this.
        if let Some(soon) = now.checked_add(self.config.tick) {
            // mutate: let _ = soon;
            self.timers.set_earlier(TimerKey::Sweep, soon);
        }
    }

    /// Takes back all that is set aside; those it was set aside for stand first in the queue again.
    fn recall_offers(&mut self, now: Instant) -> Vec<u32> {
        let mut offers: Vec<_> =
            self.waiters.all().filter_map(|id| self.offered(id).map(|index| (id, index))).collect();
        offers.sort_unstable_by_key(|(id, _)| Reverse(self.waiters.get(*id).turn));
        // mutate: offers.clear(); for (id, index) in &offers {
        for (id, index) in &offers {
            self.untie(*index);
            if self.withdraw(*id, now) {
                self.waiters.enqueue_front(*id);
            }
        }
        offers.into_iter().map(|(_, index)| index).collect()
    }

    fn close(&mut self, now: Instant) {
        if self.is_closing() {
            return;
        }
        self.turn(Mode::Closing, Note::Closing);
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
        // What was ordered while nobody could do it has its whole time from now on.
        for index in self.slots.indices() {
            if self.slots.get(index).state.job().is_some()
                && self.timers.get(TimerKey::Job(index)).is_none()
            {
                self.time_job(index, now);
            }
        }
        self.check_idle(|slot, _| slot.suspect, false, now, idle);
    }

    /// The runtime may have died with its driver, and the I/O of all that was opened there with it, wherever that is now.
    fn driver_lost(&mut self, now: Instant, idle: &mut impl Idle) {
        self.driver = false;
        self.timers.clear(TimerKey::Tick);
        for index in self.slots.indices() {
            let slot = self.slots.get_mut(index);
            if !matches!(slot.state, State::Vacant | State::Closing | State::Stuck) {
                // mutate:
                slot.suspect = true;
                // mutate:
                self.act(Action::Retag(self.slots.id(index)));
            }
        }
        for index in self.recall_offers(now) {
            self.place(index, now, now, idle);
        }
        let waiting: Vec<_> = self.waiters.queued().collect();
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

    /// A timer went off.
    pub(crate) fn fire(&mut self, key: TimerKey, now: Instant, idle: &mut impl Idle) {
        match key {
            TimerKey::Deadline(index) => self.deadline_passed(index, now),
            TimerKey::Offer(index) => self.revoke(index, now, idle),
            TimerKey::Job(index) => self.abandon(index, now, idle),
            TimerKey::Backoff => self.backoff.end_pause(),
            TimerKey::Overload => self.end_interval(now),
            TimerKey::Growth => self.pace.complete(now),
            TimerKey::Tick => self.tick(now, idle),
            TimerKey::Sweep => self.sweep(now, idle),
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
