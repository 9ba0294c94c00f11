//! Guides, for reading. Their examples are compiled with the tests.

#[doc = include_str!("../guide/from-other-pools.md")]
pub mod from_other_pools {}

#[doc = include_str!("../guide/overload/why.md")]
#[doc = include_str!("../guide/overload/stop.svg")]
#[doc = ""]
#[doc = include_str!("../guide/overload/load.md")]
#[doc = include_str!("../guide/overload/load.svg")]
#[doc = ""]
#[doc = include_str!("../guide/overload.md")]
pub mod overload {}
