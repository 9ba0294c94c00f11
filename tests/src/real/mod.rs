//! What the tests on real runtimes share: a runtime as the tests see it, tasks on it, a pool of scripted resources, and a
//! runtime that can be made to end.
//!
//! The clock is a real one here, and threads run as they please. So a test says what must come about and waits for that; a
//! duration is either one that has to pass, or one that never does.

mod flavour;
mod mortal;
mod rig;
mod spawned;

pub use self::flavour::{Flavour, yield_now};
pub use self::mortal::Mortal;
pub use self::rig::{Refused, Rig};
pub use self::spawned::Spawned;
