//! The tasks of the pool: one for each creation, check, reset and close, with a ticket that reports however it ends.
//!
//! *Invariant:* every order that was taken is reported at the desk exactly once, be it by its result, by a
//! panic, by an abort at its deadline, or by being dropped with its runtime. So capacity cannot leak.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::{AbortHandle, AbortRegistration, Abortable};
use millpond_core::{Job, Outcome, SlotId};

use super::order::{Order, Work};
use crate::common::{contained, dispose, panic_message};
use crate::desk::Hub;
use crate::error::{CreateFailure, CreateFault};
use crate::event::Failure;
use crate::manager::{Fitness, Manager};
use crate::sync::Arc;

/// Does one job. Answers for it from now on: the task may be dropped before its first poll.
pub(crate) fn run<M: Manager>(
    hub: Arc<Hub<M>>,
    order: Order<M::Resource>,
) -> impl Future<Output = ()> + Send {
    let ticket = Ticket::new(hub, &order);
    // What a future of the user's does when it is dropped may panic too.
    let work = AssertUnwindSafe(work(ticket, Unbegun(Some(order)))).catch_unwind();
    async move { drop(work.await) }
}

/// Does one job in a single poll, or gives it up.
pub(crate) fn run_at_once<M: Manager>(hub: Arc<Hub<M>>, order: Order<M::Resource>) {
    let _ = run(hub, order).now_or_never();
}

async fn work<M: Manager>(mut ticket: Ticket<M>, unbegun: Unbegun<M::Resource>) {
    let (abort, registration) = AbortHandle::new_pair();
    if !ticket.hub.begin(ticket.id, abort) {
        return ticket.report(Outcome::Skipped, None);
    }
    let order = unbegun.into_order();
    let common = Arc::clone(&ticket.hub.common);
    let manager = &common.manager;
    match order.work {
        Work::Create => match stoppable(registration, async { manager.create().await }).await {
            Ended::With(Ok(resource)) => ticket.report(Outcome::Created, Some(resource)),
            Ended::With(Err(error)) => {
                let transient = contained(|| manager.is_transient(&error)).unwrap_or(true);
                ticket.report_failure(CreateFailure::error(error, transient));
            }
            Ended::ByPanic(message) => {
                ticket.report_failure(CreateFailure::fault(CreateFault::Panicked(message)))
            }
            Ended::ByAbort => {}
        },
        Work::Check(resource, metrics) => {
            let mut resource = Late(Some(resource));
            let check = async { manager.check(resource.get(), &metrics).await };
            match stoppable(registration, check).await {
                Ended::With(Ok(())) => ticket.report(Outcome::Fit, resource.0.take()),
                Ended::With(Err(error)) => ticket.report_error(error, resource.0.take()),
                Ended::ByPanic(message) => ticket.report_panic(message, resource.0.take()),
                Ended::ByAbort => {}
            }
        }
        Work::Reset(resource, metrics) => {
            let mut resource = Late(Some(resource));
            let reset = async { manager.reset(resource.get(), &metrics).await };
            match stoppable(registration, reset).await {
                Ended::With(Ok(Fitness::Clean)) => ticket.report(Outcome::Fit, resource.0.take()),
                Ended::With(Ok(Fitness::Unfit)) => ticket.report(Outcome::Unfit, resource.0.take()),
                Ended::With(Err(error)) => ticket.report_error(error, resource.0.take()),
                Ended::ByPanic(message) => ticket.report_panic(message, resource.0.take()),
                Ended::ByAbort => {}
            }
        }
        Work::Close(resource) => {
            match stoppable(registration, async { manager.close(resource).await }).await {
                Ended::With(()) => ticket.report(Outcome::Gone, None),
                Ended::ByPanic(message) => ticket.report_panic(message, None),
                Ended::ByAbort => {}
            }
        }
    }
}

/// How a future of the user's ended.
enum Ended<T> {
    With(T),
    ByPanic(String),
    ByAbort,
}

/// Runs a future of the user's until it ends, panics, or is stopped by the desk.
async fn stoppable<T>(
    registration: AbortRegistration,
    future: impl Future<Output = T>,
) -> Ended<T> {
    match Abortable::new(AssertUnwindSafe(future).catch_unwind(), registration).await {
        Ok(Ok(value)) => Ended::With(value),
        Ok(Err(payload)) => Ended::ByPanic(panic_message(payload)),
        Err(_) => Ended::ByAbort,
    }
}

/// An order that waits for the first poll of its task: if that never comes, what it works on is dropped where that may take
/// its time.
struct Unbegun<R: Send + 'static>(Option<Order<R>>);

impl<R: Send + 'static> Unbegun<R> {
    fn into_order(mut self) -> Order<R> {
        self.0.take().expect("taken only here")
    }
}

impl<R: Send + 'static> Drop for Unbegun<R> {
    fn drop(&mut self) {
        dispose(self.0.take().and_then(|order| order.work.into_resource()));
    }
}

/// A resource in a task: if the task ends without it, it is dropped where that may take its time.
struct Late<R: Send + 'static>(Option<R>);

impl<R: Send + 'static> Late<R> {
    fn get(&mut self) -> &mut R {
        self.0.as_mut().expect("taken only to be reported")
    }
}

impl<R: Send + 'static> Drop for Late<R> {
    fn drop(&mut self) {
        dispose(self.0.take());
    }
}

/// The duty to report how a job ended.
struct Ticket<M: Manager> {
    hub: Arc<Hub<M>>,
    id: SlotId,
    job: Job,
    reported: bool,
}

impl<M: Manager> Ticket<M> {
    fn new(hub: Arc<Hub<M>>, order: &Order<M::Resource>) -> Self {
        Self { hub, id: order.id, job: order.job(), reported: false }
    }

    fn report(&mut self, outcome: Outcome, resource: Option<M::Resource>) {
        self.reported = true;
        self.hub.ended(self.id, outcome, resource);
    }

    fn report_failure(&mut self, failure: CreateFailure<M::Error>) {
        self.reported = true;
        self.hub.create_failed(self.id, failure);
    }

    /// Not for creations.
    fn report_error(&mut self, error: M::Error, resource: Option<M::Resource>) {
        self.report_as(Failure::Error(Arc::new(error)), resource);
    }

    /// Not for creations.
    fn report_panic(&mut self, message: String, resource: Option<M::Resource>) {
        self.report_as(Failure::Panicked(message), resource);
    }

    fn report_as(&mut self, failure: Failure, resource: Option<M::Resource>) {
        self.reported = true;
        self.hub.failed(self.id, self.job, failure, resource);
    }
}

impl<M: Manager> Drop for Ticket<M> {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        if self.job == Job::Create {
            self.report_failure(CreateFailure::fault(CreateFault::Stopped));
        } else {
            self.report_as(Failure::Stopped, None);
        }
    }
}
