//! What a borrower of a worker may rely on, and what a worker tells the manager.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::{self, ThreadId};

use futures::channel::oneshot;
use futures::executor::block_on;

use super::*;
use crate::error::Error;
use crate::gate::{abandon, poll};
use crate::thread::spawn;

/// Not `Send`, and counts what happened to it.
struct State {
    runs: Rc<Cell<u32>>,
    home: ThreadId,
    gone: Option<mpsc::Sender<ThreadId>>,
}

impl State {
    fn bump(&mut self) -> u32 {
        assert_eq!(self.home, thread::current().id(), "the state is used where it was made");
        self.runs.set(self.runs.get() + 1);
        self.runs.get()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(gone) = &self.gone {
            let _ = gone.send(thread::current().id());
        }
    }
}

/// A worker, and the channel on which its state says that it was dropped.
fn worker() -> (Worker<State>, mpsc::Receiver<ThreadId>) {
    let (gone, dropped) = mpsc::channel();
    let open = move || {
        Ok::<_, Error<()>>(State {
            runs: Rc::default(),
            home: thread::current().id(),
            gone: Some(gone.clone()),
        })
    };
    let mut ends = spawn("test".to_owned(), Arc::new(open)).unwrap();
    block_on(&mut ends.opened).unwrap().unwrap();
    (Worker::new(ends), dropped)
}

#[test]
fn a_state_that_is_not_send_is_opened_used_and_dropped_on_one_thread() {
    let (mut worker, dropped) = worker();
    let home = block_on(worker.run(|state| state.home)).unwrap();
    assert_ne!(home, thread::current().id());
    assert_eq!(block_on(worker.run(State::bump)), Ok(1));
    assert_eq!(block_on(worker.run(State::bump)), Ok(2));
    drop(worker);
    assert_eq!(dropped.recv(), Ok(home));
}

#[test]
fn a_panic_reaches_its_caller_and_ends_this_worker_alone() {
    let (mut worker, dropped) = worker();
    let (mut other, _) = self::worker();
    let result = block_on(worker.run(|_| -> u32 { panic!("out of {}", "water") }));
    assert_eq!(result, Err(WorkerError::Panicked("out of water".to_owned())));
    assert_eq!(worker.standing(), Standing::Ended);
    assert!(dropped.recv().is_ok(), "the state is dropped although the handle is still there");
    assert_eq!(block_on(worker.run(State::bump)), Err(WorkerError::Ended));
    assert_eq!(block_on(other.run(State::bump)), Ok(1));
}

#[test]
fn nothing_happens_before_the_first_poll() {
    let (mut worker, _) = worker();
    drop(worker.run(State::bump));
    assert_eq!(worker.standing(), Standing::Clean);
    assert_eq!(block_on(worker.run(State::bump)), Ok(1));
}

#[test]
fn a_closure_whose_caller_left_runs_to_its_end() {
    let (mut worker, _) = worker();
    let gate = abandon(&mut worker, State::bump);
    assert_eq!(worker.standing(), Standing::Abandoned);
    drop(gate);
    assert_eq!(block_on(worker.run(State::bump)), Ok(2), "after the one left behind, not before");
    assert_eq!(worker.standing(), Standing::Abandoned, "an orderly call does not hide the other");
    worker.forgive();
    assert_eq!(worker.standing(), Standing::Clean);
}

#[test]
fn a_closure_left_before_it_began_is_dropped_unrun() {
    let (mut worker, _) = worker();
    let gate = abandon(&mut worker, State::bump);
    for _ in 0..3 {
        let mut run = pin!(worker.run(State::bump));
        assert!(poll(run.as_mut()).is_pending());
    }
    drop(gate);
    assert_eq!(block_on(worker.run(State::bump)), Ok(2));
}

#[test]
fn a_job_sent_but_not_begun_is_skipped() {
    let mut state = 0;
    let (job, answer) = Job::new(|state: &mut i32| *state += 1);
    drop(answer);
    job.run(&mut state);
    let (job, mut answer) = Job::new(|state: &mut i32| *state += 10);
    job.run(&mut state);
    assert_eq!(state, 10);
    assert_eq!(answer.try_recv(), Ok(Some(())));
}

#[test]
fn a_job_that_ended_after_its_caller_left_still_counts_as_left_behind() {
    let (mut worker, _) = worker();
    drop(abandon(&mut worker, State::bump));
    assert_eq!(block_on(worker.settle()), Ok(()));
    assert_eq!(worker.standing(), Standing::Abandoned);
}

#[test]
fn a_panic_nobody_waited_for_is_seen_without_waiting() {
    let (mut worker, dropped) = worker();
    drop(abandon(&mut worker, |_| panic!("unseen")));
    // The state is dropped after the verdict is given.
    dropped.recv().unwrap();
    assert_eq!(worker.standing(), Standing::Ended);
}

#[test]
fn a_caller_after_an_unseen_panic_learns_that_its_own_closure_was_not_run() {
    let (mut worker, _) = worker();
    drop(abandon(&mut worker, |_| panic!("unseen")));
    assert_eq!(block_on(worker.run(State::bump)), Err(WorkerError::Ended));
}

#[test]
fn a_result_nobody_waits_for_is_dropped_on_the_thread_and_may_panic() {
    struct Sore(Arc<AtomicBool>);
    impl Drop for Sore {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
            panic!("sore");
        }
    }
    let (mut worker, _) = worker();
    let dropped = Arc::new(AtomicBool::new(false));
    let sore = Arc::clone(&dropped);
    drop(abandon(&mut worker, move |_| Sore(sore)));
    assert_eq!(block_on(worker.settle()), Err(WorkerError::Panicked("sore".to_owned())));
    assert!(dropped.load(Ordering::Acquire));
    assert_eq!(worker.standing(), Standing::Ended);
}

#[test]
fn dropping_a_busy_worker_does_not_wait_for_it() {
    let (mut worker, dropped) = worker();
    let gate = abandon(&mut worker, State::bump);
    drop(worker);
    assert_eq!(
        dropped.try_recv(),
        Err(mpsc::TryRecvError::Empty),
        "its closure still has the state"
    );
    drop(gate);
    assert!(dropped.recv().is_ok());
}

#[test]
fn a_state_that_panics_when_dropped_harms_nobody() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            // A payload that panics again would abort the process, if it were left to the thread to dispose of.
            std::panic::panic_any(Self);
        }
    }
    let mut ends = spawn("test".to_owned(), Arc::new(|| Ok::<_, ()>(Sore))).unwrap();
    block_on(&mut ends.opened).unwrap().unwrap();
    let worker = Worker::new(ends);
    let verdicts = worker.verdicts.clone();
    drop(worker);
    assert!(block_on(verdicts.recv()).is_err(), "the thread went through to its end");
}

#[test]
fn a_caller_is_woken_when_its_closure_ends() {
    let (mut worker, _) = worker();
    let (tell, told) = oneshot::channel();
    let runs = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&runs);
    let result = block_on(async {
        let (result, ()) = futures::join!(
            worker.run(move |_| {
                let word = block_on(told).unwrap();
                seen.fetch_add(1, Ordering::Relaxed);
                word
            }),
            async { tell.send("splash").unwrap() }
        );
        result
    });
    assert_eq!(result, Ok("splash"));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[test]
fn the_handle_and_its_future_are_send_though_the_state_is_not() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    fn sync<T: Sync>(_: &T) {}
    let (mut worker, _) = worker();
    sync(&worker);
    assert_eq!(block_on(send(worker.run(State::bump))), Ok(1));
    assert!(format!("{worker:?}").contains("Idle"));
    send(worker);
}
