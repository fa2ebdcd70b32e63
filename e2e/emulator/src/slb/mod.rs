//! Classic load balancer (SLB, sold as CLB), version 2014-05-15.

mod model;

pub use model::{Backend, Listener, ListenerStatus, LoadBalancer, Protocol, State, VServerGroup};

use crate::api::{Answer, Request};
use crate::world::World;

/// Carries out one action.
pub fn handle(_world: &mut World, request: &Request) -> Answer {
    Err(request.not_emulated())
}
