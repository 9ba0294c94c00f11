//! SQLite: a file, and workers that each have a connection to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use millpond::Fitness;
use millpond_worker::{Worker, WorkerManager};

use crate::database::{self, Database, Seats};
use crate::pond::{Books, Cause, Pond};

/// A file with its tables.
pub(crate) struct Sqlite {
    file: PathBuf,
    hold: Duration,
    seats: Arc<Seats>,
}

impl Sqlite {
    pub(crate) fn prepare(file: PathBuf, hold: Duration) -> rusqlite::Result<Self> {
        database::prepare(&file)?;
        Ok(Self { file, hold, seats: Arc::default() })
    }
}

impl Pond for Sqlite {
    type Manager = WorkerManager<Database, rusqlite::Error>;

    fn name(&self) -> String {
        "SQLite, one file".to_owned()
    }

    fn manager(&self) -> Self::Manager {
        let (file, hold, seats) = (self.file.clone(), self.hold, Arc::clone(&self.seats));
        WorkerManager::new(move || Database::open(&file, hold, &seats))
            .name("storm")
            .on_reset(|database: &mut Database| database.reset().map(|()| Fitness::Clean))
            .on_check(Database::check)
    }

    async fn serve(&self, worker: &mut Worker<Database>, request: u64) -> Result<(), Cause> {
        worker.run(move |database| database.serve(request)).await??;
        Ok(())
    }

    async fn stall(
        &self,
        pause: Duration,
        on_edge: impl FnMut() + Send + 'static,
    ) -> Result<(), Cause> {
        let file = self.file.clone();
        Ok(blocking::unblock(move || database::stall(&file, pause, on_edge)).await?)
    }

    async fn audit(&self) -> Result<Books, Cause> {
        Ok(database::audit(&self.file)?)
    }

    fn connections(&self) -> (usize, usize) {
        (self.seats.most(), self.seats.taken())
    }
}
