//! A stand-in for the ALB Ingress controller of Alibaba Cloud (alibaba-load-balancer-controller
//! v1.2.0).
//!
//! It watches AlbConfigs, IngressClasses, Ingresses, Services and Endpoints and does what the real one
//! does: the same reading of annotations by either of its two parsers, the same order and priorities,
//! the same calls of the product in the same batches, its silences, and its failure of a whole AlbConfig
//! for one bad Ingress. It reaches the load balancers through the emulator's HTTP interface like any
//! other client.
//!
//! `tests/alb_recorded` holds it against recordings of the real one.
//!
//! Where it differs: certificates do not go to the certificate product, so an id follows from the name
//! of the Secret; there is no ECS to ask for network interfaces, so their ids follow from addresses;
//! access control lists and access logs' projects are not made; an address of Endpoints
//! without a `targetRef` is taken for a pod's, where the real controller passes it over; servers are
//! pods (`eni`) only; `server-group-id` on Services is not read.

mod actions;
mod apply;
mod balancer;
mod build;
mod compare;
mod conditions;
mod config;
mod controller;
mod failure;
mod go_json;
mod groups;
mod hash;
mod listeners;
mod members;
mod model;
mod names;
mod pass;
mod paths;
mod ports;
mod rules;
mod servers;
mod tracking;
mod watch;
mod wire;
mod write_groups;
mod write_rules;
mod yaml;

#[cfg(test)]
mod parser_tests;

use std::time::Duration;

pub use build::certificate_id;
pub use controller::run;

/// The definition of AlbConfig, as the real controller registers it when it starts.
pub const DEFINITION: &str = include_str!("../../fixtures/albconfig.yaml");

/// Settings of the stand-in.
#[derive(Clone)]
pub struct Options {
    /// The cluster it watches.
    pub client: kube::Client,
    /// The id of the cluster in tags.
    pub cluster_id: String,
    /// How long it takes what would be a second for the real controller, which waits so long between
    /// looks at what it made; a whole pass takes from 1.7 to 6.9 of them.
    pub second: Duration,
    /// How long an AlbConfig that failed waits for the next try, and twice as long each time after: five
    /// seconds with the real controller.
    pub retry: Duration,
}
