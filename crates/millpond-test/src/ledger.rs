//! What a `ScriptedManager` and its resources share: scripts still to be played, and counts of what happened.
//!
//! *Invariant:* everything is under one lock, so that a count and the high-water mark over it never disagree.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millpond::{Returned, Runtime};

use crate::script::{Destructor, OnReturn, Op, Step};

pub(crate) struct Ledger {
    pub(crate) runtime: Box<dyn Runtime>,
    entries: Mutex<Entries>,
}

#[derive(Debug)]
pub(crate) struct Entries {
    ops: [OpEntries; Op::ALL.len()],
    pub(crate) on_return: VecDeque<OnReturn>,
    pub(crate) default_on_return: OnReturn,
    pub(crate) destructors: VecDeque<Destructor>,
    pub(crate) returns: Vec<Returned>,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) dropped: u64,
    pub(crate) max_open: u64,
    pub(crate) max_open_or_creating: u64,
    /// Resources with a smaller id have lost their other end.
    pub(crate) severed_below: u64,
}

#[derive(Debug)]
pub(crate) struct OpEntries {
    pub(crate) script: VecDeque<Step>,
    pub(crate) default: Step,
    pub(crate) started: u64,
    pub(crate) running: u64,
    pub(crate) max_running: u64,
}

impl Ledger {
    pub(crate) fn new(runtime: Box<dyn Runtime>) -> Arc<Self> {
        let op = || OpEntries {
            script: VecDeque::new(),
            default: Step::Ok,
            started: 0,
            running: 0,
            max_running: 0,
        };
        let entries = Entries {
            ops: Op::ALL.map(|_| op()),
            on_return: VecDeque::new(),
            default_on_return: OnReturn::Reuse,
            destructors: VecDeque::new(),
            returns: Vec::new(),
            opened: 0,
            closed: 0,
            dropped: 0,
            max_open: 0,
            max_open_or_creating: 0,
            severed_below: 0,
        };
        Arc::new(Self { runtime, entries: Mutex::new(entries) })
    }

    /// Counts a call of `op` as running until the guard is dropped, and takes its step.
    pub(crate) fn begin(self: &Arc<Self>, op: Op) -> (Step, Running) {
        let mut entries = self.lock();
        let this = entries.op(op);
        let step = this.script.pop_front().unwrap_or_else(|| this.default.clone());
        this.started += 1;
        this.running += 1;
        this.max_running = this.max_running.max(this.running);
        entries.mark();
        (step, Running { ledger: Some(Arc::clone(self)), op })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    pub(crate) fn op(&mut self, op: Op) -> &mut OpEntries {
        &mut self.ops[op as usize]
    }

    pub(crate) fn open_now(&self) -> u64 {
        self.opened - self.dropped
    }

    /// Raises the high-water marks.
    fn mark(&mut self) {
        let open = self.open_now();
        let creating = self.op(Op::Create).running;
        self.max_open = self.max_open.max(open);
        self.max_open_or_creating = self.max_open_or_creating.max(open + creating);
    }
}

/// One call under way. Counts its end when dropped, whether the call finished, panicked or was cancelled.
pub(crate) struct Running {
    ledger: Option<Arc<Ledger>>,
    op: Op,
}

impl Running {
    /// Ends a creation and opens its resource in one step, so that nothing is counted twice. Gives the resource's id.
    pub(crate) fn open(mut self) -> (u64, Arc<Ledger>) {
        let ledger = self.ledger.take().expect("a call is under way until it ends");
        let mut entries = ledger.lock();
        entries.op(self.op).running -= 1;
        let id = entries.opened;
        entries.opened += 1;
        entries.mark();
        drop(entries);
        (id, ledger)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(ledger) = &self.ledger {
            ledger.lock().op(self.op).running -= 1;
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}
