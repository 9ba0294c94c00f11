//! The suite on tokio, one thread.

use millpond_tests::real::Flavour;
use millpond_tokio::Tokio;

const FLAVOUR: Flavour = Flavour {
    name: "tokio, one thread",
    adapter: || &Tokio,
    block_on: |future| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime can be built").block_on(future);
    },
    spawn: |task| drop(tokio::spawn(task)),
};

crate::conformance!(super::FLAVOUR);
