//! One run: the requests of an experiment against one pool, on one runtime.
//!
//! *Invariant:* requests arrive when the schedule says, whatever became of those before, and all that is measured counts from
//! then: a pool that keeps its clients waiting cannot spare itself the next.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::channel::oneshot;
use futures::future::try_join_all;

use crate::backend::{Backend, Opener, Token};
use crate::contender::{Contender, Nothing};
use crate::schedule::{DEADLINE, Experiment, Request, SIZE};
use crate::stage::Stage;

/// What all pools are given.
pub(crate) struct Scene {
    pub(crate) experiment: Experiment,
    pub(crate) requests: Vec<Request>,
}

/// What became of one pool's requests.
pub(crate) struct Run {
    /// One for each request, in their order.
    pub(crate) records: Vec<Record>,
    /// Several for one request if it asked several times.
    pub(crate) refusals: Vec<Refusal>,
    /// What no pool may do, but this one did.
    pub(crate) broken: Vec<String>,
}

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) request: Request,
    /// From its arrival until its work was done, if it was.
    pub(crate) done: Option<Duration>,
    /// How often it asked.
    pub(crate) attempts: u32,
    /// Whether the last attempt was refused, rather than out of time.
    pub(crate) refused: bool,
    /// How long after its arrival its client could begin: the machine's fault, not the pool's.
    pub(crate) lag: Duration,
    /// How much longer its work took than it should have: the same.
    pub(crate) overrun: Option<Duration>,
}

/// One attempt that was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    /// When it was made, counted from the start.
    pub(crate) asked: Duration,
    pub(crate) took: Duration,
}

impl Record {
    /// Whether it was done in time, counted from its arrival.
    pub(crate) fn is_good(&self) -> bool {
        self.done.is_some_and(|done| done <= DEADLINE)
    }
}

/// Runs an experiment against the pool that `build` makes. Not to be called by a task of the runtime.
pub(crate) fn run<S: Stage, C: Contender>(
    stage: &S,
    scene: &Scene,
    build: impl Fn(Opener) -> C,
) -> Run {
    let start = now() + HEAD_START;
    let backend = Arc::new(Backend::new(start, scene.experiment.brownout.clone()));
    let pool = stage.block_on(async { build(Opener(Arc::clone(&backend))) });
    let (report, mut reports) = unbounded();
    let broken_off = scene.experiment.broken_off;
    let client =
        Client { stage: stage.clone(), pool: pool.clone(), backend, start, broken_off, report };
    // A thread, because it keeps better time than the timers of some runtimes.
    for (number, request) in scene.requests.iter().enumerate() {
        thread::sleep((start + request.at).saturating_duration_since(now()));
        let (client, request) = (client.clone(), *request);
        let retries = scene.experiment.retries;
        stage.spawn(async move {
            let outcome = client.ask(request, retries).await;
            // The other end waits until all have reported.
            let _ = client.report.unbounded_send((number, outcome));
        });
    }
    let Client { backend, report, .. } = client;
    drop(report);

    let mut ended = vec![None; scene.requests.len()];
    let (mut refusals, mut broken) = (Vec::new(), Vec::new());
    let collect = async {
        while let Some((number, (record, refused))) = reports.next().await {
            refusals.extend(refused);
            if ended[number].replace(record).is_some() {
                broken.push(format!("request {number} ended twice"));
            }
        }
    };
    if stage.block_on(patiently(stage, collect)).is_none() {
        broken.push("requests never ended".to_owned());
    }
    let unheard = ended.iter().filter(|record| record.is_none()).count();
    if unheard > 0 {
        broken.push(format!("{unheard} requests ended without a word"));
    }
    let all = (0..SIZE).map(|_| pool.get(now() + PATIENCE, false));
    if !matches!(stage.block_on(patiently(stage, try_join_all(all))), Some(Ok(_))) {
        broken.push(format!("not all {SIZE} resources were there at the end"));
    }
    broken.extend(backend.broken());
    Run { records: ended.into_iter().flatten().collect(), refusals, broken }
}

/// What the task of a request has.
#[derive(Clone)]
struct Client<S, C> {
    stage: S,
    pool: C,
    backend: Arc<Backend>,
    start: Instant,
    broken_off: bool,
    report: UnboundedSender<(usize, (Record, Vec<Refusal>))>,
}

impl<S: Stage, C: Contender> Client<S, C> {
    async fn ask(&self, request: Request, retries: u32) -> (Record, Vec<Refusal>) {
        let arrival = self.start + request.at;
        let lag = now().saturating_duration_since(arrival);
        let mut record =
            Record { request, done: None, attempts: 0, refused: false, lag, overrun: None };
        let mut refusals = Vec::new();
        // The first attempt counts from the arrival, however late its task came to run.
        let mut asked = arrival;
        while record.attempts <= retries {
            record.attempts += 1;
            record.refused = false;
            let deadline = asked + DEADLINE;
            match self.stage.by(deadline, self.attempt(request, deadline)).await {
                Some(Ok(overrun)) => {
                    record.done = Some(now() - arrival);
                    record.overrun = Some(overrun);
                    break;
                }
                Some(Err(Nothing::Refused)) => {
                    record.refused = true;
                    let took = now().saturating_duration_since(asked);
                    refusals.push(Refusal { asked: asked - self.start, took });
                }
                Some(Err(Nothing::Late)) | None => {}
            }
            asked = now();
        }
        (record, refusals)
    }

    /// Waits, and works. Says how much longer the work took than it should have.
    async fn attempt(&self, request: Request, deadline: Instant) -> Result<Duration, Nothing> {
        let lease = self.pool.get(deadline, request.critical).await?;
        let (done, seen) = oneshot::channel();
        let work = work(self.stage.clone(), Arc::clone(&self.backend), lease, request.work);
        match self.broken_off {
            true => return Ok(work.await),
            // In a task of its own, because a backend works on when its client has gone.
            false => self.stage.spawn(async move {
                let _ = done.send(work.await);
            }),
        }
        Ok(seen.await.expect("no work panics"))
    }
}

async fn work<S: Stage, L: Deref<Target = Token>>(
    stage: S,
    backend: Arc<Backend>,
    lease: L,
    work: Duration,
) -> Duration {
    let _working = lease.work();
    let finish = backend.finish(now(), work);
    stage.sleep_until(finish).await;
    now().saturating_duration_since(finish)
}

async fn patiently<S: Stage, T: Send>(
    stage: &S,
    work: impl Future<Output = T> + Send,
) -> Option<T> {
    stage.by(now() + PATIENCE, work).await
}

#[expect(clippy::disallowed_methods, reason = "the lab measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time to build a pool before the first request.
const HEAD_START: Duration = Duration::from_millis(20);

/// Whatever takes longer than this at the end of a run never ends.
const PATIENCE: Duration = Duration::from_secs(10);
