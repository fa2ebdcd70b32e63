//! API types of the group `gatewaybinding.dev`, version `v1alpha1`, and the
//! CustomResourceDefinitions generated from them.
//!
//! The crate does no I/O. What the API server checks for us (structure, bounds, CEL rules) is said
//! here, next to the types; what needs the cluster or the cloud to decide is the operator's part.

pub mod generate;
pub mod keys;
pub mod reference;
pub mod v1alpha1;

mod schema;

pub use v1alpha1::*;

/// API group of all kinds.
pub const GROUP: &str = "gatewaybinding.dev";

/// API version of all kinds.
pub const VERSION: &str = "v1alpha1";
