//! What the pool may expect of the adapter, on both flavours of runtime, on none, and on one that dies.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use millpond::{Runtime as _, Task};
use millpond_tokio::Tokio;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime starts")
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime starts")
}

/// A task that says so when it runs, and another who hears it.
fn message() -> (Task, oneshot::Receiver<&'static str>) {
    let (sender, receiver) = oneshot::channel();
    let task = Box::pin(async move {
        let _ = sender.send("ran");
    });
    (task, receiver)
}

#[test]
fn a_task_runs_on_the_runtime_of_the_calling_thread() {
    for runtime in [current_thread(), multi_thread()] {
        let heard = runtime.block_on(async {
            let (task, receiver) = message();
            Tokio.spawn(task).expect("there is a runtime here");
            receiver.await
        });
        assert_eq!(heard, Ok("ran"));
    }
}

#[test]
fn a_task_can_be_spawned_from_a_blocking_thread() {
    let runtime = multi_thread();
    let heard = runtime.block_on(async {
        let (task, receiver) = message();
        let spawned =
            tokio::task::spawn_blocking(|| Tokio.spawn(task)).await.expect("spawn does not panic");
        spawned.expect("a blocking thread belongs to its runtime");
        receiver.await
    });
    assert_eq!(heard, Ok("ran"));
}

#[test]
fn without_a_runtime_the_task_comes_back() {
    let (task, mut receiver) = message();
    let task = Tokio.spawn(task).expect_err("there is no runtime here").into_task();
    assert_eq!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Empty), "the task is alive");
    current_thread().block_on(task);
    assert_eq!(receiver.try_recv(), Ok("ran"));
}

#[test]
fn after_shutdown_the_task_comes_back() {
    for runtime in [current_thread(), multi_thread()] {
        let handle = runtime.handle().clone();
        drop(runtime);
        let _entered = handle.enter();
        let (task, mut receiver) = message();
        let refused = Tokio.spawn(task).expect_err("nobody would run it");
        assert_eq!(
            receiver.try_recv(),
            Err(oneshot::error::TryRecvError::Empty),
            "the task is alive"
        );
        drop(refused);
        assert_eq!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}

/// A task dropped by a runtime's shutdown, whose destructor wants to spawn another, as a pool's driver might.
#[test]
fn during_shutdown_the_task_comes_back() {
    struct Respawn(mpsc::Sender<bool>);
    impl Drop for Respawn {
        fn drop(&mut self) {
            assert!(Handle::try_current().is_ok(), "shutdown runs inside the runtime");
            let came_back = Tokio.spawn(Box::pin(async {})).is_err();
            let _ = self.0.send(came_back);
        }
    }
    for runtime in [current_thread(), multi_thread()] {
        let (sender, receiver) = mpsc::channel();
        let respawn = Respawn(sender);
        runtime.block_on(async move {
            let (polled, first_poll) = oneshot::channel();
            let mut polled = Some(polled);
            let task = poll_fn(move |_| {
                let _owned = &respawn;
                if let Some(polled) = polled.take() {
                    let _ = polled.send(());
                }
                Poll::<()>::Pending
            });
            Tokio.spawn(Box::pin(task)).expect("there is a runtime here");
            first_poll.await.expect("the task was polled");
        });
        drop(runtime);
        assert_eq!(receiver.recv(), Ok(true));
    }
}

/// A guard kept in a thread-local may be dropped after tokio's own thread-locals.
#[test]
fn a_thread_that_ends_has_no_runtime() {
    static CAME_BACK: AtomicBool = AtomicBool::new(false);
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            CAME_BACK.store(Tokio.spawn(Box::pin(async {})).is_err(), Ordering::Relaxed);
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let ended = thread::spawn(|| {
        // Touched first, destroyed last.
        LAST.with(|last| *last.borrow_mut() = Some(Last));
        let runtime = current_thread();
        runtime.block_on(async {});
    });
    ended.join().expect("no destructor panicked");
    assert!(CAME_BACK.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn the_clock_is_the_runtimes_when_paused() {
    let start = Tokio.now();
    Tokio.sleep_until(start + Duration::from_secs(3600)).await;
    assert_eq!(Tokio.now() - start, Duration::from_secs(3600));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(Tokio.now() - start, Duration::from_secs(3601));
}

#[test]
fn the_clock_runs_without_a_runtime() {
    assert!(Tokio.now() <= Tokio.now());
}

#[test]
fn a_deadline_that_has_passed_ends_the_sleep_everywhere() {
    let timeless = Builder::new_current_thread().build().expect("a runtime starts");
    for runtime in [current_thread(), multi_thread(), timeless] {
        runtime.block_on(async {
            let deadline = Tokio.now();
            Tokio.sleep_until(deadline).await;
            assert!(Tokio.now() >= deadline);
        });
    }
    let outside = Tokio.sleep_until(Tokio.now());
    current_thread().block_on(outside);
}

#[test]
fn a_runtime_without_timers_wakes_its_sleepers() {
    let timeless = Builder::new_current_thread().build().expect("a runtime starts");
    timeless.block_on(async {
        let deadline = Tokio.now() + Duration::from_millis(1);
        Tokio.sleep_until(deadline).await;
        assert!(Tokio.now() >= deadline, "a sleep never ends early");
    });
}

#[test]
fn the_end_of_time_is_a_legal_deadline() {
    let mut end = Tokio.now();
    let mut step = Duration::MAX;
    while !step.is_zero() {
        match end.checked_add(step) {
            Some(later) => end = later,
            None => step /= 2,
        }
    }
    current_thread().block_on(async {
        let mut sleep = Tokio.sleep_until(end);
        let pending = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
    });
}

#[test]
fn one_adapter_serves_two_runtimes_in_turn() {
    let tokio: Arc<dyn millpond::Runtime> = Arc::new(Tokio);
    for runtime in [current_thread(), multi_thread()] {
        let tokio = Arc::clone(&tokio);
        let heard = runtime.block_on(async {
            let (task, receiver) = message();
            tokio.spawn(task).expect("there is a runtime here");
            receiver.await
        });
        assert_eq!(heard, Ok("ran"));
    }
}

#[test]
fn runtimes_are_told_apart_wherever_in_them_the_question_is_asked() {
    let (one, another) = (current_thread(), multi_thread());
    assert_eq!(Tokio.here(), 0, "none");
    let inside = |runtime: &Runtime| runtime.block_on(async { Tokio.here() });
    let spawned = |runtime: &Runtime| {
        let task = runtime.spawn(async { Tokio.here() });
        runtime.block_on(task).expect("the task runs")
    };
    assert!(inside(&one) != 0 && inside(&another) != 0);
    assert_ne!(inside(&one), inside(&another));
    assert_eq!(inside(&one), spawned(&one));
    assert_eq!(inside(&another), spawned(&another));
}

#[test]
fn tasks_are_told_apart_and_so_is_what_is_blocked_on() {
    assert_eq!(Tokio.task(), None, "no runtime, no task");
    for runtime in [current_thread(), multi_thread()] {
        let (root, again, first, second, blocking) = runtime.block_on(async {
            let name = async || {
                let name = Tokio.task();
                tokio::task::yield_now().await;
                assert_eq!(Tokio.task(), name, "it keeps its name");
                name
            };
            let first = tokio::spawn(async move { name().await });
            let second = tokio::spawn(async move { name().await });
            let blocking = tokio::task::spawn_blocking(|| Tokio.task());
            let root = Tokio.task();
            let tasks = (first.await, second.await, blocking.await);
            (root, Tokio.task(), tasks.0, tasks.1, tasks.2)
        });
        let spawned = [first, second, blocking].map(|name| name.expect("the task runs"));
        assert_eq!(root, again);
        let all = [root, spawned[0], spawned[1], spawned[2]];
        assert!(all.iter().all(Option::is_some), "{all:?}");
        for (place, name) in all.iter().enumerate() {
            assert!(!all[..place].contains(name), "two of {all:?} have one name");
        }
        assert_eq!(runtime.block_on(async { Tokio.task() }), root, "on the same thread");
    }
}
