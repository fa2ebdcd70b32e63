//! Scenario tests, benches and the playground of the GatewayBinding operator.
//!
//! [`world`] puts a whole world together: the real control plane, the emulated cloud, the
//! stand-ins for what runs in a cluster but not in this repository ([`knative`], [`gateway`]), and
//! the operator. [`play`] is that world for people, with `cargo play`. [`bench`](mod@bench) measures.
//! [`conformance`] runs Knative's public suite.

pub mod bench;
pub mod binaries;
pub mod chart;
pub mod conformance;
pub mod documents;
pub mod gateway;
pub mod gitops;
pub mod harness;
pub mod higress;
pub mod knative;
pub mod play;
pub mod process;
pub mod program;
pub mod promql;
pub mod world;
