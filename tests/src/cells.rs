//! The plainest resource that may move between threads but not be shared by them.

use std::cell::Cell;
use std::convert::Infallible;

use millpond::{Disposition, Manager, Metrics, Returned};

/// Opens counters, all at zero. Neither `Clone` nor `Debug` nor `Default`, as a manager need not be.
pub struct Cells;

impl Manager for Cells {
    type Resource = Cell<u32>;
    type Error = Infallible;

    async fn create(&self) -> Result<Cell<u32>, Infallible> {
        Ok(Cell::new(0))
    }

    fn on_return(&self, _: &mut Cell<u32>, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }

    async fn close(&self, _: Cell<u32>) {}
}
