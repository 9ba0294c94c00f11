//! Pools of PostgreSQL connections: a [`millpond`] manager for [`tokio_postgres`].
//!
//! ```no_run
//! use millpond::Pool;
//! use millpond_postgres::PostgresManager;
//! use millpond_tokio::Tokio;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = PostgresManager::new("postgres://app:secret@localhost/app".parse()?);
//! let pool = Pool::builder(manager).max_size(8).build(Tokio)?;
//!
//! let mut client = pool.get().await?;
//! let transaction = client.transaction().await?;
//! let feed = transaction.prepare_cached("UPDATE pike SET weight = weight + 1 WHERE id = $1").await?;
//! transaction.execute(&feed, &[&7]).await?;
//! transaction.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The model
//!
//! A connection that comes back to a pool may be in any state: inside a transaction, in the middle of a query whose caller was
//! cancelled, with settings that the next borrower does not expect. tokio-postgres does not tell, and to ask the server would
//! cost a round trip for each loan. So this crate reads along:
//!
//! ```text
//! Client ──► queue ──► task ──► tap ──► TLS, if any ──► socket ──► PostgreSQL
//!   │                   │        │
//!   │     was it woken? │        │ what was sent, and what was answered?
//!   │                   ▼        ▼
//!   └─ given back ───► is it at rest? ── yes ──► idle: lent again at once
//!                            │ no, or there is something to clean
//!                            ▼
//!                       a task of the pool: cancel, roll back, clean
//! ```
//!
//! With each answer the server says whether a transaction is open, and it names each command that it has completed. So it is
//! known when a connection is as good as new, and then the next borrower gets it for one atomic operation. If it is not, a task
//! of the pool sees to it, on nobody's time. See [`Recycle`] for what is cleaned, and what cannot be seen.
//!
//! What that costs, by `cargo bench -p millpond-tests --bench postgres`, with server and client on the same two cores and other
//! work beside them: a loan with one prepared query takes what it takes on a connection that is never given back (0.7 to 1.1
//! times in most runs), where cleaning each time by a round trip takes 2 to 4 times as long. With a statement that is not
//! prepared beforehand it takes 1.0 to 1.7 times as long: dropping the statement leaves a message in the queue, and a task has
//! to wait until that is on its way.
//!
//! # When the server goes
//!
//! [`Error::is_transient`] tells a server that is down, starting or full from one that does not want us. Callers wait out the
//! former, until their own deadline; the latter they are told at once. Connections that broke are noticed by their task and are
//! not lent again; one that looks alive is checked by a round trip if it has lain idle for longer than `check_after_idle`.
//!
//! # Through a proxy
//!
//! Behind PgBouncer in transaction mode, a session is not yours to keep: use [`statement_cache(0)`](PostgresManager::statement_cache)
//! unless it tracks prepared statements, and leave cleaning to it.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod address;
mod cancel;
mod census;
mod client;
mod connect;
mod driver;
mod error;
mod manager;
mod protocol;
mod recycle;
mod socket;
mod statements;
mod tap;
mod tls;
mod transaction;
mod wire;

pub use cancel::CancelToken;
pub use client::Client;
pub use error::Error;
pub use manager::PostgresManager;
pub use recycle::Recycle;
pub use socket::Socket;
pub use transaction::Transaction;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_public_may_move_between_threads_and_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<CancelToken>();
        shared::<Client>();
        shared::<Error>();
        shared::<PostgresManager>();
        shared::<Recycle>();
        shared::<Socket>();
        shared::<Transaction<'_>>();
    }
}
