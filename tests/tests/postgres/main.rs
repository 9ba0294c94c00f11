//! The pool in front of a real PostgreSQL: what it keeps from borrowers, and what it makes of a server that goes, comes,
//! refuses or hangs.
//!
//! Each test that needs one starts a server of its own, or shares one that it does no harm to. Where the server's programs are
//! missing, it says so and passes, unless `MILLPOND_REQUIRE_SERVICES` is set.

#![expect(clippy::print_stdout, reason = "what was measured is told")]

mod borrowers;
mod closing;
mod outages;
mod refusals;
mod statements;
mod support;
mod tls;
