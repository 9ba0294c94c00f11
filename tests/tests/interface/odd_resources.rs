//! Resources of every kind: without size, large, with a destructor that panics, without `Debug`.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use millpond::{Disposition, Manager, Metrics, Pool, Pooled, Returned};
use millpond_test::{Destructor, Op, Step, TestRuntime};
use millpond_tests::rig::{Rig, until};

use crate::secs;

/// Opens what `R` is by default, and closes by dropping on a thread for blocking work, as is the default.
struct Defaults<R>(std::marker::PhantomData<fn() -> R>);

impl<R: Default + Send + 'static> Manager for Defaults<R> {
    type Resource = R;
    type Error = Infallible;

    async fn create(&self) -> Result<R, Infallible> {
        Ok(R::default())
    }

    fn on_return(&self, _: &mut R, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

fn of<R: Default + Send + 'static>(runtime: &TestRuntime, max: usize) -> Pool<Defaults<R>> {
    let manager = Defaults(std::marker::PhantomData);
    Pool::builder(manager).max_size(max).build(runtime.clone()).expect("the settings make sense")
}

static EMPTY: AtomicUsize = AtomicUsize::new(0);

/// Without size, but not without a destructor.
#[derive(Default)]
struct Empty;

impl Drop for Empty {
    fn drop(&mut self) {
        EMPTY.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_resource_without_size_is_one_of_as_many_as_there_may_be() {
    let runtime = TestRuntime::new();
    let pool = of::<Empty>(&runtime, 3);
    let get = || runtime.block_on(pool.get());
    let held: Vec<_> = (0..3).map(|_| get().expect("there are three")).collect();
    assert!(pool.try_get().is_err());
    drop(held);
    let one = get().expect("it is there");
    drop(Pooled::detach(one));
    assert_eq!(EMPTY.load(Ordering::Relaxed), 1);
    assert_eq!(pool.status().idle, 2);
    let mut close = millpond_test::Parked::new(pool.close(secs(60)));
    let _ = close.poll();
    runtime.run_until_idle();
    until(|| EMPTY.load(Ordering::Relaxed) == 3);
}

/// As large as a stack may not always be.
struct Large(Box<[u8; 1 << 10]>, [u64; 1 << 10]);

impl Default for Large {
    fn default() -> Self {
        Self(Box::new([1; 1 << 10]), [2; 1 << 10])
    }
}

#[test]
fn a_resource_may_be_large() {
    let runtime = TestRuntime::new();
    let pool = of::<Large>(&runtime, 2);
    for _ in 0..10 {
        let mut pooled = runtime.block_on(pool.get()).expect("there are two");
        pooled.1[1023] += 1;
        pooled.0[0] = 3;
    }
    let pooled = runtime.block_on(pool.get()).expect("there are two");
    assert_eq!((pooled.1[1023], pooled.1[0], pooled.0[0]), (12, 2, 3));
    drop(pooled);
    let mut close = millpond_test::Parked::new(pool.close(secs(60)));
    let _ = close.poll();
    runtime.run_until_idle();
}

/// A megabyte that lies in the slot itself.
struct Megabyte([u8; 1 << 20]);

impl Default for Megabyte {
    fn default() -> Self {
        Self([7; 1 << 20])
    }
}

#[test]
fn a_resource_may_be_a_megabyte_in_place() {
    let runs = thread::Builder::new().stack_size(64 << 20).spawn(|| {
        let runtime = TestRuntime::new();
        let pool = of::<Megabyte>(&runtime, 1);
        for n in 0..4 {
            let mut pooled = runtime.block_on(pool.get()).expect("there is one");
            assert_eq!(pooled.0[1 << 19], 7 + n);
            pooled.0[1 << 19] += 1;
        }
    });
    runs.expect("there is a thread").join().expect("it does not panic");
}

#[test]
fn a_destructor_that_panics_costs_nobody_anything() {
    let rig = Rig::of(2);
    for way in [drop, Pooled::discard] {
        let (bad, good) = (rig.take(), rig.take());
        rig.manager.script_destructors([Destructor::Panic]);
        rig.manager.script_returns([millpond_test::OnReturn::Discard]);
        way(bad);
        rig.runtime.run_until_idle();
        drop(good);
        // The answer was for the one that was dropped.
        Pooled::discard(rig.take());
        rig.runtime.run_until_idle();
        rig.serves_at_full_size();
    }
    rig.ends_clean();
}

#[test]
fn a_destructor_that_panics_in_a_job_that_was_given_up_costs_nobody_anything() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)));
    for op in [Op::Check, Op::Close] {
        drop(rig.take());
        rig.runtime.advance(secs(2));
        rig.manager.script(op, [Step::Hang]);
        rig.manager.script_destructors([Destructor::Panic]);
        if op == Op::Close {
            Pooled::discard(rig.take());
        }
        rig.serves_at_full_size();
        rig.runtime.advance(secs(10));
    }
    rig.ends_clean();
}

#[test]
fn a_destructor_that_panics_when_the_pool_goes_costs_nobody_anything() {
    let Rig { runtime, manager, pool } = Rig::of(3);
    let held: Vec<_> =
        (0..3).map(|_| runtime.block_on(pool.get()).expect("there are three")).collect();
    manager.script_destructors([Destructor::Panic, Destructor::Panic, Destructor::Panic]);
    runtime.shutdown();
    drop(pool);
    drop(held);
    until(|| manager.open_now() == 0);
}

/// Tells on which thread it is dropped.
struct Slow(Sender<ThreadId>);

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

/// Opens them; hangs where it is told to.
struct Slows {
    dropped: Sender<ThreadId>,
    hangs: bool,
}

impl Manager for Slows {
    type Resource = Slow;
    type Error = Infallible;

    async fn create(&self) -> Result<Slow, Infallible> {
        Ok(Slow(self.dropped.clone()))
    }

    fn on_return(&self, _: &mut Slow, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }

    async fn check(&self, _: &mut Slow, _: &Metrics) -> Result<(), Infallible> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[test]
fn a_destructor_runs_neither_on_a_borrowers_thread_nor_on_an_executors() {
    let ways: [fn(TestRuntime, Pool<Slows>); 5] = [
        // Closed by the default of the trait,
        |runtime, pool| {
            Pooled::discard(runtime.block_on(pool.get()).expect("there is one"));
            runtime.run_until_idle();
        },
        // left behind by a check that was given up,
        |runtime, pool| {
            drop(runtime.block_on(pool.get()));
            runtime.advance(secs(2));
            assert!(runtime.block_on(pool.get()).is_ok(), "another one");
        },
        // by one that went down with its runtime,
        |runtime, pool| {
            drop(runtime.block_on(pool.get()));
            runtime.advance(secs(2));
            let _ = millpond_test::poll_once(pool.get());
            runtime.run_until_idle();
            runtime.shutdown();
        },
        // by a guard that nobody waits for any more,
        |runtime, pool| {
            let pooled = runtime.block_on(pool.get());
            drop((runtime, pool));
            drop(pooled);
        },
        // or by the pool itself.
        |runtime, pool| {
            drop(runtime.block_on(pool.get()));
            drop((runtime, pool));
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let runtime = TestRuntime::new();
        let (dropped, tells) = channel();
        let manager = Slows { dropped, hangs: number == 1 || number == 2 };
        let builder = Pool::builder(manager).max_size(2).check_after_idle(secs(1));
        let pool = builder.build(runtime.clone()).expect("the settings make sense");
        way(runtime, pool);
        let thread = std::cell::OnceCell::new();
        until(|| tells.try_recv().is_ok_and(|id| thread.set(id).is_ok()));
        let thread = *thread.get().expect("it was dropped");
        assert_ne!(thread, thread::current().id(), "the way of number {number}");
    }
}

/// Does not go before it is let go.
struct Stubborn(Receiver<()>);

impl Drop for Stubborn {
    fn drop(&mut self) {
        // Whoever holds the other end lets go by dropping it.
        let _ = self.0.recv();
    }
}

/// Opens them, and never ends a check. The test keeps the other ends.
struct Stubborns(Arc<Mutex<Vec<Sender<()>>>>);

impl Manager for Stubborns {
    type Resource = Stubborn;
    type Error = Infallible;

    async fn create(&self) -> Result<Stubborn, Infallible> {
        let (holds, held) = channel();
        self.0.lock().expect("nobody panics").push(holds);
        Ok(Stubborn(held))
    }

    fn on_return(&self, _: &mut Stubborn, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }

    async fn check(&self, _: &mut Stubborn, _: &Metrics) -> Result<(), Infallible> {
        std::future::pending().await
    }
}

#[test]
fn a_place_is_free_at_the_deadline_while_the_destructor_of_what_had_it_goes_on() {
    let runtime = TestRuntime::new();
    let holds = Arc::new(Mutex::default());
    let builder = Pool::builder(Stubborns(Arc::clone(&holds))).max_size(1);
    let pool = builder.check_after_idle(secs(1)).build(runtime.clone()).expect("it makes sense");
    drop(runtime.block_on(pool.get()));
    runtime.advance(secs(2));
    let started = runtime.elapsed();
    let next = runtime.block_on(pool.get()).expect("another one");
    assert_eq!(runtime.elapsed() - started, secs(3), "at the deadline of the check");
    assert_eq!((pool.status().size, pool.status().leased), (1, 1));
    // From here on everything may go.
    holds.lock().expect("nobody panics").clear();
    drop(next);
}
