//! How resources leave: each is closed once, whatever made it go, and replaced if somebody waits for it.

use std::time::Duration;

use millpond::Pooled;
use millpond_test::{OnReturn, Op, ScriptedManager, Step};
use millpond_tests::rig::Rig;

use crate::{ms, secs};

/// What happens to a resource that is lent, or that its borrower has just given back.
type Way = (&'static str, fn(&Rig, Pooled<ScriptedManager>));

fn pool_of_one() -> Rig {
    Rig::new(|builder| {
        builder
            .max_size(1)
            .check_after_idle(secs(1))
            .idle_timeout(secs(60))
            .max_lifetime(secs(100))
            .lifetime_jitter(0)
            .reset_timeout(secs(3))
            .check_timeout(secs(3))
    })
}

/// Ways from the borrower's hands.
const FROM_LENT: [Way; 9] = [
    ("discarded", |_, held| Pooled::discard(held)),
    ("turned down by on_return", |rig, held| {
        rig.manager.script_returns([OnReturn::Discard]);
        drop(held);
    }),
    ("on_return panicked", |rig, held| {
        rig.manager.script_returns([OnReturn::Panic]);
        drop(held);
    }),
    ("beyond cleaning", |rig, held| goes_to_reset(rig, held, Step::Unfit)),
    ("reset failed", |rig, held| goes_to_reset(rig, held, Step::permanent())),
    ("reset panicked", |rig, held| goes_to_reset(rig, held, Step::Panic)),
    ("grew too old meanwhile", |rig, held| {
        rig.runtime.advance(secs(200));
        drop(held);
    }),
    ("retired meanwhile", |rig, held| {
        rig.pool.retire_all(Duration::ZERO);
        drop(held);
    }),
    ("too many for a moment", |rig, held| {
        rig.pool.resize(0).expect("zero is a size");
        drop(held);
        rig.runtime.run_until_idle();
        rig.pool.resize(1).expect("the size it had");
    }),
];

/// Ways from where it lies idle.
const FROM_IDLE: [Way; 7] = [
    ("idle for too long", |rig, held| {
        drop(held);
        rig.runtime.advance(secs(70));
    }),
    ("too old while idle", |rig, held| {
        rig.runtime.advance(secs(90));
        drop(held);
        rig.runtime.advance(secs(20));
    }),
    ("retired while idle", |rig, held| {
        drop(held);
        rig.pool.retire_all(Duration::ZERO);
    }),
    ("retired by and by", |rig, held| {
        drop(held);
        rig.pool.retire_all(secs(5));
        rig.runtime.advance(secs(20));
    }),
    ("idle in a pool that shrinks", |rig, held| {
        drop(held);
        rig.pool.resize(0).expect("zero is a size");
        rig.runtime.run_until_idle();
        rig.pool.resize(1).expect("the size it had");
    }),
    ("check failed", |rig, held| goes_to_check(rig, held, Step::transient())),
    ("check panicked", |rig, held| goes_to_check(rig, held, Step::Panic)),
];

/// Ways that end without `Manager::close`: nobody is there who could call it.
const UNCLOSED: [Way; 3] = [
    ("detached", |_, held| drop(Pooled::detach(held))),
    ("given up while it was cleaned", |rig, held| {
        goes_to_reset(rig, held, Step::Hang);
        rig.runtime.advance(secs(3));
    }),
    ("given up while it was checked", |rig, held| {
        goes_to_check(rig, held, Step::Hang);
        rig.runtime.advance(secs(3));
    }),
];

fn goes_to_reset(rig: &Rig, held: Pooled<ScriptedManager>, step: Step) {
    rig.manager.script(Op::Reset, [step]).script_returns([OnReturn::Reset]);
    drop(held);
    rig.runtime.run_until_idle();
}

/// By one who only tries, and so leaves no wish for another.
fn goes_to_check(rig: &Rig, held: Pooled<ScriptedManager>, step: Step) {
    drop(held);
    rig.runtime.advance(secs(5));
    rig.manager.script(Op::Check, [step]);
    assert!(rig.pool.try_get().is_err());
    rig.runtime.run_until_idle();
}

/// After r2d2, whose `on_release` and puddle, whose destructor run once for each; and after pg-pool, which opens no other as long
/// as nobody wants it.
#[test]
fn whatever_made_a_resource_go_it_is_closed_once_and_not_replaced_for_nobody() {
    for (ways, closes) in [(&FROM_LENT[..], 1), (&FROM_IDLE[..], 1), (&UNCLOSED[..], 0)] {
        for (way, go) in ways {
            let rig = pool_of_one();
            go(&rig, rig.take());
            rig.runtime.advance(secs(300));
            rig.until_dropped(1);
            let counts = (rig.manager.started(Op::Close), rig.manager.closed());
            assert_eq!(counts, (closes, closes), "{way}");
            assert_eq!((rig.pool.status().size, rig.manager.opened()), (0, 1), "{way}");
            rig.serves_at_full_size();
            rig.ends_clean();
        }
    }
}

/// After pg-pool, which provides for the next in the queue when it destroys a connection.
#[test]
fn whatever_made_a_resource_go_who_waits_has_another_opened() {
    for (way, go) in FROM_LENT.iter().chain(&UNCLOSED[..2]) {
        let rig = pool_of_one();
        let held = rig.take();
        let mut waiting = rig.wait_in(rig.pool.get_owned().timeout(secs(600)));
        go(&rig, held);
        match rig.at_once(waiting.future().expect("it waits")) {
            Ok(pooled) => assert_eq!(pooled.id(), 1, "{way}"),
            Err(error) => panic!("{way}: {error}"),
        }
        assert_eq!(rig.manager.opened(), 2, "{way}");
        rig.ends_clean();
    }
}

/// The same when the way out itself does not end well.
#[test]
fn whatever_becomes_of_the_close_who_waits_has_another_opened() {
    for (close, takes) in [(Step::Panic, secs(0)), (Step::Ok.after(ms(70)), ms(70))] {
        let rig = pool_of_one();
        rig.manager.script(Op::Close, [close]);
        let held = rig.take();
        let mut waiting = rig.wait();
        Pooled::discard(held);
        let another = rig.runtime.block_on(waiting.future().expect("it waits"));
        assert_eq!(another.map(|pooled| pooled.id()).ok(), Some(1));
        assert_eq!(rig.runtime.elapsed(), takes, "not before the first is gone");
        rig.ends_clean();
    }
}

/// After r2d2, which lets part of its pool expire while the rest is in use.
#[test]
fn what_is_lent_beyond_the_idle_timeout_has_all_of_it_when_it_comes_home() {
    let rig = Rig::new(|builder| builder.max_size(3).idle_timeout(secs(64)));
    let mut held = rig.take_many(3);
    held.truncate(1);
    // A look comes a sixteenth of the window later at most.
    rig.runtime.advance(secs(64 + 4));
    assert_eq!((rig.pool.status().leased, rig.manager.closed()), (1, 2));
    rig.runtime.advance(secs(1000));
    assert!(held[0].is_alive());
    drop(held);
    rig.runtime.advance(secs(64) - ms(1));
    assert_eq!(rig.pool.status().idle, 1, "its idleness begins with its return");
    rig.runtime.advance(secs(4) + ms(1));
    assert_eq!((rig.pool.status().size, rig.manager.closed()), (0, 3));
    rig.ends_clean();
}
