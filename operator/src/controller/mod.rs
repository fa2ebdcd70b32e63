//! The controllers.

use crate::runtime::Runtime;
use crate::supervise::Supervisor;

/// Starts all controllers as supervised tasks.
pub fn spawn(runtime: Runtime, _supervisor: &mut Supervisor) {
    // Keeps `/readyz` at 503: there is nothing yet that could be ready.
    let _ = runtime.readiness.gate("controllers");
}
