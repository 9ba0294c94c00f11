//! The two errors of this crate: what a borrower gets from `run`, and what the pool gets from the manager.

use std::io;

/// Why [`Worker::run`](crate::Worker::run) has no result to give.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use millpond::Manager;
/// use millpond_worker::{WorkerError, WorkerManager};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = WorkerManager::new(|| Ok::<_, Infallible>(vec![1, 2, 3]));
///
/// futures::executor::block_on(async {
///     let mut worker = manager.create().await?;
///     let lost = worker.run(|list| list[7]).await;
///     assert!(matches!(lost, Err(WorkerError::Panicked(message)) if message.contains("index is 7")));
///     assert!(matches!(worker.run(|list| list[0]).await, Err(WorkerError::Ended)));
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The closure panicked, with this message. The worker has ended; the pool replaces it.
    #[error("the closure panicked on its worker: {0}")]
    Panicked(String),
    /// The closure was not run, because the worker had ended: an earlier closure panicked.
    #[error("the closure was not run: its worker had ended after an earlier panic")]
    Ended,
}

/// Why a worker could not be opened, checked or reset: the [`Manager::Error`](millpond::Manager::Error) of
/// [`WorkerManager`](crate::WorkerManager), around the error `E` of its closures.
///
/// # Examples
///
/// ```
/// use std::error::Error as _;
/// use std::io;
/// use millpond::Manager;
/// use millpond_worker::WorkerManager;
///
/// let manager = WorkerManager::<(), _>::new(|| Err(io::Error::other("the disk is on fire")));
///
/// let error = futures::executor::block_on(manager.create()).unwrap_err();
/// assert_eq!(error.to_string(), "the worker could not open its state");
/// assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the disk is on fire"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The `open` closure returned an error.
    #[error("the worker could not open its state")]
    Open(#[source] E),
    /// The system gave no thread, or the name is not a thread's name.
    #[error("the worker's thread could not be started")]
    Spawn(#[source] io::Error),
    /// The `on_check` closure returned an error.
    #[error("the worker failed its check")]
    Check(#[source] E),
    /// The `on_reset` closure returned an error.
    #[error("the worker could not be reset")]
    Reset(#[source] E),
    /// A closure panicked, with this message: one of the manager's, or one that a borrower had left behind.
    #[error("a closure panicked on the worker: {0}")]
    Panicked(String),
    /// The worker had ended before it could be checked or reset.
    #[error("the worker had already ended after a panic")]
    Ended,
}

impl<E> From<WorkerError> for Error<E> {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Panicked(message) => Self::Panicked(message),
            WorkerError::Ended => Self::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn only_what_has_a_cause_names_one() {
        let cause = || io::Error::other("cause");
        let caused = [
            Error::Open(cause()),
            Error::Spawn(cause()),
            Error::Check(cause()),
            Error::Reset(cause()),
        ];
        for error in caused {
            assert_eq!(
                error.source().map(ToString::to_string).as_deref(),
                Some("cause"),
                "{error:?}"
            );
            assert!(
                !error.to_string().contains("cause"),
                "the message leaves the cause to its source"
            );
        }
        assert!(Error::<io::Error>::Panicked("boom".into()).source().is_none());
        assert!(Error::<io::Error>::Ended.source().is_none());
    }

    #[test]
    fn a_borrowers_error_keeps_its_meaning_for_the_manager() {
        assert!(
            matches!(Error::<io::Error>::from(WorkerError::Panicked("a".into())), Error::Panicked(m) if m == "a")
        );
        assert!(matches!(Error::<io::Error>::from(WorkerError::Ended), Error::Ended));
    }
}
