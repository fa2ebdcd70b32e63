//! The decision core: what a binding wants, what is there, and the steps between the two.
//!
//! Everything here is a pure function of its arguments: no client, no clock, no randomness, no
//! async. What it needs comes in as a value and what it wants comes out as a value. The way of
//! one binding:
//!
//! ```text
//! class::resolve → validate → desire (merging what is shared) → plan (against what is there) → project
//! ```

pub mod adoption;
pub mod alb;
pub mod approval;
pub mod balancer;
pub mod ccm;
pub mod class;
pub mod conditions;
pub mod consumer;
pub mod desire;
pub mod desired;
pub mod diff;
pub mod exposure;
pub mod foresee;
pub mod guard;
pub mod higress;
pub mod import;
pub mod key;
pub mod knative;
pub mod ledger;
pub mod merge;
pub mod names;
pub mod nlb;
pub mod observed;
pub mod orphans;
pub mod peers;
pub mod plan;
pub mod problem;
pub mod project;
pub mod published;
pub mod quota;
pub mod references;
pub mod settings;
pub mod slb;
pub mod strictest;
pub mod throttling;
pub mod unreadable;
pub mod validate;
pub mod writers;

#[cfg(test)]
mod tests;
