//! Settings that follow from one number: how much there is at the server, for everybody.

use std::time::Duration;

use super::Builder;
use crate::manager::Manager;

impl<M: Manager> Builder<M> {
    /// Settings for a server that bears `connections` from everybody together, such as PostgreSQL's `max_connections`, so
    /// that neither the server nor the queue can be overrun:
    ///
    /// | setting | value | why |
    /// |---|---|---|
    /// | `max_size` | half of `connections`, rounded down, but one of one | while a new version of the service starts beside the old one, both have their pool; who is left alone leaves room for migrations and for a person who looks |
    /// | `max_waiters` | as many as `max_size` | each resource has one caller to come; whoever would stand behind that one is better off being told at once |
    /// | `get_timeout` | 5 s, [the statement timeout](#the-statement-timeout) | who stands first in line for a resource waits for no more than the one statement before |
    /// | `create_timeout` | 5 s | nobody waits any longer for what is being opened |
    /// | `max_creating` | its default, a quarter of `max_size`, from 1 to 8 | an eighth of what the server bears, so that a restart is no storm |
    /// | `create_backoff` | 50 ms to 1 s | four attempts or more within the patience of each caller, so that an outage costs waiting |
    ///
    /// Whatever is set later takes precedence, one by one: a later `max_size` does not change `max_waiters`. Zero
    /// connections are refused by [`build`](Self::build), which names `max_size`; so is half of them if that is more than
    /// [`GREATEST_SIZE`](Self::GREATEST_SIZE). Where several services share the server, or several instances of one, give each
    /// its part of `connections`.
    ///
    /// # The statement timeout
    ///
    /// The queue is as short as this only as long as leases are. Have the server end what takes longer than `get_timeout`, by
    /// `statement_timeout` in PostgreSQL for example, and set both to the same value if 5 s is not right for you: most web
    /// services have been given up on by whoever asked by then.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use millpond::{BuildError, Manager, Pool, Runtime};
    /// # fn example<M: Manager>(manager: M, runtime: impl Runtime) -> Result<(), BuildError> {
    /// use std::time::Duration;
    ///
    /// let statement_timeout = Duration::from_secs(2);
    /// let pool = Pool::builder(manager).for_capacity(100).get_timeout(statement_timeout).build(runtime)?;
    /// assert_eq!(pool.status().max, 50);
    /// # Ok(())
    /// # }
    /// ```
    pub fn for_capacity(self, connections: usize) -> Self {
        let half = (connections / 2).max(connections.min(1));
        let mut builder = self
            .max_size(half)
            .max_waiters(half)
            .get_timeout(STATEMENT_TIMEOUT)
            .create_timeout(STATEMENT_TIMEOUT)
            .create_backoff(Duration::from_millis(50), Duration::from_secs(1));
        builder.max_creating = None;
        builder
    }
}

/// How long one statement may take where nothing else is said.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
