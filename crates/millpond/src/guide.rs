//! Guides, for reading. Their examples are compiled with the tests.

#[doc = include_str!("../guide/from-other-pools.md")]
pub mod from_other_pools {}
