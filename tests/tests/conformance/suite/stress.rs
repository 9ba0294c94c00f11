//! Many callers at once, on many threads where the runtime has them, who do everything. Bounded by count; what is asserted is
//! that no resource is in two hands, that there are never too many, and that the manager's books balance at the end.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{Either, select};
use millpond::{Overload, Pool, Pooled};
use millpond_test::{OnReturn, Op, ScriptedManager, Step};
use millpond_tests::real::{Flavour, Rig, Spawned, yield_now};

use super::{ms, secs};

/// What callers did, all together.
#[derive(Debug, Default)]
struct Deeds {
    refused: AtomicU64,
    detached: AtomicU64,
}

/// One caller among many: takes, uses, gives back in one way or another, or gives up.
async fn caller(pool: Pool<ScriptedManager>, number: usize, rounds: usize, deeds: Arc<Deeds>) {
    for round in 0..rounds {
        let how = (number * 7 + round * 3) % 11;
        let get = pool.get_owned();
        let outcome = match how {
            0 => {
                let patience = turns(round % 4);
                let (get, patience) = (pin!(get), pin!(patience));
                match select(get, patience).await {
                    Either::Left((outcome, _)) => outcome,
                    Either::Right(_) => continue,
                }
            }
            1 => get.timeout(ms(1)).await,
            2 => get.label("storm").await,
            3 => match pool.try_get() {
                Ok(pooled) => Ok(pooled),
                Err(_) => continue,
            },
            _ => get.await,
        };
        let mut pooled = match outcome {
            Ok(pooled) => pooled,
            Err(_) if how == 1 => continue,
            Err(error) => {
                assert!(error.is_overload(), "{error}");
                deeds.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        };
        assert!(!pooled.is_dirty(), "{pooled:?} is as its last borrower left it");
        let sole = pooled.occupy();
        yield_now().await;
        drop(sole);
        match how {
            4 => Pooled::discard(pooled),
            5 => {
                deeds.detached.fetch_add(1, Ordering::Relaxed);
                drop(Pooled::detach(pooled));
            }
            6 => {
                let half = pin!(Pooled::run(&mut pooled, async |resource| {
                    resource.soil();
                    turns(100).await;
                }));
                let _ = select(half, ready(())).await;
            }
            _ => {}
        }
    }
}

async fn turns(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

async fn all_end(tasks: Vec<Spawned<()>>) {
    for task in tasks {
        task.await.expect("no caller panics");
    }
}

/// What has to hold whatever happened.
async fn the_books_balance(rig: Rig, most: u64, detached: u64) {
    rig.eventually(|| rig.pool.status().leased == 0).await;
    // Who has to wait for a pool that is overloaded still may be refused.
    let is_relieved = || rig.pool.status().lanes.iter().all(|lane| lane.overloaded_for.is_none());
    rig.eventually(is_relieved).await;
    let status = rig.pool.status();
    assert_eq!((status.waiting, rig.pool.holders().len()), (0, 0), "{status:?}");
    rig.serves_at_full_size().await;
    let manager = rig.manager.clone();
    rig.ends_clean().await;
    assert_eq!(manager.closed() + detached, manager.opened());
    assert_eq!(manager.dropped(), manager.opened());
    let open = manager.max_open_or_creating_at_once();
    assert!(open <= most, "{open} were open or being opened at once, {most} may be");
}

pub(crate) async fn callers_who_do_everything_leave_the_pool_whole(on: Flavour) {
    let sizes = [1, 3, 20].into_iter();
    for (size, overload) in sizes.flat_map(|size| [(size, Overload::Fifo), (size, Overload::Auto)])
    {
        let rig = Rig::new(on, |builder| {
            builder
                .max_size(size)
                .max_creating(size)
                .check_after_idle(Duration::ZERO)
                .overload(overload)
        });
        rig.manager.default_step(Op::Create, Step::Ok.after(Duration::from_micros(200)));
        let deeds = Arc::new(Deeds::default());
        let callers = (0..40)
            .map(|number| on.spawn(caller(rig.pool.clone(), number, 22, Arc::clone(&deeds))));
        all_end(callers.collect()).await;
        // Some are in a hurry, so with a policy it depends on the speed of the machine how many others are refused.
        let refused = deeds.refused.load(Ordering::Relaxed);
        assert!(overload == Overload::Auto || refused == 0, "{refused} were refused");
        // What was detached is no longer the pool's, so it may be open beside all of the pool's.
        let detached = deeds.detached.load(Ordering::Relaxed);
        the_books_balance(rig, size as u64 + 40, detached).await;
    }
}

pub(crate) async fn callers_who_are_torn_out_anywhere_leave_the_pool_whole(on: Flavour) {
    // With a policy it would depend on the speed of the machine whether those who stay are refused for those who leave.
    let rig = Rig::new(on, |builder| builder.max_size(4).max_creating(4).overload(Overload::Fifo));
    let spawn = |number: usize| {
        let pool = rig.pool.clone();
        on.spawn(async move {
            for _ in 0..30 {
                let pooled = pool.get().await.expect("there is time enough");
                let sole = pooled.occupy();
                turns(number % 3).await;
                drop(sole);
                if number % 5 == 0 {
                    Pooled::discard(pooled);
                }
            }
        })
    };
    let stay: Vec<_> = (0..20).map(&spawn).collect();
    for number in 0..60 {
        let torn = spawn(number);
        turns(number % 7).await;
        torn.abort();
        let _ = torn.await;
    }
    all_end(stay).await;
    the_books_balance(rig, 4, 0).await;
}

pub(crate) async fn callers_and_an_operator_who_changes_everything_leave_the_pool_whole(
    on: Flavour,
) {
    let rig = Rig::of(on, 4);
    rig.manager.default_step(Op::Close, Step::Ok.after(Duration::from_micros(100)));
    let callers: Vec<_> = (0..24)
        .map(|number: usize| {
            let pool = rig.pool.clone();
            on.spawn(async move {
                for round in 0..25 {
                    let pooled = pool.get().await.expect("no pause is for ever");
                    let sole = pooled.occupy();
                    yield_now().await;
                    drop(sole);
                    if (number + round) % 6 == 0 {
                        Pooled::discard(pooled);
                    }
                }
            })
        })
        .collect();
    for round in 0..40 {
        match round % 8 {
            0 => rig.pool.retire_all(Duration::ZERO),
            1 | 5 => rig.pool.pause(),
            2 | 6 => rig.pool.resume(),
            3 => rig.pool.retire_all(ms(2)),
            _ => rig.pool.resize([0, 1, 2, 4, 3][round % 5]).expect("a size that a pool can have"),
        }
        turns(5).await;
    }
    rig.pool.resume();
    rig.pool.resize(4).expect("a size that a pool can have");
    all_end(callers).await;
    the_books_balance(rig, 4, 0).await;
}

pub(crate) async fn callers_of_a_backend_that_fails_now_and_then_leave_the_pool_whole(on: Flavour) {
    let rig = Rig::new(on, |builder| {
        builder
            .max_size(3)
            .max_creating(3)
            .check_after_idle(Duration::ZERO)
            .create_backoff(Duration::from_micros(100), ms(1))
    });
    for round in 0..60 {
        let step = |fails: Step| if round % 3 == 0 { fails } else { Step::Ok };
        let fails = if round % 2 == 0 { Step::transient() } else { Step::Panic };
        rig.manager.script(Op::Create, [step(fails.clone())]);
        rig.manager.script(Op::Check, [step(fails)]);
        rig.manager.script(Op::Reset, [step(Step::Unfit)]);
    }
    rig.manager.script_returns((0..200).map(|round| match round % 4 {
        0 => OnReturn::Reset,
        1 => OnReturn::Discard,
        _ => OnReturn::Reuse,
    }));
    let callers = (0..20).map(|_| {
        let pool = rig.pool.clone();
        on.spawn(async move {
            for _ in 0..20 {
                let pooled = pool.get().await.expect("whatever fails may pass");
                let _sole = pooled.occupy();
                yield_now().await;
            }
        })
    });
    all_end(callers.collect()).await;
    the_books_balance(rig, 3, 0).await;
}

pub(crate) async fn threads_and_tasks_together_leave_the_pool_whole(on: Flavour) {
    let rig = Rig::of(on, 3);
    drop(rig.take().await);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let pool = rig.pool.clone();
            on.on_a_thread(move || {
                for round in 0..60 {
                    let Ok(pooled) = block_on(pool.get().timeout(secs(600))) else {
                        panic!("the pool is driven")
                    };
                    let sole = pooled.occupy();
                    thread::yield_now();
                    drop(sole);
                    if round % 10 == 0 {
                        Pooled::discard(pooled);
                    }
                }
            })
        })
        .collect();
    let tasks = (0..12).map(|number| {
        let pool = rig.pool.clone();
        on.spawn(async move {
            for round in 0..40 {
                let pooled = pool.get().await.expect("there is time enough");
                let sole = pooled.occupy();
                yield_now().await;
                drop(sole);
                if (number + round) % 10 == 0 {
                    Pooled::discard(pooled);
                }
            }
        })
    });
    all_end(tasks.collect()).await;
    for thread in threads {
        thread.await;
    }
    the_books_balance(rig, 3, 0).await;
}
