//! A stay at the desk: a few steps of the core under one hold of the lock.
//!
//! Translates between ids and things, and collects what must not happen under the lock; leaving performs that: wakes
//! callers, sends messages, drops what is not wanted.
//!
//! *Invariant:* no user code runs under the lock: no waker is woken, cloned or dropped there, no resource is dropped, and the
//! clock is read before.

use std::task::Waker;
use std::time::Instant;

use futures::future::AbortHandle;
use millpond_core::{Action, Idle, Input, Job, Outcome, Refusal, SlotId, WaiterId};
use smallvec::SmallVec;

use super::record::Record;
use super::{Desk, Hub, put_at};
use crate::common::{Link, PoolClaim, contained, dispose};
use crate::driver::Order;
use crate::error::{CreateFailure, CreateFault, Snapshot};
use crate::holders::Holder;
use crate::manager::Manager;
use crate::shelf::Facts;
use crate::sync::{Arc, MutexGuard};

/// A stay at the desk.
pub(crate) struct Visit<'a, M: Manager> {
    pub(super) hub: &'a Hub<M>,
    desk: Option<MutexGuard<'a, Desk<M>>>,
    pub(crate) now: Instant,
    /// The visitor's task, if it is a caller and its runtime can tell.
    pub(crate) task: Option<u64>,
    /// Wakes the caller that is queued in this visit.
    waker: Option<Waker>,
    /// Whether the driver itself is here, so that nobody need tell it.
    by_driver: bool,
    pub(super) after: After<M>,
}

/// What happens once the lock is released. Wakers are the usual case, so they do without an allocation.
pub(super) struct After<M: Manager> {
    wake: SmallVec<[Waker; 2]>,
    drop: SmallVec<[Waker; 2]>,
    rare: Vec<Rare<M>>,
    pub(super) events: Vec<Record>,
}

/// What few visits leave behind.
enum Rare<M: Manager> {
    /// The job is to be stopped.
    Stop(AbortHandle),
    /// The job has ended.
    Ended(AbortHandle),
    /// Nobody asks for this resource any more.
    Surplus(M::Resource),
    /// Nobody asks for this error any more.
    Forgotten(CreateFailure<M::Error>),
}

/// What a step answered to the one who took it.
#[derive(Debug)]
pub(crate) enum Answer<C> {
    /// Nothing new.
    None,
    Lent(C),
    Queued(WaiterId),
    Refused(Refusal),
    Proceed,
    Adopt(SlotId),
}

impl<'a, M: Manager> Visit<'a, M> {
    #[inline]
    pub(super) fn new(
        hub: &'a Hub<M>,
        desk: MutexGuard<'a, Desk<M>>,
        now: Instant,
        waker: Option<Waker>,
    ) -> Self {
        // A clock may go back; deadlines counted from it would be over before they began.
        let now = desk.core.latest().map_or(now, |latest| now.max(latest));
        // Before the core may let callers help themselves: they compare with it.
        // mutate: if false {
        if desk.core.latest() != Some(now) {
            hub.common.publish_tick(now);
        }
        let after = After {
            wake: SmallVec::new(),
            drop: SmallVec::new(),
            rare: Vec::new(),
            events: Vec::new(),
        };
        Self { hub, desk: Some(desk), now, task: None, waker, by_driver: false, after }
    }

    /// It is the driver that is here.
    pub(crate) fn by_driver(mut self) -> Self {
        self.by_driver = true;
        self
    }

    /// It is a caller in this task.
    pub(crate) fn of_task(mut self, task: Option<u64>) -> Self {
        self.task = task;
        self
    }

    /// It is a caller that is queued.
    pub(crate) fn of_waiter(mut self, id: WaiterId) -> Self {
        self.task = self.desk().tasks.of(id);
        self
    }

    /// What the lock guards.
    pub(crate) fn desk(&mut self) -> &mut Desk<M> {
        self.desk.as_deref_mut().expect(HELD)
    }

    /// Feeds the core and performs its actions, or notes them for later.
    pub(crate) fn step(&mut self, input: Input) -> Answer<PoolClaim<M>> {
        let desk = self.desk.as_deref_mut().expect(HELD);
        let Desk { core, held, wakers, aborts, orders, watchers, .. } = desk;
        let mut answer = Answer::None;
        let mut retagged = SmallVec::<[SlotId; 2]>::new();
        let mut to_open = SmallVec::<[SlotId; 2]>::new();
        let mut bits = Bits { hub: self.hub, held };
        for action in core.handle(input, self.now, &mut bits) {
            let held = &mut *bits.held;
            match action {
                Action::Lend(id) => {
                    answer = Answer::Lent(
                        held[id.index() as usize].take().expect("the core lends what it holds"),
                    );
                }
                Action::Queue(id) => {
                    if let Some(waker) = self.waker.take() {
                        self.after.drop.extend(put_at(wakers, id.index(), waker));
                    }
                    answer = Answer::Queued(id);
                }
                Action::Refuse(refusal) => answer = Answer::Refused(refusal),
                Action::Wake(id) => {
                    self.after
                        .wake
                        .extend(wakers.get_mut(id.index() as usize).and_then(Option::take));
                }
                Action::Proceed(_) => answer = Answer::Proceed,
                Action::Adopt(id) => {
                    to_open.push(id);
                    answer = Answer::Adopt(id);
                }
                Action::Abandon(id, job) => {
                    let abort = aborts
                        .get_mut(id.index() as usize)
                        .and_then(|abort| abort.take_if(|(of, _)| *of == id));
                    self.after.rare.extend(abort.map(|(_, abort)| Rare::Stop(abort)));
                    if job == Job::Create {
                        let fault = CreateFailure::fault(CreateFault::TimedOut);
                        let old = desk.last_create_failure.replace(fault);
                        self.after.rare.extend(old.map(Rare::Forgotten));
                    }
                }
                Action::Start(id, Job::Create) => {
                    to_open.push(id);
                    orders.push_back(Order::create(id));
                }
                Action::Start(id, job) => {
                    let claim = held[id.index() as usize]
                        .as_mut()
                        .expect("the core holds what it starts a job on");
                    let metrics = self.hub.common.metrics(claim.facts());
                    let resource =
                        claim.resource_mut().take().expect("an open slot has a resource");
                    orders.push_back(Order::on(id, job, resource, metrics));
                }
                Action::Retag(id) => retagged.push(id),
                Action::Closing | Action::Drained => {
                    // mutate: let _ = &watchers;
                    self.after.wake.extend(watchers.values_mut().filter_map(Option::take));
                }
            }
        }
        // mutate:
        self.hub.common.publish_epoch(core.epoch());
        for id in retagged {
            let (epoch, retire_at) = core.tag(id.index());
            let by_desk = core.is_suspect(id.index()) || core.is_tied(id.index());
            // mutate: let stamp = epoch;
            let stamp = if by_desk { Facts::suspect(epoch) } else { epoch };
            // mutate: let _ = (stamp, retire_at);
            self.hub.shelves.facts(id.index()).retag(stamp, self.hub.common.retires(retire_at));
        }
        for id in to_open {
            self.open_shelf(id);
        }
        if self.is_watched() {
            self.tell_notes();
        }
        answer
    }

    /// A job left a resource: it goes to its slot, if that still expects it.
    pub(crate) fn bring(&mut self, id: SlotId, outcome: Outcome, resource: M::Resource) {
        let desk = self.desk.as_deref_mut().expect(HELD);
        if !desk.core.expects(id) {
            self.after.rare.push(Rare::Surplus(resource));
            return;
        }
        let claim = desk.held[id.index() as usize]
            .as_mut()
            .expect("the claim of a slot with a job is held");
        *claim.resource_mut() = Some(resource);
        if matches!(outcome, Outcome::Created | Outcome::Added) {
            let (epoch, retire_at) = desk.core.tag(id.index());
            let common = &self.hub.common;
            claim.facts().opened(epoch, common.to_tick(self.now), common.retires(retire_at));
        }
    }

    /// Remembers why a creation failed, unless it was given up before.
    pub(crate) fn note_create_failure(&mut self, id: SlotId, failure: CreateFailure<M::Error>) {
        let desk = self.desk.as_deref_mut().expect(HELD);
        if desk.core.expects(id) {
            let old = desk.last_create_failure.replace(failure);
            self.after.rare.extend(old.map(Rare::Forgotten));
        } else {
            self.after.rare.push(Rare::Forgotten(failure));
        }
    }

    /// The task of a job has ended by itself: nobody need stop it.
    pub(crate) fn forget_abort(&mut self, id: SlotId) {
        let abort = self
            .desk()
            .aborts
            .get_mut(id.index() as usize)
            .and_then(|abort| abort.take_if(|(of, _)| *of == id));
        self.after.rare.extend(abort.map(|(_, abort)| Rare::Ended(abort)));
    }

    /// A queued caller is woken by this visit's waker from now on.
    pub(crate) fn keep_waker(&mut self, id: WaiterId) {
        if let Some(waker) = self.waker.take() {
            let old = put_at(&mut self.desk().wakers, id.index(), waker);
            self.after.drop.extend(old);
        }
    }

    /// Has everybody who waits look again.
    pub(crate) fn wake_all(&mut self) {
        let Desk { wakers, watchers, .. } = self.desk.as_deref_mut().expect(HELD);
        let waiting = wakers.iter_mut().chain(watchers.values_mut());
        self.after.wake.extend(waiting.filter_map(Option::take));
    }

    /// A queued caller goes away: its waker is dropped with the visit.
    pub(crate) fn forget_waker(&mut self, id: WaiterId) {
        let old = self.desk().wakers.get_mut(id.index() as usize).and_then(Option::take);
        self.after.drop.extend(old);
    }

    /// Somebody watches the pool, and is woken by `waker` from now on.
    pub(crate) fn watch(&mut self, key: &mut Option<u64>, waker: Waker) {
        let old = self.desk().watch(key, waker);
        self.after.drop.extend(old);
    }

    /// Somebody watches it no more.
    pub(crate) fn unwatch(&mut self, key: u64) {
        let old = self.desk().unwatch(key);
        self.after.drop.extend(old);
    }

    /// Whether the visitor should make sure that there is a driver once it has left.
    pub(crate) fn needs_driver(&mut self) -> bool {
        let now = self.now;
        self.desk().needs_driver(now)
    }

    /// Who holds what now, the longest first.
    pub(crate) fn holders(&mut self) -> Vec<Holder> {
        let (hub, now) = (self.hub, self.now);
        hub.holders(now, self.desk())
    }

    /// What a caller that is refused now is shown.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let (hub, now) = (self.hub, self.now);
        let desk = self.desk();
        hub.snapshot(&desk.core, desk.last_create_failure.as_ref(), now)
    }

    /// The same with up to three of those who hold a resource, for who has waited for one of them.
    pub(crate) fn snapshot_with_holders(&mut self) -> Snapshot {
        let mut oldest_holders = self.holders();
        oldest_holders.truncate(3);
        let held_by_caller = self.held_by_caller();
        Snapshot { oldest_holders, held_by_caller, ..self.snapshot() }
    }

    /// Makes sure that the slot has a claim, which makes it exist.
    fn open_shelf(&mut self, id: SlotId) {
        let hub = self.hub;
        let desk = self.desk.as_deref_mut().expect(HELD);
        if desk.held.get(id.index() as usize).is_some_and(Option::is_some) {
            return;
        }
        let link = || Link { common: Arc::clone(&hub.common), hub: hub.me.clone() };
        for claim in hub.shelves.open(id.index(), desk.core.is_attended(), link) {
            desk.hold(claim);
        }
    }

    /// Tells the driver what it does not know yet: there are orders, a deadline comes before the one it sleeps for, or there
    /// is nothing left to do.
    fn nudge(&mut self) {
        let now = self.now;
        let Desk { core, orders, driver, .. } = self.desk.as_deref_mut().expect(HELD);
        let earlier =
            core.next_timeout().is_some_and(|next| driver.armed.is_none_or(|armed| next < armed));
        if driver.valid.is_some()
            && driver.nudged.is_none()
            // mutate: && (!orders.is_empty() || core.is_drained())
            // mutate: && (earlier || core.is_drained())
            // mutate: && (earlier || !orders.is_empty())
            && (earlier || !orders.is_empty() || core.is_drained())
        {
            driver.nudged = Some(now);
            self.after.wake.extend(driver.waker.take());
        }
    }
}

impl<M: Manager> Drop for Visit<'_, M> {
    fn drop(&mut self) {
        if !self.by_driver {
            self.nudge();
        }
        // mutate:
        self.desk = None;
        let after = &mut self.after;
        // Each by itself: a waker or a destructor that panics costs nobody else anything.
        if !after.wake.is_empty() {
            for waker in after.wake.drain(..) {
                let _ = contained(|| waker.wake());
            }
        }
        if !after.rare.is_empty() {
            for rare in after.rare.drain(..) {
                let _ = contained(|| match rare {
                    Rare::Stop(abort) => abort.abort(),
                    Rare::Ended(abort) => drop(abort),
                    Rare::Surplus(resource) => dispose(Some(resource)),
                    Rare::Forgotten(failure) => drop(failure),
                });
            }
        }
        if !after.drop.is_empty() || self.waker.is_some() {
            for waker in after.drop.drain(..).chain(self.waker.take()) {
                let _ = contained(|| drop(waker));
            }
        }
        // Last, because it may take its time.
        self.hub.deliver(&mut after.events);
    }
}

/// The shelves as the core sees them. The claims that it makes are held at the desk.
struct Bits<'a, M: Manager> {
    hub: &'a Hub<M>,
    held: &'a mut Vec<Option<PoolClaim<M>>>,
}

impl<M: Manager> Idle for Bits<'_, M> {
    fn peek(&self, from: u32) -> Option<u32> {
        self.hub.shelves.peek(from)
    }

    fn claim(&mut self, slot: u32) -> bool {
        let claim = self.hub.shelves.claim(slot);
        let claimed = claim.is_some();
        if let Some(claim) = claim {
            put_at(self.held, slot, claim);
        }
        claimed
    }

    fn release(&mut self, slot: u32, since: Instant) {
        let claim = self.held[slot as usize].take().expect("the core releases what it holds");
        let tick = self.hub.common.to_tick(since);
        claim.facts().rests(tick);
        claim.rest();
    }

    fn since(&self, slot: u32) -> Instant {
        self.hub.common.to_instant(self.hub.shelves.facts(slot).returned())
    }

    fn count(&self) -> u32 {
        self.hub.shelves.count()
    }

    fn attend(&mut self, attended: bool) {
        self.hub.shelves.attend(attended);
    }
}

const HELD: &str = "the lock is held until the visit is dropped";
