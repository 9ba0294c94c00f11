//! The near side: the handle of one worker thread, which the pool lends and on which a borrower runs closures.
//!
//! *Invariant: at most one job is at the thread. Nothing queues there, so an abandoned job delays its worker, and no more.*
//! *Invariant: nothing here blocks; only `WorkerManager::close` waits for the thread, elsewhere.*

use std::fmt;
use std::sync::mpsc;
use std::thread::JoinHandle;

use crate::error::WorkerError;
use crate::thread::{Ends, Job, Verdict};

/// A thread that owns a blocking state `S`, and runs closures on it one after another.
///
/// [`WorkerManager`](crate::WorkerManager) makes them. Dropping one never blocks: the thread finishes the closure it is at,
/// drops the state and ends. The handle is [`Send`] and [`Sync`] whatever `S` is.
///
/// # Examples
///
/// See [`run`](Self::run), and the [crate documentation](crate) for a pool of them.
pub struct Worker<S> {
    jobs: mpsc::Sender<Job<S>>,
    verdicts: async_channel::Receiver<Verdict>,
    thread: JoinHandle<()>,
    phase: Phase,
    /// Set once a caller has left a job behind, which stays true after the job has ended; cleared by a reset alone.
    abandoned: bool,
}

/// `Idle` → `Busy` when a job is sent; `Busy` → `Idle` or `Ended` when its verdict is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The thread waits for a job.
    Idle,
    /// A job is at the thread, and its verdict has not been read.
    Busy,
    /// A job panicked. The thread has dropped its state, or is about to.
    Ended,
}

/// What a worker looks like from outside, when it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Each closure it was given has ended, and told its caller so.
    Clean,
    /// A caller left a closure behind, which may still run.
    Abandoned,
    /// A closure panicked.
    Ended,
}

impl<S> Worker<S> {
    pub(crate) fn new<E>(ends: Ends<S, E>) -> Self {
        let Ends { jobs, verdicts, thread, opened: _ } = ends;
        Self { jobs, verdicts, thread, phase: Phase::Idle, abandoned: false }
    }

    /// Runs `code` on the worker's thread, and gives its result.
    ///
    /// Takes `&mut self` because there is one thread: a second closure could only wait behind the first. The closure may
    /// block as long as it likes, and holds up this worker alone.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Panicked`] if `code` panicked: the state is dropped and the thread ends. [`WorkerError::Ended`], and
    /// `code` is not run, if an earlier closure had panicked; that is so for every call after a `Panicked`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent before the first poll. If the future is dropped later, a closure that has begun runs to its end and its
    /// result is dropped on the thread; one that has not begun is dropped unrun. The caller cannot tell which of the two it
    /// was. The worker itself stays usable: a later `run` first waits for what was left behind. In a pool it counts as
    /// unclean from then on, see [`WorkerManager::on_reset`](crate::WorkerManager::on_reset).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use millpond::Manager;
    /// use millpond_worker::WorkerManager;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = WorkerManager::new(|| Ok::<_, Infallible>(String::new()));
    ///
    /// futures::executor::block_on(async {
    ///     let mut worker = manager.create().await?;
    ///     worker.run(|text| text.push_str("still ")).await?;
    ///     worker.run(|text| text.push_str("water")).await?;
    ///     assert_eq!(worker.run(|text| text.clone()).await?, "still water");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn run<T, F>(&mut self, code: F) -> Result<T, WorkerError>
    where
        T: Send + 'static,
        F: FnOnce(&mut S) -> T + Send + 'static,
    {
        // Kept here, not at the thread, while an abandoned job is running: if we are dropped meanwhile, so is `code`.
        self.settle().await.map_err(|_| WorkerError::Ended)?;

        let (job, mut answer) = Job::new(code);
        if self.jobs.send(job).is_err() {
            self.phase = Phase::Ended;
            return Err(WorkerError::Ended);
        }
        self.phase = Phase::Busy;
        self.verdict().await?;
        // The result is sent before the verdict, so it is there.
        answer.try_recv().ok().flatten().ok_or(WorkerError::Ended)
    }

    /// Waits until what was left behind at the thread, if anything, has ended.
    ///
    /// # Errors
    ///
    /// `Panicked` if that did; `Ended` if an earlier job had.
    ///
    /// # Cancel safety
    ///
    /// A verdict is either read whole or left for the next call.
    pub(crate) async fn settle(&mut self) -> Result<(), WorkerError> {
        // Whoever waited for the job would have read its verdict.
        self.abandoned |= self.phase == Phase::Busy;
        self.verdict().await
    }

    /// Says how the worker stands at this moment. Does not wait.
    pub(crate) fn standing(&mut self) -> Standing {
        if self.phase == Phase::Busy {
            self.abandoned = true;
            match self.verdicts.try_recv() {
                Ok(verdict) => drop(self.learn(Some(verdict))),
                Err(async_channel::TryRecvError::Empty) => {}
                Err(async_channel::TryRecvError::Closed) => drop(self.learn(None)),
            }
        }
        match self.phase {
            Phase::Ended => Standing::Ended,
            _ if self.abandoned => Standing::Abandoned,
            _ => Standing::Clean,
        }
    }

    /// Forgets what was left behind, since a reset has dealt with it.
    pub(crate) fn forgive(&mut self) {
        self.abandoned = false;
    }

    /// Tells the thread to end, waits until its state is gone, and gives what is left to join.
    pub(crate) async fn end(self) -> JoinHandle<()> {
        let Self { jobs, verdicts, thread, .. } = self;
        drop(jobs);
        while verdicts.recv().await.is_ok() {}
        thread
    }

    /// Waits for the verdict on the job at the thread, if there is one.
    async fn verdict(&mut self) -> Result<(), WorkerError> {
        match self.phase {
            Phase::Idle => Ok(()),
            Phase::Busy => {
                let verdict = self.verdicts.recv().await;
                self.learn(verdict.ok())
            }
            Phase::Ended => Err(WorkerError::Ended),
        }
    }

    /// Takes note of a verdict; `None` if the thread is gone without one.
    fn learn(&mut self, verdict: Option<Verdict>) -> Result<(), WorkerError> {
        let (phase, result) = match verdict {
            Some(Verdict::Done) => (Phase::Idle, Ok(())),
            Some(Verdict::Panicked(message)) => (Phase::Ended, Err(WorkerError::Panicked(message))),
            None => (Phase::Ended, Err(WorkerError::Ended)),
        };
        self.phase = phase;
        result
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("thread", &self.thread.thread().name().unwrap_or_default())
            .field("phase", &self.phase)
            .field("abandoned", &self.abandoned)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
