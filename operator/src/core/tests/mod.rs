//! The core as a whole: from manifests to plans, against a model of the world.

mod bad_input;
mod model;
mod orphans;
mod plans;
mod scenario;
