//! The suite on tokio, many threads.

use millpond_tests::real::Flavour;
use millpond_tokio::Tokio;

const FLAVOUR: Flavour = Flavour {
    name: "tokio, many threads",
    adapter: || &Tokio,
    block_on: |future| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder
            .worker_threads(4)
            .enable_time()
            .build()
            .expect("a runtime can be built")
            .block_on(future);
    },
    spawn: |task| drop(tokio::spawn(task)),
};

crate::conformance!(super::FLAVOUR);
