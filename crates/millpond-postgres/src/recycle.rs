//! What is done to a connection between two borrowers. Users choose it; the manager asks it.

use crate::protocol::Dirt;
use crate::wire::Rest;

/// What is done to a connection that a borrower has given back, before the next one gets it.
///
/// Two things are never passed on, whichever is chosen: a query in flight, which is cancelled, and an open transaction, which
/// is rolled back, be it begun by `transaction` or by SQL. (A `COPY` into the server that was left half-way costs the
/// connection.) The choice is about what stays in the session:
///
/// | a borrower left behind | [`AsNeeded`](Self::AsNeeded) | [`Clean`](Self::Clean) | [`DiscardAll`](Self::DiscardAll) |
/// |---|---|---|---|
/// | `SET`, `LISTEN`, `CREATE TEMP TABLE`, `DECLARE … WITH HOLD`, `SET ROLE` | cleaned | cleaned | cleaned |
/// | `PREPARE` | cleaned | stays | cleaned |
/// | what a function did: `SELECT set_config(…)`, `SELECT pg_advisory_lock(…)` | stays, unless the server reports it | cleaned | cleaned |
/// | `CREATE TEMP TABLE … AS`, `SELECT … INTO TEMP` | stays | cleaned | cleaned |
/// | statements of `prepare_cached` | stay | stay | prepared anew |
/// | **costs** | nothing, most of the time | a round trip each time | a round trip each time |
///
/// Cleaning is done by a task of the pool, on nobody's time. A connection that fails its cleaning is closed.
///
/// # Examples
///
/// ```
/// use millpond_postgres::{PostgresManager, Recycle};
///
/// # fn main() -> Result<(), tokio_postgres::Error> {
/// let manager = PostgresManager::new("postgres://app@localhost/app".parse()?).recycle(Recycle::Clean);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recycle {
    /// Cleans what it saw. The server names each command that it has completed; unless all of them are known to leave nothing
    /// behind, the connection is cleaned. Otherwise it goes to the next borrower at once. The default: what it does not see is
    /// rare, and named above.
    #[default]
    AsNeeded,
    /// Cleans each connection that was used, and keeps the prepared statements.
    Clean,
    /// Does `DISCARD ALL` on each connection that was used. Nothing stays.
    DiscardAll,
    /// Runs this SQL on each connection that was used; several statements are separated by semicolons.
    Custom(String),
}

impl Recycle {
    /// Whether the next borrower may have the connection as it is.
    pub(crate) fn is_fit(&self, rest: Rest) -> bool {
        !rest.in_transaction && self.sql(rest).is_none()
    }

    /// What is to be run to make it so, once no transaction is open.
    pub(crate) fn sql(&self, rest: Rest) -> Option<&str> {
        match (self, rest.dirt) {
            (Self::AsNeeded, Dirt::None) => None,
            (Self::AsNeeded, Dirt::Session) => Some(CLEAN),
            (Self::AsNeeded, Dirt::Prepared) => Some(DISCARD_ALL),
            _ if !rest.used => None,
            (Self::Clean, _) => Some(CLEAN),
            (Self::DiscardAll, _) => Some(DISCARD_ALL),
            (Self::Custom(sql), _) => Some(sql),
        }
    }
}

const DISCARD_ALL: &str = "DISCARD ALL";

/// What `DISCARD ALL` stands for, by the manual, but for the prepared statements and their plans.
const CLEAN: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
                     SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

#[cfg(test)]
mod tests {
    use super::*;

    const UNTOUCHED: Rest = Rest { in_transaction: false, dirt: Dirt::None, used: false };
    const USED: Rest = Rest { used: true, ..UNTOUCHED };

    #[test]
    fn what_was_not_used_is_fit_for_anybody() {
        for recycle in
            [Recycle::AsNeeded, Recycle::Clean, Recycle::DiscardAll, Recycle::Custom("x".into())]
        {
            assert!(recycle.is_fit(UNTOUCHED), "{recycle:?}");
            assert!(!recycle.is_fit(Rest { in_transaction: true, ..UNTOUCHED }), "{recycle:?}");
        }
    }

    #[test]
    fn what_was_used_is_cleaned_as_was_chosen() {
        assert_eq!(Recycle::AsNeeded.sql(USED), None);
        assert_eq!(Recycle::Clean.sql(USED), Some(CLEAN));
        assert_eq!(Recycle::DiscardAll.sql(USED), Some(DISCARD_ALL));
        assert_eq!(Recycle::Custom("RESET ALL".into()).sql(USED), Some("RESET ALL"));
    }

    #[test]
    fn what_was_seen_is_cleaned_in_proportion() {
        let sql = |dirt| Recycle::AsNeeded.sql(Rest { dirt, ..USED });
        assert_eq!(sql(Dirt::Session), Some(CLEAN));
        assert_eq!(sql(Dirt::Prepared), Some(DISCARD_ALL));
    }
}
