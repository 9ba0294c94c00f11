//! The steps the model can take from a state.

use std::time::Duration;

use super::cast::Stage;
use super::scope::{Also, Scope};
use super::shelf::{Age, Race};
use super::world::World;
use crate::core::Mode;
use crate::io::{GiveBack, Job, Outcome};
use crate::timers::TimerKey;
use crate::waiters::{Standing, WaiterId};

/// Something that happens. Callers and tasks by their place in the world's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Arrive {
        lane: u32,
        deadline: bool,
    },
    /// A caller has waited for long.
    Tire(usize),
    Try,
    Poll(usize),
    Leave(usize),
    /// A caller helps itself.
    TakeBit(u32),
    /// A borrower gives back: by its bit, or at the desk if that is attended.
    GoHome(u32),
    /// Somebody comes to the desk without a cause.
    Visit,
    /// Somebody takes what lies idle, only to look at it.
    Look(u32),
    /// A resource that was opened elsewhere joins.
    Add,
    Give(u32, GiveBack),
    Begin(usize),
    End(usize, Outcome),
    /// A timer fires, whenever it is due.
    Fire(TimerKey),
    /// A timer was due and is noticed by a poll, a cancel, the end of a job.
    PollLate(TimerKey, usize),
    LeaveLate(TimerKey, usize),
    EndLate(TimerKey, usize, Outcome),
    /// An idle resource grows older.
    Age(u32),
    /// A resource's life is nearly over.
    Ripen(u32),
    /// A resource's life is over.
    Expire(u32),
    Resize(u32),
    Pause,
    Resume,
    Retire {
        spread: Duration,
    },
    Close,
    DriverUp,
    DriverLost,
}

impl Step {
    /// Whether the core has a part in it, so that others can interfere.
    fn feeds_core(self) -> bool {
        !matches!(
            self,
            Self::TakeBit(_)
                | Self::GoHome(_)
                | Self::Age(_)
                | Self::Ripen(_)
                | Self::Expire(_)
                | Self::Tire(_)
        )
    }
}

impl World {
    /// All steps from here, each with every race that might take place.
    pub(super) fn steps(&self, scope: &Scope, into: &mut Vec<(Step, Option<Race>)>) {
        let mut steps = Vec::with_capacity(32);
        self.caller_steps(scope, &mut steps);
        self.borrower_steps(scope, &mut steps);
        self.task_steps(scope, &mut steps);
        self.timer_steps(scope, &mut steps);
        self.pool_steps(scope, &mut steps);
        for step in steps {
            into.push((step, None));
            if scope.has(Also::Races) && step.feeds_core() && !self.shelf.attended {
                for slot in self.slots() {
                    if self.shelf.has(slot) {
                        into.push((step, Some(Race::TakenBeforeFlag(slot))));
                        into.push((step, Some(Race::TakenBeforeClaim(slot))));
                    } else if self.lent & (1 << slot) != 0
                        && step != Step::Give(slot, GiveBack::Reset)
                    {
                        into.push((step, Some(Race::HomeBeforeFlag(slot))));
                    }
                }
            }
        }
    }

    fn caller_steps(&self, scope: &Scope, into: &mut Vec<Step>) {
        if self.callers.len() < scope.callers {
            for lane in self.core.waiters.lanes() {
                into.push(Step::Arrive { lane, deadline: false });
                if scope.has(Also::Deadlines) {
                    into.push(Step::Arrive { lane, deadline: true });
                }
            }
        }
        if scope.has(Also::Tires) {
            // Of each lane the first who is not tired: who came later has not waited for longer.
            for lane in self.core.waiters.lanes() {
                let fresh = self.core.waiters.queue(lane).find(|id| !self.is_tired(*id));
                let place = |id| self.callers.iter().position(|caller| caller.id == id);
                into.extend(fresh.and_then(place).map(Step::Tire));
            }
        }
        if scope.has(Also::Tries) {
            into.push(Step::Try);
        }
        for index in 0..self.callers.len() {
            // The poll of one in the queue is no more than a visit without a cause.
            if self.standing(index) != Standing::Waiting {
                into.push(Step::Poll(index));
            }
            into.push(Step::Leave(index));
        }
        if scope.has(Also::Takes) && !self.shelf.attended && self.shelf.idle != 0 {
            into.push(Step::TakeBit(self.shelf.idle.trailing_zeros()));
        }
    }

    fn borrower_steps(&self, scope: &Scope, into: &mut Vec<Step>) {
        for slot in self.slots() {
            let is_lent = self.lent & (1 << slot) != 0;
            if self.unvetted & (1 << slot) != 0 || (is_lent && self.core.is_suspect(slot)) {
                into.push(Step::Give(slot, GiveBack::Unused));
                if scope.has(Also::Looks) {
                    into.push(Step::Give(slot, GiveBack::Discard));
                }
            }
            if scope.has(Also::Looks) && self.shelf.has(slot) {
                into.push(Step::Look(slot));
            }
            if !is_lent {
                continue;
            }
            into.push(Step::GoHome(slot));
            let others = [
                (Also::Resets, GiveBack::Reset),
                (Also::Discards, GiveBack::Discard),
                (Also::Detaches, GiveBack::Detached),
            ];
            let others = others.into_iter().filter(|(also, _)| scope.has(*also));
            into.extend(others.map(|(_, how)| Step::Give(slot, how)));
        }
        into.push(Step::Visit);
        if scope.has(Also::Looks) {
            into.push(Step::Add);
        }
    }

    fn task_steps(&self, scope: &Scope, into: &mut Vec<Step>) {
        for index in 0..self.tasks.len() {
            if self.tasks[index].stage == Stage::Owed {
                into.push(Step::Begin(index));
            }
            into.extend(
                self.outcomes(index, scope)
                    .into_iter()
                    .flatten()
                    .map(|outcome| Step::End(index, outcome)),
            );
        }
    }

    /// How the task may end now.
    fn outcomes(&self, index: usize, scope: &Scope) -> [Option<Outcome>; 3] {
        let task = self.tasks[index];
        let failed = |also: Also, transient: bool| {
            scope.has(also).then_some(Outcome::CreateFailed { transient })
        };
        match (task.stage, task.job) {
            (Stage::Owed, _) => [failed(Also::Losses, true), None, None],
            (Stage::Adopted, _) => [None, None, None],
            (Stage::Refused, _) => [Some(Outcome::Skipped), None, None],
            (Stage::Abandoned, Job::Create) => [Some(Outcome::Created), None, None],
            (Stage::Abandoned, _) | (Stage::Begun, Job::Close) => [Some(Outcome::Gone), None, None],
            (Stage::Begun, Job::Create) => [
                Some(Outcome::Created),
                failed(Also::Failures, true),
                failed(Also::Permanent, false),
            ],
            (Stage::Begun, Job::Check | Job::Reset) => [
                Some(Outcome::Fit),
                Some(Outcome::Unfit),
                scope.has(Also::Losses).then_some(Outcome::Gone),
            ],
        }
    }

    fn timer_steps(&self, scope: &Scope, into: &mut Vec<Step>) {
        let mut keys: Vec<_> = self.core.timers.keys().collect();
        keys.sort_unstable();
        keys.retain(|key| match key {
            TimerKey::Job(_) => scope.has(Also::Hangs),
            TimerKey::Tick => scope.has(Also::Sleep),
            _ => true,
        });
        for key in keys {
            into.push(Step::Fire(key));
            if !scope.has(Also::Late) {
                continue;
            }
            for index in 0..self.callers.len() {
                into.push(Step::PollLate(key, index));
                into.push(Step::LeaveLate(key, index));
            }
            for index in 0..self.tasks.len() {
                let outcomes = self.outcomes(index, scope).into_iter().flatten();
                into.extend(outcomes.map(|outcome| Step::EndLate(key, index, outcome)));
            }
        }
    }

    fn pool_steps(&self, scope: &Scope, into: &mut Vec<Step>) {
        for slot in self.slots() {
            let seen =
                self.shelf.age(slot) != Age::Old || self.core.slots.get(slot).proved.is_some();
            if scope.has(Also::Checks) && self.shelf.has(slot) && seen {
                into.push(Step::Age(slot));
            }
            if scope.has(Also::Lifetimes) && self.state_of(slot).is_open() && !self.is_too_old(slot)
            {
                into.push(Step::Expire(slot));
                if scope.min_idle > 0 && !self.core.is_ageing(slot, self.now()) {
                    into.push(Step::Ripen(slot));
                }
            }
        }
        if scope.has(Also::Resizes) {
            let sizes = (0..=scope.size).filter(|size| *size != self.core.config.max_size);
            into.extend(sizes.map(Step::Resize));
        }
        match self.core.mode {
            Mode::Open if scope.has(Also::Pauses) => into.push(Step::Pause),
            Mode::Paused => into.push(Step::Resume),
            _ => {}
        }
        if scope.has(Also::Closing) && !self.core.is_closing() {
            into.push(Step::Close);
        }
        if scope.has(Also::Epochs) {
            into.push(Step::Retire { spread: Duration::ZERO });
        }
        if scope.has(Also::Lifetimes) {
            into.push(Step::Retire { spread: LONG });
        }
        if scope.has(Also::Drivers) {
            into.push(if self.core.driver { Step::DriverLost } else { Step::DriverUp });
        }
    }

    fn standing(&self, index: usize) -> Standing {
        self.core.waiters.get(self.callers[index].id).standing
    }

    pub(super) fn is_tired(&self, id: WaiterId) -> bool {
        self.core.waiters.get(id).since < self.now()
    }

    pub(super) fn is_too_old(&self, slot: u32) -> bool {
        self.core.slots.get(slot).retire_at.is_some_and(|at| at <= self.now())
    }

    /// The step with which everybody does what is best for the pool: whatever is under way succeeds, whatever is lent comes
    /// home. `None` when nothing is left to do.
    pub(super) fn best_step(&self) -> Option<Step> {
        let lowest = |mask: u8| (mask != 0).then(|| mask.trailing_zeros());
        let is = |stage: Stage| move |task: &super::cast::Task| task.stage == stage;
        if !self.core.driver {
            return Some(Step::DriverUp);
        }
        if self.core.mode == Mode::Paused {
            return Some(Step::Resume);
        }
        let settled = |index: &usize| self.standing(*index) != Standing::Waiting;
        if let Some(index) = (0..self.callers.len()).find(settled) {
            return Some(Step::Poll(index));
        }
        if self.callers.is_empty() && !self.core.is_closing() {
            return None;
        }
        if let Some(slot) = lowest(self.lent) {
            return Some(Step::GoHome(slot));
        }
        if let Some(slot) = lowest(self.unvetted) {
            return Some(Step::Give(slot, GiveBack::Unused));
        }
        if let Some(index) = self.tasks.iter().position(is(Stage::Owed)) {
            return Some(Step::Begin(index));
        }
        if let Some(index) = self.tasks.iter().position(is(Stage::Refused)) {
            return Some(Step::End(index, Outcome::Skipped));
        }
        if let Some(index) = self.tasks.iter().position(is(Stage::Begun)) {
            return Some(Step::End(
                index,
                match self.tasks[index].job {
                    Job::Create => Outcome::Created,
                    Job::Check | Job::Reset => Outcome::Fit,
                    Job::Close => Outcome::Gone,
                },
            ));
        }
        if let Some(index) = self.tasks.iter().position(is(Stage::Abandoned)) {
            return Some(Step::End(index, Outcome::Gone));
        }
        if self.core.timers.get(TimerKey::Backoff).is_some() && !self.core.is_closing() {
            return Some(Step::Fire(TimerKey::Backoff));
        }
        (self.core.config.max_size == 0 && !self.core.is_closing()).then_some(Step::Resize(1))
    }

    /// Whether there is nothing left to wish for: nobody waits, and a closing pool is drained.
    pub(super) fn is_content(&self) -> bool {
        self.callers.is_empty() && (!self.core.is_closing() || self.core.is_drained())
    }
}

/// A spread beyond the moment at which the model plays.
pub(super) const LONG: Duration = Duration::from_secs(1 << 40);
