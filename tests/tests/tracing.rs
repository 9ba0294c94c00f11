//! Events as `tracing` sees them: each at its level, with its fields. Only with the feature `tracing`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use millpond::{Event, EventKind, EventSink, Pooled, TracingSink};
use millpond_test::{OnReturn, Op, Step};
use millpond_tests::rig::Rig;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// One event, as it was traced.
#[derive(Clone, Debug)]
struct Traced {
    level: Level,
    target: String,
    fields: BTreeMap<String, String>,
}

impl Traced {
    #[track_caller]
    fn has(&self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            assert_eq!(
                self.fields.get(*name).map(String::as_str),
                Some(*value),
                "{name}: {self:?}"
            );
        }
    }
}

/// Remembers what is traced on the thread it is the default of.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Traced>>>);

impl Subscriber for Memory {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().expect("nothing panics in it").push(Traced {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            fields: fields.0,
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

/// What `body` does to a pool of two, as it is traced; and the events themselves.
fn traced(body: impl FnOnce(&Rig)) -> (Vec<Traced>, Vec<EventKind>) {
    let memory = Memory::default();
    let recorder = millpond_test::Recorder::new();
    let also = recorder.clone();
    tracing::subscriber::with_default(memory.clone(), || {
        let rig = Rig::new(|builder| {
            builder
                .name("mill")
                .max_size(2)
                .max_waiters(1)
                .leak_after(secs(60))
                .close_timeout(secs(1))
                .event_sink(move |event: &Event<'_>| {
                    also.on_event(event);
                    TracingSink.on_event(event);
                })
        });
        body(&rig);
    });
    let traced = memory.0.lock().expect("nothing panics in it").clone();
    (traced, recorder.take())
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[track_caller]
fn only<'a>(traced: &'a [Traced], message: &str) -> &'a Traced {
    let is = |traced: &&Traced| traced.fields.get("message").is_some_and(|text| text == message);
    let found: Vec<_> = traced.iter().filter(is).collect();
    assert_eq!(found.len(), 1, "{message}: {traced:?}");
    found[0]
}

#[test]
fn each_event_is_traced_once_with_the_pool_and_its_number() {
    let (traced, kinds) = traced(|rig| {
        rig.manager.script(Op::Create, [Step::transient(), Step::Ok]);
        let held = rig.runtime.block_on(rig.pool.get()).expect("the second attempt succeeds");
        rig.pool.pause();
        rig.pool.resume();
        Pooled::discard(held);
        rig.pool.resize(1).expect("a size that a pool can have");
        rig.pool.retire_all(secs(5));
        drop(Pooled::detach(rig.take()));
        rig.ends_clean();
        assert!(rig.at_once(rig.pool.get()).is_err());
    });
    assert!(traced.len() > 10 && traced.len() == kinds.len(), "{traced:?}");
    for (number, traced) in traced.iter().enumerate() {
        assert_eq!(traced.target, "millpond");
        traced.has(&[("pool", "mill"), ("number", &number.to_string())]);
    }
}

#[test]
fn the_life_of_a_resource_is_for_who_debugs() {
    let (traced, _) = traced(|rig| {
        rig.manager.script(Op::Create, [Step::Ok.after(Duration::from_millis(150))]);
        drop(rig.runtime.block_on(rig.pool.get()).expect("there is time enough"));
        Pooled::discard(rig.take());
        rig.runtime.run_until_idle();
        drop(Pooled::detach(rig.take()));
    });
    let opened = traced.iter().find(|traced| traced.fields["message"] == "resource opened");
    let opened = opened.expect("it is traced");
    assert_eq!(opened.level, Level::DEBUG);
    opened.has(&[("resource", "0.0"), ("took", "150ms")]);
    let closed = only(&traced, "resource closed");
    assert_eq!(closed.level, Level::DEBUG);
    closed.has(&[("resource", "0.0"), ("reason", "discarded"), ("uses", "2")]);
    let detached = only(&traced, "resource detached");
    assert_eq!(detached.level, Level::DEBUG);
    detached.has(&[("resource", "0.1"), ("uses", "1")]);
    assert_eq!(only(&traced, "driver started").level, Level::DEBUG);
}

#[test]
fn what_fails_is_a_warning_and_what_needs_somebody_an_error() {
    let (traced, _) = traced(|rig| {
        rig.manager.script(Op::Create, [Step::transient()]);
        drop(rig.runtime.block_on(rig.pool.get()).expect("the second attempt succeeds"));
        rig.runtime.advance(secs(5));
        rig.manager.script(Op::Check, [Step::transient()]);
        let held = rig.runtime.block_on(rig.pool.get()).expect("another one is opened");
        rig.manager.script(Op::Reset, [Step::Panic]);
        rig.manager.script_returns([OnReturn::Reset, OnReturn::Panic]);
        drop(held);
        rig.runtime.run_until_idle();
        drop(rig.take());
        rig.runtime.run_until_idle();
        rig.manager.script(Op::Close, [Step::Hang]);
        Pooled::discard(rig.take());
        rig.runtime.advance(secs(2));
    });
    for (message, error) in [
        ("creating failed", "scripted failure, transient"),
        ("check failed", "scripted failure, transient"),
        ("reset failed", "it panicked: scripted panic in reset"),
        ("close failed", "it did not end within its timeout"),
    ] {
        let traced = only(&traced, message);
        assert_eq!(traced.level, Level::WARN, "{traced:?}");
        traced.has(&[("error", error)]);
    }
    let panicked = only(&traced, "on_return panicked");
    assert_eq!(panicked.level, Level::ERROR);
    panicked.has(&[("error", "scripted panic in on_return")]);

    let (traced, _) = self::traced(|rig| {
        rig.manager.script(Op::Create, [Step::permanent()]);
        assert!(rig.at_once(rig.pool.get()).is_err());
    });
    let failed = only(&traced, "creating failed");
    assert_eq!(failed.level, Level::ERROR);
    failed.has(&[("error", "scripted failure, permanent"), ("transient", "false")]);
}

#[test]
fn callers_that_are_refused_are_for_who_debugs_unless_they_waited_for_themselves() {
    let (traced, _) = traced(|rig| {
        let held = rig.take_many(2);
        assert!(rig.runtime.block_on(rig.pool.get().timeout(secs(1)).label("export")).is_err());
        drop(held);
    });
    let refused = only(&traced, "caller refused");
    assert_eq!(refused.level, Level::DEBUG);
    refused.has(&[("reason", "its time was up"), ("waited", "1s"), ("label", "export")]);
    assert!(refused.fields["caller"].starts_with(file!()), "{refused:?}");

    let (traced, _) = self::traced(|rig| {
        rig.pool.resize(1).expect("a size that a pool can have");
        rig.runtime.block_on(async {
            let _held = rig.pool.get().await.expect("there is one");
            assert!(rig.pool.get().timeout(secs(1)).await.is_err());
        });
    });
    let nested = only(&traced, "caller refused that may have waited for itself");
    assert_eq!(nested.level, Level::WARN);
    assert!(nested.fields["held_by_caller"].starts_with("for 1s by "), "{nested:?}");
}

#[test]
fn a_queue_that_does_not_drain_is_a_warning_and_its_end_is_news() {
    let (traced, _) = traced(|rig| {
        let mut held = rig.at_once(rig.pool.get().label("export")).expect("there are two");
        let other = rig.at_once(rig.pool.get().label("report")).expect("there are two");
        // After a few leases it is known how long they last.
        for _ in 0..4 {
            let mut waiting = rig.wait();
            rig.runtime.advance(secs(1));
            drop(held);
            let Poll::Ready(Ok(next)) = waiting.poll() else { panic!("its turn has come") };
            held = next;
        }
        let hasty = rig.wait_in(rig.pool.get().timeout(secs(4)));
        rig.runtime.advance(secs(5));
        drop((held, other, hasty));
        rig.runtime.advance(secs(60));
    });
    let overloaded = only(&traced, "overloaded");
    assert_eq!(overloaded.level, Level::WARN);
    overloaded.has(&[("lane", "default")]);
    assert!(overloaded.fields["held_longest"].starts_with("for "), "{overloaded:?}");
    let relieved = only(&traced, "no longer overloaded");
    assert_eq!(relieved.level, Level::INFO);
    relieved.has(&[("lane", "default")]);
    assert!(relieved.fields.contains_key("lasted"));
}

#[test]
fn a_leak_is_a_warning_and_its_return_is_news() {
    let (traced, _) = traced(|rig| {
        let held = rig.at_once(rig.pool.get().label("export")).expect("there are two");
        rig.runtime.advance(secs(63));
        drop(held);
        rig.runtime.advance(secs(2));
    });
    for (message, level) in
        [("leak suspected", Level::WARN), ("no leak: it came back", Level::INFO)]
    {
        let traced = only(&traced, message);
        assert_eq!(traced.level, level);
        assert!(traced.fields["held"].ends_with("(export)"), "{traced:?}");
    }
}

#[test]
fn what_is_done_to_the_pool_is_news_and_an_offer_left_lying_a_warning() {
    let (traced, _) = traced(|rig| {
        let held = rig.take_many(2);
        let asleep = rig.wait();
        drop(held);
        rig.runtime.advance(secs(1));
        drop(asleep);
        rig.pool.pause();
        rig.pool.resume();
        rig.pool.resize(1).expect("a size that a pool can have");
        rig.pool.retire_all(secs(5));
        rig.runtime.shutdown();
        rig.runtime.restart();
        rig.ends_clean();
    });
    assert_eq!(only(&traced, "nobody came for an offer").level, Level::WARN);
    for (message, fields) in [
        ("pool paused", &[][..]),
        ("pool resumed", &[]),
        ("pool resized", &[("from", "2"), ("to", "1")]),
        ("all retired", &[("epoch", "1"), ("spread", "5s")]),
        ("driver lost", &[("driver", "1")]),
        ("pool closing", &[]),
        ("pool drained", &[]),
    ] {
        let traced = only(&traced, message);
        assert_eq!(traced.level, Level::INFO);
        traced.has(fields);
    }
}
