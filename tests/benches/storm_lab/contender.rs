//! The pools that are compared, each with the means it has against overload.

use std::future::Future;
use std::ops::Deref;
use std::time::{Duration, Instant};

use bb8::RunError;
use deadpool::managed::{PoolError, TimeoutType};
use millpond::{GetError, Lane, Overload, Pool, Pooled, Runtime};
use millpond_smol::Smol;
use millpond_tokio::Tokio;

use crate::backend::{Opener, Token};
use crate::run::{Run, Scene, run};
use crate::schedule::{DEADLINE, SIZE};
use crate::stage::{OnSmol, OnTokio};

/// A pool under test, as its clients see it.
pub(crate) trait Contender: Clone + Send + Sync + 'static {
    type Lease: Deref<Target = Token> + Send;

    /// Waits for a resource, for a client that leaves at `deadline`.
    fn get(
        &self,
        deadline: Instant,
        critical: bool,
    ) -> impl Future<Output = Result<Self::Lease, Nothing>> + Send;
}

/// Why there was no resource for a client that was still there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Nothing {
    /// The pool decided so.
    Refused,
    /// Time was up.
    Late,
}

/// One row of each table: a pool on a runtime.
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn Fn(&Scene) -> Run>,
}

impl Entrant {
    fn new(name: &'static str, run: impl Fn(&Scene) -> Run + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// The pool as it is, told of each client's deadline.
pub(crate) const AUTO: &str = "millpond";
/// The same pool as a plain queue, and the runtime's timeout around `get`.
pub(crate) const BARE: &str = "bare timeout(get)";

/// Everybody. The pools that can be told have their time to acquire set to the clients' deadline; it is all they have.
pub(crate) fn on_tokio(stage: &OnTokio) -> Vec<Entrant> {
    let deadpool = |opener| {
        deadpool::managed::Pool::builder(opener)
            .max_size(SIZE)
            .wait_timeout(Some(DEADLINE))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .expect("the settings are sound")
    };
    let bb8 = |opener| {
        bb8::Pool::builder()
            .max_size(SIZE as u32)
            .connection_timeout(DEADLINE)
            .build_unchecked(opener)
    };
    vec![
        Entrant::new(AUTO, enter(stage, |opener| Told(told(opener, Tokio)))),
        Entrant::new(BARE, enter(stage, |opener| Bare(bare(opener, Tokio)))),
        Entrant::new("deadpool", enter(stage, deadpool)),
        Entrant::new("bb8", enter(stage, bb8)),
    ]
}

/// Those that run there: bb8 needs tokio, and so do deadpool's own timeouts, so that smol's timer ends its clients.
pub(crate) fn on_smol() -> Vec<Entrant> {
    let deadpool = |opener| {
        deadpool::managed::Pool::builder(opener)
            .max_size(SIZE)
            .build()
            .expect("the settings are sound")
    };
    vec![
        Entrant::new(AUTO, enter(&OnSmol, |opener| Told(told(opener, Smol)))),
        Entrant::new(BARE, enter(&OnSmol, |opener| Bare(bare(opener, Smol)))),
        Entrant::new("deadpool, no timeout of its own", enter(&OnSmol, deadpool)),
    ]
}

fn enter<S: crate::stage::Stage, C: Contender>(
    stage: &S,
    build: impl Fn(Opener) -> C + 'static,
) -> impl Fn(&Scene) -> Run + 'static {
    let stage = stage.clone();
    move |scene| run(&stage, scene, &build)
}

fn told(opener: Opener, runtime: impl Runtime) -> Pool<Opener> {
    Pool::builder(opener)
        .max_size(SIZE)
        .lane(Lane::new(CRITICAL).head_start(DEADLINE))
        .build(runtime)
        .expect("the settings are sound")
}

fn bare(opener: Opener, runtime: impl Runtime) -> Pool<Opener> {
    Pool::builder(opener)
        .max_size(SIZE)
        .overload(Overload::Fifo)
        .max_waiters(ENDLESS)
        .get_timeout(Duration::MAX)
        .build(runtime)
        .expect("the settings are sound")
}

/// The lane of critical requests: they go before all others that are still of use.
const CRITICAL: &str = "critical";

/// More clients than any experiment has.
const ENDLESS: usize = 1_000_000;

/// A pool that is told when its clients leave.
#[derive(Clone)]
struct Told(Pool<Opener>);

impl Contender for Told {
    type Lease = Pooled<Opener>;

    async fn get(&self, deadline: Instant, critical: bool) -> Result<Self::Lease, Nothing> {
        let get = self.0.get().deadline(deadline);
        let get = if critical { get.lane(CRITICAL) } else { get };
        get.await.map_err(|error| nothing(&error))
    }
}

/// A pool that is not.
#[derive(Clone)]
struct Bare(Pool<Opener>);

impl Contender for Bare {
    type Lease = Pooled<Opener>;

    async fn get(&self, _: Instant, _: bool) -> Result<Self::Lease, Nothing> {
        self.0.get().await.map_err(|error| nothing(&error))
    }
}

fn nothing<E: std::fmt::Debug>(error: &GetError<E>) -> Nothing {
    match error {
        GetError::Timeout(_) => Nothing::Late,
        refused if refused.is_overload() => Nothing::Refused,
        other => unreachable!("a pool whose creations succeed and that is open: {other:?}"),
    }
}

impl Contender for deadpool::managed::Pool<Opener> {
    type Lease = deadpool::managed::Object<Opener>;

    async fn get(&self, _: Instant, _: bool) -> Result<Self::Lease, Nothing> {
        self.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Nothing::Late,
            other => unreachable!("a pool whose creations succeed and that is open: {other:?}"),
        })
    }
}

impl Contender for bb8::Pool<Opener> {
    type Lease = bb8::PooledConnection<'static, Opener>;

    async fn get(&self, _: Instant, _: bool) -> Result<Self::Lease, Nothing> {
        self.get_owned().await.map_err(|error| match error {
            RunError::TimedOut => Nothing::Late,
            RunError::User(never) => match never {},
        })
    }
}
