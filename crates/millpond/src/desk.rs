//! The desk: the core behind its lock, and everything a caller, a borrower, a task or the driver does there.
//!
//! *Linearization:* a caller is queued from the moment the last shelf is attended; until then others may still help
//! themselves from the shelves behind, as if they had come before it. What came home before its shelf was attended is seen
//! when the core looks again; what comes home after is brought to the desk by whoever brought it.

mod leases;
mod record;
mod visit;

use std::collections::{BTreeMap, VecDeque};
use std::mem::{forget, take};
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use self::leases::{Suspects, Tasks};
pub(crate) use self::visit::{Answer, Visit};
use crate::common::{Common, PoolClaim, PoolShelves, contained, dispose};
use crate::driver::{self, Driver, Order};
use crate::error::CreateFailure;
use crate::event::{EventKind, EventSink};
use crate::holders::Label;
use crate::lanes::Lanes;
use crate::manager::Manager;
use crate::runtime::Runtime;
use crate::sync::{Arc, Mutex, Weak, lock};
use futures::future::AbortHandle;
use millpond_core::{Core, GiveBack, Input, Outcome, SlotId, WaiterId, Why};

/// What all handles of a pool, its driver and its tasks share.
pub(crate) struct Hub<M: Manager> {
    pub(crate) common: Arc<Common<M>>,
    pub(crate) shelves: PoolShelves<M>,
    pub(crate) runtime: Box<dyn Runtime>,
    pub(crate) care: Care,
    desk: Mutex<Desk<M>>,
    pub(crate) me: Weak<Self>,
}

/// Settings that are no business of the core.
#[derive(Default)]
pub(crate) struct Care {
    pub(crate) get_timeout: Option<Duration>,
    pub(crate) sink: Option<Arc<dyn EventSink>>,
    pub(crate) leak_after: Option<Duration>,
    pub(crate) lanes: Lanes,
}

/// What the lock guards.
pub(crate) struct Desk<M: Manager> {
    pub(crate) core: Core,
    /// The claims to slots that are in the core's hands, by slot.
    held: Vec<Option<PoolClaim<M>>>,
    /// How to wake each waiter, by its index.
    wakers: Vec<Option<Waker>>,
    /// How to stop the task of each slot's present job.
    aborts: Vec<Option<(SlotId, AbortHandle)>>,
    /// What was said of a lease, by slot; void once the slot's lease sequence has moved on.
    labels: Vec<Option<Label>>,
    /// Why the last creation failed, whether or not another has succeeded since.
    pub(crate) last_create_failure: Option<CreateFailure<M::Error>>,
    /// Jobs for the driver. At most one for each slot's life, and one for each job given up before it began.
    orders: VecDeque<Order<M::Resource>>,
    /// Who waits for the pool to close or to drain, by key.
    watchers: BTreeMap<u64, Option<Waker>>,
    driver: DriverState,
    /// How many events there were.
    events: u64,
    suspects: Suspects,
    pub(crate) tasks: Tasks,
}

/// What the desk knows of the driver.
#[derive(Debug, Default)]
struct DriverState {
    /// How many were ever spawned; each has its number.
    spawned: u64,
    /// The one in charge. *Transitions:* set when it first looks at the desk, cleared when it is dropped.
    valid: Option<u64>,
    /// The runtime of the one in charge, as [`Runtime::here`] tells it.
    home: u64,
    /// The one that was spawned and has not looked at the desk yet.
    coming: Option<Coming>,
    /// The deadline that the one in charge sleeps for.
    armed: Option<Instant>,
    /// Since when there is something that it should look at.
    nudged: Option<Instant>,
    /// Wakes it.
    waker: Option<Waker>,
}

/// A driver on its way to the desk.
#[derive(Clone, Copy, Debug)]
struct Coming {
    number: u64,
    since: Instant,
    home: u64,
}

/// The driver's next turn.
#[derive(Debug)]
pub(crate) enum Turn {
    SleepUntil(Option<Instant>),
    /// Another driver has taken over, or there is nothing left to do.
    Stop,
}

/// There is no driver, and no runtime here to spawn one on.
#[derive(Debug)]
pub(crate) struct NoRuntime;

impl<M: Manager> Hub<M> {
    pub(crate) fn new(
        core: Core,
        common: Common<M>,
        width: u32,
        runtime: Box<dyn Runtime>,
        care: Care,
    ) -> Arc<Self> {
        let desk = Desk {
            core,
            held: Vec::new(),
            wakers: Vec::new(),
            aborts: Vec::new(),
            labels: Vec::new(),
            last_create_failure: None,
            orders: VecDeque::new(),
            watchers: BTreeMap::new(),
            driver: DriverState::default(),
            events: 0,
            suspects: Suspects::default(),
            tasks: Tasks::default(),
        };
        Arc::new_cyclic(|me| Self {
            common: Arc::new(common),
            shelves: PoolShelves::<M>::new(width),
            runtime,
            care,
            desk: Mutex::new(desk),
            me: Weak::clone(me),
        })
    }

    /// Comes to the desk, having looked at the clock.
    #[inline]
    pub(crate) fn visit(&self) -> Visit<'_, M> {
        let now = self.now();
        Visit::new(self, lock(&self.desk), now, None)
    }

    /// The same for those who change something: not in a forked child. There the lock itself may be held by nobody, for ever.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Visit<'_, M>> {
        let now = self.now();
        (!self.is_foreign(now)).then(|| Visit::new(self, lock(&self.desk), now, None))
    }

    /// The same for a caller that may be queued, with its waker.
    #[inline]
    pub(crate) fn enter_to_wait(&self, waker: Waker) -> Option<Visit<'_, M>> {
        let now = self.now();
        (!self.is_foreign(now)).then(|| Visit::new(self, lock(&self.desk), now, Some(waker)))
    }

    /// Whether this is a forked child, see [`Owner`](crate::fork::Owner). If it is, self-service ends here.
    #[inline]
    pub(crate) fn is_foreign(&self, now: Instant) -> bool {
        let foreign = self.common.owner.is_foreign(self.common.to_tick(now));
        if foreign {
            self.shelves.attend(true);
        }
        foreign
    }

    /// The same for a caller that is queued. If the pool has woken it, the time of whoever did so will do: under pressure each
    /// hand-over passes here, and looking at the clock is a good part of it.
    #[inline]
    pub(crate) fn visit_again(&self, id: WaiterId, waker: Waker) -> Visit<'_, M> {
        let desk = lock(&self.desk);
        match desk.core.latest() {
            Some(now) if desk.is_woken(id) => Visit::new(self, desk, now, Some(waker)),
            _ => {
                drop(desk);
                let now = self.now();
                Visit::new(self, lock(&self.desk), now, Some(waker))
            }
        }
    }

    /// The time. A clock that panics, as tokio's does in a thread that is about to end, stands still.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        contained(|| self.runtime.now())
            .unwrap_or_else(|_| self.common.to_instant(self.common.tick()))
    }

    /// Which runtime this is.
    pub(crate) fn here(&self) -> u64 {
        contained(|| self.runtime.here()).unwrap_or(0)
    }

    /// Which task this is.
    pub(crate) fn task(&self) -> Option<u64> {
        contained(|| self.runtime.task()).ok().flatten()
    }

    /// One step, alone.
    pub(crate) fn tell(&self, input: Input) -> Answer<PoolClaim<M>> {
        self.enter().map_or(Answer::None, |mut visit| visit.step(input))
    }

    /// Reads at the desk, without a step.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&Desk<M>) -> T) -> T {
        f(&lock(&self.desk))
    }

    /// A slot that is not fit to go back by its bit comes to the desk.
    pub(crate) fn give_back(&self, claim: PoolClaim<M>, how: GiveBack) {
        let Some(mut visit) = self.enter() else { return forget(claim) };
        let index = claim.index();
        visit.desk().hold(claim);
        visit.step(Input::GiveBack(index, how));
    }

    /// A task is about to do its job; says whether it should, and if so keeps the means to stop it.
    pub(crate) fn begin(&self, id: SlotId, abort: AbortHandle) -> bool {
        let Some(mut visit) = self.enter() else { return false };
        let proceed = matches!(visit.step(Input::Begin(id)), Answer::Proceed);
        if proceed {
            put_at(&mut visit.desk().aborts, id.index(), (id, abort));
        }
        proceed
    }

    /// A task's job ended, with the resource if there is one.
    pub(crate) fn ended(&self, id: SlotId, outcome: Outcome, resource: Option<M::Resource>) {
        let Some(mut visit) = self.visit_to_end(id) else { return forget(resource) };
        if let Some(resource) = resource {
            visit.bring(id, outcome, resource);
        }
        visit.step(Input::Ended(id, outcome));
    }

    /// A resource that was opened elsewhere joins; if it may not, it comes back with the reason.
    pub(crate) fn add(&self, resource: M::Resource) -> Result<(), (M::Resource, Why)> {
        let Some(mut visit) = self.enter() else { return Err((resource, Why::Closed)) };
        match visit.step(Input::Add) {
            Answer::Adopt(id) => {
                visit.bring(id, Outcome::Added, resource);
                visit.step(Input::Ended(id, Outcome::Added));
                Ok(())
            }
            Answer::Refused(refusal) => Err((resource, refusal.why)),
            _ => Err((resource, Why::Closed)),
        }
    }

    /// A creation failed, for this reason.
    pub(crate) fn create_failed(&self, id: SlotId, failure: CreateFailure<M::Error>) {
        let Some(mut visit) = self.visit_to_end(id) else { return forget(failure) };
        let transient = failure.transient;
        visit.note_create_failure(id, failure);
        visit.step(Input::Ended(id, Outcome::CreateFailed { transient }));
    }

    fn visit_to_end(&self, id: SlotId) -> Option<Visit<'_, M>> {
        let mut visit = self.enter()?;
        visit.forget_abort(id);
        // A job that ends past its deadline is given up before it can be brought home.
        // mutate:
        visit.step(Input::Tick);
        Some(visit)
    }

    /// Makes sure that somebody drives the pool: spawns a driver if there is none, or if the one in charge seems no longer to
    /// be polled.
    ///
    /// # Errors
    ///
    /// There is none, and no runtime here to spawn one on.
    pub(crate) fn ensure_driver(&self) -> Result<(), NoRuntime> {
        let home = self.here();
        let mut visit = self.enter().ok_or(NoRuntime)?;
        // mutate: if false {
        if !visit.needs_driver() {
            return Ok(());
        }
        let since = visit.now;
        let desk = visit.desk();
        let moves = desk.driver.spawned > 0 && desk.home() != home;
        desk.driver.spawned += 1;
        let number = desk.driver.spawned;
        desk.driver.coming = Some(Coming { number, since, home });
        if moves {
            // Who waited beside the last one has to look after itself from now on.
            visit.wake_all();
        }
        drop(visit);
        let me = self.me.upgrade().ok_or(NoRuntime)?;
        let driver = Box::pin(Driver::new(me, number).run());
        match contained(|| self.runtime.spawn(driver)) {
            Ok(Ok(())) => Ok(()),
            // It was dropped and has said so. The one in charge, if there is one, may be late and no worse.
            _ if self.read(|desk| desk.driver.valid.is_some()) => Ok(()),
            _ => Err(NoRuntime),
        }
    }

    /// Does what a driver would, as far as it can be done on this thread and at once.
    pub(crate) fn check_here(&self) {
        if let Some(me) = self.me.upgrade() {
            driver::run_here(&me);
        }
    }

    /// A driver looks at the desk. `first`: it has only now begun.
    pub(crate) fn drive(&self, number: u64, first: bool) -> Turn {
        let Some(visit) = self.enter() else { return Turn::Stop };
        let mut visit = visit.by_driver();
        let driver = &mut visit.desk().driver;
        if let Some(coming) = driver.coming.take_if(|coming| first && coming.number == number) {
            driver.home = coming.home;
            let instead_of = driver.valid;
            // mutate:
            driver.valid = Some(number);
            visit.tell(EventKind::DriverStarted { number, instead_of });
            visit.step(Input::DriverUp);
        // mutate: } else if true {
        } else if driver.valid == Some(number) {
            visit.step(Input::Tick);
        } else {
            return Turn::Stop;
        }
        visit.look_at_leases();
        let desk = visit.desk();
        desk.driver.nudged = None;
        // mutate:
        desk.driver.armed = desk.core.next_timeout();
        if desk.is_over() { Turn::Stop } else { Turn::SleepUntil(desk.driver.armed) }
    }

    /// Takes the first order that is `wanted`.
    pub(crate) fn take_order(
        &self,
        wanted: impl Fn(&Order<M::Resource>) -> bool,
    ) -> Option<Order<M::Resource>> {
        let orders = &mut lock(&self.desk).orders;
        let place = orders.iter().position(wanted)?;
        orders.remove(place)
    }

    /// Waits until there is something for a driver to look at.
    pub(crate) fn poll_nudged(&self, number: u64, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut desk = lock(&self.desk);
        // mutate: if desk.driver.nudged.is_some() {
        // mutate: if desk.driver.valid != Some(number) {
        if desk.driver.valid != Some(number) || desk.driver.nudged.is_some() {
            return Poll::Ready(());
        }
        let old = desk.driver.waker.replace(waker);
        drop(desk);
        let _ = contained(|| drop(old));
        Poll::Pending
    }

    /// A driver is dropped, whether or not it ever began.
    pub(crate) fn driver_gone(&self, number: u64) {
        let Some(mut visit) = self.enter() else { return };
        let driver = &mut visit.desk().driver;
        // mutate: if true {
        if driver.valid == Some(number) {
            // mutate:
            driver.valid = None;
            if !visit.desk().core.is_drained() {
                visit.tell(EventKind::DriverLost { number });
            }
            // mutate:
            visit.step(Input::DriverLost);
        // mutate: } else if driver.coming.is_none_or(|coming| coming.number != number) {
        } else if driver.coming.take_if(|coming| coming.number == number).is_none() {
            return;
        }
        // Whoever counted on it has to see to another.
        // mutate:
        visit.wake_all();
    }
}

impl<M: Manager> Drop for Hub<M> {
    fn drop(&mut self) {
        if self.common.owner.is_foreign_for_sure() {
            let desk = self.desk.get_mut().unwrap_or_else(PoisonError::into_inner);
            forget((take(&mut desk.held), take(&mut desk.orders)));
            return;
        }
        // No handle, no driver and no task is left: nobody can close these properly, and nobody will ask for them.
        while let Some(order) = self.take_order(|_| true) {
            dispose(order.work.into_resource());
        }
        for index in 0..self.shelves.slots() {
            if let Some(mut claim) = self.shelves.claim(index) {
                dispose(claim.resource_mut().take());
            }
        }
        // Its destructor is user code, and the one whose thread this is may be giving back a resource.
        let failure = lock(&self.desk).last_create_failure.take();
        let _ = contained(|| drop(failure));
    }
}

impl<M: Manager> Desk<M> {
    /// Puts a claim into the core's hands.
    pub(crate) fn hold(&mut self, claim: PoolClaim<M>) {
        put_at(&mut self.held, claim.index(), claim);
    }

    /// Says something of the lease of a slot.
    pub(crate) fn label(&mut self, index: u32, label: Label) {
        put_at(&mut self.labels, index, label);
    }

    /// What was said of a lease of a slot.
    pub(crate) fn label_of(&self, index: u32, lease: u64) -> Option<&Label> {
        self.labels.get(index as usize)?.as_ref().filter(|label| label.lease == lease)
    }

    fn next_event(&mut self) -> u64 {
        let number = self.events;
        self.events += 1;
        number
    }

    /// Whether a queued caller has been woken.
    pub(crate) fn is_woken(&self, id: WaiterId) -> bool {
        self.wakers.get(id.index() as usize).is_none_or(Option::is_none)
    }

    /// Whether nobody drives the pool, as far as can be told: no driver, or one that has not come for a deadline or a message
    /// in all of [`PATIENCE`].
    pub(crate) fn needs_driver(&self, now: Instant) -> bool {
        let overdue = |at: Option<Instant>| {
            at.is_some_and(|at| now.saturating_duration_since(at) >= PATIENCE)
        };
        let driver = &self.driver;
        let needed = match driver.coming {
            // mutate: Some(_) => false,
            Some(coming) => overdue(Some(coming.since)),
            // mutate: None => overdue(driver.armed) || overdue(driver.nudged),
            // mutate: None => driver.valid.is_none() || overdue(driver.nudged),
            // mutate: None => driver.valid.is_none() || overdue(driver.armed),
            None => driver.valid.is_none() || overdue(driver.armed) || overdue(driver.nudged),
        };
        needed && !self.is_over()
    }

    /// Whether nothing is left to do, ever. What was not closed in time leaves its order behind, with the resource in it.
    fn is_over(&self) -> bool {
        self.core.is_drained() && self.orders.is_empty()
    }

    /// The runtime that drives the pool, or is about to, as [`Runtime::here`] tells it.
    pub(crate) fn home(&self) -> u64 {
        self.driver.coming.map_or(self.driver.home, |coming| coming.home)
    }

    /// Registers a waker, or replaces one, of somebody who watches the pool; returns what it replaced, to be dropped later.
    pub(crate) fn watch(&mut self, key: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let next = self.watchers.last_key_value().map_or(0, |(last, _)| last + 1);
        self.watchers.insert(*key.get_or_insert(next), Some(waker)).flatten()
    }

    /// Forgets a watcher.
    pub(crate) fn unwatch(&mut self, key: u64) -> Option<Waker> {
        self.watchers.remove(&key).flatten()
    }
}

/// Puts `value` at `index` of a table that grows as needed; returns what was there.
fn put_at<T>(table: &mut Vec<Option<T>>, index: u32, value: T) -> Option<T> {
    let index = index as usize;
    if table.len() <= index {
        table.resize_with(index + 1, || None);
    }
    table[index].replace(value)
}

/// How long a driver may let a deadline or a message lie before the next visitor takes it for stalled. As long as the claim
/// window: both ask whether a future that exists is being polled.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
