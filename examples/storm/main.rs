//! A storm on a pond: more requests than a database can serve, and a database that stands still in the middle.
//!
//! `cargo run --release --example storm` shows how the pool takes it, then how an endless queue takes the same requests, and at
//! last the two side by side. `-- --millpond` and `-- --naive` run one of them, `-- --runtime smol` is another runtime,
//! `-- --postgres URL` another database, and `-- --help` says what can be changed. Requests arrive when a schedule says, whether
//! or not earlier ones have been served, and their latency counts from then. Served after its deadline, a request has cost a
//! connection and is of use to nobody.

mod args;
mod compare;
mod database;
mod load;
mod pond;
mod postgres;
mod record;
mod runtime;
mod schedule;
mod sqlite;
mod summary;
mod watch;

use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_signal::{Signal, Signals};
use futures::StreamExt;
use futures::channel::mpsc::unbounded;
use futures::future::{Either, join, select};
use millpond::{Manager, Overload, Pool};

use crate::args::{Args, Command, Queue};
use crate::compare::{Run, compare};
use crate::database::Folder;
use crate::load::{Load, explain};
use crate::pond::{Books, Cause, Pond};
use crate::postgres::Postgres;
use crate::record::Record;
use crate::sqlite::Sqlite;
use crate::watch::Stall;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => {
            say(&args::USAGE.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(refusal) => {
            eprint!("storm: {refusal}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(verified) => ExitCode::from(u8::from(!verified)),
        Err(error) => {
            eprintln!("storm: {}", explain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Says whether what was verified is true.
fn run(args: &Args) -> Result<bool, Cause> {
    say(&describe(args));
    let (mut runs, mut verified) = (Vec::new(), true);
    for queue in args.queues {
        let (run, holds) = run_one(args, *queue)?;
        runs.push(run);
        verified &= holds;
    }
    if let Ok(both) = <[Run; 2]>::try_from(runs) {
        say(&compare(&both, Duration::from_secs(args.seconds)));
    }
    Ok(verified)
}

/// The storm on one of the queues, and a database of its own.
fn run_one(args: &Args, queue: Queue) -> Result<(Run, bool), Cause> {
    let folder = Folder::new()?;
    args.runtime.block_on(async {
        match &args.postgres {
            None => {
                let pond = Arc::new(Sqlite::prepare(folder.file(), args.hold)?);
                until_broken_off(storm(args, queue, pond)).await
            }
            Some(config) => {
                let pond = Arc::new(Postgres::prepare((**config).clone(), args.hold).await?);
                let run = until_broken_off(storm(args, queue, Arc::clone(&pond))).await;
                pond.clear().await?;
                run
            }
        }
    })?
}

async fn until_broken_off<T>(storm: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
    let mut interrupts = Signals::new([Signal::Int])?;
    match select(pin!(storm), interrupts.next()).await {
        Either::Left((run, _)) => run,
        Either::Right(_) => Err("broken off".into()),
    }
}

async fn storm<P: Pond>(args: &Args, queue: Queue, pond: Arc<P>) -> Result<(Run, bool), Cause> {
    let arrivals: Arc<[Duration]> = schedule::poisson(args.rate, args.seconds, args.seed).into();
    let how = match queue {
        Queue::Millpond => "it knows by when each request has to be done",
        Queue::Naive => "an endless queue, which each caller leaves by its own timer",
    };
    say(&format_args!("{}: {how}; {}", queue.name(), pond.name()));

    let pool = pool(args, queue, pond.manager())?;
    let runtime = args.runtime.adapter();
    let start = runtime.now();
    let load = Arc::new(Load {
        runtime,
        pond: Arc::clone(&pond),
        pool: pool.clone(),
        queue,
        deadline: args.deadline,
        start,
        first_refusal: OnceLock::new(),
    });
    let stall = Arc::new(Stall::default());
    let (send, receive) = unbounded();
    let arriving = Arc::clone(&load).run(Arc::clone(&arrivals), send);
    runtime.spawn(Box::pin(arriving)).map_err(|refused| refused.to_string())?;
    let watching = watch::watch(&load, &stall, &arrivals, receive);
    let stalling = stand_still(args, &*pond, start, Arc::clone(&stall));
    let (records, stood_still) = join(watching, stalling).await;
    stood_still?;

    say(&"");
    let stalled = stall.begun.get().copied().zip(stall.ended.get().copied());
    say(&summary::summary(&records, stalled, Duration::from_secs(args.seconds)).trim_end());
    if let Some(message) = load.first_refusal.get() {
        say(&format_args!("the first refusal said: {message}"));
    }
    pool.close(PATIENCE).await;
    let verified = verify(args, &*pond, &records, arrivals.len()).await?;
    say(&"");
    let calm_from = stalled.map(|(_, ended)| ended);
    Ok((Run { name: queue.name(), records, calm_from }, verified))
}

fn pool<M: Manager>(args: &Args, queue: Queue, manager: M) -> Result<Pool<M>, Cause> {
    // The stall is slow, not broken: what outlasted these would be abandoned with its connection open.
    let patience = args.stall + args.hold + PATIENCE;
    let builder = Pool::builder(manager)
        .name("storm")
        .max_size(args.size)
        .create_timeout(patience)
        .check_timeout(patience)
        .reset_timeout(patience)
        .close_timeout(patience);
    let builder = match queue {
        Queue::Millpond => builder,
        Queue::Naive => {
            builder.overload(Overload::Fifo).max_waiters(ENDLESS).get_timeout(Duration::MAX)
        }
    };
    Ok(args.runtime.build(builder)?)
}

/// Stops the database at two fifths of the run, so that more than half of what is left shows how it comes back.
async fn stand_still(
    args: &Args,
    pond: &impl Pond,
    start: Instant,
    stall: Arc<Stall>,
) -> Result<(), Cause> {
    let (runtime, pause) = (args.runtime.adapter(), args.stall);
    if pause.is_zero() {
        return Ok(());
    }
    let latest = Duration::from_secs(args.seconds) - args.stall;
    let begin = (Duration::from_secs(args.seconds) * 2 / 5).min(latest);
    runtime.sleep_until(start + begin).await;
    let edge = move || {
        // The first call is the beginning, the second the end.
        let now = runtime.now() - start;
        if stall.begun.set(now).is_err() {
            let _ = stall.ended.set(now);
        }
    };
    pond.stall(pause, edge).await
}

/// Compares what callers were told with what the database says.
async fn verify(
    args: &Args,
    pond: &impl Pond,
    records: &[Record],
    arrivals: usize,
) -> Result<bool, Cause> {
    let mut served = Books::default();
    records
        .iter()
        .filter(|record| record.outcome.is_served())
        .for_each(|record| served.enter(record.request));
    let books = pond.audit().await?;
    let (most, left) = pond.connections();

    let claims = [
        (records.len() == arrivals, format!("{} of {arrivals} requests ended", records.len())),
        (
            books == served,
            format!("{} of {} served are in the books once", books.requests, served.requests),
        ),
        (most <= args.size, format!("{most} connections at once of {} allowed", args.size)),
        (left == 0, format!("{left} left open")),
    ];
    let verified = claims.iter().all(|(holds, _)| *holds);
    let texts = claims.map(|(holds, text)| if holds { text } else { format!("WRONG: {text}") });
    say(&format_args!(
        "{}: {}",
        if verified { "verified" } else { "NOT VERIFIED" },
        texts.join(", ")
    ));
    Ok(verified)
}

fn describe(args: &Args) -> String {
    let Args { rate, seconds, size, deadline, hold, stall, seed, .. } = args;
    let limit = match hold.as_secs_f64() {
        0.0 => "no hold".to_owned(),
        hold => format!(
            "{:.0} ms hold each, so at most {:.0} requests/s",
            hold * 1000.0,
            *size as f64 / hold
        ),
    };
    format!(
        "database  {size} connections, {limit}\nload      {rate}/s at random for {seconds} s, seed {seed}, each to be served in {} ms\n\
         stall     {} ms in the middle\nruntime   {}\n",
        deadline.as_millis(),
        stall.as_millis(),
        args.runtime.name()
    )
}

/// Prints a line; where nobody reads any more, the storm goes on unseen and still cleans up after itself.
fn say(line: &dyn Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Beyond the stall and the hold, what anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than can ever wait here.
const ENDLESS: usize = 10_000_000;
