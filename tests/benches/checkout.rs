//! What a checkout costs beside other pools, and beside the two atomic operations that no pool can do without.
//!
//! Absolute times mean little on a shared machine, so all contenders run in turns within one process, and what counts are the
//! ratios of the medians. Every contender's resource checks that it is in one hand at a time, and that there are no more of it
//! than allowed.
//!
//! `cargo xtask bench` runs it; `--rounds N` and `--quick` change its length. `--assert` fails if the limits below are broken.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use millpond::{Disposition, Manager, Metrics, Pool, Returned};
use millpond_tokio::Tokio;

/// `get().await` and drop may cost this many times the two atomic operations...
const MOST_TO_FLOOR: f64 = 5.0;
/// ...and this share of what each of the other pools takes.
const MOST_TO_PEERS: f64 = 0.15;

const SIZE: usize = 16;

/// How many resources there are, for all contenders alike.
#[derive(Clone, Default)]
struct Census(Arc<AtomicUsize>);

/// A resource that notices if two have it at a time.
#[derive(Debug)]
struct Token {
    uses: u64,
    busy: AtomicUsize,
    census: Arc<AtomicUsize>,
}

impl Census {
    fn open(&self) -> Token {
        let open = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(open <= SIZE, "{open} resources are open, but at most {SIZE} may be");
        Token { uses: 0, busy: AtomicUsize::new(0), census: Arc::clone(&self.0) }
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

    async fn recycle(&self, _: &mut Token, _: &deadpool::managed::Metrics) -> deadpool::managed::RecycleResult<Never> {
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

/// One contender: runs so many checkouts in a task.
trait Contender: Clone + Send + Sync + 'static {
    fn checkouts(&self, n: u64) -> impl Future<Output = ()> + Send;
}

/// What no pool can do without: one atomic operation to take, one to give back.
#[derive(Clone, Default)]
struct TwoRmw(Arc<AtomicU64>);

impl Contender for TwoRmw {
    async fn checkouts(&self, n: u64) {
        for _ in 0..n {
            black_box(self.0.fetch_and(!1, Ordering::Acquire));
            black_box(self.0.fetch_or(1, Ordering::Release));
        }
    }
}

impl Contender for Pool<Census> {
    async fn checkouts(&self, n: u64) {
        for _ in 0..n {
            self.get().await.expect("nothing limits this").touch();
        }
    }
}

impl Contender for deadpool::managed::Pool<Census> {
    async fn checkouts(&self, n: u64) {
        for _ in 0..n {
            self.get().await.expect("nothing limits this").touch();
        }
    }
}

impl Contender for bb8::Pool<Census> {
    async fn checkouts(&self, n: u64) {
        for _ in 0..n {
            self.get().await.expect("nothing limits this").touch();
        }
    }
}

/// Nanoseconds a checkout, in `tasks` tasks at a time.
async fn measure(contender: &impl Contender, tasks: u64, checkouts: u64) -> f64 {
    let began = now();
    if tasks == 1 {
        contender.checkouts(checkouts).await;
    } else {
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let contender = contender.clone();
                tokio::spawn(async move {
                    // In slices, so that tasks interleave as those of a server do.
                    for _ in 0..checkouts / 100 {
                        contender.checkouts(100).await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no checkout panics");
        }
    }
    now().duration_since(began).as_nanos() as f64 / (tasks * checkouts) as f64
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

async fn compare(title: &str, tasks: u64, checkouts: u64, rounds: usize) -> Vec<Samples> {
    let floor = TwoRmw::default();
    let millpond = Pool::builder(Census::default()).max_size(SIZE).build(Tokio).expect("the settings are sound");
    let deadpool = deadpool::managed::Pool::builder(Census::default())
        .max_size(SIZE)
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .expect("the settings are sound");
    let bb8 = bb8::Pool::builder().max_size(SIZE as u32).build(Census::default()).await.expect("nothing limits this");
    let mut samples =
        [Samples("two RMWs", vec![]), Samples("millpond", vec![]), Samples("deadpool", vec![]), Samples("bb8", vec![])];
    for round in 0..=rounds {
        let times = [
            measure(&floor, tasks, checkouts).await,
            measure(&millpond, tasks, checkouts).await,
            measure(&deadpool, tasks, checkouts).await,
            measure(&bb8, tasks, checkouts).await,
        ];
        // The first round warms up.
        for (samples, time) in samples.iter_mut().zip(times).filter(|_| round > 0) {
            samples.1.push(time);
        }
    }
    let millpond = samples[1].at(0.5);
    println!("\n{title}, {rounds} rounds of {checkouts} in turns");
    println!("{:10} {:>10} {:>10} {:>10} {:>22}", "", "median ns", "10 %", "90 %", "millpond / this");
    for sample in &samples {
        let (low, median, high) = (sample.at(0.1), sample.at(0.5), sample.at(0.9));
        println!("{:10} {median:>10.1} {low:>10.1} {high:>10.1} {:>22.3}", sample.0, millpond / median);
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
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let alone = single.block_on(compare("one task, get + drop", 1, checkouts, rounds));
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    multi.expect("a runtime can be built").block_on(compare("64 tasks on 4 threads", 64, checkouts / 20, rounds));
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
