//! A sink that hands events to the crate `tracing`. Only with the feature of that name.

use tracing::{debug, error, info, warn};

use super::{Event, EventKind, EventSink, RefusalReason};

/// Hands each event to the present `tracing` subscriber, with the target `millpond`. Needs the feature `tracing`.
///
/// Every event has the fields `pool` and `number`, and those of its [`EventKind`] by name. The levels say who has to act:
///
/// | level | events |
/// |---|---|
/// | error | creating failed in a way that does not pass; `on_return` panicked |
/// | warn | any other failure; a suspected leak; an offer that nobody came for; a caller that waited for itself; a queue that does not drain; a driver in place of one that stands still |
/// | info | what was done to the pool; a lost driver; a suspected leak that was none; a queue that drains again |
/// | debug | the life of resources; callers that were refused, because they have their errors; drivers that start |
///
/// # Examples
///
/// ```
/// # use millpond::{Builder, Manager, TracingSink};
/// # fn example<M: Manager>(builder: Builder<M>) -> Builder<M> {
/// builder.event_sink(TracingSink)
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TracingSink;

impl EventSink for TracingSink {
    fn on_event(&self, event: &Event<'_>) {
        match event.kind {
            EventKind::Created { .. }
            | EventKind::CreateFailed { .. }
            | EventKind::CheckFailed { .. }
            | EventKind::ResetFailed { .. }
            | EventKind::CloseFailed { .. }
            | EventKind::ReturnPanicked { .. }
            | EventKind::Closed { .. }
            | EventKind::Detached { .. } => trace_resource(event),
            EventKind::OfferRevoked { .. }
            | EventKind::Refused { .. }
            | EventKind::LeakSuspected { .. }
            | EventKind::CameBack { .. } => trace_caller(event),
            _ => trace_pool(event),
        }
    }
}

fn trace_resource(event: &Event<'_>) {
    let Event { pool, number, kind, .. } = *event;
    match kind {
        EventKind::Created { resource, took } => {
            debug!(target: TARGET, pool, number, %resource, ?took, "resource opened");
        }
        EventKind::CreateFailed { failure, transient: true, took, next_attempt } => {
            warn!(
                target: TARGET, pool, number, error = %failure, transient = true, ?took, ?next_attempt,
                "creating failed"
            );
        }
        EventKind::CreateFailed { failure, transient: false, took, next_attempt } => {
            error!(
                target: TARGET, pool, number, error = %failure, transient = false, ?took, ?next_attempt,
                "creating failed"
            );
        }
        EventKind::CheckFailed { resource, failure, took } => {
            warn!(target: TARGET, pool, number, %resource, error = %failure, ?took, "check failed");
        }
        EventKind::ResetFailed { resource, failure, took } => {
            warn!(target: TARGET, pool, number, %resource, error = %failure, ?took, "reset failed");
        }
        EventKind::CloseFailed { resource, failure, took } => {
            warn!(target: TARGET, pool, number, %resource, error = %failure, ?took, "close failed");
        }
        EventKind::ReturnPanicked { resource, message } => {
            error!(target: TARGET, pool, number, %resource, error = message, "on_return panicked");
        }
        EventKind::Closed { resource, reason, age, uses } => {
            debug!(target: TARGET, pool, number, %resource, %reason, ?age, uses, "resource closed");
        }
        EventKind::Detached { resource, age, uses } => {
            debug!(target: TARGET, pool, number, %resource, ?age, uses, "resource detached");
        }
        _ => {}
    }
}

fn trace_caller(event: &Event<'_>) {
    let Event { pool, number, kind, .. } = *event;
    match kind {
        EventKind::OfferRevoked { resource } => {
            warn!(target: TARGET, pool, number, %resource, "nobody came for an offer");
        }
        EventKind::Refused { reason, waited, ahead, lane, caller, label, held_by_caller } => {
            let (lane, label) = (lane.as_deref(), label.as_deref());
            match held_by_caller.first() {
                Some(own) if *reason != RefusalReason::NoRuntime => warn!(
                    target: TARGET, pool, number, %reason, ?waited, ahead, lane, %caller, label,
                    held_by_caller = %own, "caller refused that may have waited for itself"
                ),
                _ => debug!(
                    target: TARGET, pool, number, %reason, ?waited, ahead, lane, %caller, label,
                    "caller refused"
                ),
            }
        }
        EventKind::LeakSuspected { resource, holder } => {
            warn!(target: TARGET, pool, number, %resource, held = %holder, "leak suspected");
        }
        EventKind::CameBack { resource, holder } => {
            info!(target: TARGET, pool, number, %resource, held = %holder, "no leak: it came back");
        }
        _ => {}
    }
}

fn trace_pool(event: &Event<'_>) {
    let Event { pool, number, kind, .. } = *event;
    match kind {
        EventKind::Overloaded { lane, waiting, holders } => {
            let held_longest = holders.first().map(tracing::field::display);
            warn!(target: TARGET, pool, number, lane = &**lane, waiting, held_longest, "overloaded");
        }
        EventKind::Relieved { lane, lasted } => {
            info!(target: TARGET, pool, number, lane = &**lane, ?lasted, "no longer overloaded");
        }
        EventKind::DriverStarted { number: driver, instead_of: None } => {
            debug!(target: TARGET, pool, number, driver, "driver started");
        }
        EventKind::DriverStarted { number: driver, instead_of: Some(old) } => {
            warn!(target: TARGET, pool, number, driver, instead_of = old, "driver replaced");
        }
        EventKind::DriverLost { number: driver } => {
            info!(target: TARGET, pool, number, driver, "driver lost");
        }
        EventKind::Resized { from, to } => {
            info!(target: TARGET, pool, number, from, to, "pool resized");
        }
        EventKind::RetiredAll { epoch, spread } => {
            info!(target: TARGET, pool, number, epoch, ?spread, "all retired");
        }
        EventKind::Paused => info!(target: TARGET, pool, number, "pool paused"),
        EventKind::Resumed => info!(target: TARGET, pool, number, "pool resumed"),
        EventKind::Closing => info!(target: TARGET, pool, number, "pool closing"),
        EventKind::Drained => info!(target: TARGET, pool, number, "pool drained"),
        _ => {}
    }
}

const TARGET: &str = "millpond";
