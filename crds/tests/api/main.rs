//! What the API server would accept and refuse, checked against the generated definitions.

// Helpers of tests fail as tests do.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod binding;
mod check;
mod class;
mod consumer;
mod fixtures;
mod nlb;
mod schema;
mod slb;
