//! What becomes of connections that are open: they are reset, cut, left hanging, talked into, and moved.

use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::poll;
use millpond::{Pool, Pooled};
use tokio::task::JoinSet;

use crate::lines::{LineError, Lines};
use crate::server::{Manner, Server};
use crate::{ends_clean, eventually, ms, on_both, pool};

/// A server, and a pool of connections to it that are checked before each lease.
fn checked(max: usize) -> (Server, Pool<Lines>) {
    let server = Server::start(1).expect("there is a port");
    let lines = Lines::to(server.address());
    let pool = pool(lines, |builder| {
        builder.max_size(max).max_creating(max).check_after_idle(Duration::ZERO)
    });
    (server, pool)
}

/// A server, and a pool of one connection to it that is lent again at once.
fn single() -> (Server, Pool<Lines>) {
    let server = Server::start(1).expect("there is a port");
    let lines = Lines::to(server.address());
    let pool = pool(lines, |builder| builder.max_size(1).check_after_idle(Duration::MAX));
    (server, pool)
}

/// Opens so many connections, which lie idle then.
async fn fill(pool: &Pool<Lines>, n: usize) {
    let mut held = Vec::new();
    for _ in 0..n {
        held.push(pool.get().await.expect("the server is there"));
    }
}

/// A whole use, with an answer that is nobody else's.
async fn echoes(pool: &Pool<Lines>, text: &str) {
    let mut line = pool.get().await.expect("the pool serves");
    assert_eq!(line.echo(text).await.expect("the server answers"), text);
}

/// The server resets the connection, or ends it, in the middle of a query: whoever was in it sees the error, the connection is
/// closed when it comes home, and the next caller gets another.
#[test]
fn a_connection_that_is_reset_or_ended_under_its_borrower_is_not_lent_again() {
    on_both(async || {
        let cases = [
            (Manner::Resets, io::ErrorKind::ConnectionReset),
            (Manner::HangsUp, io::ErrorKind::UnexpectedEof),
        ];
        for (manner, kind) in cases {
            let (server, pool) = single();
            let mut line = pool.get().await.expect("the server is there");
            server.behaves(manner);
            let error = line.echo("perch").await.expect_err("the connection is gone");
            assert!(matches!(&error, LineError::Io(error) if error.kind() == kind), "{error:?}");
            drop(line);
            server.behaves(Manner::Well);
            echoes(&pool, "perch").await;
            assert_eq!(pool.status().totals.created, 2);
            ends_clean(&pool, &[&server]).await;
        }
    });
}

/// The connection ends after so many bytes of the answer, whatever their number.
#[test]
fn a_connection_that_is_cut_at_any_byte_of_an_answer_is_not_lent_again() {
    on_both(async || {
        let (server, pool) = single();
        for bytes in 0.."perch\n".len() {
            server.behaves(Manner::CutAfter(bytes));
            let mut line = pool.get().await.expect("the server is there");
            assert!(line.echo("perch").await.is_err(), "after {bytes} bytes");
            drop(line);
            server.behaves(Manner::Well);
            echoes(&pool, "tench").await;
        }
        assert_eq!(pool.status().totals.created, 1 + "perch\n".len() as u64);
        ends_clean(&pool, &[&server]).await;
    });
}

/// The server answers with bytes that mean nothing.
#[test]
fn a_connection_on_which_garbage_was_read_is_not_lent_again() {
    on_both(async || {
        let (server, pool) = single();
        server.behaves(Manner::Garbage);
        let mut line = pool.get().await.expect("the server is there");
        assert!(matches!(line.echo("perch").await, Err(LineError::Garbage(_))));
        drop(line);
        server.behaves(Manner::Well);
        echoes(&pool, "perch").await;
        assert_eq!(pool.status().totals.created, 2);
        ends_clean(&pool, &[&server]).await;
    });
}

/// The server ends, or resets, all connections while they lie idle, as one that restarts, or a balancer that has seen no
/// packet for too long: no caller sees any of them.
#[test]
fn connections_that_ended_while_they_lay_idle_reach_no_caller() {
    on_both(async || {
        for end in [Server::hang_up, Server::reset] {
            let (server, pool) = checked(4);
            fill(&pool, 4).await;
            end(&server);
            eventually(|| server.connected() == 0).await;
            for _ in 0..8 {
                echoes(&pool, "perch").await;
            }
            let status = pool.status();
            assert!(status.totals.check_failed >= 1 && status.size <= 4, "{status:?}");
            ends_clean(&pool, &[&server]).await;
        }
    });
}

/// The other side is there, or seems to be, and never answers again: a half-open connection, a backend that hangs. What lies
/// idle is found out by its check, at the deadline of that check. That one deadline is enough for many is shown on the
/// virtual clock.
#[test]
fn connections_whose_other_side_is_silent_reach_no_caller() {
    on_both(async || {
        let server = Server::start(1).expect("there is a port");
        let pool = pool(Lines::to(server.address()), |builder| {
            builder
                .max_size(4)
                .max_creating(4)
                .check_after_idle(Duration::ZERO)
                .check_timeout(ms(20))
                .close_timeout(ms(20))
        });
        fill(&pool, 4).await;
        server.behaves(Manner::Mute);
        let line = pool.get().await.expect("another is opened");
        let totals = pool.status().totals;
        assert!(totals.created == 5 && totals.abandoned >= 1, "{totals:?}");
        drop(line);
        server.behaves(Manner::Well);
        ends_clean(&pool, &[&server]).await;
    });
}

/// The other side is silent when a connection comes home to be cleaned: the borrower is not held up, and the place is free
/// when the time for cleaning is over.
#[test]
fn a_return_to_a_silent_server_holds_up_nobody() {
    on_both(async || {
        let server = Server::start(1).expect("there is a port");
        let pool = pool(Lines::to(server.address()).cleaned(), |builder| {
            builder.max_size(1).reset_timeout(ms(20))
        });
        let line = pool.get().await.expect("the server is there");
        server.behaves(Manner::Mute);
        drop(line);
        assert_eq!(pool.status().resetting, 1, "the borrower did not wait for it");
        let line = pool.get().await.expect("the place is free after the deadline");
        assert_eq!((pool.status().totals.created, pool.status().totals.abandoned), (2, 1));
        server.behaves(Manner::Well);
        drop(line);
        echoes(&pool, "perch").await;
        ends_clean(&pool, &[&server]).await;
    });
}

/// The other side never ends a connection that is to be closed.
#[test]
fn a_close_that_the_other_side_does_not_answer_frees_its_place_at_the_deadline() {
    on_both(async || {
        let server = Server::start(1).expect("there is a port");
        let pool =
            pool(Lines::to(server.address()), |builder| builder.max_size(1).close_timeout(ms(20)));
        server.behaves(Manner::Clingy);
        Pooled::discard(pool.get().await.expect("the server is there"));
        assert_eq!(pool.status().closing, 1, "the borrower did not wait for it");
        echoes(&pool, "perch").await;
        assert_eq!((pool.status().totals.created, pool.status().totals.abandoned), (2, 1));
        ends_clean(&pool, &[&server]).await;
    });
}

/// The server says what nobody asked for: after an answer, so that it is there when the connection comes home, or while the
/// connection lies idle. The next borrower would take it for the answer to its own question.
#[test]
fn what_was_said_unasked_is_no_answer_to_the_next_borrower() {
    on_both(async || {
        let (server, pool) = checked(2);
        server.behaves(Manner::Talkative);
        let mut line = pool.get().await.expect("the server is there");
        assert_eq!(line.echo("perch").await.expect("the server answers"), "perch");
        drop(line);
        assert_eq!(pool.status().idle, 0, "something lies on it");
        server.behaves(Manner::Well);
        fill(&pool, 2).await;
        server.say("going down\n");
        for text in ["tench", "bream", "roach"] {
            echoes(&pool, text).await;
        }
        ends_clean(&pool, &[&server]).await;
    });
}

/// Latency, and answers that come in segments of one byte: nothing is lost, nothing is counted wrong, nothing opened twice.
#[test]
fn slow_and_sliced_answers_change_nothing() {
    on_both(async || {
        for manner in [Manner::Late, Manner::ByteByByte] {
            let (server, pool) = checked(3);
            server.behaves(manner);
            let mut callers = JoinSet::new();
            for caller in 0..8 {
                let pool = pool.clone();
                callers.spawn(async move {
                    for round in 0..4 {
                        echoes(&pool, &format!("perch {caller} {round}")).await;
                    }
                });
            }
            while let Some(joined) = callers.join_next().await {
                joined.expect("every answer is the right one");
            }
            let status = pool.status();
            assert!(status.totals.created <= 3 && server.most_connected() <= 3, "{status:?}");
            assert_eq!((status.totals.check_failed, status.totals.abandoned), (0, 0));
            ends_clean(&pool, &[&server]).await;
        }
    });
}

/// A query is dropped after any number of polls, so that its answer is still to come, and then its guard: the next borrower
/// reads the answer to its own question.
#[test]
fn the_answer_to_a_query_that_was_given_up_reaches_nobody() {
    on_both(async || {
        let (server, pool) = single();
        server.behaves(Manner::Late);
        for polls in 0.. {
            let mut line = pool.get().await.expect("the server is there");
            let mut over = false;
            {
                let mut query = pin!(line.echo("perch"));
                for _ in 0..polls {
                    over = over
                        || matches!(poll!(query.as_mut()), Poll::Ready(answer) if answer.is_ok());
                    if over {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            drop(line);
            echoes(&pool, "tench").await;
            if over {
                break;
            }
        }
        ends_clean(&pool, &[&server]).await;
    });
}

/// The primary has become read-only, and the name leads to another: the first caller that notices begins a new epoch, and
/// nothing that leads to the old one is lent after that.
#[test]
fn after_a_failover_that_a_caller_noticed_everything_leads_to_the_new_primary() {
    on_both(async || {
        let (old, new) = (Server::start(1), Server::start(2));
        let (old, new) = (old.expect("there is a port"), new.expect("there is a port"));
        let lines = Lines::to(old.address());
        let pool = pool(lines.clone(), |builder| builder.max_size(4).max_creating(4));
        fill(&pool, 4).await;
        let (noticed, held) = (pool.get().await, pool.get().await);
        let (noticed, held) = (noticed.expect("it lies idle"), held.expect("it lies idle"));
        assert_eq!((noticed.server, held.server), (1, 1));
        lines.moves(&[new.address()]);
        pool.retire_all(Duration::ZERO);
        Pooled::discard(noticed);
        for _ in 0..3 {
            assert_eq!(pool.get().await.expect("the new one is there").server, 2);
        }
        drop(held);
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(pool.get().await.expect("the new one is there"));
        }
        assert!(all.iter().all(|line| line.server == 2), "{all:?}");
        eventually(|| old.connected() == 0).await;
        drop(all);
        ends_clean(&pool, &[&new]).await;
    });
}
