//! What tasks do to resources: open, check and close them.

use millpond_core::{Input, Job, Outcome, SlotId};

use super::{Answer, LONGEST, World, whole};
use crate::agenda::Event;

impl World<'_> {
    /// The task of a job says that it is about to start, and starts.
    pub(super) fn begin(&mut self, slot: SlotId, job: Job) {
        if !self.jobs.contains(&slot) {
            return;
        }
        let (at, outcome) = match self.feed(Input::Begin(slot)) {
            Answer::Lent(_) => self.work(slot, job),
            _ => (self.now, Outcome::Skipped),
        };
        self.agenda.enter(at, Event::End(slot, outcome));
    }

    /// When a job will end, and how.
    fn work(&mut self, slot: SlotId, job: Job) -> (u64, Outcome) {
        match job {
            Job::Create if !self.backend.is_there(self.now) => {
                (self.now + whole(self.scenario.pool.refusal), FAILED)
            }
            Job::Create => {
                let takes = self.connect.draw(&mut self.random).min(LONGEST);
                let done = self.done(takes);
                match self.backend.dies(self.now) {
                    Some(death) if death <= done => (death, FAILED),
                    _ => (done, Outcome::Created),
                }
            }
            Job::Check => {
                let done = self.done(whole(self.scenario.pool.check));
                let born = self.born[slot.index() as usize];
                let dead = self.backend.dies(born).is_some_and(|death| death <= done);
                (done, if dead { Outcome::Unfit } else { Outcome::Fit })
            }
            Job::Reset => (self.now, Outcome::Fit),
            Job::Close => (self.now, Outcome::Gone),
        }
    }

    /// When work is done that begins now; what never ends, does so after the end of the run.
    pub(super) fn done(&self, work: u64) -> u64 {
        self.backend.done(self.now, work).map_or(LONGEST, |done| done.min(LONGEST))
    }

    pub(super) fn end_job(&mut self, slot: SlotId, outcome: Outcome) {
        // A task that was stopped has ended before.
        if !self.jobs.remove(&slot) {
            return;
        }
        if outcome == Outcome::Created && self.core.expects(slot) {
            self.bear(slot.index());
        }
        self.feed(Input::Ended(slot, outcome));
    }

    /// A resource is opened in this slot.
    pub(super) fn bear(&mut self, slot: u32) {
        let place = slot as usize;
        if self.born.len() <= place {
            self.born.resize(place + 1, 0);
            self.leases.resize(place + 1, None);
        }
        self.born[place] = self.now;
    }

    pub(super) fn is_dead(&self, slot: u32) -> bool {
        self.backend.dies(self.born[slot as usize]).is_some_and(|death| death <= self.now)
    }
}

/// How the task of an abandoned job ends: it is dropped, and whatever it had with it.
pub(super) fn stopped(job: Job) -> Outcome {
    match job {
        Job::Create => FAILED,
        Job::Check | Job::Reset | Job::Close => Outcome::Gone,
    }
}

const FAILED: Outcome = Outcome::CreateFailed { transient: true };
