//! A storm on a pond: more requests than an SQLite database can serve, and a database that stands still in the middle.
//!
//! `cargo run --release --example storm` shows how the pool takes it; `-- --naive` shows the same load on an endless queue,
//! `-- --runtime smol` another runtime, and `-- --help` what can be changed. Requests arrive when a schedule says, whether or not earlier ones have been served,
//! and their latency counts from then. Served after its deadline, a request has cost a worker and is of use to nobody.

mod args;
mod database;
mod load;
mod record;
mod runtime;
mod schedule;
mod summary;
mod watch;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_signal::{Signal, Signals};
use futures::StreamExt;
use futures::channel::mpsc::unbounded;
use futures::future::{Either, join, select};
use millpond::{Fitness, Pool};
use millpond_worker::WorkerManager;

use crate::args::{Args, Command, Queue};
use crate::database::{Books, Database, Folder, Seats};
use crate::load::{Load, Workers, explain};
use crate::record::Record;
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
fn run(args: &Args) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let folder = Folder::new()?;
    let mut interrupts = Signals::new([Signal::Int])?;
    args.runtime.block_on(async {
        match select(pin!(storm(args, &folder)), interrupts.next()).await {
            Either::Left((verified, _)) => verified,
            Either::Right(_) => Err("broken off".into()),
        }
    })?
}

async fn storm(args: &Args, folder: &Folder) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let file = folder.file();
    database::prepare(&file)?;
    let seats = Arc::new(Seats::default());
    let arrivals: Arc<[Duration]> = schedule::poisson(args.rate, args.seconds, args.seed).into();
    say(&describe(args));

    let pool = pool(args, folder, &seats)?;
    let runtime = args.runtime.adapter();
    let start = runtime.now();
    let load = Arc::new(Load {
        runtime,
        pool: pool.clone(),
        queue: args.queue,
        deadline: args.deadline,
        start,
        first_timeout: OnceLock::new(),
    });
    let stall = Arc::new(Stall::default());
    let (send, receive) = unbounded();
    let arriving = Arc::clone(&load).run(Arc::clone(&arrivals), send);
    runtime.spawn(Box::pin(arriving)).map_err(|refused| refused.to_string())?;
    let watching = watch::watch(&load, &stall, &arrivals, receive);
    let stalling = stand_still(args, file, start, Arc::clone(&stall));
    let (records, stood_still) = join(watching, stalling).await;
    stood_still?;

    say(&"");
    let stalled = stall.begun.get().copied().zip(stall.ended.get().copied());
    say(&summary::summary(&records, stalled, Duration::from_secs(args.seconds)).trim_end());
    if let Some(message) = load.first_timeout.get() {
        say(&format_args!("the first timeout said: {message}"));
    }
    pool.close(PATIENCE).await;
    verify(args, folder, &seats, &records, arrivals.len())
}

/// A pool of threads, each with a connection to the same file.
fn pool(
    args: &Args,
    folder: &Folder,
    seats: &Arc<Seats>,
) -> Result<Pool<Workers>, Box<dyn Error + Send + Sync>> {
    let (file, hold, seats) = (folder.file(), args.hold, Arc::clone(seats));
    let manager = WorkerManager::new(move || Database::open(&file, hold, &seats))
        .name("storm")
        .on_reset(|database: &mut Database| database.reset().map(|()| Fitness::Clean))
        .on_check(Database::check);
    // The stall is slow, not broken: a worker that outlasted these would be abandoned with its connection open.
    let patience = args.stall + args.hold + PATIENCE;
    let builder = Pool::builder(manager)
        .name("storm")
        .max_size(args.size)
        .create_timeout(patience)
        .check_timeout(patience)
        .reset_timeout(patience)
        .close_timeout(patience);
    let builder = match args.queue {
        Queue::Millpond => builder,
        Queue::Naive => builder.max_waiters(ENDLESS).get_timeout(Duration::MAX),
    };
    Ok(args.runtime.build(builder)?)
}

/// Stops the database at two fifths of the run, so that more than half of what is left shows how it comes back.
async fn stand_still(
    args: &Args,
    file: PathBuf,
    start: Instant,
    stall: Arc<Stall>,
) -> rusqlite::Result<()> {
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
    blocking::unblock(move || database::stall(&file, pause, edge)).await
}

/// Compares what callers were told with what the file says.
fn verify(
    args: &Args,
    folder: &Folder,
    seats: &Seats,
    records: &[Record],
    arrivals: usize,
) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let mut served = Books::default();
    records
        .iter()
        .filter(|record| record.outcome.is_served())
        .for_each(|record| served.enter(record.request));
    let books = Books::audit(&folder.file())?;
    let (most, left) = (seats.most(), seats.taken());

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
    let Args { rate, seconds, size, deadline, hold, stall, seed, queue, runtime } = args;
    let limit = match hold.as_secs_f64() {
        0.0 => "no hold".to_owned(),
        hold => format!(
            "{:.0} ms hold each, so at most {:.0} requests/s",
            hold * 1000.0,
            *size as f64 / hold
        ),
    };
    let queue = match queue {
        Queue::Millpond => "millpond, which knows the deadlines",
        Queue::Naive => "naive: endless, and left by each caller's own timer",
    };
    format!(
        "workers   {size}, {limit}\nload      {rate}/s at random for {seconds} s, seed {seed}, each to be served in {} ms\n\
         stall     {} ms in the middle\nqueue     {queue}\nruntime   {}\n",
        deadline.as_millis(),
        stall.as_millis(),
        runtime.name()
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
