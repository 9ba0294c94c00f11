//! The SQLite file behind the workers: what each worker owns, the stall, and the audit at the end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::schedule::mix;

/// A folder for the file, removed with all that is in it when dropped.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a folder that is not there yet.
    pub(crate) fn new() -> io::Result<Self> {
        let mut name = format!("millpond-storm-{}", std::process::id());
        loop {
            let path = std::env::temp_dir().join(&name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                // Left by a process of the same number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => name.push('x'),
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("{}: {error}", path.display()),
                    ));
                }
            }
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path.join("storm.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own sweep.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What a worker owns.
pub(crate) struct Database {
    connection: Connection,
    hold: Duration,
    /// After the connection, so that a seat is free only when the connection is closed.
    _seat: Seat,
}

impl Database {
    /// Opens one more connection to a file that [`prepare`] has made.
    pub(crate) fn open(file: &Path, hold: Duration, seats: &Arc<Seats>) -> rusqlite::Result<Self> {
        let seat = seats.take();
        Ok(Self { connection: connect(file)?, hold, _seat: seat })
    }

    /// Serves one request: an update, an insert and a read in one transaction, and then a slow query.
    ///
    /// The slow query is a sleep for what is left of the hold, so that what the workers can do does not depend on the machine.
    /// It is outside the transaction, because SQLite has one writer at a time: inside, it would be a queue of its own.
    #[expect(clippy::disallowed_methods, reason = "a thread of its own, far from any runtime")]
    pub(crate) fn serve(&mut self, request: u64) -> rusqlite::Result<i64> {
        let begun = Instant::now();
        let account = account(request);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .prepare_cached("UPDATE account SET hits = hits + 1 WHERE id = ?1")?
            .execute([account])?;
        transaction
            .prepare_cached("INSERT INTO ledger (request, account) VALUES (?1, ?2)")?
            .execute([request as i64, account])?;
        let hits = transaction
            .prepare_cached("SELECT hits FROM account WHERE id = ?1")?
            .query_row([account], |row| row.get(0))?;
        transaction.commit()?;
        thread::sleep(self.hold.saturating_sub(begun.elapsed()));
        Ok(hits)
    }

    /// Leaves a transaction that a borrower may have left open.
    pub(crate) fn reset(&mut self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() {
            Ok(())
        } else {
            self.connection.execute_batch("ROLLBACK")
        }
    }

    pub(crate) fn check(&mut self) -> rusqlite::Result<()> {
        self.connection.query_row("SELECT 1", (), |_| Ok(()))
    }
}

/// Counts the connections of the workers.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    taken: AtomicUsize,
    most: AtomicUsize,
}

struct Seat {
    seats: Arc<Seats>,
}

impl Seats {
    /// How many connections are open.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// How many were open at once, at most.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn take(self: &Arc<Self>) -> Seat {
        let taken = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(taken, Ordering::SeqCst);
        Seat { seats: Arc::clone(self) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Makes the file and its tables.
pub(crate) fn prepare(file: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(file)?;
    // Nothing here must survive the program, so nothing is synced: a slow disk would be a second stall.
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = OFF;
         CREATE TABLE account (id INTEGER PRIMARY KEY, hits INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE ledger (request INTEGER PRIMARY KEY, account INTEGER NOT NULL);
         WITH RECURSIVE ids (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM ids WHERE id + 1 < {ACCOUNTS})
         INSERT INTO account (id) SELECT id FROM ids;"
    ))
}

/// Takes the only right to write, and keeps it for `pause`: no worker finishes a transaction meanwhile. Blocks as long.
///
/// `on_edge` is called when the stall has begun, and when it is over.
pub(crate) fn stall(
    file: &Path,
    pause: Duration,
    mut on_edge: impl FnMut(),
) -> rusqlite::Result<()> {
    let connection = connect(file)?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    on_edge();
    thread::sleep(pause);
    connection.execute_batch("COMMIT")?;
    on_edge();
    Ok(())
}

/// What the file says has been done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// Requests in the ledger, where each can be but once.
    pub(crate) requests: u64,
    /// The wrapping sum of [`checksum`] over them.
    pub(crate) checksum: u64,
    /// Accounts whose count is not the number of their requests in the ledger.
    pub(crate) wrong_accounts: u64,
}

impl Books {
    /// Counts one request.
    pub(crate) fn enter(&mut self, request: u64) {
        self.requests += 1;
        self.checksum = self.checksum.wrapping_add(mix(request));
    }

    /// Reads the whole file.
    pub(crate) fn audit(file: &Path) -> rusqlite::Result<Self> {
        let connection = connect(file)?;
        let mut books = Self::default();
        let mut hits = vec![0_i64; ACCOUNTS as usize];
        let mut statement = connection.prepare("SELECT request, account FROM ledger")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (request, at) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)?);
            books.enter(request);
            // A request booked elsewhere than it should be shows in two accounts.
            if at == account(request) {
                hits[at as usize] += 1;
            }
        }
        let mut statement = connection.prepare("SELECT id, hits FROM account")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (id, counted) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
            books.wrong_accounts += u64::from(hits.get(id as usize) != Some(&counted));
        }
        Ok(books)
    }
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    // Without the flag that lets it make a file: a storm that is being cleared away must not leave another one.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_handler(Some(|tries| {
        thread::sleep(BUSY_PAUSE);
        tries < BUSY_TRIES
    }))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(connection)
}

/// Which account a request is about.
fn account(request: u64) -> i64 {
    (mix(request) % ACCOUNTS) as i64
}

const ACCOUNTS: u64 = 1000;

/// SQLite's own handler pauses up to 100 ms at a time, which would smear the end of the stall.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// Two minutes at least, longer than any stall, so that a stall costs time and never an error.
const BUSY_TRIES: i32 = 120_000;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_books_match_what_was_served_and_show_what_was_not() {
        let folder = Folder::new().unwrap();
        let (file, seats) = (folder.file(), Arc::default());
        prepare(&file).unwrap();
        let mut database = Database::open(&file, Duration::ZERO, &seats).unwrap();
        let mut served = Books::default();
        for request in 0..500 {
            assert!(database.serve(request).unwrap() >= 1);
            served.enter(request);
        }
        database.check().unwrap();
        assert_eq!(Books::audit(&file).unwrap(), served);
        assert!(database.serve(7).is_err(), "no request is served twice");
        assert_eq!(Books::audit(&file).unwrap(), served, "and half a transaction leaves nothing");

        database.connection.execute("UPDATE account SET hits = hits + 1 WHERE id = 3", ()).unwrap();
        assert_eq!(Books::audit(&file).unwrap().wrong_accounts, 1);
        database
            .connection
            .execute("UPDATE ledger SET request = 9000 WHERE request = 9", ())
            .unwrap();
        assert_ne!(Books::audit(&file).unwrap().checksum, served.checksum);
    }

    #[test]
    fn connections_are_counted_until_they_are_closed() {
        let folder = Folder::new().unwrap();
        let (file, seats) = (folder.file(), Arc::default());
        assert!(Database::open(&file, Duration::ZERO, &seats).is_err(), "there is no file yet");
        assert_eq!(seats.taken(), 0);
        prepare(&file).unwrap();
        let first = Database::open(&file, Duration::ZERO, &seats).unwrap();
        drop(Database::open(&file, Duration::ZERO, &seats).unwrap());
        assert_eq!((seats.taken(), seats.most()), (1, 2));
        drop(first);
        assert_eq!((seats.taken(), seats.most()), (0, 2));
    }

    #[test]
    fn a_reset_rolls_back_what_was_left_open() {
        let folder = Folder::new().unwrap();
        let (file, seats) = (folder.file(), Arc::default());
        prepare(&file).unwrap();
        let mut database = Database::open(&file, Duration::ZERO, &seats).unwrap();
        database.connection.execute_batch("BEGIN; UPDATE account SET hits = 99").unwrap();
        database.reset().unwrap();
        database.reset().unwrap();
        assert_eq!(Books::audit(&file).unwrap(), Books::default());
    }

    #[test]
    fn nothing_is_written_during_a_stall_and_nothing_fails() {
        let folder = Folder::new().unwrap();
        let (file, seats) = (folder.file(), Arc::default());
        prepare(&file).unwrap();
        let mut database = Database::open(&file, Duration::ZERO, &seats).unwrap();
        let (tell, edge) = mpsc::channel();
        thread::scope(|scope| {
            let (stalled, audited) = (file.clone(), file.clone());
            let (release, released) = mpsc::channel::<()>();
            scope.spawn(move || {
                stall(&stalled, Duration::ZERO, || {
                    tell.send(()).unwrap();
                    let _ = released.recv();
                })
            });
            edge.recv().unwrap();
            let serving = scope.spawn(move || database.serve(1));
            assert_eq!(Books::audit(&audited).unwrap().requests, 0);
            drop(release);
            serving.join().unwrap().unwrap();
        });
        assert_eq!(Books::audit(&file).unwrap().requests, 1);
    }

    #[test]
    fn the_folder_goes_with_its_owner() {
        let folder = Folder::new().unwrap();
        prepare(&folder.file()).unwrap();
        let path = folder.path.clone();
        drop(folder);
        assert!(!path.exists());
    }
}
