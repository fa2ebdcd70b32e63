//! A strict emulator of the Alibaba Cloud APIs behind a Knative gateway: STS, VPC, classic load
//! balancer (SLB/CLB) and API Gateway (CloudAPI), all products on one port, the traffic path
//! included, so that tests and the playground need no account.
//!
//! Start it in-process with [`Emulator::builder`], or run the `alicloud-emulator` binary.

pub mod api;
pub mod cloudapi;
pub mod ids;
pub mod slb;
pub mod state;
pub mod sts;
pub mod traffic;
pub mod vpc;
pub mod world;

pub use state::AppState;
