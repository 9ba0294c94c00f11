//! What the pool may expect of the adapter, wherever it is called from, and where there are no threads.

use std::cell::RefCell;
use std::env;
use std::future::poll_fn;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_std::task;
use millpond::{Runtime as _, Task};
use millpond_async_std::AsyncStd;

/// A task that says on which thread it runs, and another who hears it. An error if the task was dropped.
fn message() -> (Task, Receiver<Option<String>>) {
    let (sender, receiver) = mpsc::channel();
    let task = Box::pin(async move {
        let _ = sender.send(thread::current().name().map(str::to_owned));
    });
    (task, receiver)
}

fn end_of_time() -> Instant {
    let mut end = AsyncStd.now();
    let mut step = Duration::MAX;
    while !step.is_zero() {
        match end.checked_add(step) {
            Some(later) => end = later,
            None => step /= 2,
        }
    }
    end
}

#[test]
fn a_task_runs_where_those_of_async_std_do() {
    let (task, receiver) = message();
    task::spawn(task);
    let theirs = receiver.recv().expect("async-std runs it");

    let (task, receiver) = message();
    AsyncStd.spawn(task).expect("async-std takes tasks anywhere");
    let ours = receiver.recv().expect("async-std runs it");

    assert!(theirs.is_some());
    assert_eq!(ours, theirs);
}

#[test]
fn a_task_is_one_of_async_std_s() {
    let (sender, receiver) = mpsc::channel();
    let task = Box::pin(async move {
        // Panics elsewhere, and the sender is dropped.
        let _ = sender.send(task::current().id());
    });
    AsyncStd.spawn(task).expect("async-std takes tasks anywhere");
    assert!(receiver.recv().is_ok());
}

#[test]
fn a_task_can_be_spawned_from_anywhere() {
    let spawn = || {
        let (task, receiver) = message();
        AsyncStd.spawn(task).map(|()| receiver).expect("async-std takes tasks anywhere")
    };
    let receivers = [
        spawn(),
        task::block_on(async { spawn() }),
        task::block_on(task::spawn(async move { spawn() })),
        task::block_on(task::spawn_blocking(spawn)),
        thread::spawn(spawn).join().expect("spawn does not panic"),
    ];
    assert!(receivers.iter().all(|receiver| receiver.recv().is_ok()));
}

/// A guard kept in a thread-local may be dropped last of all.
#[test]
fn a_task_can_be_spawned_by_a_thread_that_ends() {
    static HEARD: Mutex<Option<Receiver<Option<String>>>> = Mutex::new(None);
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            let (task, receiver) = message();
            AsyncStd.spawn(task).expect("async-std takes tasks anywhere");
            *HEARD.lock().expect("nobody panics") = Some(receiver);
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let ended = thread::spawn(|| {
        // Touched first, destroyed last.
        LAST.with(|last| *last.borrow_mut() = Some(Last));
        task::block_on(AsyncStd.sleep_until(AsyncStd.now()));
    });
    ended.join().expect("no destructor panicked");
    let heard = HEARD.lock().expect("nobody panics").take();
    assert!(heard.expect("the destructor ran").recv().is_ok());
}

#[test]
fn a_sleep_ends_and_never_early() {
    let outside = AsyncStd.sleep_until(AsyncStd.now());
    task::block_on(async {
        outside.await;
        let deadline = AsyncStd.now() + Duration::from_millis(1);
        AsyncStd.sleep_until(deadline).await;
        assert!(AsyncStd.now() >= deadline);
    });
}

/// However late a sleep is first polled, its deadline stands.
#[test]
fn a_sleep_counts_from_when_it_was_made() {
    let deadline = AsyncStd.now() + Duration::from_millis(1);
    let mut sleep = AsyncStd.sleep_until(deadline);
    while AsyncStd.now() < deadline {
        thread::yield_now();
    }
    let over = task::block_on(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_ready())));
    assert!(over);
}

#[test]
fn the_end_of_time_is_a_legal_deadline_and_keeps_nobody_from_waking() {
    task::block_on(async {
        let mut end = AsyncStd.sleep_until(end_of_time());
        let pending = poll_fn(|cx| Poll::Ready(end.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        AsyncStd.sleep_until(AsyncStd.now() + Duration::from_millis(1)).await;
    });
}

#[test]
fn the_adapter_is_a_runtime_behind_a_pointer() {
    let runtime: Arc<dyn millpond::Runtime> = Arc::new(AsyncStd);
    let (task, receiver) = message();
    runtime.spawn(task).expect("async-std takes tasks anywhere");
    assert!(receiver.recv().is_ok());
    assert!(runtime.now() <= AsyncStd.now());
}

#[test]
fn a_task_comes_back_if_the_system_has_no_threads() {
    // No thread can have a stack of this size.
    let stack = (usize::MAX / 4).to_string();
    alone("a_task_comes_back_if_the_system_has_no_threads", ("RUST_MIN_STACK", &stack), refused);
}

#[test]
fn tasks_are_told_apart_and_so_is_what_is_blocked_on() {
    assert_eq!(AsyncStd.task(), None, "no task");
    let name = async || {
        let name = AsyncStd.task();
        task::yield_now().await;
        assert_eq!(AsyncStd.task(), name, "it keeps its name");
        name.expect("it has one")
    };
    let spawned = [task::spawn(name()), task::spawn(name())].map(task::block_on);
    let blocked = [task::block_on(name()), task::block_on(name())];
    let all = [spawned, blocked].concat();
    for (place, name) in all.iter().enumerate() {
        assert!(!all[..place].contains(name), "two of {all:?} have one name");
    }
}

fn refused() {
    for _ in 0..2 {
        let (task, receiver) = message();
        let task = AsyncStd.spawn(task).expect_err("nobody would run it").into_task();
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty), "the task is alive");
        drop(task);
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}

/// Runs `body`, which is in `test`, in a process of its own with a variable of the environment set: async-std starts only once.
fn alone(test: &str, (name, value): (&str, &str), body: fn()) {
    if env::var_os(CHILD).is_some() {
        return body();
    }
    // With one thread, libtest runs the test on its main one.
    let output = Command::new(env::current_exe().expect("a test has a file"))
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(CHILD, "")
        .env(name, value)
        .output()
        .expect("the test starts again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

/// Tells the process that `alone` starts from the one that starts it.
const CHILD: &str = "MILLPOND_TEST_ALONE";
