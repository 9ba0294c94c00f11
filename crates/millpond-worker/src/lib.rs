//! Resources that are threads: each one owns a blocking state (an SQLite connection, say) and runs closures on it.
//!
//! Some things must not be touched from async code: a call into them blocks, or they may not leave the thread that made
//! them. [`WorkerManager`] gives each of them a thread of its own and makes that thread the resource of a pool. A borrower
//! never sees the state, it sends closures to it:
//!
//! ```text
//! borrower's task                      the worker's thread
//!                                      state = open()
//! worker.run(|state| …) ──── job ────► result = job(&mut state)
//!           .await      ◄── result ───
//! guard dropped                        waits for the next borrower
//! pool closes it        ─── end ─────► drop(state), and the thread ends
//! ```
//!
//! So a pool of workers is two things in one. It is a *resource pool*, with its limits, fairness, deadlines, retirement and
//! honest errors; and it is the *thread pool* that blocking resources need anyway. There is no second queue between the two:
//! who was lent a worker has a thread to himself, and nothing else can take it up. The usual pair of a connection pool and
//! `spawn_blocking` queues twice, with the second queue seen by nobody, and lets a slow disk fill the runtime's pool of
//! blocking threads.
//!
//! The state need not be [`Send`]: it is opened, used and dropped on its thread.
//!
//! # Examples
//!
//! ```
//! use std::io;
//! use std::rc::Rc;
//! use millpond::Pool;
//! use millpond_tokio::Tokio;
//! use millpond_worker::WorkerManager;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An `Rc` must stay where it was made, as many handles of C libraries must.
//! let manager = WorkerManager::new(|| Ok::<_, io::Error>(Rc::new(42)));
//! let pool = Pool::builder(manager).max_size(2).build(Tokio)?;
//!
//! let mut worker = pool.get().await?;
//! let answer = worker.run(|state| **state + Rc::strong_count(state)).await?;
//! assert_eq!(answer, 43);
//! # Ok(())
//! # }
//! ```
//!
//! With the state `()` what remains is the thread pool, for work that is merely blocking:
//!
//! ```
//! use std::convert::Infallible;
//! use std::net::ToSocketAddrs;
//! use millpond::Pool;
//! use millpond_tokio::Tokio;
//! use millpond_worker::WorkerManager;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let threads = WorkerManager::new(|| Ok::<_, Infallible>(())).name("resolver");
//! let pool = Pool::builder(threads).max_size(4).build(Tokio)?;
//!
//! let mut thread = pool.get().await?;
//! let found = thread.run(|()| "127.0.0.1:80".to_socket_addrs().map(|all| all.count())).await??;
//! assert_eq!(found, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What a cancelled caller leaves behind
//!
//! A closure cannot be stopped in the middle: once begun it runs to its end, whether or not somebody still waits for it. A
//! worker whose borrower left such a closure behind goes back *unclean*: the pool waits for the closure to end and for
//! [`WorkerManager::on_reset`] to say [`Fitness::Clean`](millpond::Fitness::Clean) before it lends the worker again.

#![forbid(unsafe_code)]

mod error;
#[cfg(test)]
mod gate;
mod manager;
mod panic;
mod thread;
mod worker;

pub use error::{Error, WorkerError};
pub use manager::WorkerManager;
pub use worker::Worker;
