//! The two errors of this crate: what a scripted manager fails with, and what a test is told when nothing can go on.

use thiserror::Error;

/// The error of a [`ScriptedManager`](crate::ScriptedManager).
///
/// # Examples
///
/// ```
/// use millpond_test::ScriptedError;
///
/// let error = ScriptedError::permanent("wrong password");
/// assert!(!error.is_transient());
/// assert_eq!(error.to_string(), "wrong password");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ScriptedError {
    message: String,
    transient: bool,
}

impl ScriptedError {
    /// An error after which trying again may help.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: true }
    }

    /// An error after which trying again is pointless.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: false }
    }

    /// Tells whether trying again may help; [`ScriptedManager`](crate::ScriptedManager) answers `is_transient` with it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}

/// The future can never finish: it is not woken, no task is ready, and no timer is armed.
///
/// # Examples
///
/// ```
/// use millpond_test::TestRuntime;
///
/// let stuck = TestRuntime::new().try_block_on(std::future::pending::<()>()).unwrap_err();
/// assert_eq!(stuck.tasks, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "nothing can ever wake this future: no task is ready and no timer is armed \
     ({tasks} tasks wait, and these panicked: {panics:?})"
)]
#[non_exhaustive]
pub struct Stuck {
    /// How many tasks were alive, all of them waiting.
    pub tasks: usize,
    /// The panics of tasks until then; a task that died is the usual reason why nobody wakes the others.
    pub panics: Vec<String>,
}
