//! What the pool may expect of the adapter, wherever it is called from, and where smol has no threads.

use std::cell::RefCell;
use std::env;
use std::future::poll_fn;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use millpond::{Runtime as _, Task};
use millpond_smol::Smol;

/// A task that says on which thread it runs, and another who hears it. An error if the task was dropped.
fn message() -> (Task, Receiver<Option<String>>) {
    let (sender, receiver) = mpsc::channel();
    let task = Box::pin(async move {
        let _ = sender.send(thread::current().name().map(str::to_owned));
    });
    (task, receiver)
}

fn end_of_time() -> Instant {
    let mut end = Smol.now();
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
fn a_task_runs_where_those_of_smol_do() {
    let (task, receiver) = message();
    smol::spawn(task).detach();
    let smols = receiver.recv().expect("smol runs it");

    let (task, receiver) = message();
    Smol.spawn(task).expect("smol takes tasks anywhere");
    let ours = receiver.recv().expect("smol runs it");

    let is_smols = |name: &Option<String>| name.as_ref().is_some_and(|n| n.starts_with("smol-"));
    assert!(is_smols(&smols) && is_smols(&ours), "{smols:?} {ours:?}");
}

#[test]
fn a_task_can_be_spawned_from_anywhere() {
    let spawn = || {
        let (task, receiver) = message();
        Smol.spawn(task).map(|()| receiver).expect("smol takes tasks anywhere")
    };
    let receivers = [
        spawn(),
        smol::block_on(async { spawn() }),
        smol::block_on(smol::spawn(async move { spawn() })),
        smol::block_on(smol::Executor::new().run(async { spawn() })),
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
            Smol.spawn(task).expect("smol takes tasks anywhere");
            *HEARD.lock().expect("nobody panics") = Some(receiver);
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let ended = thread::spawn(|| {
        // Touched first, destroyed last.
        LAST.with(|last| *last.borrow_mut() = Some(Last));
        smol::block_on(Smol.sleep_until(Smol.now()));
    });
    ended.join().expect("no destructor panicked");
    let heard = HEARD.lock().expect("nobody panics").take();
    assert!(heard.expect("the destructor ran").recv().is_ok());
}

#[test]
fn a_sleep_ends_and_never_early() {
    let outside = Smol.sleep_until(Smol.now());
    smol::block_on(async {
        outside.await;
        let deadline = Smol.now() + Duration::from_millis(1);
        Smol.sleep_until(deadline).await;
        assert!(Smol.now() >= deadline);
    });
}

/// However late a sleep is first polled, its deadline stands.
#[test]
fn a_sleep_counts_from_when_it_was_made() {
    let deadline = Smol.now() + Duration::from_millis(1);
    let mut sleep = Smol.sleep_until(deadline);
    while Smol.now() < deadline {
        thread::yield_now();
    }
    let over = smol::block_on(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_ready())));
    assert!(over);
}

#[test]
fn the_end_of_time_is_a_legal_deadline_and_keeps_nobody_from_waking() {
    smol::block_on(async {
        let mut end = Smol.sleep_until(end_of_time());
        let pending = poll_fn(|cx| Poll::Ready(end.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        Smol.sleep_until(Smol.now() + Duration::from_millis(1)).await;
    });
}

#[test]
fn the_adapter_is_a_runtime_behind_a_pointer() {
    let smol: Arc<dyn millpond::Runtime> = Arc::new(Smol);
    let (task, receiver) = message();
    smol.spawn(task).expect("smol takes tasks anywhere");
    assert!(receiver.recv().is_ok());
    assert!(smol.now() <= Smol.now());
}

#[test]
fn a_task_comes_back_if_smol_is_to_have_no_threads() {
    for none in ["0", "-1"] {
        alone("a_task_comes_back_if_smol_is_to_have_no_threads", ("SMOL_THREADS", none), refused);
    }
}

#[test]
fn what_smol_takes_for_one_thread_is_one_thread() {
    let test = "what_smol_takes_for_one_thread_is_one_thread";
    alone(test, ("SMOL_THREADS", "none"), || {
        let (task, receiver) = message();
        Smol.spawn(task).expect("smol has a thread");
        assert!(receiver.recv().is_ok());
    });
}

#[test]
fn a_task_comes_back_if_the_system_has_no_threads() {
    // No thread can have a stack of this size.
    let stack = (usize::MAX / 4).to_string();
    alone("a_task_comes_back_if_the_system_has_no_threads", ("RUST_MIN_STACK", &stack), refused);
}

fn refused() {
    for _ in 0..2 {
        let (task, receiver) = message();
        let task = Smol.spawn(task).expect_err("nobody would run it").into_task();
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty), "the task is alive");
        drop(task);
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}

/// Runs `body`, which is in `test`, in a process of its own with a variable of the environment set: smol starts only once.
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
