//! Alibaba Cloud for the GatewayBinding operator: credentials, signing, typed calls, error
//! classes, a call budget for each operation, and list snapshots that all bindings share.
//!
//! From the bottom up: [`operations`] names everything that may be called; [`sign`] signs;
//! [`credentials`] says as whom; [`budget`] how often; [`client`] makes the call and sorts its
//! error by [`error_codes`]. On that stand [`slb`], [`nlb`], [`vpc`] and [`sts`] (reads), [`gateway`] (the
//! API gateway behind a trait that fits both of the vendor's products) and [`snapshot`] (one
//! shared view of what the gateway holds).
//!
//! Nothing here knows Kubernetes. No error, log line or `Debug` output holds a secret.

pub mod budget;
pub mod call;
pub mod client;
pub mod credentials;
pub mod endpoints;
pub mod error;
pub mod error_codes;
pub mod gateway;
pub mod nlb;
pub mod observe;
pub mod operations;
mod pages;
pub mod ram;
mod retry;
pub mod shown;
pub mod sign;
pub mod slb;
pub mod snapshot;
pub mod sts;
mod transport;
pub mod vpc;

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time. A value, so that tests set it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the machine.
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}
