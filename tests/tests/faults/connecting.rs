//! What becomes of those who wait when opening goes wrong: it is refused, leads nowhere, takes too long, is denied, or brings
//! what is of no use.

use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use millpond::{Disposition, GetError, Manager, Metrics, Phase, Pool, Returned};
use millpond_test::{Op, ScriptedError, ScriptedManager, Step, TestRuntime};
use millpond_tests::rig::Rig;

use crate::lines::{LineError, Lines};
use crate::server::{Manner, Server, Welcome};
use crate::{ends_clean, eventually, ms, on_both, pool, secs};

/// Whether this refusal has this cause.
fn is_caused(error: &GetError<LineError>, by: impl Fn(&LineError) -> bool) -> bool {
    error.source().and_then(|source| source.downcast_ref()).is_some_and(by)
}

/// Lets one attempt fail, however long that takes on a busy machine.
pub(crate) async fn has_failed(pool: &Pool<Lines>) {
    assert!(pool.try_get().is_err());
    eventually(|| pool.status().totals.create_failed > 0).await;
}

/// Nobody listens: who waits is told by its own deadline, with the cause. Who waits longer is served in order as soon as
/// somebody does.
#[test]
fn a_refused_connection_is_the_cause_of_the_timeout_and_those_who_stay_are_served_in_order() {
    on_both(async || {
        let mut server = Server::deaf(1).expect("there is a port");
        let pool = pool(Lines::to(server.address()), |builder| {
            builder.max_size(1).create_backoff(ms(1), ms(5))
        });
        has_failed(&pool).await;
        let error = pool.get().timeout(ms(20)).await.expect_err("nobody listens");
        assert!(matches!(error, GetError::Timeout(_)), "{error}");
        let refused = |error: &LineError| matches!(error, LineError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        assert!(is_caused(&error, refused), "{error:?}");
        assert!(error.is_retryable() && !error.is_overload(), "broken, rather than busy");

        let order = Mutex::new(Vec::new());
        let waiting = (0..6).map(|number| {
            let (pool, order) = (&pool, &order);
            async move {
                let mut line = pool.get().await.expect("somebody listens in the end");
                assert_eq!(line.echo("perch").await.expect("the server answers"), "perch");
                order.lock().expect("nobody panics").push(number);
            }
        });
        let listens = async {
            eventually(|| pool.status().waiting == 6).await;
            server.listen().expect("the port is ours");
        };
        futures::join!(join_all(waiting), listens);
        assert!(order.lock().expect("nobody panics").iter().copied().eq(0..6), "{order:?}");
        ends_clean(&pool, &[&server]).await;
    });
}

/// The connection leads nowhere: nothing comes back, not even an error. The caller's deadline is its own, whether it is
/// shorter than that of the attempt or longer.
#[test]
fn a_black_hole_holds_up_no_caller_beyond_its_deadline() {
    on_both(async || {
        for (create_timeout, last) in [(secs(600), Phase::Creating), (ms(5), Phase::BackingOff)] {
            let server = Server::start(1).expect("there is a port");
            server.welcomes(Welcome::BlackHole);
            let pool = pool(Lines::to(server.address()), |builder| {
                builder.max_size(1).create_timeout(create_timeout).create_backoff(secs(9), secs(9))
            });
            let error = pool.get().timeout(ms(40)).await.expect_err("nothing comes back");
            assert!(matches!(error, GetError::Timeout(_)), "{error}");
            // The pause after the attempt may be short by chance, and the next attempt begin.
            assert!(
                [Phase::Creating, last]
                    .contains(&error.snapshot().longest_phase().expect("it waited"))
            );
            assert_eq!(pool.status().totals.abandoned > 0, create_timeout < secs(600));
            eventually(|| server.connected() <= 1).await;
            drop(pool);
        }
    });
}

/// The caller gives up, by its deadline or by being dropped, while its connection is being opened: the attempt goes on, and
/// what it opens is for the next.
#[test]
fn a_connection_that_comes_after_its_caller_is_gone_serves_the_next() {
    on_both(async || {
        let server = Server::start(1).expect("there is a port");
        server.welcomes(Welcome::BlackHole);
        let pool = pool(Lines::to(server.address()), |builder| builder.max_size(1));
        assert!(pool.get().timeout(ms(5)).await.is_err(), "the handshake takes longer");
        tokio::select! {
            biased;
            _ = pool.get() => unreachable!("the handshake takes longer"),
            () = eventually(|| server.logins() == 1) => {}
        }
        server.say("hello 1\n");
        eventually(|| pool.status().idle == 1).await;
        let line = pool.try_get().expect("it lies idle");
        assert_eq!((line.server, server.logins()), (1, 1));
        drop(line);
        ends_clean(&pool, &[&server]).await;
    });
}

/// The same as the deadline, on the virtual clock and to the millisecond.
#[test]
fn a_creation_that_ends_after_the_deadline_of_its_caller_lies_idle() {
    let rig = Rig::of(1);
    rig.manager.script(Op::Create, [Step::Ok.after(ms(100))]);
    let error = rig.runtime.block_on(rig.pool.get().timeout(ms(99))).expect_err("1 ms too early");
    assert_eq!(error.snapshot().creating, 1);
    rig.runtime.advance(ms(1));
    assert_eq!((rig.pool.status().idle, rig.pool.status().creating), (1, 0));
    assert_eq!(rig.take().id(), 0);
    rig.ends_clean();
}

/// The handshake ends in the middle, or is that of another protocol, as with a certificate that nobody can accept: callers
/// are told so at once, with the error as it is, and do not wait for their deadlines.
#[test]
fn a_handshake_that_cannot_succeed_is_told_at_once() {
    on_both(async || {
        for welcome in [Welcome::HangsUp, Welcome::Stranger] {
            let server = Server::start(1).expect("there is a port");
            server.welcomes(welcome);
            let pool = pool(Lines::to(server.address()), |builder| {
                builder.max_size(4).get_timeout(secs(3600))
            });
            let error = pool.get().await.expect_err("there is no handshake");
            assert!(matches!(error, GetError::Create(..)), "{error}");
            assert!(is_caused(&error, |error| matches!(error, LineError::Handshake(_))));
            assert!(!error.is_retryable());
            ends_clean(&pool, &[&server]).await;
        }
    });
}

/// The password is wrong: all who wait are told by one attempt, and while that is known whoever comes causes none. A server
/// that locks accounts after some failures sees few.
#[test]
fn a_wrong_password_is_told_to_all_and_tried_seldom() {
    on_both(async || {
        let server = Server::start(1).expect("there is a port");
        let lines = Lines::to(server.address()).password("carp");
        let pool = pool(lines, |builder| {
            builder.max_size(8).max_creating(1).create_backoff(secs(3600), secs(3600))
        });
        let told = join_all((0..200).map(|_| pool.get())).await;
        for error in told.into_iter().map(|told| told.expect_err("the password is wrong")) {
            assert!(is_caused(&error, |error| matches!(error, LineError::Denied)), "{error}");
        }
        for _ in 0..200 {
            assert!(matches!(pool.get().await, Err(GetError::Create(..))));
        }
        // One, but for the odd pause of an hour that by chance is over at once.
        assert!(server.logins() <= 5, "{} logins", server.logins());
        ends_clean(&pool, &[&server]).await;
    });
}

/// A name that is not known yet, and later leads somewhere else: it is looked up at each attempt. Old connections live on
/// until they are retired.
#[test]
fn a_name_is_looked_up_at_every_attempt() {
    on_both(async || {
        let (first, second) = (Server::start(1), Server::start(2));
        let (first, second) = (first.expect("there is a port"), second.expect("there is a port"));
        let lines = Lines::to(first.address());
        lines.moves(&[]);
        let pool = pool(lines.clone(), |builder| {
            builder.max_size(2).max_creating(1).create_backoff(ms(1), ms(5))
        });
        has_failed(&pool).await;
        let error = pool.get().timeout(ms(10)).await.expect_err("the name leads nowhere");
        assert!(is_caused(&error, |error| matches!(error, LineError::NoSuchName)), "{error}");
        lines.moves(&[first.address()]);
        let held = pool.get().await.expect("now it leads somewhere");
        lines.moves(&[second.address()]);
        let other = pool.get().await.expect("and now elsewhere");
        assert_eq!((held.server, other.server), (1, 2));
        drop((held, other));
        pool.retire_all(Duration::ZERO);
        let both = [pool.get().await, pool.get().await];
        assert!(both.iter().all(|line| line.as_ref().is_ok_and(|line| line.server == 2)));
        eventually(|| first.connected() == 0).await;
        drop(both);
        ends_clean(&pool, &[&second]).await;
    });
}

/// What `create` has opened turns out to be broken when it is tried: that is a failed creation like any other, which callers
/// wait out.
#[test]
fn a_connection_that_was_broken_from_the_start_is_never_lent() {
    on_both(async || {
        let server = Server::start(1).expect("there is a port");
        server.behaves(Manner::HangsUp);
        let pool = pool(Lines::to(server.address()).proven(), |builder| {
            builder.max_size(1).create_backoff(ms(1), ms(5))
        });
        let (line, ()) = futures::join!(pool.get(), async {
            eventually(|| pool.status().totals.create_failed >= 3).await;
            server.behaves(Manner::Well);
        });
        let mut line = line.expect("the server is well again");
        assert_eq!(line.echo("perch").await.expect("the server answers"), "perch");
        drop(line);
        assert_eq!(pool.status().totals.created, 1);
        ends_clean(&pool, &[&server]).await;
    });
}

/// The server takes fewer connections than the pool would open: nobody is told so, what is open serves everybody, and the
/// server is asked for more ever more seldom.
#[test]
fn a_server_that_takes_no_more_connections_is_a_smaller_pool() {
    on_both(async || {
        let server = Server::start(1).expect("there is a port");
        server.welcomes(Welcome::AtMost(2));
        let pool = pool(Lines::to(server.address()), |builder| {
            builder.max_size(8).max_creating(4).create_backoff(ms(20), secs(5))
        });
        let callers = join_all((0..40).map(|caller| {
            let pool = &pool;
            async move {
                for round in 0..5 {
                    let mut line = pool.get().await.expect("two are enough for everybody");
                    let text = format!("perch {caller} {round}");
                    assert_eq!(line.echo(&text).await.expect("the server answers"), text);
                }
            }
        }));
        callers.await;
        let status = pool.status();
        assert!((1..=2).contains(&(status.idle + status.checking)), "{status:?}");
        ends_clean(&pool, &[&server]).await;
    });
}

/// Opens up to so many, and counts the attempts.
#[derive(Clone)]
struct Limited {
    inner: ScriptedManager,
    most: u64,
}

impl Manager for Limited {
    type Resource = millpond_test::TestResource;
    type Error = ScriptedError;

    async fn create(&self) -> Result<Self::Resource, ScriptedError> {
        if self.inner.open_now() >= self.most {
            self.inner.script(Op::Create, [Step::transient().after(ms(3))]);
        }
        self.inner.create().await
    }

    fn on_return(&self, r: &mut Self::Resource, returned: Returned, m: &Metrics) -> Disposition {
        self.inner.on_return(r, returned, m)
    }
}

/// The same on the virtual clock: how seldom, over a minute in which somebody always waits.
#[test]
fn a_server_that_takes_no_more_is_asked_one_at_a_time_and_ever_more_seldom() {
    let runtime = TestRuntime::new();
    let manager = Limited { inner: ScriptedManager::new(runtime.clone()), most: 3 };
    manager.inner.default_step(Op::Create, Step::Ok.after(ms(3)));
    let pool = Pool::builder(manager.clone())
        .max_size(8)
        .max_creating(3)
        .build(runtime.clone())
        .expect("the settings make sense");
    let served = Arc::new(AtomicUsize::new(0));
    for _ in 0..20 {
        let (pool, clock, served) = (pool.clone(), runtime.clone(), Arc::clone(&served));
        runtime.start(async move {
            loop {
                let pooled = pool.get().await.expect("three are enough for everybody");
                clock.sleep(ms(10)).await;
                drop(pooled);
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    runtime.advance(secs(60));
    let served = served.load(Ordering::Relaxed);
    assert!(served > 3 * 60 * 100 * 9 / 10, "{served}: the three are never without work");
    let attempts = manager.inner.started(Op::Create) - 3;
    // Pauses up to 50, 100 … 3200 ms, then a few seconds each.
    assert!((5..60).contains(&attempts), "{attempts} attempts in vain");
    assert_eq!(pool.status().size, 3);
}

/// Connections open, and fail the first check they get, again and again: each caller still has one that was just opened, and
/// no more are opened than callers come.
#[test]
fn connections_that_never_pass_a_check_are_opened_no_oftener_than_callers_come() {
    let rig =
        Rig::new(|builder| builder.max_size(4).max_creating(4).check_after_idle(Duration::ZERO));
    rig.manager.default_step(Op::Create, Step::Ok.after(ms(5)));
    rig.manager.default_step(Op::Check, Step::transient().after(ms(1)));
    for _ in 0..50 {
        drop(rig.runtime.block_on(rig.pool.get()).expect("a new one is good"));
    }
    assert_eq!(rig.manager.opened(), 50);
    for _ in 0..10 {
        let mut waiting: Vec<_> = (0..4).map(|_| rig.wait()).collect();
        for get in &mut waiting {
            let get = get.future().expect("it waits");
            drop(rig.runtime.block_on(get).expect("a new one is good"));
        }
    }
    let opened = rig.manager.opened();
    assert!(opened <= 50 + 10 * 4, "{opened} for {} callers", 50 + 10 * 4);
    rig.manager.default_step(Op::Check, Step::Ok);
    rig.ends_clean();
}

/// The server is back after an outage, with many pools waiting for it: they do not all come at the same moment, and none of
/// them opens more than it may.
#[test]
fn many_pools_do_not_storm_a_server_that_is_back() {
    const POOLS: usize = 200;
    let runtime = TestRuntime::new();
    let rigs: Vec<_> = (0..POOLS)
        .map(|_| {
            let manager = ScriptedManager::new(runtime.clone());
            manager.default_step(Op::Create, Step::transient());
            let pool = Pool::builder(manager.clone())
                .max_size(8)
                .get_timeout(Duration::MAX)
                .build(runtime.clone())
                .expect("the settings make sense");
            for _ in 0..8 {
                let get = pool.get_owned();
                runtime.start(async move { get.await.map(std::mem::forget).is_ok() });
            }
            (manager, pool)
        })
        .collect();
    runtime.advance(secs(60));
    for (manager, _) in &rigs {
        manager.default_step(Op::Create, Step::Ok.after(ms(10)));
    }
    let attempts = || rigs.iter().map(|(manager, _)| manager.started(Op::Create)).sum::<u64>();
    let (mut before, mut most) = (attempts(), 0);
    for _ in 0..60 {
        runtime.advance(ms(100));
        most = most.max(attempts() - before);
        before = attempts();
    }
    // Pauses are spread over five seconds: about four pools come in each tenth, each for eight.
    assert!(most < POOLS as u64, "{most} attempts within 100 ms");
    for (manager, pool) in &rigs {
        assert_eq!(pool.status().leased, 8, "all are served");
        assert!(manager.max_creating_at_once() <= 2, "a quarter of the size");
    }
}

/// The error of a creation that failed may be huge, and not `Clone`: there is one of it, however many are told.
#[test]
fn a_huge_error_is_told_to_many_without_being_copied() {
    #[derive(Debug, thiserror::Error)]
    #[error("{} bytes of explanations", .0.len())]
    struct Huge(Box<[u8; 1 << 20]>);

    struct Broken;
    impl Manager for Broken {
        type Resource = ();
        type Error = Huge;

        async fn create(&self) -> Result<(), Huge> {
            Err(Huge(Box::new([7; 1 << 20])))
        }

        fn on_return(&self, (): &mut (), _: Returned, _: &Metrics) -> Disposition {
            Disposition::Reuse
        }

        fn is_transient(&self, _: &Huge) -> bool {
            false
        }
    }

    let runtime = TestRuntime::new();
    let pool = Pool::builder(Broken).build(runtime.clone()).expect("the settings make sense");
    let mut waiting: Vec<_> = (0..100).map(|_| millpond_test::Parked::new(pool.get())).collect();
    assert!(waiting.iter_mut().all(|get| get.poll().is_pending()));
    runtime.run_until_idle();
    let told: Vec<_> = waiting
        .iter_mut()
        .map(|get| match get.poll() {
            std::task::Poll::Ready(Err(GetError::Create(cause, _))) => cause,
            other => panic!("they are told of the failure, not {other:?}"),
        })
        .collect();
    assert!(told.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])));
    let weak = Arc::downgrade(&told[0]);
    drop(told);
    drop(waiting);
    drop(pool);
    runtime.run_until_idle();
    assert!(weak.upgrade().is_none(), "nobody keeps it for ever");
}
