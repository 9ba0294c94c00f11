//! Several threads at the same pool: they read it, or close it, while others come and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures::executor::block_on;
use millpond::GetError;
use millpond_test::Op;
use millpond_tests::rig::Rig;

use crate::secs;

/// After bb8, where asking for the state has deadlocked, and deadpool, whose numbers are only eventually consistent.
#[test]
fn what_is_read_while_others_come_and_go_is_consistent_in_itself() {
    const THREADS: usize = 6;
    let rig = Rig::of(2);
    drop(rig.take_many(2));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let pooled = block_on(rig.pool.get()).expect("one of two comes back");
                        let _sole = pooled.occupy();
                        // Long enough for others to queue.
                        thread::yield_now();
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                let status = rig.pool.status();
                assert_eq!((status.max, status.size), (2, status.idle + status.leased));
                assert!(status.size == 2 && status.waiting <= THREADS, "{status:?}");
                assert_eq!(status.oldest_wait.is_some(), status.waiting > 0, "{status:?}");
                assert!(rig.pool.holders().len() <= 2);
                thread::yield_now();
            }
        });
        let ends: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        over.store(true, Ordering::Release);
        assert!(ends.iter().all(Result::is_ok), "a caller panicked");
    });
    let status = rig.pool.status();
    assert_eq!((status.idle, status.waiting, status.leases), (2, 0, 2 + THREADS as u64 * 2000));
    rig.serves_at_full_size();
    rig.ends_clean();
}

/// After HikariCP, which is shut down from many threads at once.
#[test]
fn a_pool_may_be_closed_by_many_threads_while_others_come_and_go() {
    for round in 0..20 {
        let rig = Rig::of(3);
        drop(rig.take_many(round % 4));
        let (callers, closers) = thread::scope(|scope| {
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        loop {
                            if let Err(error) = block_on(rig.pool.get()) {
                                return error;
                            }
                        }
                    })
                })
                .collect();
            let closers: Vec<_> =
                (0..3).map(|_| scope.spawn(|| block_on(rig.pool.close(secs(60))))).collect();
            // This thread is the runtime.
            while !(callers.iter().all(|one| one.is_finished())
                && closers.iter().all(|one| one.is_finished()))
            {
                rig.runtime.run_until_idle();
                thread::yield_now();
            }
            let callers: Vec<_> = callers.into_iter().map(|one| one.join()).collect();
            let closers: Vec<_> = closers.into_iter().map(|one| one.join()).collect();
            (callers, closers)
        });
        for error in callers {
            let error = error.expect("no caller panics");
            assert!(matches!(error, GetError::Closed(_)), "{error}");
        }
        for report in closers {
            let report = report.expect("no closer panics");
            assert!(report.drained, "{report}");
        }
        let closes = rig.manager.started(Op::Close);
        assert_eq!((closes, rig.manager.closed()), (rig.manager.opened(), closes));
        rig.ends_clean();
    }
}
