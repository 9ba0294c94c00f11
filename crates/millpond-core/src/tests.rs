//! What the core promises, one behaviour a test, by theme. The state space as a whole is the business of `model_check.rs`,
//! long random runs that of `reference.rs`.

mod rig;

pub(crate) use self::rig::some_instant;

mod admission;
mod backoff;
mod cancelling;
mod checks;
mod closing;
mod deadlines;
mod driver;
mod extremes;
mod failures;
mod fifo;
mod growth;
mod harm;
mod holds;
mod jobs;
mod keepalive;
mod keeping;
mod lanes;
mod lending;
mod notes;
mod offers;
mod overload;
mod policy;
mod reporting;
mod spikes;
mod resizing;
mod resting;
mod retiring;
mod sweeping;
mod target_wait;
mod timers;
mod waiters;
