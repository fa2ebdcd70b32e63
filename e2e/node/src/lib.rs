//! A node that runs Pods as processes of this machine.
//!
//! Each Pod has a network namespace and an address of its own, so Pods may use the same ports; an
//! image is the name of a program. Readiness probes, termination and Service names work as Pods
//! expect. What it does not know (most volumes, init containers, limits) it refuses with a waiting
//! container that says so, rather than leaving it out in silence.
//!
//! It takes every Pod of its cluster: there is no scheduler.

mod container;
mod environment;
mod hosts;
pub mod kourier;
mod network;
mod node;
mod pod;
mod probe;
mod sandbox;
pub mod serving;
mod status;
mod volumes;

pub use network::NetworkError;
pub use node::{LocalNode, NodeError, NodeOptions};
