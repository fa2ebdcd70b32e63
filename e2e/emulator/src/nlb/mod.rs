//! Network load balancer (NLB), version 2022-04-30: what the cloud controller manager and an operator
//! call. Security policies of one's own, zone shifts, monitoring and the contents of certificates are not
//! played. What the product shares with application load balancers is in [`crate::alb`].

mod balancer_settings;
mod balancers;
mod jobs;
mod listeners;
mod model;
mod server_groups;
mod servers;
mod tags;
#[cfg(test)]
mod tests;
mod views;

pub use model::{Listener, LoadBalancer, ServerGroup, State, ZoneMapping};

use crate::alb::errors;
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

/// Carries out one action.
pub fn handle(world: &mut World, request: &Request) -> Answer {
    let action = request.action.as_str();
    balancer_action(world, request, action)
        .or_else(|| listener_action(world, request, action))
        .or_else(|| group_action(world, request, action))
        .unwrap_or_else(|| Err(request.not_emulated()))
}

fn balancer_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateLoadBalancer" => balancers::create(world, request),
        "DeleteLoadBalancer" => balancers::delete(world, request),
        "UpdateLoadBalancerZones" => balancers::update_zones(world, request),
        "UpdateLoadBalancerAddressTypeConfig" => balancers::update_address_type(world, request),
        "UpdateLoadBalancerAttribute" => balancer_settings::update(world, request),
        "UpdateLoadBalancerProtection" => balancer_settings::protect(world, request),
        "LoadBalancerJoinSecurityGroup" => balancer_settings::join(world, request),
        "LoadBalancerLeaveSecurityGroup" => balancer_settings::leave(world, request),
        "AttachCommonBandwidthPackageToLoadBalancer" => balancer_settings::attach(world, request),
        "DetachCommonBandwidthPackageFromLoadBalancer" => balancer_settings::detach(world, request),
        "EnableLoadBalancerIpv6Internet" => balancer_settings::ipv6(world, request, "Internet"),
        "DisableLoadBalancerIpv6Internet" => balancer_settings::ipv6(world, request, "Intranet"),
        "GetLoadBalancerAttribute" => views::balancer(world, request),
        "ListLoadBalancers" => views::balancers(world, request),
        "TagResources" => tags::tag(world, request),
        "UntagResources" => tags::untag(world, request),
        "ListTagResources" => tags::list(world, request),
        "GetJobStatus" => jobs::status(world, request),
        "ListAsynJobs" => jobs::list(world, request),
        _ => return None,
    })
}

fn listener_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateListener" => listeners::create(world, request),
        "UpdateListenerAttribute" => listeners::update(world, request),
        "DeleteListener" => listeners::delete(world, request),
        "StartListener" => listeners::switch(world, request, true),
        "StopListener" => listeners::switch(world, request, false),
        "AssociateAdditionalCertificatesWithListener" => {
            listeners::certificates(world, request, true)
        }
        "DisassociateAdditionalCertificatesWithListener" => {
            listeners::certificates(world, request, false)
        }
        "GetListenerAttribute" => views::listener(world, request),
        "ListListeners" => views::listeners(world, request),
        "ListListenerCertificates" => views::certificates(world, request),
        _ => return None,
    })
}

fn group_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateServerGroup" => server_groups::create(world, request),
        "UpdateServerGroupAttribute" => server_groups::update(world, request),
        "DeleteServerGroup" => server_groups::delete(world, request),
        "ListServerGroups" => server_groups::list(world, request),
        "AddServersToServerGroup" => servers::add(world, request),
        "RemoveServersFromServerGroup" => servers::remove(world, request),
        "UpdateServerGroupServersAttribute" => servers::update(world, request),
        "ListServerGroupServers" => servers::list(world, request),
        _ => return None,
    })
}

/// This product writes the kinds of its resources small where the other one does not.
fn not_found(kind: &str, id: &str) -> ApiError {
    errors::not_found(kind, id)
}
