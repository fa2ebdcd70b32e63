//! How far the operator may go: mode, drift, deletion.

// Optional fields of these types are declared with `schemars(with = ...)`: the schema of an optional
// enum would otherwise have the description of the enum in place of that of the field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator does with a binding.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Make cluster and cloud match it.
    #[default]
    Apply,
    /// Compute what would be done and publish it in status; write nothing else.
    Plan,
    /// Do nothing, not even look.
    Suspend,
}

/// What happens when something the operator wrote was changed by somebody else.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DriftPolicy {
    /// Put it back.
    #[default]
    Enforce,
    /// Say so in status and leave it.
    Report,
}

/// What happens to cloud and cluster when a binding is deleted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeletionPolicy {
    /// Remove what nobody else uses.
    #[default]
    Delete,
    /// Leave everything in place.
    Retain,
}
