//! What a caller that gets nothing is told: in one line, with the cause, and what to do about it.

use std::error::Error;
use std::future::Future;

use millpond::{
    CreateFault, Disposition, GetError, Manager, Metrics, Phase, Pool, Returned, TryGetError,
};
use millpond_test::{Op, ScriptedError, Step, TestRuntime};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

#[track_caller]
fn contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
    assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
}

#[test]
fn a_timeout_tells_the_phase_the_counts_and_the_oldest_holder() {
    let rig = Rig::new(|builder| builder.max_size(2).name("orders"));
    let report = rig.at_once(rig.pool.get().label("nightly report")).expect("there are two");
    let line = line!() - 1;
    rig.runtime.advance(secs(90));
    let other = rig.take();
    let ahead = rig.wait();
    let error = rig.runtime.block_on(rig.pool.get().timeout(secs(2))).expect_err("all is lent");
    let holder = format!("held longest for 92s by {}:{line}:", file!());
    contains(
        &error.to_string(),
        &[
            "pool `orders` (2 of 2 lent, 0 idle, 0 being created, 1 waiting)",
            "no resource within 2s, of which 2s with every resource lent",
            "1 ahead in the queue",
            &holder,
            "(nightly report)",
        ],
    );
    assert!(error.source().is_none());
    assert!(error.is_overload() && error.is_retryable() && error.retry_after().is_none());
    let snapshot = error.snapshot();
    assert_eq!((snapshot.max, snapshot.leased, snapshot.ahead), (2, 2, 1));
    assert_eq!((snapshot.waited, snapshot.longest_phase()), (secs(2), Some(Phase::Exhausted)));
    assert_eq!(snapshot.oldest_holders.len(), 2);
    drop((report, other, ahead));
    rig.ends_clean();
}

#[test]
fn a_time_is_told_as_it_is_and_no_patience_at_all_as_that() {
    let rig = Rig::of(1);
    let held = rig.take();
    let error = rig.runtime.block_on(rig.pool.get().timeout(ms(1500))).expect_err("it is lent");
    contains(&error.to_string(), &["no resource within 1.5s, of which 1.5s with every"]);
    let error = rig.at_once(rig.pool.get().timeout(ms(0))).expect_err("it is lent");
    contains(&error.to_string(), &["no resource at once; 0 ahead"]);
    let past = rig.runtime.now() - secs(1);
    let error = rig.at_once(rig.pool.get().deadline(past)).expect_err("it is lent");
    contains(&error.to_string(), &["no resource at once; 0 ahead"]);
    drop(held);
    rig.ends_clean();
}

#[test]
fn who_cannot_wait_for_want_of_a_runtime_is_told_who_has_everything() {
    let rig = Rig::of(1);
    let (held, line) = (rig.take(), line!());
    rig.runtime.shutdown();
    let error = millpond_test::poll_once(rig.pool.get());
    let std::task::Poll::Ready(Err(error)) = error else { panic!("there is nobody to wait for") };
    assert!(matches!(error, GetError::NoRuntime(_)), "{error}");
    let holder = format!("held longest for 0ns by {}:{line}:", file!());
    contains(&error.to_string(), &["there is no async runtime here to wait on", &holder]);
    assert_eq!(error.snapshot().oldest_holders.len(), 1);
    drop(held);
}

#[test]
fn a_timeout_during_an_outage_carries_the_last_error_as_its_source() {
    let rig = Rig::of(2);
    let refused = ScriptedError::transient("connection refused (os error 111)");
    rig.manager.default_step(Op::Create, Step::Fail(refused.clone()).after(ms(10)));
    let error = rig.runtime.block_on(rig.pool.get().timeout(secs(20))).expect_err("it is down");
    assert!(matches!(error, GetError::Timeout(_)), "{error}");
    contains(
        &error.to_string(),
        &[
            "no resource within 20s",
            "in back-off after failed creations",
            "while a resource was being created",
            "creating failed last with: connection refused (os error 111)",
        ],
    );
    let source = error.source().and_then(|source| source.downcast_ref::<ScriptedError>());
    assert_eq!(source, Some(&refused));
    assert!(!error.is_overload(), "broken, rather than busy");
    assert!(error.is_retryable());
    let phases: Vec<_> = error.snapshot().phases.iter().map(|(phase, _)| *phase).collect();
    assert_eq!(phases, [Phase::BackingOff, Phase::Creating]);
    let sum = error.snapshot().phases.iter().map(|(_, time)| *time).sum::<std::time::Duration>();
    assert_eq!(sum, secs(20), "the phases add up");
    rig.manager.default_step(Op::Create, Step::Ok);
    rig.ends_clean();
}

#[test]
fn a_timeout_tells_of_each_phase_in_its_words() {
    type Prepare = fn(&Rig);
    let cases: [(Prepare, Phase, &str); 4] = [
        (
            |rig| {
                rig.manager.default_step(Op::Create, Step::Hang);
            },
            Phase::Creating,
            "while a resource was being created",
        ),
        (
            |rig| {
                drop(rig.take());
                rig.runtime.advance(secs(60));
                rig.manager.default_step(Op::Check, Step::Hang);
            },
            Phase::Checking,
            "while an idle resource was being checked",
        ),
        (
            |rig| {
                rig.manager.default_step(Op::Close, Step::Hang);
                millpond::Pooled::discard(rig.take());
            },
            Phase::Clearing,
            "while used resources were being cleaned or closed",
        ),
        (|rig| rig.pool.pause(), Phase::Paused, "while the pool was paused"),
    ];
    for (prepare, phase, words) in cases {
        let rig = Rig::of(1);
        prepare(&rig);
        let error = rig.runtime.block_on(rig.pool.get().timeout(secs(1))).expect_err("it hangs");
        assert_eq!(error.snapshot().phases, [(phase, secs(1))]);
        contains(&error.to_string(), &[words]);
        assert!(!error.is_overload());
    }
}

#[test]
fn a_create_error_is_the_managers_own() {
    let rig = Rig::of(1);
    let wrong = ScriptedError::permanent("password authentication failed for user \"app\"");
    rig.manager.script(Op::Create, [Step::Fail(wrong.clone())]);
    let error = rig.at_once(rig.pool.get()).expect_err("it cannot log in");
    assert!(matches!(&error, GetError::Create(cause, _) if **cause == wrong));
    contains(&error.to_string(), &["pool `pool`", "creating a resource failed"]);
    let source = error.source().and_then(|source| source.downcast_ref::<ScriptedError>());
    assert_eq!(source, Some(&wrong));
    assert!(!error.is_retryable() && !error.is_overload() && error.retry_after().is_none());
    rig.ends_clean();
}

#[test]
fn a_tripped_breaker_says_when_it_will_be_tried_again() {
    let rig =
        Rig::new(|builder| builder.max_size(1).fail_fast_after(1).create_backoff(secs(5), secs(5)));
    rig.manager.default_step(Op::Create, Step::transient());
    let error = rig.at_once(rig.pool.get()).expect_err("it is down");
    assert!(matches!(error, GetError::Create(..)), "{error}");
    assert!(error.is_retryable());
    let after = error.retry_after().expect("a pause is running");
    assert!(after <= secs(5) && error.snapshot().backing_off == Some(after));
    rig.manager.default_step(Op::Create, Step::Ok);
    rig.runtime.advance(after);
    let _probe = rig.at_once(rig.pool.get());
    rig.runtime.run_until_idle();
    drop(rig.take());
    rig.ends_clean();
}

#[test]
fn too_many_waiters_name_the_setting() {
    let rig = Rig::new(|builder| builder.max_size(1).max_waiters(2));
    let held = rig.take();
    let waiting = [rig.wait(), rig.wait()];
    let error = rig.at_once(rig.pool.get()).expect_err("two wait");
    contains(
        &error.to_string(),
        &["1 of 1 lent", "2 waiting", "as many callers wait as may (max_waiters is 2)"],
    );
    assert_eq!(error.snapshot().ahead, 2);
    drop((held, waiting));
    rig.ends_clean();
}

#[test]
fn a_creation_that_panics_or_hangs_is_told_as_what_it_is() {
    let rig = Rig::new(|builder| {
        builder.max_size(1).fail_fast_after(1).create_timeout(secs(2)).create_backoff(ms(1), ms(1))
    });
    rig.manager.script(Op::Create, [Step::Panic, Step::Hang]);
    let fault = |error: GetError<ScriptedError>| {
        assert!(error.is_retryable(), "{error}");
        let source = error.source().expect("it has a cause").to_string();
        let GetError::CreateFault(fault, _) = error else { panic!("not the manager's answer") };
        assert_eq!(source, fault.to_string());
        (*fault).clone()
    };
    let panicked = fault(rig.at_once(rig.pool.get()).expect_err("it panics"));
    assert_eq!(panicked, CreateFault::Panicked("scripted panic in create".to_owned()));
    rig.runtime.advance(ms(1));
    // The next is told of the first while it finds out about the second.
    drop(rig.runtime.block_on(rig.pool.get()));
    rig.runtime.advance(secs(2));
    let hung = fault(rig.at_once(rig.pool.get()).expect_err("it hung"));
    assert_eq!(hung, CreateFault::TimedOut);
    assert!(hung.to_string().contains("create_timeout"), "{hung}");
    rig.runtime.advance(secs(1));
    rig.ends_clean();
}

/// Panics where it should return a future, and where it judges an error.
struct Rash;

impl Manager for Rash {
    type Resource = ();
    type Error = ScriptedError;

    fn create(&self) -> impl Future<Output = Result<(), ScriptedError>> + Send {
        if true {
            panic!("there is no future in this");
        }
        async { Ok(()) }
    }

    fn on_return(&self, (): &mut (), _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

#[test]
fn a_create_that_panics_before_it_is_a_future_is_told_as_a_panic() {
    let runtime = TestRuntime::new();
    let pool = Pool::builder(Rash)
        .fail_fast_after(1)
        .build(runtime.clone())
        .expect("the settings make sense");
    let error = runtime.block_on(pool.get()).expect_err("it panics");
    let GetError::CreateFault(fault, _) = error else { panic!("not the manager's answer") };
    assert_eq!(*fault, CreateFault::Panicked("there is no future in this".to_owned()));
}

/// Fails, and panics when asked about it.
struct Undecided;

impl Manager for Undecided {
    type Resource = ();
    type Error = ScriptedError;

    async fn create(&self) -> Result<(), ScriptedError> {
        Err(ScriptedError::transient("who knows"))
    }

    fn on_return(&self, (): &mut (), _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }

    fn is_transient(&self, _: &ScriptedError) -> bool {
        panic!("how should one know")
    }
}

#[test]
fn an_error_that_the_manager_panics_about_still_reaches_the_caller() {
    let runtime = TestRuntime::new();
    let pool = Pool::builder(Undecided).build(runtime.clone()).expect("the settings make sense");
    let error = runtime.block_on(pool.get().timeout(secs(1))).expect_err("nothing can be opened");
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("who knows"));
    assert_eq!(runtime.panics(), Vec::<String>::new());
}

#[test]
fn an_error_outlives_its_pool_and_may_travel() {
    fn travels<T: Error + Send + Sync + 'static>(error: T) -> Box<dyn Error + Send + Sync> {
        Box::new(error)
    }
    let rig = Rig::of(1);
    rig.manager.default_step(Op::Create, Step::permanent());
    let error = travels(rig.at_once(rig.pool.get()).expect_err("nothing can be opened"));
    rig.ends_clean();
    drop(rig);
    let there = std::thread::spawn(move || {
        let cause = error.source().map(ToString::to_string);
        (error.to_string(), cause)
    });
    let (message, cause) = there.join().expect("it does not panic");
    contains(&message, &["creating a resource failed"]);
    assert_eq!(cause.as_deref(), Some("scripted failure, permanent"));
}

#[test]
fn one_failure_reaches_all_who_depend_on_it_as_one_error() {
    let rig = Rig::of(1);
    rig.manager.script(Op::Create, [Step::permanent().after(ms(5))]);
    let waiting: Vec<_> = (0..3).map(|_| rig.wait()).collect();
    rig.runtime.advance(ms(5));
    let causes: Vec<_> = waiting
        .into_iter()
        .map(|mut get| match get.poll() {
            std::task::Poll::Ready(Err(GetError::Create(cause, _))) => cause,
            other => panic!("they are told of the failure, not {other:?}"),
        })
        .collect();
    assert!(causes.windows(2).all(|pair| std::sync::Arc::ptr_eq(&pair[0], &pair[1])));
    rig.ends_clean();
}

#[test]
fn every_refusal_of_try_get_says_what_stands_in_the_way() {
    let rig = Rig::new(|builder| builder.max_size(1).check_after_idle(secs(1)));
    let refused = || rig.pool.try_get().expect_err("there is nothing to be had at once");

    assert_eq!(refused(), TryGetError::Creating);
    rig.runtime.run_until_idle();
    let held = rig.pool.try_get().expect("it is there now");
    assert_eq!(refused(), TryGetError::Exhausted);
    drop(held);

    rig.runtime.advance(secs(2));
    assert_eq!(refused(), TryGetError::Checking);
    rig.runtime.run_until_idle();
    drop(rig.pool.try_get().expect("it is checked now"));

    rig.pool.pause();
    assert_eq!(refused(), TryGetError::Paused);
    rig.pool.resume();

    rig.pool.retire_all(std::time::Duration::ZERO);
    rig.manager.script(Op::Create, [Step::transient()]);
    rig.runtime.run_until_idle();
    assert_eq!(refused(), TryGetError::Creating);
    rig.runtime.run_until_idle();
    assert_eq!(refused(), TryGetError::CreateFailed);
    rig.runtime.advance(secs(1));

    drop(rig.runtime.block_on(rig.pool.close(secs(1))));
    assert_eq!(refused(), TryGetError::Closed);
    for error in [
        TryGetError::Exhausted,
        TryGetError::Creating,
        TryGetError::Checking,
        TryGetError::CreateFailed,
        TryGetError::Paused,
        TryGetError::Closed,
        TryGetError::Forked,
    ] {
        contains(&error.to_string(), &[]);
    }
}
