//! Work that does not end in its time, or ends when nobody expects it any more.

use super::rig::{Rig, secs};
use crate::io::{Action, GiveBack, Input, Job, Outcome};

/// A pool of one in which this job runs on the only place.
fn running(job: Job) -> Rig {
    let mut rig = if job == Job::Create { Rig::new(1) } else { Rig::filled(1) };
    match job {
        Job::Create => drop(rig.queue()),
        Job::Check => {
            rig.pass(secs(1));
            rig.queue();
        }
        Job::Reset | Job::Close => {
            let lent = rig.lend();
            let how = if job == Job::Reset { GiveBack::Reset } else { GiveBack::Discard };
            rig.give_back(lent, how);
            rig.queue();
        }
    }
    let slot = rig.job(job);
    assert!(rig.begin(slot));
    rig.log.clear();
    rig
}

const JOBS: [(Job, u64); 4] =
    [(Job::Create, 10), (Job::Check, 3), (Job::Reset, 3), (Job::Close, 5)];

#[test]
fn a_job_past_its_deadline_loses_its_place_first() {
    for (job, timeout) in JOBS {
        let mut rig = running(job);
        let slot = rig.job(job);
        rig.pass(secs(timeout) - super::rig::ms(1));
        assert_eq!(rig.counts().abandoned, 0, "{job:?}");
        rig.pass(super::rig::ms(1));
        assert_eq!(rig.times(Action::Abandon(slot, job)), 1, "{job:?}");
        assert_eq!(rig.counts().abandoned, 1, "{job:?}");
        assert!(!rig.core.expects(slot));
        rig.pass(secs(6));
        assert_eq!(rig.counts().creating, 1, "{job:?}: the place is used again");
        assert_ne!(rig.job(Job::Create), slot);
    }
}

#[test]
fn an_abandoned_job_that_ends_after_all_disturbs_nothing() {
    for (job, timeout) in JOBS {
        let late = [
            Outcome::Created,
            Outcome::CreateFailed { transient: false },
            Outcome::Fit,
            Outcome::Gone,
        ];
        for outcome in late {
            let mut rig = running(job);
            let slot = rig.job(job);
            rig.pass(secs(timeout));
            rig.pass(secs(6));
            rig.create();
            let before = rig.counts();
            rig.end(slot, outcome);
            assert_eq!(rig.counts(), crate::Counts { abandoned: 0, ..before });
        }
    }
}

#[test]
fn a_task_that_would_begin_after_its_deadline_is_told_not_to() {
    let mut rig = Rig::new(1);
    rig.queue();
    let slot = rig.job(Job::Create);
    rig.pass(secs(10));
    assert!(!rig.begin(slot));
    rig.end(slot, Outcome::Skipped);
    assert_eq!(rig.counts().abandoned, 0);
}

#[test]
fn a_job_that_ends_in_time_leaves_no_deadline_behind() {
    for (job, timeout) in JOBS {
        let mut rig = running(job);
        rig.run_jobs();
        rig.log.clear();
        rig.pass(secs(timeout));
        assert_eq!(rig.counts().abandoned, 0);
        assert!(!rig.log.iter().any(|action| matches!(action, Action::Abandon(..))));
    }
}

#[test]
fn beyond_max_size_abandoned_jobs_the_place_stays_taken() {
    let mut rig = Rig::new(2);
    rig.core.config.max_creating = 2;
    rig.queue();
    rig.queue();
    rig.queue();
    // Nothing that is begun ever ends. The back-off lets one attempt through at a time after the first failure.
    rig.pass(secs(300));
    assert_eq!((rig.counts().abandoned, rig.counts().stuck), (2, 2));
    assert_eq!(rig.counts().charged(), 2);
    assert_eq!(rig.jobs.len(), 4, "no more than twice max_size tasks exist");
}

#[test]
fn a_stuck_place_is_free_again_when_its_job_ends() {
    let mut rig = Rig::new(1);
    rig.queue();
    rig.pass(secs(60));
    assert_eq!((rig.counts().abandoned, rig.counts().stuck, rig.jobs.len()), (1, 1, 2));
    let stuck = rig.jobs[1].0;
    assert!(!rig.core.expects(stuck), "what it opened after all is surplus");
    rig.end(stuck, Outcome::Created);
    assert_eq!((rig.counts().stuck, rig.counts().creating), (0, 1));
}

#[test]
fn when_an_abandoned_job_ends_the_next_may_be_abandoned_again() {
    let mut rig = Rig::new(1);
    rig.queue();
    rig.pass(secs(11));
    let late = rig.jobs[0].0;
    rig.end(late, Outcome::Created);
    rig.pass(secs(16));
    assert_eq!((rig.counts().abandoned, rig.counts().stuck), (1, 0));
}

#[test]
fn a_close_that_hangs_frees_the_place_for_a_creation() {
    let mut rig = running(Job::Close);
    assert_eq!(rig.counts().creating, 0);
    rig.pass(secs(5));
    assert_eq!((rig.counts().abandoned, rig.counts().creating), (1, 1));
}

#[test]
fn a_lost_create_counts_as_a_failure_and_a_lost_check_as_unfit() {
    let mut rig = running(Job::Create);
    let slot = rig.job(Job::Create);
    rig.end(slot, Outcome::CreateFailed { transient: true });
    assert_eq!(rig.core.totals().create_failed, 1);
    let mut rig = running(Job::Check);
    let slot = rig.job(Job::Check);
    rig.end(slot, Outcome::Gone);
    assert_eq!((rig.core.totals().check_failed, rig.counts().creating), (1, 1));
}

#[test]
fn every_open_resource_is_counted_closed_once_whatever_became_of_it() {
    let mut rig = Rig::filled(1);
    // Discarded, and its close hangs.
    let lent = rig.lend();
    rig.give_back(lent, GiveBack::Discard);
    rig.pass(secs(5));
    assert_eq!(rig.core.totals().closed, 1, "dropped when its job was abandoned");
    rig.run_jobs();
    assert_eq!((rig.core.totals().created, rig.core.totals().closed), (1, 1));
    // Stuck in a check, with another job abandoned before.
    let mut rig = Rig::filled(1);
    for _ in 0..2 {
        rig.pass(secs(1));
        let id = rig.queue();
        rig.pass(secs(3));
        if rig.counts().creating == 1 {
            rig.create();
            let lent = rig.poll_lent(id);
            rig.home(lent);
        }
    }
    assert_eq!((rig.counts().abandoned, rig.counts().stuck), (1, 1));
    assert_eq!((rig.core.totals().created, rig.core.totals().closed), (2, 2));
    rig.end(rig.jobs[0].0, Outcome::Gone);
    rig.end(rig.jobs[0].0, Outcome::Gone);
    assert_eq!((rig.core.totals().created, rig.core.totals().closed), (2, 2));
}

#[test]
fn a_creation_that_never_opened_anything_is_not_counted_closed() {
    let mut rig = Rig::new(1);
    rig.queue();
    rig.pass(secs(60));
    assert_eq!(rig.counts().stuck, 1);
    rig.feed(Input::Close);
    for (slot, _) in rig.jobs.clone() {
        rig.end(slot, Outcome::CreateFailed { transient: true });
    }
    assert!(rig.core.is_drained());
    assert_eq!((rig.core.totals().created, rig.core.totals().closed), (0, 0));
}
