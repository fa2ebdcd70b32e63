//! Scenarios on a real control plane and the emulated cloud. One binary, so that what they share
//! is compiled once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by failing, in its helpers as well"
)]

#[cfg(test)]
mod scenarios;
