//! The core as a whole: from manifests to plans, against a model of the world.

mod adoption;
mod approvals;
mod bad_input;
mod holding;
mod model;
mod odd;
mod orphans;
mod plans;
pub(super) mod scenario;
