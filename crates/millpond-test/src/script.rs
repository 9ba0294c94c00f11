//! The words in which a test tells a `ScriptedManager` what to do.

use std::fmt;
use std::time::Duration;

use crate::error::ScriptedError;
use crate::gate::Gate;

/// The operations of a manager that take steps from a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// `Manager::create`.
    Create,
    /// `Manager::check`.
    Check,
    /// `Manager::reset`.
    Reset,
    /// `Manager::close`.
    Close,
}

impl Op {
    pub(crate) const ALL: [Self; 4] = [Self::Create, Self::Check, Self::Reset, Self::Close];
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Check => "check",
            Self::Reset => "reset",
            Self::Close => "close",
        })
    }
}

/// What one call of an [`Op`] does.
///
/// # Examples
///
/// A server that answers after 150 ms, once the test says so, and with an error:
///
/// ```
/// use std::time::Duration;
/// use millpond_test::{Gate, Step};
///
/// let gate = Gate::new();
/// let step = Step::transient().behind(&gate).after(Duration::from_millis(150));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Succeeds: `create` gives a resource, `reset` says `Clean`.
    Ok,
    /// `reset` says `Unfit`; for any other operation the same as [`Step::Ok`].
    Unfit,
    /// Fails; `close`, which cannot, just ends.
    Fail(ScriptedError),
    /// Never ends, and is never woken.
    Hang,
    /// Panics.
    Panic,
    /// Waits on the manager's runtime, then goes on.
    Delay(Duration, Box<Self>),
    /// Waits at the gate, then goes on.
    Gate(Gate, Box<Self>),
}

impl Step {
    /// Fails with an error after which trying again may help.
    #[must_use]
    pub fn transient() -> Self {
        Self::Fail(ScriptedError::transient("scripted failure, transient"))
    }

    /// Fails with an error after which trying again is pointless.
    #[must_use]
    pub fn permanent() -> Self {
        Self::Fail(ScriptedError::permanent("scripted failure, permanent"))
    }

    /// Waits for `delay` first.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::Delay(delay, Box::new(self))
    }

    /// Waits at `gate` first.
    #[must_use]
    pub fn behind(self, gate: &Gate) -> Self {
        Self::Gate(gate.clone(), Box::new(self))
    }
}

/// What one call of `Manager::on_return` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnReturn {
    /// Says `Disposition::Reuse`.
    Reuse,
    /// Says `Disposition::Reset`.
    Reset,
    /// Says `Disposition::Discard`.
    Discard,
    /// Panics.
    Panic,
}

/// What one destructor of a [`TestResource`](crate::TestResource) does, once it has counted itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Destructor {
    /// Nothing more.
    Quiet,
    /// Panics, unless its thread is unwinding already, which would abort the process.
    Panic,
}
