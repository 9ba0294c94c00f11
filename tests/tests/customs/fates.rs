//! Every combination of what may become of a `get` on its way, with its caller gone at any moment of it. After deadpool, which
//! drops its `get` at each await for each outcome.

use std::task::Poll;
use std::time::Duration;

use millpond::{Get, GetError};
use millpond_test::{Op, Parked, ScriptedManager, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// How long every job takes that ends, in milliseconds: long enough to leave in the middle of it.
const JOB: u64 = 2;
/// How long a job may take.
const PATIENCE: u64 = 5;
/// The longest pause after a creation that failed.
const PAUSE: u64 = 1;
/// By then a caller is served, even if a check, a close and a creation hang before.
const WAY: u64 = 3 * PATIENCE + PAUSE;

/// What the jobs come to that a `get` depends on: the check of what lies idle, the close of what is unfit, the creation of
/// another. The next of each will succeed.
type Fates = [(Op, Step); 3];

#[test]
fn a_get_that_is_dropped_at_any_moment_of_any_course_leaves_the_pool_whole() {
    // Panics are left out: each prints a backtrace, and to the pool they are failures.
    let ends = [Step::Ok, Step::Hang, Step::transient(), Step::permanent()];
    in_every_course(&ends, |size, fates| {
        for moment in 0..=WAY {
            two_come(size, fates, Some(moment));
        }
    });
}

#[test]
fn a_get_that_stays_is_served_or_told_why_not_whatever_the_course() {
    let ends = [Step::Ok, Step::Hang, Step::transient(), Step::permanent(), Step::Panic];
    in_every_course(&ends, |size, fates| two_come(size, fates, None));
}

fn in_every_course(ends: &[Step], run: impl Fn(usize, &Fates)) {
    for size in [1, 2] {
        for check in ends {
            for close in ends {
                for create in ends {
                    let fates = [(Op::Check, check), (Op::Close, close), (Op::Create, create)];
                    run(size, &fates.map(|(op, end)| (op, end.clone().after(ms(JOB)))));
                }
            }
        }
    }
}

/// Two callers come to a pool whose one idle resource has to be checked. If `moment` is given, the first leaves then.
fn two_come(size: usize, fates: &Fates, moment: Option<u64>) {
    let rig = Rig::new(|builder| {
        builder
            .max_size(size)
            .check_after_idle(ms(10))
            .check_timeout(ms(PATIENCE))
            .close_timeout(ms(PATIENCE))
            .create_timeout(ms(PATIENCE))
            .create_backoff(ms(PAUSE), ms(PAUSE))
    });
    drop(rig.take());
    rig.runtime.advance(ms(100));
    for (op, step) in fates {
        rig.manager.script(*op, [step.clone()]);
    }

    let mut callers = vec![rig.wait(), rig.wait()];
    for now in 0..=WAY {
        if moment == Some(now) {
            drop(callers.remove(0));
        }
        callers.iter_mut().for_each(|get| come(get, fates));
        rig.runtime.run_until_idle();
        let status = rig.pool.status();
        let parts = status.idle + status.leased + status.creating + status.checking;
        assert_eq!(status.size, parts + status.closing, "{status:?}");
        assert!(status.size <= size && status.abandoned <= size, "{status:?}");
        rig.runtime.advance(ms(1));
    }
    assert!(callers.iter().all(Parked::is_done), "{fates:?}: {:?}", rig.pool.status());

    // What is left of the scripts is played out first.
    drop(callers);
    for _ in 0..4 {
        let _ = rig.runtime.block_on(rig.pool.get());
        rig.runtime.advance(secs(1));
        drop(rig.pool.try_get());
        rig.runtime.advance(ms(WAY));
        rig.pool.retire_all(Duration::ZERO);
        rig.runtime.advance(ms(WAY));
    }
    rig.serves_at_full_size();
    rig.ends_clean();
}

/// Polls a caller that was woken, and gives back at once what it gets. Only of a failure that will not pass is it told.
fn come(caller: &mut Parked<Get<'static, ScriptedManager>>, fates: &Fates) {
    if caller.is_done() || !caller.is_woken() {
        return;
    }
    if let Poll::Ready(Err(error)) = caller.poll() {
        assert!(matches!(error, GetError::Create(..)) && !error.is_retryable(), "{error}");
        assert!(format!("{fates:?}").contains("permanent"), "{error}, although {fates:?}");
    }
}
