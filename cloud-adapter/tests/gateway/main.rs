//! Every method of the gateway against the emulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod apis;
mod by_hand;
#[path = "../common/mod.rs"]
mod common;
mod consumers;
mod groups;
mod policies;
mod snapshots;
mod stage;
