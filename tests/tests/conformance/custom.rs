//! The suite on a runtime that a user wrote: the one of the example `custom_runtime`, a thread for each task.

use std::sync::LazyLock;

use futures::executor::block_on;
use millpond::Runtime;
use millpond_tests::real::Flavour;

#[path = "../../../examples/custom_runtime/runtime.rs"]
mod runtime;

use self::runtime::Threads;

static THREADS: LazyLock<Threads> =
    LazyLock::new(|| Threads::start().expect("a thread can be started"));

const FLAVOUR: Flavour = Flavour {
    name: "a runtime of one's own",
    adapter: || &*THREADS,
    block_on: |future| block_on(future),
    spawn: |task| THREADS.spawn(task).expect("a thread can be started"),
};

crate::conformance!(super::FLAVOUR);
