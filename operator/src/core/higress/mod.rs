//! Higress: from what bindings ask of it to its plugins' objects, and what it takes to serve Knative.
//!
//! ```text
//! translate (one binding) → merge (all of them) → render (one WasmPlugin for each plugin) → writes
//! ```
//!
//! What is known of Higress is from its published sources: the plugins' own parsers, the matcher
//! that they share, and the conversion of Knative Ingresses.

pub mod binding;
pub mod check;
pub mod config;
pub mod merge;
pub mod record;
pub mod render;
pub mod rule;
pub mod scope;
#[cfg(test)]
mod tests;
pub mod translate;
pub mod writes;
