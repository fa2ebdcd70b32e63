//! Scenarios, and the ways in which each of them is run.
//!
//! A [`Scenario`] is a folder of `examples/` and a description of what the world must look like
//! once its manifests are applied. A [`Rehearsal`] is a world in which it was applied and deleted
//! once, undisturbed: what came about was checked against the description and is what every other
//! run has to come to as well, under faults, crashes and deletion in any order. A new scenario is
//! one more description; it needs no code.

mod calls;
mod crash;
mod description;
mod disturb;
mod drift;
mod error;
mod footprint;
mod gate;
mod instance;
mod names;
mod rehearsal;
mod replica;
mod scenario;

pub use calls::{Meter, early_calls};
pub use crash::{Boundary, Points};
pub use error::HarnessError;
pub use footprint::Footprint;
pub use gate::{Gate, Side};
pub use instance::Instance;
pub use rehearsal::{How, Rehearsal};
pub use replica::{Replica, ReplicaOptions};
pub use scenario::Scenario;
