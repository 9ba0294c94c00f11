//! A manager that does what a test's script says, and counts what the pool made it do.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use millpond::{Disposition, Fitness, Manager, Metrics, Returned, Runtime};

use crate::error::ScriptedError;
use crate::ledger::{Ledger, Running};
use crate::resource::TestResource;
use crate::script::{Destructor, OnReturn, Op, Step};

/// A [`Manager`] whose every call takes a [`Step`] from a script, in order, and a default step when the script is over.
///
/// Unless told otherwise everything succeeds at once, and every return is good for `Reuse`. Clones share one script and one
/// set of counts: give one to the pool, keep one in the test.
///
/// # Examples
///
/// ```
/// use millpond::Manager;
/// use millpond_test::{Op, ScriptedManager, Step, TestRuntime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = TestRuntime::new();
/// let manager = ScriptedManager::new(runtime.clone());
/// manager.script(Op::Create, [Step::Ok]).default_step(Op::Create, Step::permanent());
///
/// let resource = runtime.block_on(manager.create())?;
/// let error = runtime.block_on(manager.create()).unwrap_err();
/// assert!(!manager.is_transient(&error));
///
/// runtime.block_on(manager.close(resource));
/// assert_eq!((manager.opened(), manager.closed(), manager.open_now()), (1, 1, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ScriptedManager {
    ledger: Arc<Ledger>,
}

impl ScriptedManager {
    /// Makes a manager whose [delays](Step::Delay) pass on `runtime`: a [`TestRuntime`](crate::TestRuntime) or a real one.
    ///
    /// Each delay reads that runtime's clock once.
    #[must_use]
    pub fn new(runtime: impl Runtime) -> Self {
        Self { ledger: Ledger::new(Box::new(runtime)) }
    }

    /// Appends to the script of `op`.
    pub fn script(&self, op: Op, steps: impl IntoIterator<Item = Step>) -> &Self {
        let steps: Vec<_> = steps.into_iter().collect();
        self.ledger.lock().op(op).script.extend(steps);
        self
    }

    /// Forgets what is left of the script of `op`, so that its default step is next.
    pub fn clear_script(&self, op: Op) -> &Self {
        let old = std::mem::take(&mut self.ledger.lock().op(op).script);
        drop(old);
        self
    }

    /// Says what `op` does when its script is over: [`Step::Ok`] if this is not called.
    pub fn default_step(&self, op: Op, step: Step) -> &Self {
        let old = std::mem::replace(&mut self.ledger.lock().op(op).default, step);
        drop(old);
        self
    }

    /// Appends to the script of `on_return`.
    pub fn script_returns(&self, answers: impl IntoIterator<Item = OnReturn>) -> &Self {
        let answers: Vec<_> = answers.into_iter().collect();
        self.ledger.lock().on_return.extend(answers);
        self
    }

    /// Says what `on_return` does when its script is over: [`OnReturn::Reuse`] if this is not called.
    pub fn default_return(&self, answer: OnReturn) -> &Self {
        self.ledger.lock().default_on_return = answer;
        self
    }

    /// Says what the next destructors do, in the order in which they run. When the script is over they are quiet.
    pub fn script_destructors(&self, destructors: impl IntoIterator<Item = Destructor>) -> &Self {
        let destructors: Vec<_> = destructors.into_iter().collect();
        self.ledger.lock().destructors.extend(destructors);
        self
    }

    /// Cuts the connection of every resource opened so far, as a server that restarts does. A `check` or `reset` of one of them
    /// that would have succeeded fails, with a transient error.
    pub fn sever(&self) {
        let mut entries = self.ledger.lock();
        entries.severed_below = entries.opened;
    }

    /// How many resources were opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.ledger.lock().opened
    }

    /// How many were closed by a `close` that ran to its end.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.ledger.lock().closed
    }

    /// How many were dropped, in `close` or anywhere else.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.ledger.lock().dropped
    }

    /// How many exist now.
    #[must_use]
    pub fn open_now(&self) -> u64 {
        self.ledger.lock().open_now()
    }

    /// The most that ever existed at once.
    #[must_use]
    pub fn max_open_at_once(&self) -> u64 {
        self.ledger.lock().max_open
    }

    /// The most that ever existed or were being created at once: what a server would have seen.
    #[must_use]
    pub fn max_open_or_creating_at_once(&self) -> u64 {
        self.ledger.lock().max_open_or_creating
    }

    /// How many creations are under way.
    #[must_use]
    pub fn creating_now(&self) -> u64 {
        self.running(Op::Create)
    }

    /// The most creations that were ever under way at once.
    #[must_use]
    pub fn max_creating_at_once(&self) -> u64 {
        self.max_running(Op::Create)
    }

    /// How many checks were started.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.started(Op::Check)
    }

    /// How many resets were started.
    #[must_use]
    pub fn resets(&self) -> u64 {
        self.started(Op::Reset)
    }

    /// What `on_return` was told, in order.
    #[must_use]
    pub fn returns(&self) -> Vec<Returned> {
        self.ledger.lock().returns.clone()
    }

    /// How often `op` was started, however it ended.
    #[must_use]
    pub fn started(&self, op: Op) -> u64 {
        self.ledger.lock().op(op).started
    }

    /// How many calls of `op` are under way.
    #[must_use]
    pub fn running(&self, op: Op) -> u64 {
        self.ledger.lock().op(op).running
    }

    /// The most calls of `op` that were ever under way at once.
    #[must_use]
    pub fn max_running(&self, op: Op) -> u64 {
        self.ledger.lock().op(op).max_running
    }

    fn answer(&self, returned: Returned) -> Disposition {
        let mut entries = self.ledger.lock();
        entries.returns.push(returned);
        let answer = entries.on_return.pop_front().unwrap_or(entries.default_on_return);
        drop(entries);
        match answer {
            OnReturn::Reuse => Disposition::Reuse,
            OnReturn::Reset => Disposition::Reset,
            OnReturn::Discard => Disposition::Discard,
            OnReturn::Panic => panic!("scripted panic in on_return"),
        }
    }

    async fn check_once(&self, resource: &TestResource) -> Result<(), ScriptedError> {
        self.play(Op::Check).await?;
        alive(resource)
    }

    async fn reset_once(&self, resource: &mut TestResource) -> Result<Fitness, ScriptedError> {
        let (fitness, _running) = self.play(Op::Reset).await?;
        alive(resource)?;
        if fitness == Fitness::Clean {
            resource.clean();
        }
        Ok(fitness)
    }

    /// Plays the next step of `op`.
    async fn play(&self, op: Op) -> Result<(Fitness, Running), ScriptedError> {
        let (mut step, running) = self.ledger.begin(op);
        loop {
            step = match step {
                Step::Ok => return Ok((Fitness::Clean, running)),
                Step::Unfit => return Ok((Fitness::Unfit, running)),
                Step::Fail(error) => return Err(error),
                Step::Hang => pending().await,
                Step::Panic => panic!("scripted panic in {op}"),
                Step::Delay(delay, then) => {
                    let runtime = &self.ledger.runtime;
                    let sleep = runtime.sleep_until(runtime.now() + delay);
                    sleep.await;
                    *then
                }
                Step::Gate(gate, then) => {
                    gate.wait().await;
                    *then
                }
            }
        }
    }
}

impl Manager for ScriptedManager {
    type Resource = TestResource;
    type Error = ScriptedError;

    async fn create(&self) -> Result<TestResource, ScriptedError> {
        let (_, running) = self.play(Op::Create).await?;
        let (id, ledger) = running.open();
        Ok(TestResource::new(id, ledger))
    }

    fn on_return(&self, _: &mut TestResource, returned: Returned, _: &Metrics) -> Disposition {
        self.answer(returned)
    }

    async fn check(&self, resource: &mut TestResource, _: &Metrics) -> Result<(), ScriptedError> {
        self.check_once(resource).await
    }

    async fn reset(
        &self,
        resource: &mut TestResource,
        _: &Metrics,
    ) -> Result<Fitness, ScriptedError> {
        self.reset_once(resource).await
    }

    async fn close(&self, resource: TestResource) {
        // Both outlive the step, so that a close which hangs and is abandoned still has its resource dropped, and counted.
        let played = self.play(Op::Close).await;
        drop(resource);
        self.ledger.lock().closed += 1;
        drop(played);
    }

    fn is_transient(&self, error: &ScriptedError) -> bool {
        error.is_transient()
    }
}

impl fmt::Debug for ScriptedManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedManager").field("ledger", &self.ledger).finish()
    }
}

fn alive(resource: &TestResource) -> Result<(), ScriptedError> {
    if resource.is_alive() {
        return Ok(());
    }
    Err(ScriptedError::transient(format!("resource {} has lost its connection", resource.id())))
}

#[cfg(test)]
mod tests;
