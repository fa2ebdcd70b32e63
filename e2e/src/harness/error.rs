//! What a scenario run can fail with.

use std::fmt;

use crate::{
    process::ProcessError,
    world::{WaitError, WorldError},
};

/// Why a run of a scenario failed. `Debug` reads like `Display`, since it is what a test that
/// unwraps prints.
#[derive(thiserror::Error)]
pub enum HarnessError {
    /// The scenario's own files are of no use.
    #[error("scenario {name}: {problem}")]
    Scenario {
        /// The scenario.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The world could not be started or asked.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Something did not come about in time.
    #[error("{context}: {source}")]
    Wait {
        /// What was being tried.
        context: String,
        /// What was missing.
        source: Box<WaitError>,
    },
    /// A process could not be started or signalled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// An operator in this process could not be put together.
    #[error("cannot start an operator in this process: {0}")]
    Instance(String),
    /// A property does not hold.
    #[error("{0}")]
    Broken(String),
}

impl fmt::Debug for HarnessError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
