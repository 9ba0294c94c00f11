//! Models of what happens when threads meet in a pool, explored by `loom`: `cargo xtask loom`.
//!
//! Each model forbids one interleaving, named in its comment. Threads act on real shelves and a real desk; tasks and the
//! clock are the models' own (`world.rs`). That the models can fail is shown by `cargo xtask loom --mutate`.

mod world;
mod support;
mod shelves;
mod queueing;
mod offers;
mod growth;
mod ageing;
mod driving;
mod closing;
