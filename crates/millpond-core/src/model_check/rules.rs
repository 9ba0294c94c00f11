//! What must be true of every state and every step: DESIGN's I1 to I3 and I9, and what holds the core together.

use std::time::Duration;

use super::cast::{Stage, Task};
use super::policy::{self, Load};
use super::world::World;
use crate::core::Mode;
use crate::io::{Action, Input, Job, Outcome, Why};
use crate::slots::State;
use crate::timers::TimerKey;
use crate::waiters::Standing;
use crate::{SlotId, WaiterId};

type Verdict = Result<(), String>;

/// What the rules about steps need to know of the state before.
#[derive(Debug)]
pub(super) struct Before {
    queue: Vec<WaiterId>,
    offered: Vec<WaiterId>,
    refused: Vec<WaiterId>,
    charged: u32,
    open: bool,
    /// What lies idle and may be lent, unless there is too much of it.
    fit: u8,
    /// Whether the input is an occasion to see whether enough lies idle.
    calm: bool,
    /// Whether the input is the poll of a caller that did not come for its offer in time.
    pub(super) claims_late: bool,
    /// Whether that is not the first time.
    was_late: bool,
    pub(super) load: Load,
}

impl Before {
    pub(super) fn of(world: &World, input: Input) -> Self {
        let core = &world.core;
        let is_due = |key: TimerKey| core.timers.get(key).is_some_and(|at| at <= world.now());
        let is_refused =
            |id: WaiterId| matches!(core.waiters.get(id).standing, Standing::Refused(_));
        let is_over = |id: &WaiterId| is_due(TimerKey::Offer(id.index()));
        let (claims_late, was_late) = match input {
            Input::Claim(id) if core.waiters.is_current(id) => {
                let waiter = core.waiters.get(id);
                let lapsed =
                    waiter.standing == Standing::Lapsed && !is_due(TimerKey::Deadline(id.index()));
                let late = world.callers.iter().any(|caller| caller.id == id && caller.late);
                (lapsed || (is_over(&id) && !waiter.expired), late)
            }
            _ => (false, false),
        };
        Self {
            queue: core.waiters.queued().collect(),
            offered: world.offered.iter().copied().filter(|id| !is_over(id)).collect(),
            refused: core.waiters.all().filter(|id| is_refused(*id)).collect(),
            charged: core.slots.counts().charged(),
            open: world.is_open(),
            fit: mask(world, |slot| !core.is_outdated(slot, world.now()) && !core.is_over_size()),
            calm: match input {
                Input::Tick => core.timers.keys().any(|key| {
                    is_due(key) && !matches!(key, TimerKey::Deadline(_) | TimerKey::Offer(_))
                }),
                Input::Ended(_, outcome) => outcome != Outcome::Fit,
                Input::Resize(_) | Input::Resume | Input::DriverUp => true,
                _ => false,
            },
            claims_late,
            was_late,
            load: Load::of(world),
        }
    }

    /// The lane of a caller that was there.
    pub(super) fn lane(&self, id: WaiterId) -> u32 {
        self.load.lane(id)
    }
}

/// What must be true of a step.
pub(super) fn step(before: &Before, world: &World, input: Input, actions: &[Action]) -> Verdict {
    let core = &world.core;
    let counts = core.slots.counts();
    if counts.charged() > core.config.max_size.max(before.charged) {
        return Err("I2: there are more resources than there may be, and more than before".into());
    }
    let standing =
        |id: WaiterId| core.waiters.is_current(id).then(|| core.waiters.get(id).standing);
    let woken = |id: WaiterId| actions.contains(&Action::Wake(id));
    let is_offered = |id: WaiterId| matches!(standing(id), Some(Standing::Offered(_)));
    let is_lent = |id: WaiterId| {
        input == Input::Claim(id) && actions.iter().any(|action| matches!(action, Action::Lend(_)))
    };
    let mut served = Vec::new();
    for action in actions {
        if let Action::Wake(id) = action {
            let new = !before.offered.contains(id) && !served.contains(id);
            if new && (is_offered(*id) || is_lent(*id)) {
                served.push(*id);
            }
        }
    }
    for caller in &world.callers {
        let id = caller.id;
        match standing(id) {
            Some(Standing::Offered(_)) if !before.offered.contains(&id) => {
                if !woken(id) {
                    return Err(format!("{id:?} is offered something and not woken"));
                }
                if caller.expired {
                    return Err(format!("I4: {id:?} is offered something after its deadline"));
                }
            }
            Some(Standing::Refused(refusal)) if !before.refused.contains(&id) => {
                let justified = match refusal.why {
                    Why::Deadline => caller.expired,
                    Why::Closed => core.is_closing(),
                    Why::CreateFailed => core.backoff.is_hopeless(),
                    Why::Shed(reason) => policy::may_shed(before, world, id, reason),
                    _ => false,
                };
                if !woken(id) || !justified {
                    return Err(format!("{id:?} is refused as {:?}, or is not woken", refusal.why));
                }
            }
            _ => {}
        }
    }
    if !served.is_empty() && !before.open && !world.is_open() {
        return Err("somebody is served by a pool that is not open".into());
    }
    let queue: Vec<_> = core.waiters.queued().collect();
    if matches!(input, Input::Wait(_) | Input::Try) {
        let lent = actions.iter().any(|action| matches!(action, Action::Lend(_)));
        if lent && !queue.is_empty() {
            return Err("I9: a caller is served at the desk while others wait".into());
        }
    }
    let checks = actions.iter().filter(|action| matches!(action, Action::Start(_, Job::Check)));
    let failed = actions.iter().any(|action| matches!(action, Action::Abandon(..)));
    if input == Input::Tick && before.queue.is_empty() && !failed && checks.count() > 1 {
        return Err("all that lies idle is taken away to be checked".into());
    }
    enough_idle(before, world, input, actions)?;
    policy::step(before, world, input, actions, &served)?;
    let lane_of = |id: WaiterId| {
        if core.waiters.is_current(id) { core.waiters.get(id).lane } else { before.lane(id) }
    };
    for lane in core.waiters.lanes() {
        let of = |ids: &[WaiterId]| -> Vec<_> {
            ids.iter().copied().filter(|id| lane_of(*id) == lane).collect()
        };
        in_order(before, input, actions, &of(&served), &of(&queue))?;
    }
    Ok(())
}

/// Of what lies idle, that of which this is true.
fn mask(world: &World, is_so: impl Fn(u32) -> bool) -> u8 {
    let idle = world.slots().filter(|slot| world.shelf.has(*slot));
    idle.filter(|slot| is_so(*slot)).fold(0, |mask, slot| mask | 1 << slot)
}

/// None is closed for lying idle if there are not to be fewer; and whenever neither callers nor borrowers are about, too few
/// are made up for.
fn enough_idle(before: &Before, world: &World, input: Input, actions: &[Action]) -> Verdict {
    let core = &world.core;
    let fresh = mask(world, |slot| !core.is_ageing(slot, world.now())).count_ones();
    let min_idle = core.config.min_idle.min(core.config.max_size);
    if !world.is_open() || fresh >= min_idle {
        return Ok(());
    }
    let closes_fit = actions.iter().any(|action| match action {
        Action::Start(slot, Job::Close) => before.fit & 1 << slot.index() != 0,
        _ => false,
    });
    // One of the others may have gone to a caller meanwhile, or to its check.
    let counts = core.slots.counts();
    let alone = before.queue.is_empty() && !world.shelf.raced;
    if input == Input::Tick && closes_fit && alone && fresh + counts.checking < min_idle {
        return Err("one of too few is closed for lying idle".into());
    }
    let coming = core.slots.opening() + counts.checking + counts.resetting + counts.offered;
    let returns = counts.live + counts.offered > world.shelf.idle.count_ones();
    let undisturbed = before.calm && core.driver && !(core.waiters.waiting() > 0 && returns);
    if undisturbed && fresh + coming < min_idle && may_open(world) {
        return Err("too few lie idle, and nothing is opened".into());
    }
    Ok(())
}

/// Whether capacity, limit and back-off allow a creation.
fn may_open(world: &World) -> bool {
    let core = &world.core;
    let (_, ramp, ..) = core.backoff.canonical();
    let limit = core.config.max_creating.min(ramp);
    core.slots.counts().charged() < core.config.max_size
        && core.slots.opening() < limit
        && !core.backoff.is_running()
}

/// I9: those served, followed by those who still wait, stand in the order of the queue before.
fn in_order(
    before: &Before,
    input: Input,
    actions: &[Action],
    served: &[WaiterId],
    queue: &[WaiterId],
) -> Verdict {
    let now: Vec<_> = served.iter().chain(queue).copied().collect();
    let mut line = before.queue.clone();
    line.retain(|id| now.contains(id));
    match input {
        // One that comes late goes to the front of what is left when the others had their turn; the second time, to the
        // back.
        Input::Claim(id) if before.claims_late && before.was_late => line.push(id),
        Input::Claim(id) if before.claims_late => {
            let turn = served.iter().position(|other| *other == id);
            line.insert(turn.unwrap_or(served.len()), id);
        }
        // What was offered is taken back: those it was offered to came first.
        Input::RetireAll { spread: Duration::ZERO } | Input::DriverLost => {
            line = before.offered.iter().copied().chain(line).collect();
        }
        _ => {}
    }
    line.extend(actions.iter().filter_map(|action| match action {
        Action::Queue(id) => Some(*id),
        _ => None,
    }));
    line.retain(|id| now.contains(id));
    if line != now {
        return Err(format!("I9: {now:?} are served and wait, while the order was {line:?}"));
    }
    Ok(())
}

/// What must be true of a resource that reaches a borrower.
pub(super) fn lent(world: &World, slot: u32) -> Verdict {
    let bit = 1 << slot;
    if (world.lent | world.unvetted | world.shelf.idle) & bit != 0 {
        return Err(format!("I1: slot {slot} is lent, and is elsewhere already"));
    }
    if world.state_of(slot) != State::Live {
        return Err(format!("I1: slot {slot} is lent while it is {:?}", world.state_of(slot)));
    }
    if world.void & bit != 0 {
        return Err(format!("slot {slot} is lent after it was retired"));
    }
    if world.doubted & bit != 0 {
        return Err(format!("slot {slot} is lent without the check that it needs"));
    }
    Ok(())
}

/// What must be true when a job is started.
pub(super) fn started(world: &World, slot: SlotId, job: Job) -> Verdict {
    if world.task_of(slot.index()).is_some() {
        return Err(format!("I1: {slot:?} has a task already"));
    }
    let counts = world.core.slots.counts();
    if job == Job::Create && (counts.charged() > world.core.config.max_size || !world.is_open()) {
        return Err("I2: a creation is started in debt, or while the pool is not open".into());
    }
    Ok(())
}

/// What must be true when a creation begins.
pub(super) fn proceeded(world: &World) -> Verdict {
    let counts = world.core.slots.counts();
    if counts.charged() > world.core.config.max_size || !world.is_open() {
        return Err("I2: a creation begins in debt, or while the pool is not open".into());
    }
    Ok(())
}

/// What must be true of a state.
pub(super) fn state(world: &World) -> Verdict {
    for slot in world.slots() {
        one_owner(world, slot)?;
    }
    let core = &world.core;
    let counts = core.slots.counts();
    let attended = core.mode != Mode::Open
        || core.waiters.waiting() > 0
        || counts.charged() - counts.closing > core.config.max_size
        || core.asleep
        || !core.driver;
    if (world.shelf.attended, core.attended) != (attended, attended) {
        return Err(format!(
            "the bits are attended: {}, but should be: {attended}",
            world.shelf.attended
        ));
    }
    let abandoned = world.tasks.iter().filter(|task| !core.slots.is_current(task.slot)).count();
    if abandoned != core.abandoned as usize {
        return Err(format!("{abandoned} tasks are abandoned, and not {}", core.abandoned));
    }
    if core.asleep && world.shelf.idle.count_ones() != counts.live {
        return Err("the tick sleeps while something is lent".into());
    }
    let ticks = core.timers.get(TimerKey::Tick).is_some();
    if core.driver && !core.is_closing() && core.asleep == ticks {
        return Err("the tick goes while it sleeps, or neither".into());
    }
    if core.backoff.is_running() != core.timers.get(TimerKey::Backoff).is_some() {
        return Err("a back-off runs without an end, or ends without running".into());
    }
    let closings = u8::from(core.is_closing());
    let draineds = u8::from(core.is_drained());
    if (world.closings, world.draineds) != (closings, draineds) {
        return Err("closing or drained was not told, or told twice".into());
    }
    if core.is_closing() && (core.is_drained() != (counts.charged() == 0)) {
        return Err("drained, and not empty, or the other way round".into());
    }
    callers(world)?;
    policy::state(world)?;
    at_rest(world)
}

/// I1: every resource has exactly one owner.
fn one_owner(world: &World, slot: u32) -> Verdict {
    let bit = 1 << slot;
    let held = [world.shelf.idle, world.lent, world.unvetted];
    let holders = held.iter().filter(|mask| *mask & bit != 0).count();
    let offers =
        world.callers.iter().filter(|caller| world.core.offered(caller.id) == Some(slot)).count();
    let task = world.task_of(slot).map(|task| (task.job, task.stage == Stage::Abandoned));
    let timer = world.core.timers.get(TimerKey::Job(slot)).is_some();
    // A job that was ordered while there is no driver has no deadline yet.
    let timed = timer || !world.core.driver;
    let fits = match world.state_of(slot) {
        State::Vacant => (holders, offers, task, timer) == (0, 0, None, false),
        State::Live => (holders, offers, task, timer) == (1, 0, None, false),
        State::Offered => (holders, offers, task, timer) == (0, 1, None, false),
        State::Creating { .. } | State::Void => {
            (holders, offers, task, timed) == (0, 0, Some((Job::Create, false)), true)
        }
        State::Checking { .. } => {
            (holders, offers, task, timed) == (0, 0, Some((Job::Check, false)), true)
        }
        State::Resetting => {
            (holders, offers, task, timed) == (0, 0, Some((Job::Reset, false)), true)
        }
        State::Closing => (holders, offers, task, timed) == (0, 0, Some((Job::Close, false)), true),
        State::Stuck => {
            (holders, offers, timer) == (0, 0, false) && task.is_some_and(|(_, over)| over)
        }
    };
    if fits {
        return Ok(());
    }
    Err(format!(
        "I1: slot {slot} is {:?} with {holders} holders, {offers} offers, task {task:?}, timer {timer}",
        world.state_of(slot),
    ))
}

/// Nobody is forgotten, and nobody waits beyond its deadline.
fn callers(world: &World) -> Verdict {
    let core = &world.core;
    if core.waiters.all().count() != world.callers.len() {
        return Err("the core remembers somebody who left, or forgot somebody".into());
    }
    let queue: Vec<_> = core.waiters.queued().collect();
    for caller in &world.callers {
        let id = caller.id;
        if !core.waiters.is_current(id) {
            return Err(format!("{id:?} is forgotten"));
        }
        let standing = core.waiters.get(id).standing;
        if (standing == Standing::Waiting) != queue.contains(&id) {
            return Err(format!("{id:?} is {standing:?}, and the queue is {queue:?}"));
        }
        let pending = matches!(standing, Standing::Waiting | Standing::Lapsed);
        if pending && (caller.expired || core.is_closing()) {
            return Err(format!("I4: {id:?} is {standing:?} after its deadline or after the end"));
        }
        let window = core.timers.get(TimerKey::Offer(id.index())).is_some();
        if window != core.offered(id).is_some() {
            return Err(format!(
                "{id:?} has a claim window without an offer, or the other way round"
            ));
        }
    }
    Ok(())
}

/// I3: with no message under way, nobody waits for what is there.
fn at_rest(world: &World) -> Verdict {
    let core = &world.core;
    let counts = core.slots.counts();
    let over = counts.charged() - counts.closing > core.config.max_size;
    if (over || core.is_closing()) && world.shelf.idle != 0 {
        return Err("something lies idle that should be on its way out".into());
    }
    let waiting = core.waiters.waiting();
    if !world.is_open() || waiting == 0 {
        return Ok(());
    }
    let checks = counts.checking
        - world
            .slots()
            .filter(|slot| world.state_of(*slot) == State::Checking { doubtful: true })
            .count() as u32;
    for slot in world.slots().filter(|slot| world.shelf.has(*slot)) {
        let stale = core.is_outdated(slot, world.now());
        let fit = !stale && world.doubted & (1 << slot) == 0;
        if fit || (!stale && checks < waiting) {
            return Err(format!("I3: somebody waits while slot {slot} lies idle"));
        }
    }
    let is_void = |slot: &u32| {
        world.task_of(*slot).is_some_and(Task::is_opening) && world.void & (1 << *slot) != 0
    };
    let void = world.slots().filter(is_void).count() as u32;
    let coming = checks + counts.creating - void + counts.resetting;
    if counts.charged() < core.config.max_size && coming == 0 && !core.backoff.is_running() {
        return Err("I3: somebody waits while there is room and nothing is coming".into());
    }
    if may_open(world) && coming < waiting && core.timers.get(TimerKey::Growth).is_none() {
        return Err("somebody waits for returns, and nobody will look whether they come".into());
    }
    Ok(())
}
