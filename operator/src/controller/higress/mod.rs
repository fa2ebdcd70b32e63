//! The rules of all bindings in Higress: one pass for each Higress writes its plugins' objects. It
//! starts when a class with Higress is there.

mod collect;
mod credentials;
mod objects;
mod pass;
mod scope;
pub mod state;
pub mod wakes;
mod watch;

pub use collect::is_detached;
pub use pass::lack;
pub use scope::{Served, scope, served};
pub use watch::spawn;

/// Kind in metrics, backoff and logs.
pub const KIND: &str = "Higress";
