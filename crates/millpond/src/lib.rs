//! stub

mod manager;
mod runtime;

pub use manager::{Disposition, Fitness, Manager, Metrics, Returned};
pub use runtime::{Runtime, SpawnError, Task};
