//! What a checkout costs beside other pools, and beside the two atomic operations that no pool can do without.
//!
//! Three loads: one task alone; many tasks and enough resources; many tasks that queue for few, where each hand-over passes
//! the desk. Absolute times mean little on a shared machine, so all contenders run in turns within one process, and what counts are the
//! ratios of the medians. Every contender's resource checks that it is in one hand at a time, and that there are no more of it
//! than allowed. `fifo` is the same pool without policy under overload: alone nobody may notice the difference.
//!
//! `cargo xtask bench` runs it; `--rounds N` and `--quick` change its length. `--assert` fails if the limits below are broken.

#![expect(clippy::print_stdout, reason = "a benchmark is there to be read")]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use millpond::{Disposition, Manager, Metrics, Overload, Pool, Returned};
use millpond_tokio::Tokio;

/// `get().await` and drop may cost this many times the two atomic operations...
const MOST_TO_FLOOR: f64 = 5.0;
/// ...and this share of what each of the other pools takes.
const MOST_TO_PEERS: f64 = 0.15;

/// How many resources there are, and may be, of one contender.
#[derive(Clone)]
struct Census {
    open: Arc<AtomicUsize>,
    size: usize,
}

/// A resource that notices if two have it at a time.
#[derive(Debug)]
struct Token {
    uses: u64,
    busy: AtomicUsize,
    census: Arc<AtomicUsize>,
}

impl Census {
    fn of(size: usize) -> Self {
        Self { open: Arc::default(), size }
    }

    fn open(&self) -> Token {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(open <= self.size, "{open} resources are open, but at most {} may be", self.size);
        Token { uses: 0, busy: AtomicUsize::new(0), census: Arc::clone(&self.open) }
    }
}

impl Token {
    /// One use, of next to no work.
    fn touch(&mut self) {
        *self.busy.get_mut() += 1;
        assert_eq!(*self.busy.get_mut(), 1, "two hold one resource");
        self.uses = black_box(self.uses + 1);
        *self.busy.get_mut() -= 1;
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.census.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Manager for Census {
    type Resource = Token;
    type Error = Never;

    async fn create(&self) -> Result<Token, Never> {
        Ok(self.open())
    }

    fn on_return(&self, _: &mut Token, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

impl deadpool::managed::Manager for Census {
    type Type = Token;
    type Error = Never;

    async fn create(&self) -> Result<Token, Never> {
        Ok(self.open())
    }

    async fn recycle(
        &self,
        _: &mut Token,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Never> {
        Ok(())
    }
}

impl bb8::ManageConnection for Census {
    type Connection = Token;
    type Error = Never;

    async fn connect(&self) -> Result<Token, Never> {
        Ok(self.open())
    }

    async fn is_valid(&self, _: &mut Token) -> Result<(), Never> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Token) -> bool {
        false
    }
}

/// One contender: checks out once, uses the resource, and may let other tasks run before it gives it back.
trait Contender: Clone + Send + Sync + 'static {
    fn checkout(&self, hold: Hold) -> impl Future<Output = ()> + Send;
}

/// How long a resource is held.
#[derive(Clone, Copy, PartialEq)]
enum Hold {
    /// Given back at once.
    No,
    /// Until every other task that can run has run.
    Turn,
}

impl Hold {
    async fn pass(self) {
        if self == Self::Turn {
            tokio::task::yield_now().await;
        }
    }
}

/// What no pool can do without: one atomic operation to take, one to give back.
#[derive(Clone, Default)]
struct TwoRmw(Arc<AtomicU64>);

impl Contender for TwoRmw {
    async fn checkout(&self, hold: Hold) {
        black_box(self.0.fetch_and(!1, Ordering::Acquire));
        hold.pass().await;
        black_box(self.0.fetch_or(1, Ordering::Release));
    }
}

impl Contender for Pool<Census> {
    async fn checkout(&self, hold: Hold) {
        let mut token = self.get().await.expect("nothing limits this");
        token.touch();
        hold.pass().await;
    }
}

impl Contender for deadpool::managed::Pool<Census> {
    async fn checkout(&self, hold: Hold) {
        let mut token = self.get().await.expect("nothing limits this");
        token.touch();
        hold.pass().await;
    }
}

impl Contender for bb8::Pool<Census> {
    async fn checkout(&self, hold: Hold) {
        let mut token = self.get().await.expect("nothing limits this");
        token.touch();
        hold.pass().await;
    }
}

/// What all contenders do in one comparison.
#[derive(Clone, Copy)]
struct Load {
    title: &'static str,
    size: usize,
    tasks: u64,
    checkouts: u64,
    hold: Hold,
}

/// Nanoseconds a checkout.
async fn measure(contender: &impl Contender, load: Load) -> f64 {
    let began = now();
    if load.tasks == 1 {
        for _ in 0..load.checkouts {
            contender.checkout(load.hold).await;
        }
    } else {
        let tasks: Vec<_> = (0..load.tasks)
            .map(|_| {
                let contender = contender.clone();
                tokio::spawn(async move {
                    for i in 1..=load.checkouts {
                        contender.checkout(load.hold).await;
                        // So that tasks interleave as those of a server do.
                        if i % 100 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no checkout panics");
        }
    }
    now().duration_since(began).as_nanos() as f64 / (load.tasks * load.checkouts) as f64
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// The samples of one contender.
struct Samples(&'static str, Vec<f64>);

impl Samples {
    fn at(&self, share: f64) -> f64 {
        let mut sorted = self.1.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[((sorted.len() - 1) as f64 * share) as usize]
    }
}

async fn compare(load: Load, rounds: usize) -> Vec<Samples> {
    let census = || Census::of(load.size);
    let floor = TwoRmw::default();
    let pool = |overload| {
        Pool::builder(census())
            .max_size(load.size)
            .overload(overload)
            .build(Tokio)
            .expect("the settings are sound")
    };
    let [millpond, fifo] = [Overload::Auto, Overload::Fifo].map(pool);
    let deadpool = deadpool::managed::Pool::builder(census())
        .max_size(load.size)
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .expect("the settings are sound");
    let bb8 = bb8::Pool::builder()
        .max_size(load.size as u32)
        .build(census())
        .await
        .expect("nothing limits this");
    let mut samples = [
        Samples("two RMWs", vec![]),
        Samples("millpond", vec![]),
        Samples("deadpool", vec![]),
        Samples("bb8", vec![]),
        Samples("fifo", vec![]),
    ];
    for round in 0..=rounds {
        let times = [
            measure(&floor, load).await,
            measure(&millpond, load).await,
            measure(&deadpool, load).await,
            measure(&bb8, load).await,
            measure(&fifo, load).await,
        ];
        // The first round warms up.
        for (samples, time) in samples.iter_mut().zip(times).filter(|_| round > 0) {
            samples.1.push(time);
        }
    }
    let millpond = samples[1].at(0.5);
    println!(
        "\n{}, {} resources, {rounds} rounds of {} each in turns",
        load.title, load.size, load.checkouts
    );
    println!(
        "{:10} {:>10} {:>10} {:>10} {:>22}",
        "", "median ns", "10 %", "90 %", "millpond / this"
    );
    for sample in &samples {
        let (low, median, high) = (sample.at(0.1), sample.at(0.5), sample.at(0.9));
        println!(
            "{:10} {median:>10.1} {low:>10.1} {high:>10.1} {:>22.3}",
            sample.0,
            millpond / median
        );
    }
    samples.into()
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benchmarks too, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing to test; run by `cargo xtask bench`");
        return ExitCode::SUCCESS;
    }
    let mut rounds = 41;
    let mut checkouts = 20_000;
    let mut assert = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => (rounds, checkouts) = (15, 5_000),
            "--assert" => assert = true,
            "--rounds" => match arguments.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0) {
                Some(n) => rounds = n,
                None => {
                    eprintln!("--rounds wants a number from 1");
                    return ExitCode::from(2);
                }
            },
            // What cargo itself passes.
            "--bench" => {}
            other => {
                eprintln!("unknown argument {other}; there are --quick, --rounds N and --assert");
                return ExitCode::from(2);
            }
        }
    }
    let single = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let multi = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let load =
        Load { title: "one task, get + drop", size: 16, tasks: 1, checkouts, hold: Hold::No };
    let alone = single.block_on(compare(load, rounds));
    let load =
        Load { title: "64 tasks on 4 threads", tasks: 64, checkouts: checkouts / 20, ..load };
    multi.block_on(compare(load, rounds));
    let load = Load {
        title: "64 tasks on 4 threads, most of them queueing",
        size: 4,
        hold: Hold::Turn,
        ..load
    };
    multi.block_on(compare(load, rounds));
    let ratio = |i: usize| alone[1].at(0.5) / alone[i].at(0.5);
    let kept = ratio(0) <= MOST_TO_FLOOR && ratio(2) <= MOST_TO_PEERS && ratio(3) <= MOST_TO_PEERS;
    println!(
        "\none task: {:.2} x two RMWs (at most {MOST_TO_FLOOR}), {:.3} x deadpool, {:.3} x bb8 (at most {MOST_TO_PEERS}): {}",
        ratio(0),
        ratio(2),
        ratio(3),
        if kept { "kept" } else { "BROKEN" }
    );
    if assert && !kept { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
