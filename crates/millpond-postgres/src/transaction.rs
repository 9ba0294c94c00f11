//! A transaction that knows the statements of its connection. `Client::transaction` begins one.

use std::fmt;
use std::ops::{Deref, DerefMut};

use tokio_postgres::{Error, Statement};

use crate::statements::Statements;

/// An open transaction on a [`Client`](crate::Client): a [`tokio_postgres::Transaction`], to which it dereferences, with
/// [`prepare_cached`](Self::prepare_cached).
///
/// Dropped without [`commit`](Self::commit), it is rolled back before anybody else uses the connection.
///
/// # Examples
///
/// ```no_run
/// # async fn example(client: &mut millpond_postgres::Client) -> Result<(), tokio_postgres::Error> {
/// let transaction = client.transaction().await?;
/// let statement = transaction.prepare_cached("UPDATE pike SET weight = weight + 1 WHERE id = $1").await?;
/// transaction.execute(&statement, &[&7]).await?;
/// transaction.commit().await?;
/// # Ok(())
/// # }
/// ```
pub struct Transaction<'a> {
    transaction: tokio_postgres::Transaction<'a>,
    statements: &'a Statements,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        transaction: tokio_postgres::Transaction<'a>,
        statements: &'a Statements,
    ) -> Self {
        Self { transaction, statements }
    }

    /// As [`Client::prepare_cached`](crate::Client::prepare_cached).
    ///
    /// # Errors
    ///
    /// The server's; then the transaction has failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, nothing is kept; the server may prepare the statement all the same.
    pub async fn prepare_cached(&self, sql: &str) -> Result<Statement, Error> {
        let (stamp, found) = self.statements.find(sql);
        if let Some(statement) = found {
            return Ok(statement);
        }
        let statement = self.transaction.prepare(sql).await?;
        self.statements.keep(sql, statement.clone(), stamp);
        Ok(statement)
    }

    /// Begins a transaction inside this one, as a savepoint.
    ///
    /// # Errors
    ///
    /// The server's, or that the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, the savepoint is rolled back.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        Ok(Transaction::new(self.transaction.transaction().await?, self.statements))
    }

    /// Commits.
    ///
    /// # Errors
    ///
    /// The server's, or that the connection is lost: then nobody knows whether it was committed.
    ///
    /// # Cancel safety
    ///
    /// Once it was polled, it is committed whether or not the answer is waited for, unless the connection's next return to
    /// the pool cancels it.
    pub async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await
    }

    /// Rolls back, as dropping it does, and waits for the answer.
    ///
    /// # Errors
    ///
    /// The server's, or that the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// It is rolled back whether or not the answer is waited for.
    pub async fn rollback(self) -> Result<(), Error> {
        self.transaction.rollback().await
    }
}

impl<'a> Deref for Transaction<'a> {
    type Target = tokio_postgres::Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transaction
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("statements", self.statements).finish_non_exhaustive()
    }
}
