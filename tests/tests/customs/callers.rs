//! Crowds, and callers that lose patience.

use std::task::Poll;
use std::time::Duration;

use millpond_test::{Op, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// After bb8.
#[test]
fn twenty_five_thousand_who_wait_for_a_few_resources_are_all_served() {
    const CROWD: u64 = 25_000;
    const SIZE: u64 = 5;
    let rig = Rig::new(|builder| {
        builder.max_size(SIZE as usize).max_waiters(CROWD as usize).get_timeout(Duration::MAX)
    });
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let (pool, clock) = (rig.pool.clone(), rig.runtime.clone());
            rig.runtime.start(async move {
                let pooled = pool.get().await.expect("nobody is turned away");
                let _sole = pooled.occupy();
                clock.sleep(ms(1)).await;
            })
        })
        .collect();
    // As soon as can be: no resource lies idle while somebody waits.
    rig.runtime.advance(ms(CROWD / SIZE));
    assert!(crowd.iter().all(|one| one.is_finished()), "{:?}", rig.pool.status());
    assert_eq!(rig.runtime.panics(), Vec::<String>::new());
    assert_eq!((rig.pool.status().leases, rig.manager.opened()), (CROWD, SIZE));
    rig.ends_clean();
}

/// After puddle, whose constructor outlives the context that asked for it. Where the caller itself connects, callers with less
/// patience than that takes are never served.
#[test]
fn callers_with_less_patience_than_a_connect_takes_are_served_once_it_is_done() {
    let rig = Rig::of(4);
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(150)));
    for _ in 0..3 {
        let mut impatient = rig.wait_in(rig.pool.get_owned().timeout(ms(50)));
        rig.runtime.advance(ms(50));
        assert!(matches!(impatient.poll(), Poll::Ready(Err(_))));
    }
    drop(rig.take());
    assert_eq!(rig.manager.started(Op::Create), 1, "they all waited for the same one");
    rig.ends_clean();
}

/// After HikariCP, whose pool was once left saturated by borrowers that had timed out.
#[test]
fn a_pool_that_was_saturated_by_callers_who_gave_up_is_as_good_as_before() {
    const ROUNDS: u32 = 800;
    let rig = Rig::of(2);
    let (clock, hold) = (&rig.runtime, ms(10));
    // Twice as many as can be served, with more and with less patience than the queue asks for.
    let callers: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let (pool, clock) = (rig.pool.clone(), clock.clone());
            let patience = if round % 2 == 0 { ms(8) } else { ms(60) };
            rig.runtime.start(async move {
                clock.sleep(hold / 4 * round).await;
                let asked = clock.now();
                let outcome = pool.get().timeout(patience).await;
                assert!(clock.now() <= asked + patience, "none is kept beyond its patience");
                let served = outcome.is_ok();
                clock.sleep(hold).await;
                drop(outcome);
                served
            })
        })
        .collect();
    clock.advance(secs(10));
    let served = callers.into_iter().filter_map(|mut caller| caller.take()).collect::<Vec<_>>();
    assert_eq!(served.len(), ROUNDS as usize, "{:?}", clock.panics());
    let served = served.into_iter().filter(|served| *served).count();
    assert!(served < ROUNDS as usize * 3 / 5, "{served} were served: that was no overload");
    assert!(served > ROUNDS as usize * 9 / 20, "only {served} were served, of about half");

    let status = rig.pool.status();
    assert_eq!((status.leased, status.waiting, rig.manager.opened()), (0, 0, 2), "{status:?}");
    rig.serves_at_full_size();
    rig.ends_clean();
}

/// After bb8, whose pool must not run dry when every connection it checks is found invalid.
#[test]
fn resources_that_never_pass_a_check_starve_nobody() {
    let rig = Rig::new(|builder| builder.max_size(2).check_after_idle(Duration::ZERO));
    rig.manager.default_step(Op::Check, Step::transient());
    for _ in 0..20 {
        let mut crowd = [rig.wait(), rig.wait(), rig.wait()];
        for get in &mut crowd {
            let get = get.future().expect("it waits");
            drop(rig.at_once(get).expect("there is always another to be opened"));
        }
    }
    assert!(rig.manager.checks() >= 20 && rig.pool.status().totals.check_failed >= 20);
    assert!(rig.manager.max_open_or_creating_at_once() <= 2);
    rig.ends_clean();
}
