//! Alibaba Cloud for the GatewayBinding operator: credentials, signing, typed calls, error
//! classes, a call budget for each operation, and list snapshots that all bindings share.

pub mod error;
pub mod gateway;
