//! What follows from sequences of messages, each as tokio-postgres and a server exchange it.

use super::*;

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a test's message is short");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// One message for each letter.
fn messages(tags: &str) -> Vec<u8> {
    tags.bytes().flat_map(|tag| message(tag, b"")).collect()
}

fn logged_in() -> Protocol {
    let mut protocol = Protocol::new();
    protocol.sent(&message(STARTUP, b"user\0me\0\0")[1..]);
    assert!(protocol.is_working(), "the login is under way");
    protocol.sent(&message(b'p', b"secret\0"));
    protocol.received(&message(b'R', &[0; 4]));
    protocol.received(&message(b'K', &[0, 0, 0, 7, 0xff, 0xff, 0xff, 0xfe]));
    ready(&mut protocol, b'I');
    protocol.cleaned();
    protocol
}

fn ready(protocol: &mut Protocol, status: u8) {
    protocol.received(&message(b'Z', &[status]));
}

/// A query in one message, answered by `tag`.
fn run(protocol: &mut Protocol, tag: &str, status: u8) {
    protocol.sent(&message(b'Q', b"\0"));
    protocol.received(&message(b'C', format!("{tag}\0").as_bytes()));
    ready(protocol, status);
}

#[test]
fn after_the_login_it_is_at_rest_and_can_be_cancelled() {
    let protocol = logged_in();
    assert!(!protocol.is_working() && !protocol.in_transaction());
    assert!(!protocol.is_used());
    assert_eq!(protocol.key(), CancelKey { process: 7, secret: -2 });
}

#[test]
fn a_query_is_work_until_it_is_answered() {
    let mut protocol = logged_in();
    protocol.sent(&message(b'Q', b"SELECT 1\0"));
    assert!(protocol.is_working());
    protocol.received(&message(b'C', b"SELECT 1\0"));
    assert!(protocol.is_working(), "complete is not ready");
    ready(&mut protocol, b'I');
    assert!(!protocol.is_working() && protocol.is_used());
}

#[test]
fn requests_in_a_row_are_answered_one_by_one() {
    let mut protocol = logged_in();
    protocol.sent(&messages("PDS"));
    protocol.sent(&messages("BES"));
    ready(&mut protocol, b'I');
    assert!(protocol.is_working());
    ready(&mut protocol, b'I');
    assert!(!protocol.is_working());
}

#[test]
fn closing_a_statement_is_no_work_but_is_answered_in_its_turn() {
    let mut protocol = logged_in();
    protocol.sent(&messages("CS"));
    assert!(!protocol.is_working() && !protocol.is_used());
    protocol.sent(&message(b'Q', b"SELECT 1\0"));
    ready(&mut protocol, b'I');
    assert!(protocol.is_working(), "this was the answer to the other");
    ready(&mut protocol, b'I');
    assert!(!protocol.is_working());
    protocol.sent(&messages("S"));
    assert!(!protocol.is_working(), "nor is a sync alone");
}

#[test]
fn what_is_sent_only_in_part_is_work() {
    let mut protocol = logged_in();
    let query = message(b'Q', b"SELECT 1\0");
    protocol.sent(&query[..5]);
    assert!(protocol.is_working(), "half a message");
    for begun in ["PB", "C"] {
        let mut protocol = logged_in();
        protocol.sent(&messages(begun));
        assert!(protocol.is_working(), "messages without their sync");
    }
}

#[test]
fn a_raw_begin_shows_and_so_does_its_end() {
    let mut protocol = logged_in();
    run(&mut protocol, "BEGIN", b'T');
    assert!(!protocol.is_working() && protocol.in_transaction());
    protocol.sent(&message(b'Q', b"SELECT 1/0\0"));
    ready(&mut protocol, b'E');
    assert!(protocol.in_transaction(), "a failed one is open too");
    run(&mut protocol, "ROLLBACK", b'I');
    assert!(!protocol.in_transaction());
    assert_eq!(protocol.dirt(), Dirt::None);
}

#[test]
fn a_copy_into_the_server_has_one_answer_for_two_syncs() {
    let mut protocol = logged_in();
    protocol.sent(&messages("BES"));
    protocol.received(&messages("2G"));
    assert!(protocol.is_working() && protocol.is_lost(), "given back now, it would be lost");
    protocol.sent(&messages("ddcS"));
    assert!(protocol.is_working());
    protocol.received(&message(b'C', b"COPY 2\0"));
    ready(&mut protocol, b'I');
    assert!(!protocol.is_working() && !protocol.is_lost() && protocol.dirt() == Dirt::None);
}

#[test]
fn a_copy_that_never_began_has_two_answers() {
    let mut protocol = logged_in();
    protocol.sent(&messages("BES"));
    ready(&mut protocol, b'I');
    protocol.sent(&messages("fS"));
    assert!(protocol.is_working(), "tokio-postgres has no use for the second one");
    ready(&mut protocol, b'I');
    assert!(!protocol.is_working());
}

#[test]
fn more_answers_than_requests_make_no_credit() {
    let mut protocol = logged_in();
    ready(&mut protocol, b'I');
    protocol.sent(&message(b'Q', b"SELECT 1\0"));
    assert!(protocol.is_working());
}

#[test]
fn commands_that_pass_leave_the_session_clean() {
    let mut protocol = logged_in();
    for tag in ["SELECT 25", "INSERT 0 1", "UPDATE 3", "DELETE 0", "COPY 12", "TRUNCATE TABLE"] {
        run(&mut protocol, tag, b'I');
        assert_eq!(protocol.dirt(), Dirt::None, "{tag}");
    }
}

#[test]
fn commands_that_stay_and_those_nobody_knows_leave_it_dirty() {
    for tag in ["SET", "LISTEN", "CREATE TABLE", "DECLARE CURSOR", "DO", "CALL", "SELECTED 1", ""] {
        let mut protocol = logged_in();
        run(&mut protocol, tag, b'I');
        assert_eq!(protocol.dirt(), Dirt::Session, "{tag}");
        protocol.cleaned();
        assert_eq!(protocol.dirt(), Dirt::None);
    }
    let mut protocol = logged_in();
    run(&mut protocol, "PREPARE", b'I');
    run(&mut protocol, "SET", b'I');
    assert_eq!(protocol.dirt(), Dirt::Prepared, "the worse one counts");
}

#[test]
fn a_setting_that_the_server_reports_leaves_it_dirty_however_it_was_changed() {
    let mut protocol = logged_in();
    protocol.sent(&message(b'Q', b"SELECT set_config('timezone', 'UTC', false)\0"));
    protocol.received(&message(b'C', b"SELECT 1\0"));
    protocol.received(&message(b'S', b"TimeZone\0UTC\0"));
    ready(&mut protocol, b'I');
    assert_eq!(protocol.dirt(), Dirt::Session);
}

#[test]
fn who_deallocates_loses_statements_and_who_discards_all_is_clean() {
    let mut protocol = logged_in();
    run(&mut protocol, "SET", b'I');
    run(&mut protocol, "DISCARD ALL", b'I');
    assert_eq!((protocol.dirt(), protocol.lost_statements()), (Dirt::None, 1));
    run(&mut protocol, "DEALLOCATE", b'I');
    run(&mut protocol, "DEALLOCATE ALL", b'I');
    assert_eq!(protocol.lost_statements(), 3);
}

#[test]
fn errors_about_statements_are_told_apart() {
    let mut protocol = logged_in();
    protocol.received(&message(b'E', b"SERROR\0VERROR\0C42601\0Msyntax error\0\0"));
    assert_eq!((protocol.lost_statements(), protocol.take_outdated()), (0, false));
    protocol.received(&message(b'E', b"SFEHLER\0VERROR\0C26000\0M\0\0"));
    assert_eq!((protocol.lost_statements(), protocol.take_outdated()), (1, false));
    protocol.received(&message(b'E', b"SERROR\0VERROR\0C0A000\0M\0\0"));
    assert!(protocol.take_outdated() && !protocol.take_outdated(), "it is said once");
    protocol.received(&message(b'E', b"SERROR"));
    assert!(!protocol.take_outdated(), "an error without an end has no code");
}

#[test]
fn a_copy_that_failed_half_way_loses_the_connection() {
    let mut protocol = logged_in();
    protocol.sent(&messages("BES"));
    protocol.received(&messages("2G"));
    protocol.received(&message(b'E', b"SERROR\0VERROR\0C57014\0M\0\0"));
    ready(&mut protocol, b'I');
    assert!(protocol.is_lost());
}

#[test]
fn a_stream_that_cannot_be_followed_is_lost_for_good() {
    let mut protocol = logged_in();
    assert!(!protocol.is_lost());
    protocol.received(b"Z\0\0\0\0");
    ready(&mut protocol, b'I');
    assert!(protocol.is_lost());
}
