//! Each rule with a sample that keeps it and one that breaks it.

use super::*;

/// The lines that `rule` objects to.
fn lines(rule: fn(&Source) -> Vec<Violation>, path: &str, text: &str) -> Vec<usize> {
    rule(&Source::new(path, text)).into_iter().map(|violation| violation.line).collect()
}

const ANYWHERE: &str = "crates/millpond/src/pool.rs";
const NONE: [usize; 0] = [];

#[test]
fn a_file_starts_with_its_purpose() {
    assert_eq!(lines(first_line, ANYWHERE, "//! Why.\n"), NONE);
    assert_eq!(lines(first_line, ANYWHERE, "#![allow(x)]\n"), NONE);
    assert_eq!(lines(first_line, ANYWHERE, "// Why.\n"), [1]);
    assert_eq!(lines(first_line, ANYWHERE, ""), [1]);
}

#[test]
fn a_file_is_short_without_its_tests() {
    let good = "a\n".repeat(500) + "#[cfg(test)]\n" + &"b\n".repeat(500);
    assert_eq!(lines(length, ANYWHERE, &good), NONE);
    let long = "a\n".repeat(501);
    assert_eq!(lines(length, ANYWHERE, &long), [501]);
    let marked = "a\n    #[cfg(test)]\n".to_owned() + &"a\n".repeat(499);
    assert_eq!(lines(length, ANYWHERE, &marked), [501]);
    assert_eq!(lines(length, "crates/millpond/src/pool/tests.rs", &long), NONE);
    assert_eq!(lines(length, "tests/tests/twelve.rs", &long), NONE);
    assert_eq!(lines(length, "tests/benches/checkout.rs", &long), NONE);
}

#[test]
fn an_adapter_is_shorter_still() {
    let long = "a\n".repeat(151);
    assert_eq!(lines(adapter_length, "crates/millpond-tokio/src/lib.rs", &"a\n".repeat(150)), NONE);
    assert_eq!(lines(adapter_length, "crates/millpond-tokio/src/lib.rs", &long), [151]);
    assert_eq!(lines(adapter_length, "crates/millpond-test/src/lib.rs", &long), NONE);
}

#[test]
fn only_the_slot_is_unsafe() {
    let text = "#![forbid(unsafe_code)]\n// unsafe\nlet a = \"unsafe\";\nunsafe { b() }\n";
    assert_eq!(lines(unsafe_outside_the_slot, ANYWHERE, text), [4]);
    assert_eq!(lines(unsafe_outside_the_slot, UNSAFE_FILE, text), NONE);
}

#[test]
fn nothing_is_unfinished() {
    let good = "/// Never todo!(x).\nfn todo() { let dbg = !(true); }\n";
    assert_eq!(lines(unfinished, ANYWHERE, good), NONE);
    assert_eq!(lines(unfinished, ANYWHERE, "todo!()\nunimplemented!(\"a\")\ndbg!(b)\n"), [1, 2, 3]);
}

#[test]
fn every_test_runs() {
    assert_eq!(lines(idle_tests, ANYWHERE, "#[test]\nfn ignore() {}\n"), NONE);
    let bad = "#[ignore]\n#[ignore = \"slow\"]\n#[should_panic(expected = \"a\")]\n";
    assert_eq!(lines(idle_tests, ANYWHERE, bad), [1, 2, 3]);
}

#[test]
fn no_test_sleeps() {
    let path = "tests/tests/twelve.rs";
    let good =
        "clock.advance(second);\ntokio::time::sleep_until(never);\nruntime.sleep_until(t);\n";
    assert_eq!(lines(sleeping_tests, path, good), NONE);
    let bad = "std::thread::sleep(second);\ntokio::time::sleep(second).await;\nuse tokio::time::{self, sleep};\n";
    assert_eq!(lines(sleeping_tests, path, bad), [1, 2, 3]);
    assert_eq!(lines(sleeping_tests, "examples/storm.rs", bad), NONE);
    assert_eq!(lines(sleeping_tests, "tests/benches/lab.rs", bad), NONE);
}

#[test]
fn no_public_signature_mentions_a_private_dependency() {
    let good = "use futures::future::BoxFuture;\npub fn a(future: impl Future) {\n    futures::x()\n}\nfn b(c: BoxFuture<()>) {}\n";
    assert_eq!(lines(private_dependencies, ANYWHERE, good), NONE);
    let bad = "use futures::future::BoxFuture;\npub fn a(\n    b: BoxFuture<()>,\n) {}\npub struct C(async_channel::Sender<()>);\n";
    assert_eq!(lines(private_dependencies, ANYWHERE, bad), [2, 5]);
    assert_eq!(lines(private_dependencies, "crates/millpond-worker/src/lib.rs", bad), NONE);
}

#[test]
fn orderings_are_written_in_full() {
    let good = "use std::sync::atomic::{AtomicU64, Ordering};\na.load(Ordering::Acquire);\n";
    assert_eq!(lines(unnamed_orderings, ANYWHERE, good), NONE);
    let bad = "use std::sync::atomic::Ordering::{Acquire, Release};\nuse std::sync::atomic::Ordering as O;\n";
    assert_eq!(lines(unnamed_orderings, ANYWHERE, bad), [1, 1, 2]);
}
