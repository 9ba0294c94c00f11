//! Servers that fail, and come back.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millpond::{Phase, Pooled, TryGetError};
use millpond_test::{Gate, Op, ScriptedError, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// After deadpool and puddle, where the failure must wake the next in the queue, or it waits for ever.
#[test]
fn a_creation_that_fails_for_one_who_has_left_is_tried_again_for_the_next() {
    for failure in [Step::transient(), Step::Panic] {
        let rig = Rig::of(1);
        let gate = Gate::new();
        rig.manager.script(Op::Create, [failure.behind(&gate)]);
        let (gone, mut next) = (rig.wait(), rig.wait());
        drop(gone);
        gate.open();
        assert!(rig.runtime.block_on(next.future().expect("it waits")).is_ok());
        assert!(rig.runtime.elapsed() <= ms(50), "after one pause");
        assert_eq!(rig.manager.started(Op::Create), 2);
        rig.ends_clean();
    }
}

/// After commons-pool, which has borrowers compete while its factory fails.
#[test]
fn creations_that_fail_by_turns_strand_nobody() {
    let rig = Rig::new(|builder| {
        builder.max_size(3).max_creating(3).create_backoff(ms(1), ms(5)).get_timeout(secs(600))
    });
    for _ in 0..100 {
        let turns = [Step::transient(), Step::Ok, Step::Panic, Step::Ok];
        rig.manager.script(Op::Create, turns.map(|turn| turn.after(ms(2))));
    }
    let crowd: Vec<_> = (0..20)
        .map(|_| {
            let (pool, clock) = (rig.pool.clone(), rig.runtime.clone());
            rig.runtime.start(async move {
                for _ in 0..5 {
                    let pooled = pool.get().await.expect("it fails now and then only");
                    clock.sleep(ms(1)).await;
                    Pooled::discard(pooled);
                }
            })
        })
        .collect();
    rig.runtime.advance(secs(10));
    assert!(crowd.iter().all(|one| one.is_finished()), "{:?}", rig.pool.status());
    assert_eq!((rig.runtime.panics(), rig.pool.status().leases), (Vec::new(), 100));
    rig.ends_clean();
}

/// After puddle, whose `TryAcquire` has a resource opened in the background, and must survive that this fails.
#[test]
fn one_who_only_ever_tries_gets_a_resource_once_the_server_is_back() {
    let rig = Rig::new(|builder| builder.max_size(4).create_backoff(ms(10), ms(40)));
    rig.manager.default_step(Op::Create, Step::transient().after(ms(3)));
    for _ in 0..1000 {
        let refused = rig.pool.try_get().expect_err("the server is down");
        assert!(matches!(refused, TryGetError::Creating | TryGetError::CreateFailed), "{refused}");
        rig.runtime.advance(ms(1));
    }
    assert!(rig.manager.started(Op::Create) > 10 && rig.manager.max_creating_at_once() == 1);

    rig.manager.default_step(Op::Create, Step::Ok.after(ms(3)));
    let back = rig.runtime.elapsed();
    while rig.pool.try_get().is_err() {
        rig.runtime.advance(ms(1));
    }
    // An attempt that began before, a pause, and the next who tries.
    assert!(rig.runtime.elapsed() - back <= ms(3 + 40 + 1 + 3 + 1));
    rig.ends_clean();
}

/// After HikariCP: of several causes the last one is told, since it is the nearest to the truth.
#[test]
fn the_last_of_several_causes_is_told_and_none_that_is_over() {
    let rig = Rig::of(1);
    let refused = ScriptedError::transient("connection refused");
    let starting = ScriptedError::transient("the database system is starting up");
    rig.manager.script(Op::Create, [Step::Fail(refused)]);
    rig.manager.default_step(Op::Create, Step::Fail(starting.clone()));
    let error = rig.runtime.block_on(rig.pool.get().timeout(secs(1))).expect_err("it is down");
    let cause = error.source().and_then(|source| source.downcast_ref::<ScriptedError>());
    assert_eq!(cause, Some(&starting));

    rig.manager.default_step(Op::Create, Step::Ok);
    let held = rig.runtime.block_on(rig.pool.get()).expect("it is up");
    let error = rig.runtime.block_on(rig.pool.get().timeout(secs(1))).expect_err("all is lent");
    assert!(error.source().is_none() && error.snapshot().last_create_error.is_none());
    assert_eq!(error.snapshot().longest_phase(), Some(Phase::Exhausted));
    drop(held);
    rig.ends_clean();
}

/// After pgbouncer, which is restarted under load with its database.
#[test]
fn a_server_that_restarts_under_load_costs_each_dead_resource_one_borrower_and_no_caller_an_error()
{
    const SIZE: usize = 4;
    let rig = Rig::new(|builder| builder.max_size(SIZE).create_backoff(ms(50), secs(1)));
    let dead = Arc::new(AtomicUsize::new(0));
    // At four fifths of what the pool can bear.
    let callers: Vec<_> = (0..800)
        .map(|number| {
            let (pool, clock, dead) = (rig.pool.clone(), rig.runtime.clone(), Arc::clone(&dead));
            rig.runtime.start(async move {
                clock.sleep(ms(25) / 2 * number).await;
                loop {
                    let pooled = pool.get().timeout(secs(6)).await.expect("3 s are no 6 s");
                    clock.sleep(ms(40)).await;
                    if pooled.is_alive() {
                        break;
                    }
                    // What a borrower does that sees its query fail.
                    dead.fetch_add(1, Ordering::Relaxed);
                    Pooled::discard(pooled);
                }
            })
        })
        .collect();
    rig.runtime.advance(secs(1));
    rig.manager.sever();
    rig.manager.default_step(Op::Create, Step::transient().after(ms(1)));
    rig.runtime.advance(secs(3));
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(5)));
    rig.runtime.advance(secs(60));
    assert_eq!(rig.runtime.panics().first(), None);
    assert!(callers.iter().all(|caller| caller.is_finished()));
    let dead = dead.load(Ordering::Relaxed);
    assert!((1..=SIZE).contains(&dead), "{dead} were lent that were dead");
    rig.serves_at_full_size();
    rig.ends_clean();
}
