//! A strict emulator of the Alibaba Cloud APIs behind a Knative gateway: STS, VPC, classic load
//! balancer (SLB/CLB), application and network load balancer (ALB, NLB) and API Gateway (CloudAPI), all products on one port, the traffic path
//! included, so that tests and the playground need no account.
//!
//! Start it in-process with [`Emulator::builder`], or run the `alicloud-emulator` binary.

pub mod alb;
pub mod alb_ingress;
pub mod api;
pub mod calls;
pub mod ccm;
pub mod cloudapi;
mod control;
mod dispatch;
pub mod faults;
pub mod ids;
mod metadata;
pub mod nlb;
pub mod persist;
pub mod protocol;
pub mod ram;
mod server;
pub mod slb;
pub mod state;
pub mod sts;
pub mod traffic;
pub mod vpc;
pub mod world;

pub use server::{Builder, Emulator, Running, StartError};
pub use state::AppState;
