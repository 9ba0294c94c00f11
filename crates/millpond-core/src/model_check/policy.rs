//! What must be true of lanes, and of whom policy may refuse.

use std::time::Instant;

use super::rules::Before;
use super::world::World;
use crate::io::{Action, GiveBack, Input, Outcome, Why};
use crate::timers::TimerKey;
use crate::waiters::Standing;
use crate::{Config, Core, Lane, Overload, ShedReason, WaiterId};

type Verdict = Result<(), String>;

/// What the rules about steps need to know of lanes and load before.
#[derive(Debug)]
pub(super) struct Load {
    callers: Vec<(WaiterId, u32, Instant)>,
    queue: Vec<WaiterId>,
    overloaded: [bool; 2],
    room: [u32; 2],
    /// How many of its own the second lane has, what is on its way to the desk not counted.
    held: u32,
    due: bool,
    down: bool,
}

impl Load {
    pub(super) fn of(world: &World) -> Self {
        let core = &world.core;
        let lane = |number: usize| core.lanes.get(number);
        let caller = |id| (id, core.waiters.get(id).lane, core.waiters.get(id).since);
        Self {
            callers: core.waiters.all().map(caller).collect(),
            queue: core.waiters.queued().collect(),
            overloaded: [0, 1].map(|no| lane(no).is_some_and(|it| it.overloaded_since.is_some())),
            room: [0, 1].map(|number| lane(number).map_or(0, |lane| 1 << lane.relief)),
            held: owned(world),
            due: core.timers.next().is_some_and(|at| at <= world.now()),
            down: is_down(core),
        }
    }

    pub(super) fn lane(&self, id: WaiterId) -> u32 {
        self.callers.iter().find(|(other, ..)| *other == id).map_or(0, |(_, lane, _)| *lane)
    }

    fn is_tired(&self, id: WaiterId, now: Instant) -> bool {
        self.callers.iter().any(|(other, _, since)| *other == id && *since < now)
    }
}

/// Whether somebody in the queue may be refused for this reason.
pub(super) fn may_shed(before: &Before, world: &World, id: WaiterId, reason: ShedReason) -> bool {
    let core = &world.core;
    let load = &before.load;
    let lane = load.lane(id) as usize;
    let overloaded = load.overloaded[lane] || core.lanes[lane].overloaded_since.is_some();
    let tired = load.is_tired(id, world.now());
    let justified = match reason {
        ShedReason::WaitedTooLong => overloaded && tired,
        ShedReason::DeadlineTooClose => core.waiters.get(id).covers_lease && tired,
        // Those are refused on arrival.
        ShedReason::Overloaded | ShedReason::PredictedTooLate => false,
    };
    let rests = core.config.overload == Overload::Fifo || is_down(core);
    justified && !rests
}

/// What must be true of a step. `served`: who was offered something, in that order.
pub(super) fn step(
    before: &Before,
    world: &World,
    input: Input,
    actions: &[Action],
    served: &[WaiterId],
) -> Verdict {
    let core = &world.core;
    for action in actions {
        match (input, action) {
            (Input::Wait(request), Action::Queue(_)) => bounded(before, core, request.lane)?,
            (Input::Wait(request), Action::Refuse(refusal)) => {
                let waiting = core.waiters.waiting_in(request.lane);
                let lane = &core.lanes[request.lane as usize];
                let hurried = request.deadline.is_some() && core.waiters.waiting() > 0;
                let justified = match refusal.why {
                    Why::Shed(ShedReason::Overloaded) => {
                        lane.overloaded_since.is_some() && waiting > 0
                    }
                    Why::Shed(ShedReason::PredictedTooLate) => hurried,
                    Why::Shed(_) => false,
                    Why::TooManyWaiters => waiting >= max_waiters(&core.config, request.lane),
                    _ => continue,
                };
                let shed = matches!(refusal.why, Why::Shed(_));
                if !justified || (shed && before.load.down && is_down(core)) {
                    return Err(format!("{request:?} is refused as {:?}", refusal.why));
                }
            }
            _ => {}
        }
    }
    for lane in core.waiters.lanes() {
        let turned = core.lanes[lane as usize].overloaded_since.is_some()
            && !before.load.overloaded[lane as usize];
        let front = before.load.queue.iter().find(|id| before.load.lane(**id) == lane);
        let tired = front.is_some_and(|id| before.load.is_tired(*id, world.now()));
        if turned && (!tired || is_down(core)) {
            return Err(format!("lane {lane} is overloaded, and nobody has waited for long"));
        }
    }
    in_turn(before, world, input, served)
}

/// No more queue than may, and in an overloaded lane no more than there is room for.
fn bounded(before: &Before, core: &Core, lane: u32) -> Verdict {
    let waiting = core.waiters.waiting_in(lane);
    let number = lane as usize;
    let overloaded =
        before.load.overloaded[number] && core.lanes[number].overloaded_since.is_some();
    let full = overloaded && waiting > before.load.room[number] && !is_down(core);
    if full || waiting > max_waiters(&core.config, lane) {
        return Err(format!("I8: {waiting} wait in lane {lane}"));
    }
    Ok(())
}

/// The first in line over all lanes gets what comes home.
fn in_turn(before: &Before, world: &World, input: Input, served: &[WaiterId]) -> Verdict {
    let load = &before.load;
    let core = &world.core;
    let comes_home = matches!(
        input,
        Input::GiveBack(_, GiveBack::Unused) | Input::Ended(_, Outcome::Created | Outcome::Fit)
    );
    let [first] = served else { return Ok(()) };
    if !comes_home || load.due || world.shelf.raced {
        return Ok(());
    }
    let is_refused = |id: WaiterId| {
        core.waiters.is_current(id) && matches!(core.waiters.get(id).standing, Standing::Refused(_))
    };
    let turn = |id: WaiterId| {
        let lane = load.lane(id);
        let since = load.callers.iter().find(|(other, ..)| *other == id).map(|(.., since)| *since);
        let Lane { head_start, reserved, .. } = settings(&core.config, lane);
        (lane == 0 || load.held >= reserved, since.map(|since| since - head_start), lane)
    };
    let front =
        |lane| load.queue.iter().copied().find(|id| load.lane(*id) == lane && !is_refused(*id));
    let expected = core.waiters.lanes().filter_map(front).min_by_key(|id| turn(*id));
    let equal = expected.is_some_and(|id| load.lane(id) == load.lane(*first));
    if !load.queue.is_empty() && !equal {
        return Err(format!("I9: {first:?} is served, and it was the turn of {expected:?}"));
    }
    Ok(())
}

/// What must be true of a state.
pub(super) fn state(world: &World) -> Verdict {
    let core = &world.core;
    if core.lanes.len() > 1 && core.lanes[1].held != owned(world) {
        return Err(format!(
            "the second lane has {} of its own, and counts {}",
            owned(world),
            core.lanes[1].held
        ));
    }
    for slot in world.slots() {
        let own = core.lanes.len() > 1 && owns(world, slot);
        if core.is_tied(slot) != own {
            return Err(format!("slot {slot} counts for a lane, or does not, wrongly"));
        }
    }
    let watched = core.timers.get(TimerKey::Overload).is_some();
    let sheds = core.config.overload != Overload::Fifo;
    let strained =
        core.waiters.waiting() > 0 || core.lanes.iter().any(|lane| lane.overloaded_since.is_some());
    if (strained && sheds && !watched) || (watched && !sheds) {
        return Err("somebody waits and nobody watches, or the other way round".into());
    }
    Ok(())
}

/// How many resources callers of the second lane have or are offered.
fn owned(world: &World) -> u32 {
    world.slots().filter(|slot| owns(world, *slot)).count() as u32
}

fn owns(world: &World, slot: u32) -> bool {
    let core = &world.core;
    let offered = |id: WaiterId| core.waiters.get(id).lane == 1 && core.offered(id) == Some(slot);
    (world.lent & world.second) & 1 << slot != 0 || core.waiters.all().any(offered)
}

/// Whether nobody can be served, however fast, or the pool is not filled again since.
fn is_down(core: &Core) -> bool {
    let empty = core.slots.open() == 0 && core.backoff.is_failing();
    let (_, was_down) = core.strain.canonical();
    core.mode != crate::core::Mode::Open || empty || was_down
}

fn settings(config: &Config, lane: u32) -> Lane {
    let (max_waiters, head_start, reserved) = (config.max_waiters, std::time::Duration::ZERO, 0);
    match lane {
        0 => Lane { max_waiters, head_start, reserved },
        _ => config.lanes[lane as usize - 1].clone(),
    }
}

fn max_waiters(config: &Config, lane: u32) -> u32 {
    settings(config, lane).max_waiters
}
