//! The GatewayBinding operator: controllers and command line.

pub mod args;
pub mod backoff;
pub mod chain;
pub mod commands;
pub mod controller;
pub mod core;
pub mod events;
pub mod health;
pub mod leader;
pub mod metrics;
pub mod runtime;
pub mod supervise;
pub mod telemetry;
