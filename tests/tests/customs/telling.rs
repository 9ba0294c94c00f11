//! What managers and borrowers are told of a resource. After deadpool's metrics, sqlx's connection metadata and mobc's
//! `is_brand_new`.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millpond::{Disposition, Fitness, Manager, Metrics, Pool, Pooled, Returned};
use millpond_test::{Op, Step, TestRuntime};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Scribe {
    notes: Arc<Mutex<Vec<(&'static str, Metrics)>>>,
}

impl Scribe {
    fn note(&self, call: &'static str, metrics: &Metrics) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push((call, metrics.clone()));
    }

    /// What it was told last: in which call, and there the age, the time since the last use, the uses and the epoch.
    fn last(&self, now: std::time::Instant) -> (&'static str, Duration, Duration, u64, u64) {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let (call, metrics) = notes.last().expect("it was told something");
        let (age, idle) = (now - metrics.created(), now - metrics.last_used());
        (call, age, idle, metrics.uses(), metrics.epoch())
    }
}

impl Manager for Scribe {
    type Resource = ();
    type Error = Infallible;

    async fn create(&self) -> Result<(), Infallible> {
        Ok(())
    }

    fn on_return(&self, (): &mut (), _: Returned, metrics: &Metrics) -> Disposition {
        self.note("on_return", metrics);
        Disposition::Reset
    }

    async fn check(&self, (): &mut (), metrics: &Metrics) -> Result<(), Infallible> {
        self.note("check", metrics);
        Ok(())
    }

    async fn reset(&self, (): &mut (), metrics: &Metrics) -> Result<Fitness, Infallible> {
        self.note("reset", metrics);
        Ok(Fitness::Clean)
    }

    async fn close(&self, (): ()) {}
}

#[test]
fn a_manager_is_told_how_old_and_how_used_is_what_it_judges() {
    let runtime = TestRuntime::new();
    let scribe = Scribe::default();
    let builder = Pool::builder(scribe.clone()).max_size(1).check_after_idle(secs(1));
    let pool = builder.build(runtime.clone()).expect("the settings make sense");
    let told = || scribe.last(runtime.now());
    // Times on the way are those of the tick: a quarter of the shortest window late at most.
    let late = |time: Duration, by: Duration| time <= by && by - time <= ms(250);

    pool.retire_all(Duration::ZERO);
    let held = runtime.block_on(pool.get()).expect("there is one");
    runtime.advance(secs(7));
    drop(held);
    let (call, age, _, uses, epoch) = told();
    assert_eq!((call, age, uses, epoch), ("on_return", secs(7), 1, 1));

    runtime.advance(secs(2));
    let (call, age, idle, uses, _) = told();
    assert_eq!((call, uses), ("reset", 1));
    assert_eq!(age, secs(9), "it was told two seconds ago");
    assert!(late(idle, secs(9)), "{idle:?}");

    let held = runtime.block_on(pool.get()).expect("there is one");
    let (call, age, idle, uses, _) = told();
    assert_eq!((call, age, uses), ("check", secs(9), 1));
    assert!(late(idle, secs(2)), "it lay idle since its reset, for 2 s, not {idle:?}");
    drop(held);
    let (call, _, _, uses, _) = told();
    assert_eq!((call, uses), ("on_return", 2));
}

#[test]
fn a_borrower_can_tell_a_new_resource_from_a_used_one() {
    let rig = Rig::of(1);
    rig.manager.script(Op::Create, [Step::Ok.after(ms(5))]);
    // Opened for one who left, and never used by anybody.
    drop(rig.wait());
    rig.runtime.advance(ms(5));
    for uses in 1..4 {
        assert_eq!(Pooled::metrics(&rig.take()).uses(), uses);
    }
    // The next one has the place of the first, and not its past.
    Pooled::discard(rig.take());
    assert_eq!(Pooled::metrics(&rig.take()).uses(), 1);
    rig.ends_clean();
}
