//! Runs the user's code and turns a panic into its message; the worker's thread calls nothing of theirs any other way.
//!
//! *Invariant: nothing here panics, whatever the user's payload does when it is dropped.*

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `code`; if it panics, gives the message.
///
/// `AssertUnwindSafe` is sound here in the sense of the lint too: a state that a panic went through is dropped, never used.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(message)
}

/// Reads the message of a panic, and disposes of its payload.
pub(crate) fn message(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<String>() {
        Ok(message) => return *message,
        Err(payload) => payload,
    };
    if let Some(message) = payload.downcast_ref::<&str>() {
        return (*message).to_owned();
    }
    // A payload of the user's own type may panic in its destructor; what that throws is leaked, to end the chain.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
    "a value that is not text".to_owned()
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    struct Sore;

    impl Drop for Sore {
        fn drop(&mut self) {
            panic_any(Self);
        }
    }

    #[test]
    fn a_message_survives_in_both_of_its_usual_forms() {
        assert_eq!(caught(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(caught(|| panic!("{}", 7)), Err::<(), _>("7".to_owned()));
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_goes_no_further() {
        assert_eq!(caught(|| panic_any(Sore)), Err::<(), _>("a value that is not text".to_owned()));
    }
}
