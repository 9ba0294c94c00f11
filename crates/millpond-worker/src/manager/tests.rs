//! What the pool may rely on: creation, return, check, reset, close, and what passes for transient.

use std::cell::Cell;
use std::error::Error as _;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::mpsc;

use futures::executor::block_on;

use super::*;
use crate::error::WorkerError;
use crate::gate::{abandon, poll};

type Count = Cell<u32>;

fn counts() -> WorkerManager<Count, io::Error> {
    WorkerManager::new(|| Ok(Cell::new(0)))
}

fn refused() -> io::Error {
    io::Error::from(io::ErrorKind::PermissionDenied)
}

#[test]
fn threads_are_named_and_numbered() {
    let manager = counts().name("pike");
    let name = |worker: &mut Worker<Count>| {
        block_on(worker.run(|_| std::thread::current().name().map(str::to_owned))).unwrap()
    };
    let mut first = block_on(manager.create()).unwrap();
    let mut second = block_on(manager.create()).unwrap();
    assert_eq!(name(&mut first).as_deref(), Some("pike-1"));
    assert_eq!(name(&mut second).as_deref(), Some("pike-2"));
}

#[test]
fn an_error_of_open_is_the_cause() {
    let manager = WorkerManager::<(), _>::new(|| Err(refused()));
    let error = block_on(manager.create()).unwrap_err();
    assert!(
        matches!(&error, Error::Open(cause) if cause.kind() == io::ErrorKind::PermissionDenied)
    );
    assert!(error.source().is_some());
}

#[test]
fn a_panic_in_open_is_an_error() {
    let manager = WorkerManager::<(), io::Error>::new(|| panic!("no such pond"));
    assert!(
        matches!(block_on(manager.create()), Err(Error::Panicked(message)) if message == "no such pond")
    );
}

#[test]
fn a_thread_that_cannot_start_is_an_error() {
    let error = block_on(counts().name("a\0b").create()).unwrap_err();
    assert!(matches!(&error, Error::Spawn(cause) if cause.kind() == io::ErrorKind::InvalidInput));
    assert!(!counts().is_transient(&error), "the name will be the same at the next try");
}

#[test]
fn a_state_opened_for_nobody_is_dropped_on_its_thread() {
    struct Bell(mpsc::Sender<()>);
    impl Drop for Bell {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let (ring, rung) = mpsc::channel();
    let (gate, closed) = mpsc::channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let manager = WorkerManager::new(move || {
        let _ = closed.lock().unwrap().recv();
        Ok::<_, io::Error>(Bell(ring.clone()))
    });
    {
        let mut create = pin!(manager.create());
        assert!(poll(create.as_mut()).is_pending());
    }
    drop(gate);
    assert!(rung.recv().is_ok());
}

#[test]
fn an_orderly_return_is_reused_with_or_without_a_reset() {
    for manager in [counts(), counts().on_reset(|_| Ok(Fitness::Clean))] {
        let mut worker = block_on(manager.create()).unwrap();
        block_on(worker.run(|count| count.set(1))).unwrap();
        assert_eq!(manager.disposition(&mut worker, Returned::Finished), Disposition::Reuse);
    }
}

#[test]
fn a_use_cut_short_needs_a_reset_or_is_discarded() {
    for (manager, expected) in [
        (counts(), Disposition::Discard),
        (counts().on_reset(|_| Ok(Fitness::Clean)), Disposition::Reset),
    ] {
        let mut worker = block_on(manager.create()).unwrap();
        assert_eq!(manager.disposition(&mut worker, Returned::Cancelled), expected);
        assert_eq!(manager.disposition(&mut worker, Returned::Panicked), expected);
        let gate = abandon(&mut worker, |_| ());
        assert_eq!(manager.disposition(&mut worker, Returned::Finished), expected, "still busy");
        drop(gate);
        block_on(worker.settle()).unwrap();
        assert_eq!(
            manager.disposition(&mut worker, Returned::Finished),
            expected,
            "no longer busy"
        );
    }
}

#[test]
fn a_panicked_worker_is_discarded_and_the_others_are_not() {
    let manager = counts().on_reset(|_| Ok(Fitness::Clean));
    let mut worker = block_on(manager.create()).unwrap();
    let mut other = block_on(manager.create()).unwrap();
    assert!(matches!(
        block_on(worker.run(|_| panic!("boom"))),
        Err::<(), _>(WorkerError::Panicked(_))
    ));
    assert_eq!(manager.disposition(&mut worker, Returned::Finished), Disposition::Discard);
    assert_eq!(manager.disposition(&mut other, Returned::Finished), Disposition::Reuse);
    assert!(matches!(block_on(manager.confirm(&mut worker)), Err(Error::Ended)));
    assert!(matches!(block_on(manager.clean(&mut worker)), Err(Error::Ended)));
    block_on(manager.close(worker));
}

#[test]
fn a_reset_waits_for_what_was_left_behind_and_then_cleans() {
    let order = Arc::new(AtomicU32::new(0));
    let (first, second) = (Arc::clone(&order), Arc::clone(&order));
    let manager = counts().on_reset(move |count| {
        assert_eq!(second.swap(2, Ordering::Relaxed), 1, "the reset comes after the closure");
        count.set(7);
        Ok(Fitness::Clean)
    });
    let mut worker = block_on(manager.create()).unwrap();
    let gate = abandon(&mut worker, move |_| first.store(1, Ordering::Relaxed));
    {
        let mut reset = pin!(manager.clean(&mut worker));
        assert!(poll(reset.as_mut()).is_pending());
        drop(gate);
        assert_eq!(block_on(reset).unwrap(), Fitness::Clean);
    }
    assert_eq!(manager.disposition(&mut worker, Returned::Finished), Disposition::Reuse);
    assert_eq!(block_on(worker.run(|count| count.get())), Ok(7));
}

#[test]
fn a_reset_that_was_dropped_can_be_repeated() {
    let manager = counts().on_reset(|_| Ok(Fitness::Clean));
    let mut worker = block_on(manager.create()).unwrap();
    let gate = abandon(&mut worker, |_| ());
    for _ in 0..3 {
        assert!(poll(pin!(manager.clean(&mut worker))).is_pending());
    }
    drop(gate);
    assert_eq!(block_on(manager.clean(&mut worker)).unwrap(), Fitness::Clean);
}

#[test]
fn a_reset_never_says_clean_by_itself() {
    let manager = counts();
    let mut worker = block_on(manager.create()).unwrap();
    assert_eq!(block_on(manager.clean(&mut worker)).unwrap(), Fitness::Unfit);

    let manager = counts().on_reset(|_| Err(refused()));
    let mut worker = block_on(manager.create()).unwrap();
    assert!(matches!(block_on(manager.clean(&mut worker)), Err(Error::Reset(_))));
}

#[test]
fn a_state_beyond_cleaning_stays_unclean() {
    let manager = counts().on_reset(|_| Ok(Fitness::Unfit));
    let mut worker = block_on(manager.create()).unwrap();
    drop(abandon(&mut worker, |_| ()));
    assert_eq!(block_on(manager.clean(&mut worker)).unwrap(), Fitness::Unfit);
    assert_eq!(manager.disposition(&mut worker, Returned::Finished), Disposition::Reset);
}

#[test]
fn a_panic_in_what_was_left_behind_is_told_to_the_reset() {
    let manager = counts().on_reset(|_| Ok(Fitness::Clean));
    let mut worker = block_on(manager.create()).unwrap();
    drop(abandon(&mut worker, |_| panic!("too late")));
    assert!(
        matches!(block_on(manager.clean(&mut worker)), Err(Error::Panicked(message)) if message == "too late")
    );
    assert_eq!(manager.disposition(&mut worker, Returned::Finished), Disposition::Discard);
}

#[test]
fn a_check_runs_on_the_state() {
    let manager = counts().on_check(|count| if count.get() == 0 { Ok(()) } else { Err(refused()) });
    let mut worker = block_on(manager.create()).unwrap();
    assert!(block_on(manager.confirm(&mut worker)).is_ok());
    block_on(worker.run(|count| count.set(1))).unwrap();
    assert!(matches!(block_on(manager.confirm(&mut worker)), Err(Error::Check(_))));
    assert!(
        block_on(counts().confirm(&mut worker)).is_ok(),
        "without `on_check` a thread that is there will do"
    );
}

#[test]
fn a_panic_in_a_check_ends_the_worker() {
    let manager = counts().on_check(|_| panic!("bad check"));
    let mut worker = block_on(manager.create()).unwrap();
    assert!(
        matches!(block_on(manager.confirm(&mut worker)), Err(Error::Panicked(message)) if message == "bad check")
    );
    assert_eq!(manager.disposition(&mut worker, Returned::Finished), Disposition::Discard);
}

/// Tells when its drop begins, and ends it when the test likes.
struct Slow {
    begin: mpsc::Sender<()>,
    gate: mpsc::Receiver<()>,
}

impl Slow {
    fn new() -> (Self, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (begin, begun) = mpsc::channel();
        let (open, gate) = mpsc::channel();
        (Self { begin, gate }, begun, open)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.begin.send(());
        let _ = self.gate.recv();
    }
}

#[test]
fn a_close_ends_only_when_the_thread_has_ended() {
    // Dropped by the thread itself, after all that this crate runs there.
    thread_local!(static LAST: Cell<Option<Slow>> = const { Cell::new(None) });

    let manager = WorkerManager::new(|| Ok::<_, io::Error>(None));
    let mut worker = block_on(manager.create()).unwrap();
    let (state, state_going, release_state) = Slow::new();
    let (last, thread_going, release_thread) = Slow::new();
    block_on(worker.run(move |own| {
        *own = Some(state);
        LAST.set(Some(last));
    }))
    .unwrap();

    let mut close = pin!(manager.close(worker));
    assert!(poll(close.as_mut()).is_pending());
    state_going.recv().unwrap();
    assert!(poll(close.as_mut()).is_pending());
    drop(release_state);
    thread_going.recv().unwrap();
    // Many times, for were it not to wait, it would still end a moment later.
    for _ in 0..1000 {
        assert!(poll(close.as_mut()).is_pending());
        std::thread::yield_now();
    }
    drop(release_thread);
    block_on(close);
}

#[test]
fn a_close_waits_for_what_was_left_behind() {
    let manager = counts();
    let mut worker = block_on(manager.create()).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    let gate = abandon(&mut worker, move |_| end.store(true, Ordering::Release));
    let mut close = pin!(manager.close(worker));
    assert!(poll(close.as_mut()).is_pending());
    drop(gate);
    block_on(close);
    assert!(ended.load(Ordering::Acquire));
}

#[test]
fn a_state_that_panics_when_dropped_closes_like_any_other() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }
    let manager = WorkerManager::new(|| Ok::<_, io::Error>(Sore));
    let worker = block_on(manager.create()).unwrap();
    block_on(manager.close(worker));
}

#[test]
fn only_what_may_pass_is_transient() {
    let picky = counts().transient(|error| error.kind() != io::ErrorKind::PermissionDenied);
    assert!(!picky.is_transient(&Error::Open(refused())));
    assert!(picky.is_transient(&Error::Open(io::Error::other("busy"))));
    assert!(counts().is_transient(&Error::Open(refused())));
    assert!(picky.is_transient(&Error::Spawn(io::Error::from(io::ErrorKind::WouldBlock))));
    assert!(!picky.is_transient(&Error::Panicked("bug".to_owned())));
}

#[test]
fn the_manager_is_shared_between_threads_though_its_states_are_not() {
    fn shared<T: Manager + Send + Sync + fmt::Debug>(_: &T) {}
    let manager = WorkerManager::new(|| Ok::<_, io::Error>(std::rc::Rc::new(())));
    shared(&manager);
    assert!(format!("{manager:?}").contains("millpond"));
}
