//! The suite on smol.

use millpond_smol::Smol;
use millpond_tests::real::Flavour;

const FLAVOUR: Flavour = Flavour {
    name: "smol",
    adapter: || &Smol,
    block_on: |future| smol::block_on(future),
    spawn: |task| smol::spawn(task).detach(),
};

crate::conformance!(super::FLAVOUR);
