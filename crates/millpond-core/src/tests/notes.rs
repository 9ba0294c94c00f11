//! What those are told who watch, and why resources are closed.

use std::time::Duration;

use super::rig::{Rig, ms, secs};
use crate::io::{GiveBack, Input, Job, Outcome};
use crate::{CloseReason, Config, Note};

fn watched(count: u32, change: impl FnOnce(&mut Config)) -> Rig {
    Rig::filled_with(count, |config| {
        (config.watched, config.close_timeout) = (true, Duration::MAX);
        change(config);
    })
}

impl Rig {
    fn notes(&mut self) -> Vec<Note> {
        self.core.notes().collect()
    }

    /// Ends the close that is under way; the notes of that tell why.
    fn reason(&mut self) -> CloseReason {
        self.finish(Job::Close, Outcome::Gone);
        self.gone()
    }

    /// Why the only resource that went in the last step did so.
    fn gone(&mut self) -> CloseReason {
        let closed = |note| match note {
            Note::Closed { reason, .. } => Some(reason),
            _ => None,
        };
        let reasons: Vec<_> = self.notes().into_iter().filter_map(closed).collect();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        reasons[0]
    }
}

#[test]
fn without_a_watcher_nothing_is_noted() {
    let mut rig = Rig::filled(2);
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Discard);
    rig.finish(Job::Close, Outcome::Gone);
    rig.feed(Input::Close);
    assert_eq!((rig.notes(), rig.core.totals().closed), (Vec::new(), 1));
}

#[test]
fn notes_are_of_the_last_step() {
    let mut rig = watched(1, |_| {});
    rig.feed(Input::Pause);
    assert_eq!(rig.notes(), [Note::Paused]);
    rig.feed(Input::Pause);
    assert_eq!(rig.notes(), [], "it was paused already");
    rig.feed(Input::Resume);
    rig.feed(Input::Resize(1));
    assert_eq!(rig.notes(), [], "what nobody asked for is forgotten, and it had that size");
}

#[test]
fn each_change_of_the_pool_as_a_whole_is_noted_once() {
    let mut rig = watched(1, |_| {});
    let mut told = Vec::new();
    for input in [
        Input::Pause,
        Input::Resume,
        Input::Resize(2),
        Input::RetireAll { spread: secs(3) },
        Input::Close,
        Input::Close,
    ] {
        rig.feed(input);
        told.extend(rig.notes());
    }
    assert_eq!(rig.reason(), CloseReason::PoolClosed);
    let expected = [
        Note::Paused,
        Note::Resumed,
        Note::Resized { from: 1, to: 2 },
        Note::RetiredAll { epoch: 1, spread: secs(3) },
        Note::Closing,
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_end_is_noted_after_the_last_resource() {
    let mut rig = watched(1, |_| {});
    rig.feed(Input::Close);
    rig.finish(Job::Close, Outcome::Gone);
    let notes = rig.notes();
    assert!(matches!(notes[..], [Note::Closed { .. }, Note::Drained]), "{notes:?}");
}

#[test]
fn a_creation_tells_how_long_it_took_and_how_long_until_the_next() {
    let mut rig = Rig::with(|config| (config.watched, config.max_size) = (true, 1));
    let id = rig.queue_within(secs(60));
    let slot = rig.job(Job::Create);
    assert!(rig.begin(slot));
    rig.skip(ms(30));
    rig.end(slot, Outcome::CreateFailed { transient: false });
    let (notes, pause) = (rig.notes(), rig.pause());
    let failed = Note::CreateFailed { slot, transient: false, late: false, took: ms(30), pause };
    assert_eq!(notes, [failed]);
    rig.poll(id);

    rig.pass(pause);
    let id = rig.queue_within(secs(60));
    let slot = rig.job(Job::Create);
    assert!(rig.begin(slot));
    rig.skip(ms(70));
    rig.end(slot, Outcome::Created);
    assert_eq!(rig.notes(), [Note::Created { slot, took: ms(70) }]);
    rig.poll_lent(id);
}

#[test]
fn what_overstays_its_time_is_noted_with_what_it_was_at() {
    let mut rig = Rig::with(|config| {
        (config.watched, config.max_size, config.create_timeout) = (true, 1, secs(2));
    });
    rig.queue();
    let slot = rig.job(Job::Create);
    assert!(rig.begin(slot));
    rig.skip(secs(2));
    rig.feed(Input::Tick);
    let pause = rig.pause();
    let late = Note::CreateFailed { slot, transient: true, late: true, took: secs(2), pause };
    assert_eq!(rig.notes(), [late]);

    let mut rig = watched(1, |config| config.reset_timeout = secs(2));
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Reset);
    let slot = rig.job(Job::Reset);
    assert!(rig.begin(slot));
    rig.skip(secs(2));
    rig.feed(Input::Tick);
    let abandoned = Note::Abandoned { slot, job: Job::Reset, took: secs(2) };
    let closed = Note::Closed { slot, reason: CloseReason::Unclean };
    assert_eq!(rig.notes(), [abandoned, closed]);
}

#[test]
fn a_close_that_overstays_its_time_keeps_its_reason() {
    let mut rig = watched(1, |config| config.close_timeout = secs(2));
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Discard);
    rig.skip(secs(2));
    rig.feed(Input::Tick);
    assert_eq!(rig.gone(), CloseReason::Discarded);
}

#[test]
fn an_offer_taken_back_is_noted_with_whose_it_was() {
    let mut rig = watched(1, |_| {});
    let lent = rig.lend();
    let waiter = rig.queue();
    rig.home(lent);
    rig.skip(secs(1));
    rig.feed(Input::Tick);
    let notes = rig.notes();
    assert!(matches!(notes[..], [Note::Revoked { waiter: who, .. }] if who == waiter), "{notes:?}");
}

#[test]
fn what_is_detached_is_noted_as_that() {
    let mut rig = watched(1, |_| {});
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Detached);
    let notes = rig.notes();
    assert!(matches!(notes[..], [Note::Detached { slot }] if slot.index() == lent), "{notes:?}");
    assert_eq!((rig.core.totals().detached, rig.core.totals().closed), (1, 0));
}

#[test]
fn what_ages_is_closed_for_the_age_it_reached_first() {
    let mut rig = watched(1, |config| config.idle_timeout = secs(10));
    rig.pass(secs(11));
    assert_eq!(rig.reason(), CloseReason::Idle);

    let mut rig = watched(1, |config| {
        (config.max_lifetime, config.lifetime_jitter) = (secs(10), 0);
    });
    rig.pass(secs(11));
    assert_eq!(rig.reason(), CloseReason::TooOld);
}

#[test]
fn what_is_retired_is_closed_for_that_at_once_or_in_its_own_time() {
    let mut rig = watched(2, |_| {});
    let lent = rig.lend();
    rig.feed(Input::RetireAll { spread: Duration::ZERO });
    assert_eq!(rig.reason(), CloseReason::Retired, "it lay idle");
    rig.give_back(lent, GiveBack::Unused);
    assert_eq!(rig.reason(), CloseReason::Retired, "it was lent");

    let mut rig = watched(1, |_| {});
    rig.feed(Input::RetireAll { spread: secs(5) });
    rig.pass(secs(60));
    assert_eq!(rig.reason(), CloseReason::Retired);
}

#[test]
fn a_retirement_that_comes_after_the_end_of_its_life_is_not_the_reason() {
    let mut rig = watched(1, |config| {
        (config.max_lifetime, config.lifetime_jitter) = (secs(10), 0);
    });
    rig.feed(Input::RetireAll { spread: Duration::MAX });
    rig.pass(secs(60));
    assert_eq!(rig.reason(), CloseReason::TooOld);
}

#[test]
fn what_fails_a_check_or_a_reset_is_closed_for_that() {
    for (job, outcome, reason) in [
        (Job::Check, Outcome::Unfit, CloseReason::CheckFailed),
        (Job::Check, Outcome::Gone, CloseReason::CheckFailed),
        (Job::Reset, Outcome::Unfit, CloseReason::Unclean),
        (Job::Reset, Outcome::Gone, CloseReason::Unclean),
    ] {
        let mut rig = watched(1, |_| {});
        if job == Job::Check {
            rig.skip(secs(2));
            rig.try_get();
        } else {
            let lent = rig.lend();
            rig.give_back(lent, GiveBack::Reset);
        }
        rig.finish(job, outcome);
        let told = if outcome == Outcome::Gone { rig.gone() } else { rig.reason() };
        assert_eq!(told, reason, "{job:?} {outcome:?}");
    }
}

#[test]
fn what_is_one_too_many_is_closed_for_that() {
    let mut rig = watched(2, |_| {});
    let lent = rig.lend();
    rig.feed(Input::Resize(1));
    assert_eq!(rig.reason(), CloseReason::OverSize, "it lay idle");
    rig.feed(Input::Resize(0));
    rig.home(lent);
    assert_eq!(rig.reason(), CloseReason::OverSize, "it was lent");
}

#[test]
fn what_is_discarded_is_closed_for_that_whatever_else_was_wrong_with_it() {
    let mut rig = watched(2, |_| {});
    let lent = [rig.lend(), rig.lend()];
    rig.feed(Input::RetireAll { spread: Duration::ZERO });
    rig.feed(Input::Resize(0));
    rig.give_back(lent[0], GiveBack::Discard);
    assert_eq!(rig.reason(), CloseReason::Discarded);
    rig.feed(Input::Close);
    rig.give_back(lent[1], GiveBack::Discard);
    assert_eq!(rig.reason(), CloseReason::Discarded);
}

#[test]
fn a_place_forgets_why_its_last_resource_went() {
    let mut rig = watched(1, |config| config.idle_timeout = secs(10));
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Discard);
    assert_eq!(rig.reason(), CloseReason::Discarded);
    rig.fill(1);
    rig.pass(secs(11));
    assert_eq!(rig.reason(), CloseReason::Idle);
}

#[test]
fn without_self_service_everybody_comes_to_the_desk_for_good() {
    let mut rig = Rig::filled_with(2, |config| config.self_service = false);
    assert!(rig.bits.attended);
    let lent = rig.lend();
    assert!(rig.bits.attended && rig.bits.take().is_none());
    rig.home(lent);
    assert_eq!((rig.lend(), rig.idle()), (lent, 1), "and what lies idle is lent as ever");
    rig.home(lent);
    rig.pass(secs(60));
    assert!(rig.bits.attended);
}

#[test]
fn while_leases_are_watched_a_closing_pool_ticks_until_the_last_is_home() {
    for watched in [false, true] {
        let mut rig = Rig::filled_with(1, |config| {
            (config.leases_watched, config.idle_timeout) = (watched, Duration::MAX);
            config.max_lifetime = Duration::MAX;
        });
        let lent = rig.lend();
        rig.feed(Input::Close);
        rig.pass(secs(100));
        assert_eq!(rig.core.next_timeout().is_some(), watched);
        rig.give_back(lent, GiveBack::Discard);
        rig.run_jobs();
        rig.pass(secs(100));
        assert_eq!((rig.core.is_drained(), rig.core.next_timeout()), (true, None));
    }
}
