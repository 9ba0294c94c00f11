//! What happens in the reference because its time has come.

use std::time::Instant;

use super::chance::Chance;
use super::pool::{Place, Pool, Slot, Standing};
use super::words::Said;
use crate::io::Why;

/// What can be due.
#[derive(Clone, Copy, Debug)]
enum Due {
    Deadline(usize),
    Window(usize),
    Timeout(u32),
    Pause,
    Tick,
    Look,
    Sweep,
}

impl Pool {
    /// Lets everything happen that is due, in the order of its moments.
    pub(super) fn ring(&mut self, now: Instant, chance: &Chance) -> bool {
        let mut sweep = chance.sweep;
        let mut rang = false;
        loop {
            let mut due = vec![
                (self.pause.flatten(), Due::Pause),
                (self.tick, Due::Tick),
                (self.look, Due::Look),
                (sweep, Due::Sweep),
            ];
            for (index, caller) in self.callers.iter().enumerate() {
                let waits = !matches!(caller.standing, Standing::Refused(_) | Standing::Gone);
                due.push((caller.deadline.filter(|_| waits), Due::Deadline(index)));
                let offered = matches!(caller.standing, Standing::Offered(_));
                due.push((caller.window.filter(|_| offered), Due::Window(index)));
            }
            for (index, slot) in (0..).zip(&self.slots) {
                due.push((slot.timeout, Due::Timeout(index)));
            }
            let first = due.into_iter().filter_map(|(alarm, due)| Some((alarm?, due)));
            let first = first.min_by_key(|(alarm, _)| *alarm);
            let Some((_, due)) = first.filter(|((at, _), _)| *at <= now) else {
                return rang;
            };
            rang = true;
            self.tending |= !matches!(due, Due::Deadline(_) | Due::Window(_));
            match due {
                Due::Deadline(caller) => self.deadline_passed(caller, now),
                Due::Window(caller) => self.window_closed(caller, now),
                Due::Timeout(slot) => self.timed_out(slot, now),
                Due::Pause => self.pause = None,
                Due::Tick => self.fall_asleep_or_go_on(now),
                Due::Look => {
                    self.look = None;
                    self.pace.complete(now);
                }
                Due::Sweep => {
                    sweep = None;
                    self.close_old(now);
                }
            }
        }
    }

    fn deadline_passed(&mut self, caller: usize, now: Instant) {
        self.callers[caller].deadline = None;
        match self.callers[caller].standing {
            Standing::Offered(_) => self.callers[caller].expired = true,
            Standing::Waiting => {
                let lane = self.callers[caller].lane;
                let before = self.line.iter().take_while(|other| **other != caller);
                let ahead = before.filter(|other| self.callers[**other].lane == lane).count();
                self.refuse(caller, Why::Deadline, ahead, now);
            }
            Standing::Lapsed => self.refuse(caller, Why::Deadline, 0, now),
            Standing::Refused(_) | Standing::Gone => {}
        }
    }

    fn window_closed(&mut self, caller: usize, now: Instant) {
        let Standing::Offered(slot) = self.callers[caller].standing else { return };
        self.totals.revoked += 1;
        let (rounds, last) = self.lapses;
        let overlaps = last.is_some_and(|last| self.callers[caller].offered_at < last);
        self.lapses = (rounds + u32::from(!overlaps), Some(now));
        self.withdraw(caller, now);
        self.place(slot, now, now);
    }

    pub(super) fn withdraw(&mut self, caller: usize, now: Instant) {
        self.offered.retain(|other| *other != caller);
        self.callers[caller].standing = Standing::Lapsed;
        if self.callers[caller].expired {
            self.refuse(caller, Why::Deadline, 0, now);
        } else if self.is_closing() {
            self.refuse(caller, Why::Closed, 0, now);
        }
    }

    fn timed_out(&mut self, index: u32, now: Instant) {
        let slot = &mut self.slots[index as usize];
        let (place, task, began) = (slot.place, slot.task, slot.began);
        slot.timeout = None;
        self.totals.abandoned += 1;
        if !matches!(place, Place::Creating { .. } | Place::Void) {
            self.totals.closed += 1;
        }
        if self.abandoned.len() < self.config.max_size.max(1) as usize {
            self.abandoned.push(task);
            self.slots[index as usize].place = Place::Vacant;
        } else {
            self.slots[index as usize].place = Place::Stuck;
        }
        self.said.push(Said::Abandon(task));
        match place {
            Place::Creating { .. } => self.create_failed(began, true, now),
            Place::Void => self.totals.create_failed += 1,
            Place::Checking { .. } => self.check_failed(began, now),
            _ => {}
        }
    }

    fn fall_asleep_or_go_on(&mut self, now: Instant) {
        let at_home = |slot: &Slot| matches!(slot.place, Place::Vacant | Place::Idle);
        if self.is_closing() {
            self.tick = None;
        } else if self.line.is_empty() && self.slots.iter().all(at_home) {
            (self.asleep, self.tick) = (true, None);
        } else {
            self.tick = self.alarm(now, self.config.tick);
        }
    }
}
