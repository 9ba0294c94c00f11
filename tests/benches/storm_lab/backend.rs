//! The backend that stands behind every pool: resources that count, and work that takes its time.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use millpond::{Disposition, Manager, Metrics, Returned};

use crate::schedule::SIZE;

/// A time in which all work at the backend goes at another speed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Brownout {
    /// Counted from the start.
    pub(crate) during: Range<Duration>,
    /// Zero for a stop.
    pub(crate) speed: f64,
}

impl Brownout {
    /// When work is done that begins at `begun`.
    pub(crate) fn finish(&self, begun: Duration, work: Duration) -> Duration {
        let Range { start, end } = self.during;
        let before = start.saturating_sub(begun);
        if work <= before || begun >= end {
            return begun + work;
        }
        let left = work - before;
        let progress = (end - begun.max(start)).mul_f64(self.speed);
        if left <= progress {
            begun.max(start) + left.div_f64(self.speed)
        } else {
            end + (left - progress)
        }
    }
}

/// Keeps count of its resources, and of what no pool may do with them.
pub(crate) struct Backend {
    start: Instant,
    brownout: Option<Brownout>,
    open: AtomicUsize,
    busy: AtomicUsize,
    broken: Mutex<Vec<String>>,
}

impl Backend {
    pub(crate) fn new(start: Instant, brownout: Option<Brownout>) -> Self {
        let (open, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { start, brownout, open, busy, broken: Mutex::default() }
    }

    /// When work is done that begins now.
    pub(crate) fn finish(&self, now: Instant, work: Duration) -> Instant {
        match &self.brownout {
            None => now + work,
            Some(brownout) => self.start + brownout.finish(now - self.start, work),
        }
    }

    /// The rules that were broken.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.broken.lock().expect("nothing panics while it is locked").clone()
    }

    fn at_most(&self, count: usize, what: &str) {
        if count > SIZE {
            self.complain(format!("{count} resources {what} at a time, {SIZE} may be"));
        }
    }

    fn complain(&self, complaint: String) {
        self.broken.lock().expect("nothing panics while it is locked").push(complaint);
    }
}

/// A resource; it notices if two have it at a time.
pub(crate) struct Token {
    busy: AtomicBool,
    backend: Arc<Backend>,
}

impl Token {
    /// Counts as busy until the result is dropped.
    pub(crate) fn work(&self) -> Working<'_> {
        if self.busy.swap(true, Ordering::Relaxed) {
            self.backend.complain("two have one resource".to_owned());
        }
        self.backend.at_most(self.backend.busy.fetch_add(1, Ordering::Relaxed) + 1, "are busy");
        Working(self)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.backend.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Work that goes on at the backend.
pub(crate) struct Working<'a>(&'a Token);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
        self.0.backend.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The manager of every pool: opens at once, checks nothing, always succeeds.
pub(crate) struct Opener(pub(crate) Arc<Backend>);

impl Opener {
    fn open(&self) -> Token {
        self.0.at_most(self.0.open.fetch_add(1, Ordering::Relaxed) + 1, "are open");
        Token { busy: AtomicBool::new(false), backend: Arc::clone(&self.0) }
    }
}

impl Manager for Opener {
    type Resource = Token;
    type Error = Infallible;

    async fn create(&self) -> Result<Token, Infallible> {
        Ok(self.open())
    }

    fn on_return(&self, _: &mut Token, _: Returned, _: &Metrics) -> Disposition {
        Disposition::Reuse
    }
}

impl deadpool::managed::Manager for Opener {
    type Type = Token;
    type Error = Infallible;

    async fn create(&self) -> Result<Token, Infallible> {
        Ok(self.open())
    }

    async fn recycle(
        &self,
        _: &mut Token,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}

impl bb8::ManageConnection for Opener {
    type Connection = Token;
    type Error = Infallible;

    async fn connect(&self) -> Result<Token, Infallible> {
        Ok(self.open())
    }

    async fn is_valid(&self, _: &mut Token) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Token) -> bool {
        false
    }
}
