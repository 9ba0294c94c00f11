//! A resource pool for async Rust that stays calm under load.

mod manager;
mod runtime;
mod pool;
mod builder;
mod get;
mod pooled;
mod status;
mod holders;
mod error;
mod close;
mod common;
mod desk;
mod driver;
mod shelf;
mod sync;

#[cfg(all(test, millpond_loom))]
mod loom_models;

pub use millpond_core::{Phase, Totals};

pub use crate::builder::{BuildError, Builder};
pub use crate::close::CloseReport;
pub use crate::error::{CreateFault, GetError, Snapshot, TryGetError};
pub use crate::get::Get;
pub use crate::holders::Holder;
pub use crate::manager::{Disposition, Fitness, Manager, Metrics, Returned};
pub use crate::pool::{Pool, ResizeError};
pub use crate::pooled::Pooled;
pub use crate::runtime::{Runtime, SpawnError, Task};
pub use crate::status::Status;
