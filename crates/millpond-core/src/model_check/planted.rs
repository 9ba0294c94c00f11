//! Defects that a core could have, made from outside: the model meddles with what goes into the core, with what comes out of
//! it, and with its state, so that it behaves as if a line were missing. The checker must find each of them.

use std::time::Duration;

use super::scope::{Also, Scope};
use super::shelf::Age;
use super::world::World;
use crate::core::Mode;
use crate::io::{Action, GiveBack, Idle, Input, Job, Outcome, Refusal, Why};
use crate::phases::Phases;
use crate::slots::State;
use crate::timers::TimerKey;
use crate::waiters::Standing;
use crate::{Overload, ShedReason, WaiterId};

/// What is wrong with the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// It does not look again after it raised the flag.
    NoSecondLook,
    /// It lowers the flag while somebody waits.
    FlagLowered,
    /// It forgets what was offered to a caller that leaves.
    CancelLosesOffer,
    /// It forgets what was offered to a caller that does not come.
    RevokeLosesOffer,
    /// It tells a caller with an offer that its deadline passed, and forgets the offer.
    DeadlineLosesOffer,
    /// It offers something without waking.
    WakeLost,
    /// It does not close what lies idle after a shrink.
    ShedIgnoresDebt,
    /// It lets every creation begin.
    BeginUnchecked,
    /// It lends what a creation of the last epoch opens.
    RetireForgetsCreations,
    /// It has callers wait for what a creation of the last epoch opens.
    VoidCountedOn,
    /// It hands over during a pause.
    PlaceIgnoresPause,
    /// It puts those whose deadline has passed back into the queue.
    RetireForgetsDeadlines,
    /// It puts those whose offers it takes back into the queue in the wrong order.
    RetireReversesOrder,
    /// It never ends a back-off.
    BackoffForEver,
    /// It does not let one back into the queue that came late.
    LateForgotten,
    /// It trusts what lay idle when the driver was lost.
    SuspectsTrusted,
    /// It trusts what was lent when the driver was lost.
    BorrowedTrusted,
    /// It frees no place when a creation was skipped.
    SkippedStaysCharged,
    /// It serves the last who came first.
    LastComeFirst,
    /// It leaves the claim window open after a claim.
    WindowLeftOpen,
    /// It counts an abandoned job as still running.
    AbandonedCharged,
    /// It trusts that returns will do even when nothing is on its way.
    ReturnsTrusted,
    /// It does not look again whether returns will do.
    ReturnsNotCounted,
    /// It opens nothing that nobody asks for.
    IdleNotKept,
    /// It closes the last for lying idle.
    LastIdleClosed,
    /// It counts on one that grows old.
    OldNotReplaced,
    /// It has all checked at once that lie idle, unasked.
    AllKeptAliveAtOnce,
    /// It refuses one who has waited too long, and does not wake it.
    ShedNotWoken,
    /// It refuses one who comes, and lets it queue as well.
    RefusedQueued,
    /// It has room for everybody in an overloaded lane.
    RoomForAll,
    /// It refuses those who have waited long while nothing is open.
    ShedWhileDown,
    /// It refuses those who have waited long whether or not the queue drains.
    ShedWithoutOverload,
    /// It takes a lane for overloaded in which nobody has waited for long.
    OverloadedAtOnce,
    /// It does not look at a queue again.
    QueueNotWatched,
    /// What comes home still counts for its lane.
    TieNotReleased,
    /// It does not serve a lane first that has too few of its own.
    ReservedIgnored,
    /// It does not know of the head start of a lane.
    HeadStartIgnored,
}

impl Defect {
    pub(super) const ALL: [Self; 37] = [
        Self::NoSecondLook,
        Self::FlagLowered,
        Self::CancelLosesOffer,
        Self::RevokeLosesOffer,
        Self::DeadlineLosesOffer,
        Self::WakeLost,
        Self::ShedIgnoresDebt,
        Self::BeginUnchecked,
        Self::RetireForgetsCreations,
        Self::VoidCountedOn,
        Self::PlaceIgnoresPause,
        Self::RetireForgetsDeadlines,
        Self::RetireReversesOrder,
        Self::BackoffForEver,
        Self::LateForgotten,
        Self::SuspectsTrusted,
        Self::BorrowedTrusted,
        Self::SkippedStaysCharged,
        Self::LastComeFirst,
        Self::WindowLeftOpen,
        Self::AbandonedCharged,
        Self::ReturnsTrusted,
        Self::ReturnsNotCounted,
        Self::IdleNotKept,
        Self::LastIdleClosed,
        Self::OldNotReplaced,
        Self::AllKeptAliveAtOnce,
        Self::ShedNotWoken,
        Self::RefusedQueued,
        Self::RoomForAll,
        Self::ShedWhileDown,
        Self::ShedWithoutOverload,
        Self::OverloadedAtOnce,
        Self::QueueNotWatched,
        Self::TieNotReleased,
        Self::ReservedIgnored,
        Self::HeadStartIgnored,
    ];

    /// A small search in which it shows.
    pub(super) fn scope(self) -> Scope {
        let also: &[Also] = match self {
            Self::NoSecondLook => &[Also::Takes, Also::Races],
            Self::FlagLowered
            | Self::CancelLosesOffer
            | Self::RevokeLosesOffer
            | Self::WakeLost
            | Self::LateForgotten
            | Self::SkippedStaysCharged
            | Self::LastComeFirst
            | Self::WindowLeftOpen => &[],
            Self::AllKeptAliveAtOnce => &[Also::Checks, Also::Keepalive],
            Self::DeadlineLosesOffer => &[Also::Deadlines],
            Self::ShedIgnoresDebt | Self::BeginUnchecked => &[Also::Resizes],
            Self::RetireForgetsCreations | Self::VoidCountedOn | Self::RetireReversesOrder => {
                &[Also::Epochs]
            }
            Self::RetireForgetsDeadlines => &[Also::Epochs, Also::Deadlines],
            Self::PlaceIgnoresPause => &[Also::Pauses],
            Self::BackoffForEver => &[Also::Failures],
            Self::SuspectsTrusted | Self::BorrowedTrusted => &[Also::Drivers, Also::Takes],
            Self::AbandonedCharged => &[Also::Hangs],
            Self::ReturnsTrusted | Self::ReturnsNotCounted => {
                let scope = Scope::new("planted", 3, 3, &[Also::Paced]);
                return Scope { max_creating: 3, ..scope };
            }
            Self::ShedNotWoken
            | Self::RefusedQueued
            | Self::RoomForAll
            | Self::ShedWhileDown
            | Self::ShedWithoutOverload
            | Self::OverloadedAtOnce
            | Self::QueueNotWatched => {
                let scope = Scope::new("planted", 1, 2, &[Also::Tires, Also::Failures]);
                return Scope { overload: Overload::TargetWait(Duration::ZERO), ..scope };
            }
            Self::TieNotReleased | Self::ReservedIgnored => {
                return Scope { lanes: true, ..Scope::new("planted", 1, 3, &[Also::Tires]) };
            }
            Self::HeadStartIgnored => {
                return Scope { lanes: true, ..Scope::new("planted", 2, 2, &[]) };
            }
            Self::IdleNotKept | Self::LastIdleClosed | Self::OldNotReplaced => {
                let also = &[Also::Takes, Also::Checks, Also::Lifetimes, Also::Sweeps];
                return Scope { min_idle: 1, ..Scope::new("planted", 2, 2, also) };
            }
        };
        Scope::new("planted", 2, 2, also)
    }

    /// Meddles before the core sees the input; what is returned, it sees instead.
    pub(super) fn before(self, world: &mut World, input: Input) -> Input {
        world.shelf.no_second_look = self == Self::NoSecondLook;
        let now = world.now();
        let core = &mut world.core;
        let is_due = |core: &crate::Core, key| core.timers.get(key).is_some_and(|at| at <= now);
        match (self, input) {
            (Self::CancelLosesOffer, Input::Cancel(id)) if core.offered(id).is_some() => {
                core.timers.clear(TimerKey::Offer(id.index()));
                core.timers.clear(TimerKey::Deadline(id.index()));
                core.waiters.remove(id);
                Input::Tick
            }
            (Self::RevokeLosesOffer | Self::DeadlineLosesOffer, _) => {
                for id in core.waiters.all().collect::<Vec<_>>() {
                    let (offer, deadline) =
                        (TimerKey::Offer(id.index()), TimerKey::Deadline(id.index()));
                    let is_offered = core.offered(id).is_some();
                    if self == Self::RevokeLosesOffer && is_due(core, offer) {
                        core.timers.clear(offer);
                        core.waiters.set(id, Standing::Lapsed);
                    }
                    if self == Self::DeadlineLosesOffer && is_offered && is_due(core, deadline) {
                        core.timers.clear(offer);
                        core.timers.clear(deadline);
                        let (waited, phases) = (Duration::ZERO, Phases::default());
                        let (why, retry_after) = (Why::Deadline, Duration::ZERO);
                        let refusal = Refusal { why, ahead: 0, waited, phases, retry_after };
                        core.waiters.set(id, Standing::Refused(refusal));
                        core.act(Action::Wake(id));
                    }
                }
                input
            }
            (Self::ShedIgnoresDebt, _) => {
                let counts = core.slots.counts();
                let max = if let Input::Resize(max) = input { max } else { core.config.max_size };
                if core.mode == Mode::Open && counts.charged() - counts.closing > max {
                    world.shelf.hidden = !0;
                }
                input
            }
            (Self::PlaceIgnoresPause, Input::Ended(..)) if core.mode == Mode::Paused => {
                core.mode = Mode::Open;
                world.meddled = true;
                input
            }
            (Self::RetireForgetsDeadlines, Input::RetireAll { .. }) => {
                for id in core.waiters.all().collect::<Vec<_>>() {
                    core.waiters.get_mut(id).expired = false;
                }
                input
            }
            (Self::RetireReversesOrder, Input::RetireAll { .. }) => {
                for id in core.waiters.all().collect::<Vec<_>>() {
                    let waiter = core.waiters.get_mut(id);
                    waiter.turn = u64::MAX - waiter.turn;
                }
                input
            }
            (Self::BackoffForEver, _) if is_due(core, TimerKey::Backoff) => {
                core.timers.set(TimerKey::Backoff, now + Duration::from_secs(3600));
                input
            }
            (Self::LastIdleClosed, _)
                if is_due(core, TimerKey::Sweep) && world.shelf.age(0) == Age::Old =>
            {
                core.config.min_idle = 0;
                input
            }
            (Self::OldNotReplaced, _) if is_due(core, TimerKey::Sweep) => {
                core.config.max_lifetime = Duration::ZERO;
                input
            }
            (Self::LateForgotten, Input::Claim(id))
                if core.waiters.get(id).standing == Standing::Lapsed =>
            {
                Input::Tick
            }
            (Self::SkippedStaysCharged, Input::Ended(_, Outcome::Skipped)) => Input::Tick,
            (Self::LastComeFirst, Input::GiveBack(_, GiveBack::Unused) | Input::Ended(..)) => {
                let queue: Vec<_> = core.waiters.queued().collect();
                if let [_, .., last] = queue[..] {
                    core.waiters.set(last, Standing::Lapsed);
                    core.waiters.enqueue_front(last);
                }
                input
            }
            (Self::RoomForAll, Input::Wait(_)) => {
                core.lanes[0].relief += 8;
                world.meddled = true;
                input
            }
            (Self::TieNotReleased, Input::GiveBack(slot, _)) => {
                core.slots.get_mut(slot).tied = None;
                input
            }
            (Self::ReservedIgnored, Input::GiveBack(..)) => {
                core.lanes[1].held += 1;
                world.meddled = true;
                input
            }
            (Self::HeadStartIgnored, _) => {
                core.lanes[1].settings.head_start = Duration::ZERO;
                input
            }
            _ => input,
        }
    }

    /// Meddles with what the core did.
    pub(super) fn after(self, world: &mut World, input: Input, actions: &mut Vec<Action>) {
        let now = world.now();
        let core = &mut world.core;
        match (self, input) {
            (Self::FlagLowered, Input::Cancel(_)) => {
                (core.attended, world.shelf.attended) = (false, false);
            }
            (Self::WakeLost, Input::GiveBack(_, GiveBack::Unused)) => {
                actions.retain(|action| !matches!(action, Action::Wake(_)));
            }
            (Self::BeginUnchecked, Input::Begin(id)) if actions.is_empty() && core.expects(id) => {
                actions.push(Action::Proceed(id));
            }
            (Self::RetireForgetsCreations, Input::RetireAll { .. }) => {
                for index in core.slots.indices() {
                    if core.slots.get(index).state == State::Void {
                        core.slots.enter(index, State::Creating { unasked: false });
                        core.slots.get_mut(index).epoch = core.epoch;
                    }
                }
            }
            (Self::VoidCountedOn, Input::RetireAll { .. }) => {
                for index in core.slots.indices() {
                    if core.slots.get(index).state == State::Void {
                        core.slots.enter(index, State::Creating { unasked: false });
                    }
                }
            }
            (Self::SuspectsTrusted | Self::BorrowedTrusted, Input::DriverLost) => {
                for index in core.slots.indices() {
                    let slot = core.slots.get_mut(index);
                    slot.suspect &= match self {
                        Self::SuspectsTrusted => world.shelf.idle & (1 << index) == 0,
                        _ => world.lent & (1 << index) == 0,
                    };
                }
            }
            (Self::PlaceIgnoresPause, _) if std::mem::take(&mut world.meddled) => {
                core.mode = Mode::Paused;
            }
            (Self::ShedNotWoken, _) => {
                let shed = |id| match core.waiters.get(id).standing {
                    Standing::Refused(refusal) => matches!(refusal.why, Why::Shed(_)),
                    _ => false,
                };
                for id in core.waiters.all().filter(|id| shed(*id)) {
                    actions.retain(|action| *action != Action::Wake(id));
                }
            }
            (Self::RefusedQueued, Input::Wait(_)) => {
                if let [Action::Refuse(_), ..] = actions[..] {
                    core.waiters.push(0, now, core.phases.read(now));
                }
            }
            (Self::RoomForAll, _) if std::mem::take(&mut world.meddled) => {
                core.lanes[0].relief -= 8;
            }
            (Self::ReservedIgnored, _) if std::mem::take(&mut world.meddled) => {
                core.lanes[1].held -= 1;
            }
            (Self::ShedWhileDown | Self::ShedWithoutOverload, _) => {
                let down = core.slots.open() == 0 && core.backoff.is_failing();
                let tired = |id: &WaiterId| core.waiters.get(*id).since < now;
                let first = core.waiters.queued().next().filter(tired);
                if let Some(id) = first.filter(|_| down || self == Self::ShedWithoutOverload) {
                    if self == Self::ShedWhileDown {
                        core.lanes[0].overloaded_since = Some(now);
                    }
                    core.refuse(id, Why::Shed(ShedReason::WaitedTooLong), 0, now);
                    actions.extend(core.actions.drain(..));
                }
            }
            (Self::OverloadedAtOnce, Input::Tick) if core.waiters.waiting() > 0 => {
                core.lanes[0].overloaded_since.get_or_insert(now);
            }
            (Self::QueueNotWatched, Input::Wait(_)) => core.timers.clear(TimerKey::Overload),
            (Self::ReturnsTrusted, _) if world.lent != 0 => {
                if let [.., Action::Start(slot, Job::Create)] = actions[..] {
                    core.timers.clear(TimerKey::Job(slot.index()));
                    core.slots.enter(slot.index(), State::Vacant);
                    actions.pop();
                }
            }
            (Self::ReturnsNotCounted, _) => core.timers.clear(TimerKey::Growth),
            (Self::IdleNotKept, _) if core.waiters.waiting() == 0 => {
                if let [.., Action::Start(slot, Job::Create)] = actions[..] {
                    core.timers.clear(TimerKey::Job(slot.index()));
                    core.slots.enter(slot.index(), State::Vacant);
                    actions.pop();
                }
            }
            (Self::AllKeptAliveAtOnce, Input::Tick) if !actions.is_empty() => {
                while let Some(index) = world.shelf.peek(0).filter(|slot| world.shelf.claim(*slot))
                {
                    core.check(index, false, now, now);
                }
                actions.extend(core.actions.drain(..));
            }
            (Self::LastIdleClosed, _) => core.config.min_idle = 1,
            (Self::OldNotReplaced, _) => core.config.max_lifetime = Duration::from_secs(1800),
            (Self::AbandonedCharged, _) => {
                let abandons =
                    actions.iter().filter(|action| matches!(action, Action::Abandon(..)));
                core.abandoned += u32::try_from(abandons.count()).expect("a few");
            }
            (Self::WindowLeftOpen, Input::Claim(id)) if !core.waiters.is_current(id) => {
                core.timers.set(TimerKey::Offer(id.index()), now + Duration::from_secs(1));
            }
            _ => {}
        }
    }
}
