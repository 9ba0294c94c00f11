//! Why there is no connection, or not any more; and whether that will pass.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use tokio_postgres::error::SqlState;

/// Why a connection could not be opened, checked, cleaned or cancelled: the
/// [`Manager::Error`](millpond::Manager::Error) of [`PostgresManager`](crate::PostgresManager).
///
/// # Examples
///
/// ```
/// use millpond::Manager;
/// use millpond_postgres::{Error, PostgresManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tokio_postgres::Error> {
/// let manager = PostgresManager::new("user=app".parse()?);
/// let error = manager.create().await.unwrap_err();
/// assert_eq!(error.to_string(), "the configuration cannot be used: it names no host");
/// assert!(matches!(error, Error::Config(_)) && !error.is_transient());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration contradicts itself, or asks for what is not there.
    #[error("the configuration cannot be used: {0}")]
    Config(&'static str),
    /// A connection is driven by a tokio task, and there is no tokio runtime here.
    #[error("there is no tokio runtime here to drive a connection")]
    NoRuntime,
    /// No socket could be opened, or a name not be looked up.
    #[error("{address} could not be reached")]
    #[non_exhaustive]
    Connect {
        /// The server.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The two sides did not agree on TLS.
    #[error("TLS could not be agreed on with {address}")]
    #[non_exhaustive]
    Tls {
        /// The server.
        address: String,
        /// What the connector said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server did not let us in, or went away meanwhile.
    #[error("login at {address} failed{}", sqlstate(source))]
    #[non_exhaustive]
    Login {
        /// The server.
        address: String,
        /// What it said.
        source: tokio_postgres::Error,
    },
    /// The server is not of the kind that `target_session_attrs` asks for, as after a failover.
    #[error("the server is {is}, which target_session_attrs does not allow")]
    #[non_exhaustive]
    Role {
        /// What it is.
        is: &'static str,
    },
    /// The connection had been lost before it was checked.
    #[error("the connection was lost")]
    #[non_exhaustive]
    Closed {
        /// What it broke of, unless the server merely hung up.
        source: Option<Arc<tokio_postgres::Error>>,
    },
    /// The connection gave no sign of life.
    #[error("the connection failed its check{}", sqlstate(.0))]
    Check(#[source] tokio_postgres::Error),
    /// What the last borrower had left could not be cleaned.
    #[error("the connection could not be cleaned{}", sqlstate(.0))]
    Reset(#[source] tokio_postgres::Error),
}

impl Error {
    /// Whether trying again soon may help, with nobody mending anything.
    ///
    /// So it is if the server could not be reached or hung up, if it is starting up, shutting down, out of resources or of
    /// connections, or in the wrong role. It is not if it refused the login (a wrong password, no such database), if TLS
    /// could not be agreed on, or if the configuration makes no sense.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Config(_) | Self::NoRuntime => false,
            Self::Connect { source, .. } => is_transient_io(source),
            Self::Tls { source, .. } => hung_up(&**source),
            Self::Login { source, .. } => match source.code() {
                Some(state) => is_transient_state(state),
                None => source.is_closed() || hung_up(source),
            },
            Self::Role { .. } | Self::Closed { .. } | Self::Check(_) | Self::Reset(_) => true,
        }
    }
}

/// Whether the server may say otherwise in a moment. By class, since servers and proxies differ in the rest.
fn is_transient_state(state: &SqlState) -> bool {
    let class = state.code().get(..2);
    // Connection exceptions, insufficient resources, operator intervention, system errors.
    class.is_some_and(|class| matches!(class, "08" | "53" | "57" | "58"))
        // The database was dropped while this came in.
        && *state != SqlState::DATABASE_DROPPED
}

/// Whether a server that comes or goes could be the cause. A name that is not found may be a server that has not come yet,
/// and so may a socket file.
fn is_transient_io(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
    )
}

/// Whether somewhere among the causes the other side went away.
fn hung_up(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind.is_some_and(|kind| HUNG_UP.contains(&kind)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The code of the server's refusal, so that also a message without its cause tells a wrong password from a full server.
fn sqlstate(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(String::new, |state| format!(" with SQLSTATE {}", state.code()))
}

const HUNG_UP: [ErrorKind; 5] = [
    ErrorKind::UnexpectedEof,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::BrokenPipe,
    ErrorKind::TimedOut,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(kind: ErrorKind) -> Error {
        Error::Connect { address: "x".into(), source: kind.into() }
    }

    #[test]
    fn a_server_that_is_not_there_yet_may_come() {
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::TimedOut,
            ErrorKind::NotFound,
            ErrorKind::HostUnreachable,
            ErrorKind::Other,
        ] {
            assert!(connect(kind).is_transient(), "{kind}");
        }
        for kind in [ErrorKind::PermissionDenied, ErrorKind::InvalidInput] {
            assert!(!connect(kind).is_transient(), "{kind}");
        }
    }

    #[test]
    fn what_the_server_says_decides() {
        for state in [
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::OUT_OF_MEMORY,
            SqlState::CONNECTION_FAILURE,
            SqlState::IO_ERROR,
        ] {
            assert!(is_transient_state(&state), "{state:?}");
        }
        for state in [
            SqlState::INVALID_PASSWORD,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            SqlState::INVALID_CATALOG_NAME,
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            SqlState::DATABASE_DROPPED,
            SqlState::UNDEFINED_OBJECT,
        ] {
            assert!(!is_transient_state(&state), "{state:?}");
        }
    }

    #[test]
    fn who_hung_up_is_found_among_the_causes() {
        let tls =
            |source: Box<dyn StdError + Send + Sync>| Error::Tls { address: "x".into(), source };
        assert!(tls(Box::new(io::Error::from(ErrorKind::UnexpectedEof))).is_transient());
        assert!(tls(Box::new(connect(ErrorKind::ConnectionReset))).is_transient());
        assert!(!tls("the certificate has expired".into()).is_transient());
        assert!(!tls(Box::new(io::Error::new(ErrorKind::InvalidData, "expired"))).is_transient());
    }

    #[test]
    fn the_cause_is_the_source_and_not_the_message() {
        let error = connect(ErrorKind::ConnectionRefused);
        assert_eq!(error.to_string(), "x could not be reached");
        assert!(error.source().is_some());
        assert!(Error::Closed { source: None }.source().is_none());
        assert!(Error::NoRuntime.source().is_none());
    }
}
