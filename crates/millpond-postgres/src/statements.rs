//! The prepared statements of one connection, kept by their SQL. `Client` and `Transaction` look them up.
//!
//! *Invariant:* a statement that the server may have forgotten, or found outdated, is not handed out again: each is kept with
//! the wire's stamp, and goes when that changes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_postgres::Statement;

use crate::wire::{Stamp, Wire};

/// A bounded cache. Where it is full, the statement that was not asked for longest makes room.
pub(crate) struct Statements {
    wire: Arc<Wire>,
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_sql: HashMap<Box<str>, Entry>,
    /// What all of them were prepared under.
    stamp: Stamp,
    /// Counts look-ups, to tell which entry was not asked for longest.
    clock: u64,
}

struct Entry {
    statement: Statement,
    asked: u64,
}

impl Statements {
    pub(crate) fn new(wire: Arc<Wire>, capacity: usize) -> Self {
        Self { wire, capacity, entries: Mutex::default() }
    }

    /// Looks for a statement. The stamp is what one that is prepared now has to be kept under.
    pub(crate) fn find(&self, sql: &str) -> (Stamp, Option<Statement>) {
        let stamp = self.wire.stamp();
        let mut entries = self.lock();
        let outdated = entries.renew(stamp);
        let found = entries.ask(sql);
        drop(entries);
        // Each of these tells the server that it is gone.
        drop(outdated);
        (stamp, found)
    }

    /// Keeps a statement that was prepared under `stamp`, unless that has changed meanwhile.
    pub(crate) fn keep(&self, sql: &str, statement: Statement, stamp: Stamp) {
        let current = self.wire.stamp();
        let mut entries = self.lock();
        let outdated = entries.renew(current);
        let displaced = if stamp == current && self.capacity > 0 {
            entries.insert(sql, statement, self.capacity)
        } else {
            None
        };
        drop(entries);
        drop((outdated, displaced));
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_sql.len()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Empties itself if its stamp is not the current one. What comes out is to be dropped without the lock.
    fn renew(&mut self, stamp: Stamp) -> HashMap<Box<str>, Entry> {
        if self.stamp == stamp {
            return HashMap::new();
        }
        self.stamp = stamp;
        std::mem::take(&mut self.by_sql)
    }

    fn ask(&mut self, sql: &str) -> Option<Statement> {
        self.clock += 1;
        let entry = self.by_sql.get_mut(sql)?;
        entry.asked = self.clock;
        Some(entry.statement.clone())
    }

    /// Gives back what had to make room, or stood in its place.
    fn insert(&mut self, sql: &str, statement: Statement, capacity: usize) -> Option<Entry> {
        let oldest = (self.by_sql.len() >= capacity && !self.by_sql.contains_key(sql))
            .then(|| self.by_sql.iter().min_by_key(|(_, entry)| entry.asked))
            .flatten()
            .map(|(sql, _)| sql.clone());
        let displaced = oldest.and_then(|sql| self.by_sql.remove(&sql));
        let entry = Entry { statement, asked: self.clock };
        self.by_sql.insert(sql.into(), entry).or(displaced)
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statements")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
