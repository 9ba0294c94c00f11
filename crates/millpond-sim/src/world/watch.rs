//! What is seen of the pool while it is at work.

use std::time::Duration;

use millpond_core::{Core, Counts, Note, Totals};

use crate::log::{Moment, Record, Refused, Run, Span};
use crate::scenario::Scenario;

/// Collects what a [`Run`] says.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) records: Vec<Record>,
    pub(super) refusals: Vec<Refused>,
    /// Requests that have not ended, absent callers not counted.
    pub(super) open: u64,

    moments: Vec<Moment>,
    /// How the pool is doing.
    present: Moment,
    grain: u64,
    overloads: Vec<(u32, u64, Option<u64>)>,
    creating: Vec<(Duration, u32)>,
    opened: Vec<Duration>,
    stranded: u64,
    overtaken: u64,
    most_waiting: u32,
    most_lent: u32,
    most_creating: u32,
    /// For each lane: how many have queued, and the turn of the last that was served.
    lanes: Vec<(u64, u64)>,
}

impl Watch {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let grain = (super::whole(scenario.lasts) / MOMENTS).max(1_000_000);
        Self { grain, ..Self::default() }
    }

    /// Looks at the pool when it has come to rest.
    pub(super) fn look(&mut self, now: u64, lent: u32, core: &mut Core, idle: u32) {
        let counts = core.counts();
        let coming = counts.creating + counts.checking + counts.resetting;
        if idle > 0 && counts.waiting > coming && !core.is_paused() {
            self.stranded += 1;
        }
        self.most_waiting = self.most_waiting.max(counts.waiting);
        self.most_creating = self.most_creating.max(counts.creating);
        if self.creating.last().map_or(0, |(_, creating)| *creating) != counts.creating {
            self.creating.push((Duration::from_nanos(now), counts.creating));
        }
        let hold = core.hold().map(|hold| hold.mean).or(self.present.hold);
        let (waiting, creating) = (counts.waiting, counts.creating);
        self.see(now, Moment { waiting, lent, creating, hold });
        for note in core.notes() {
            match note {
                Note::Overloaded { lane, .. } => self.overloads.push((lane, now, None)),
                Note::Relieved { lane, .. } => {
                    let mut open = self.overloads.iter_mut().rev();
                    if let Some((_, _, to)) = open.find(|(of, ..)| *of == lane) {
                        *to = Some(now);
                    }
                }
                Note::Created { .. } => self.opened.push(Duration::from_nanos(now)),
                _ => {}
            }
        }
    }

    /// So many resources are lent from now on.
    pub(super) fn lent(&mut self, now: u64, lent: u32) {
        self.most_lent = self.most_lent.max(lent);
        self.see(now, Moment { lent, ..self.present });
    }

    /// The pool is doing like this from now on.
    fn see(&mut self, now: u64, present: Moment) {
        let before = std::mem::replace(&mut self.present, present);
        let place = usize::try_from(now / self.grain).unwrap_or(usize::MAX);
        if place >= MOST_MOMENTS {
            return;
        }
        if self.moments.len() <= place {
            self.moments.resize(place + 1, before);
        }
        let moment = &mut self.moments[place];
        moment.waiting = moment.waiting.max(present.waiting);
        moment.lent = moment.lent.max(present.lent);
        moment.creating = moment.creating.max(present.creating);
        moment.hold = present.hold;
    }

    /// One more queues in this lane; its turn.
    pub(super) fn queued(&mut self, lane: u32) -> u64 {
        let lane = lane as usize;
        if self.lanes.len() <= lane {
            self.lanes.resize(lane + 1, (0, 0));
        }
        self.lanes[lane].0 += 1;
        self.lanes[lane].0
    }

    /// One that queued in this lane is served.
    pub(super) fn served(&mut self, lane: u32, turn: u64) {
        let (_, last) = &mut self.lanes[lane as usize];
        self.overtaken += u64::from(turn < *last);
        *last = turn.max(*last);
    }

    pub(super) fn end(
        self,
        scenario: &Scenario,
        now: u64,
        counts: Counts,
        totals: Totals,
        events: u64,
    ) -> Run {
        let overloads = self.overloads.into_iter().map(|(lane, from, to)| Span {
            lane,
            from: Duration::from_nanos(from),
            to: Duration::from_nanos(to.unwrap_or(now)),
        });
        Run {
            scenario: scenario.clone(),
            records: self.records,
            refusals: self.refusals,
            moments: self.moments,
            grain: Duration::from_nanos(self.grain),
            overloads: overloads.collect(),
            creating: self.creating,
            opened: self.opened,
            stranded: self.stranded,
            overtaken: self.overtaken,
            most_waiting: self.most_waiting,
            most_lent: self.most_lent,
            most_creating: self.most_creating,
            unfinished: self.open,
            counts,
            totals,
            events,
        }
    }
}

/// Into how many moments a run is divided.
const MOMENTS: u64 = 2000;
/// How many are kept at most: a run may go on for long after the last caller came.
const MOST_MOMENTS: usize = 1 << 16;
