//! The desk: the core behind its lock, and everything a caller, a borrower, a task or the driver does there.
//!
//! *Linearization:* a caller is queued from the moment the last shelf is attended; until then others may still help
//! themselves from the shelves behind, as if they had come before it. What came home before its shelf was attended is seen
//! when the core looks again; what comes home after is brought to the desk by whoever brought it.

mod visit;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use event_listener::Event;
use futures::future::AbortHandle;
use millpond_core::{Core, GiveBack, Input, Outcome, SlotId};
use std::task::Waker;

pub(crate) use self::visit::{Answer, Visit};
use crate::common::{Common, PoolClaim, PoolShelves, dispose};
use crate::driver::{self, Command, Driver};
use crate::error::CreateFailure;
use crate::holders::Label;
use crate::manager::Manager;
use crate::runtime::Runtime;
use crate::sync::{Arc, Mailbox, Mutex, Weak, lock};

/// What all handles of a pool, its driver and its tasks share.
pub(crate) struct Hub<M: Manager> {
    pub(crate) common: Arc<Common<M>>,
    pub(crate) shelves: PoolShelves<M>,
    pub(crate) runtime: Box<dyn Runtime>,
    pub(crate) get_timeout: Option<Duration>,
    pub(crate) mailbox: Mailbox<Command<M::Resource>>,
    /// Notified when closing begins, and when the last resource is gone.
    pub(crate) changed: Event,
    desk: Mutex<Desk<M>>,
    pub(crate) me: Weak<Self>,
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
    /// Who labelled a lease, by slot; void once the slot's lease sequence has moved on.
    labels: Vec<Option<Label>>,
    pub(crate) last_create_failure: Option<CreateFailure<M::Error>>,
    driver: DriverState,
}

/// What the desk knows of the driver.
#[derive(Debug, Default)]
struct DriverState {
    /// Which driver is the valid one. *Transitions:* grows with each that is spawned.
    generation: u64,
    /// Whether the valid one was spawned and has not been dropped.
    alive: bool,
    /// The deadline it sleeps for.
    armed: Option<Instant>,
    /// Since when a message has waited for it.
    nudged: Option<Instant>,
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
        get_timeout: Option<Duration>,
    ) -> Arc<Self> {
        let desk = Desk {
            core,
            held: Vec::new(),
            wakers: Vec::new(),
            aborts: Vec::new(),
            labels: Vec::new(),
            last_create_failure: None,
            driver: DriverState::default(),
        };
        Arc::new_cyclic(|me| Self {
            common: Arc::new(common),
            shelves: PoolShelves::<M>::new(width),
            runtime,
            get_timeout,
            mailbox: Mailbox::new(),
            changed: Event::new(),
            desk: Mutex::new(desk),
            me: Weak::clone(me),
        })
    }

    /// Comes to the desk, having looked at the clock.
    pub(crate) fn visit(&self) -> Visit<'_, M> {
        let now = self.runtime.now();
        Visit::new(self, lock(&self.desk), now)
    }

    /// One step, alone.
    pub(crate) fn tell(&self, input: Input) -> Answer<PoolClaim<M>> {
        self.visit().step(input)
    }

    /// Reads at the desk, without a step.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&Desk<M>) -> T) -> T {
        f(&lock(&self.desk))
    }

    /// A slot that is not fit to go back by its bit comes to the desk.
    pub(crate) fn give_back(&self, claim: PoolClaim<M>, how: GiveBack) {
        let mut visit = self.visit();
        let index = claim.index();
        visit.desk().hold(claim);
        visit.step(Input::GiveBack(index, how));
    }

    /// A task is about to do its job; says whether it should, and if so keeps the means to stop it.
    pub(crate) fn begin(&self, id: SlotId, abort: AbortHandle) -> bool {
        let mut visit = self.visit();
        let proceed = matches!(visit.step(Input::Begin(id)), Answer::Proceed);
        if proceed {
            put_at(&mut visit.desk().aborts, id.index(), (id, abort));
        }
        proceed
    }

    /// A task's job ended, with the resource if there is one.
    pub(crate) fn ended(&self, id: SlotId, outcome: Outcome, resource: Option<M::Resource>) {
        let mut visit = self.visit();
        if let Some(resource) = resource {
            visit.bring(id, outcome, resource);
        }
        visit.step(Input::Ended(id, outcome));
    }

    /// A creation failed, for this reason.
    pub(crate) fn create_failed(&self, id: SlotId, failure: CreateFailure<M::Error>) {
        let mut visit = self.visit();
        let transient = failure.transient;
        visit.note_create_failure(failure);
        visit.step(Input::Ended(id, Outcome::CreateFailed { transient }));
    }

    /// Makes sure that somebody drives the pool: spawns a driver if there is none, or if the last one seems no longer to be
    /// polled.
    pub(crate) fn ensure_driver(&self) -> Result<(), NoRuntime> {
        let now = self.runtime.now();
        let generation = {
            let mut desk = lock(&self.desk);
            if !desk.needs_driver(now) {
                return Ok(());
            }
            let generation = desk.driver.generation + 1;
            desk.driver = DriverState { generation, alive: true, armed: None, nudged: Some(now) };
            generation
        };
        let me = self.me.upgrade().ok_or(NoRuntime)?;
        self.runtime.spawn(Box::pin(Driver::new(me, generation).run())).map_err(|_task| NoRuntime)
    }

    /// Does what a driver would, as far as it can be done on this thread and at once.
    pub(crate) fn check_here(&self) {
        if let Some(me) = self.me.upgrade() {
            driver::run_here(&me);
        }
    }

    /// The driver looks at the desk. `first`: it has only now begun.
    pub(crate) fn drive(&self, generation: u64, first: bool) -> Turn {
        let mut visit = self.visit();
        if visit.desk().driver.generation != generation {
            return Turn::Stop;
        }
        visit.step(if first { Input::DriverUp } else { Input::Tick });
        let desk = visit.desk();
        desk.driver.nudged = None;
        desk.driver.armed = desk.core.next_timeout();
        if desk.core.is_drained() { Turn::Stop } else { Turn::SleepUntil(desk.driver.armed) }
    }

    /// A driver is dropped, whether or not it ever began.
    pub(crate) fn driver_gone(&self, generation: u64) {
        let mut visit = self.visit();
        let desk = visit.desk();
        if desk.driver.generation == generation {
            desk.driver = DriverState { generation, ..DriverState::default() };
            if desk.core.has_driver() {
                visit.step(Input::DriverLost);
            } else {
                // It was spawned and dropped before it began; whoever counted on it has to see to another.
                visit.wake_all();
            }
        }
    }
}

impl<M: Manager> Drop for Hub<M> {
    fn drop(&mut self) {
        // No handle, no driver and no task is left: nobody can close these properly, and nobody will ask for them.
        while let Some(command) = self.mailbox.try_receive() {
            dispose(command.into_resource());
        }
        for index in 0..self.shelves.slots() {
            if let Some(mut claim) = self.shelves.claim(index) {
                dispose(claim.resource_mut().take());
            }
        }
    }
}

impl<M: Manager> Desk<M> {
    /// Puts a claim into the core's hands.
    pub(crate) fn hold(&mut self, claim: PoolClaim<M>) {
        put_at(&mut self.held, claim.index(), claim);
    }

    /// Names the lease of a slot.
    pub(crate) fn label(&mut self, index: u32, label: Label) {
        put_at(&mut self.labels, index, label);
    }

    /// What a lease of a slot was called.
    pub(crate) fn label_of(&self, index: u32, lease: u64) -> Option<&Cow<'static, str>> {
        self.labels
            .get(index as usize)?
            .as_ref()
            .filter(|label| label.lease == lease)
            .map(|label| &label.text)
    }

    /// Whether nobody drives the pool, as far as can be told: no driver, or one that has not come for a deadline or a message
    /// in all of [`PATIENCE`].
    pub(crate) fn needs_driver(&self, now: Instant) -> bool {
        let overdue =
            |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) > PATIENCE);
        let driver = &self.driver;
        !self.core.is_drained()
            && (!driver.alive || overdue(driver.armed) || overdue(driver.nudged))
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
const PATIENCE: Duration = Duration::from_secs(1);
