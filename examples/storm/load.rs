//! The open loop: each request starts when the schedule says so, however many are still under way.

use std::error::Error;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedSender;
use futures::future::{Either, select};
use millpond::{GetError, Pool, Pooled, Runtime};

use crate::args::Queue;
use crate::pond::Pond;
use crate::record::{Outcome, Record};

/// What all requests of a run share.
pub(crate) struct Load<P: Pond> {
    pub(crate) runtime: &'static dyn Runtime,
    pub(crate) pond: Arc<P>,
    pub(crate) pool: Pool<P::Manager>,
    pub(crate) queue: Queue,
    pub(crate) deadline: Duration,
    pub(crate) start: Instant,
    /// What the first caller who got nothing was told.
    pub(crate) first_refusal: OnceLock<String>,
}

impl<P: Pond> Load<P> {
    /// Starts a task for each arrival, at its time. Each sends one record, and the channel closes after the last: early, if the
    /// runtime takes no more tasks.
    pub(crate) async fn run(
        self: Arc<Self>,
        arrivals: Arc<[Duration]>,
        records: UnboundedSender<Record>,
    ) {
        for (request, &due) in (0..).zip(&*arrivals) {
            self.runtime.sleep_until(self.start + due).await;
            let (load, records) = (Arc::clone(&self), records.clone());
            let task = async move {
                let outcome = load.request(request, load.start + due + load.deadline).await;
                // Nobody listens any more only if the run was broken off.
                let ended = load.elapsed();
                let _ = records.unbounded_send(Record { request, due, ended, outcome });
            };
            if self.runtime.spawn(Box::pin(task)).is_err() {
                return;
            }
        }
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.runtime.now() - self.start
    }

    /// One request from its arrival to its end.
    async fn request(&self, request: u64, deadline: Instant) -> Outcome {
        let mut resource = match self.resource(deadline).await {
            Ok(resource) => resource,
            Err(outcome) => return outcome,
        };
        match self.pond.serve(&mut resource, request).await {
            Ok(()) if self.runtime.now() <= deadline => Outcome::InTime,
            Ok(()) => Outcome::Late,
            Err(_) => Outcome::Query,
        }
    }

    /// Waits for a connection, in one of the two ways that this program compares.
    async fn resource(&self, deadline: Instant) -> Result<Pooled<P::Manager>, Outcome> {
        let result = match self.queue {
            Queue::Millpond => self.pool.get().deadline(deadline).await,
            Queue::Naive => {
                let timer = self.runtime.sleep_until(deadline);
                match select(pin!(self.pool.get()), timer).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => {
                        self.first_refusal.get_or_init(|| "deadline has elapsed".to_owned());
                        return Err(Outcome::Timeout);
                    }
                }
            }
        };
        result.map_err(|error| {
            let outcome = match &error {
                GetError::Timeout { .. } => Outcome::Timeout,
                GetError::TooManyWaiters { .. } => Outcome::TooManyWaiters,
                GetError::Create { .. } | GetError::CreateFault { .. } => Outcome::Create,
                GetError::Closed { .. } => Outcome::Closed,
                other if other.is_overload() => Outcome::Shed,
                _ => Outcome::Other,
            };
            self.first_refusal.get_or_init(|| explain(&error));
            outcome
        })
    }
}

/// The message of an error and of what caused it.
pub(crate) fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
