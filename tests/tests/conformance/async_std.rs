//! The suite on async-std.

use async_std::task;
use millpond_async_std::AsyncStd;
use millpond_tests::real::Flavour;

const FLAVOUR: Flavour = Flavour {
    name: "async-std",
    adapter: || &AsyncStd,
    block_on: |future| task::block_on(future),
    spawn: |task| drop(task::spawn(task)),
};

crate::conformance!(super::FLAVOUR);
