//! Classic load balancer (SLB, sold as CLB), version 2014-05-15.

mod acls;
mod attributes;
mod backends;
mod charges;
mod create;
mod describe;
mod domain_extensions;
mod find;
mod health;
mod listener_settings;
mod listener_views;
mod listeners;
mod model;
mod regions;
mod server_groups;
mod tags;

pub use health::{Endpoint, keep_probing};
pub use model::{
    AccessControlList, Backend, DomainExtension, Listener, ListenerStatus, LoadBalancer, Protocol,
    ServerCertificate, State, VServerGroup,
};

use crate::api::{Answer, Request};
use crate::world::World;

/// Carries out one action.
pub fn handle(world: &mut World, request: &Request) -> Answer {
    let action = request.action.as_str();
    load_balancer_action(world, request, action)
        .or_else(|| listener_action(world, request, action))
        .or_else(|| group_action(world, request, action))
        .or_else(|| tag_and_acl_action(world, request, action))
        .unwrap_or_else(|| Err(request.not_emulated()))
}

fn load_balancer_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateLoadBalancer" => create::create(world, request),
        "DeleteLoadBalancer" => create::delete(world, request),
        "DescribeLoadBalancers" => describe::list(world, request),
        "DescribeLoadBalancerAttribute" => describe::attribute(world, request),
        "SetLoadBalancerName" => attributes::set_name(world, request),
        "SetLoadBalancerStatus" => attributes::set_status(world, request),
        "SetLoadBalancerDeleteProtection" => attributes::set_delete_protection(world, request),
        "SetLoadBalancerModificationProtection" => {
            attributes::set_modification_protection(world, request)
        }
        "ModifyLoadBalancerInstanceSpec" => charges::modify_spec(world, request),
        "ModifyLoadBalancerInstanceChargeType" => {
            charges::modify_instance_charge_type(world, request)
        }
        "ModifyLoadBalancerInternetSpec" => charges::modify_internet_spec(world, request),
        "DescribeZones" => Ok(regions::zones(world)),
        "DescribeRegions" => Ok(regions::regions(world)),
        "DescribeAvailableResource" => Ok(regions::available_resource(world)),
        "DescribeHealthStatus" => health::describe(world, request),
        _ => return None,
    })
}

fn listener_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    if let Some(protocol) = protocol_in(action, "CreateLoadBalancer", "Listener") {
        return Some(listeners::create(world, request, protocol));
    }
    if let Some(protocol) = protocol_in(action, "SetLoadBalancer", "ListenerAttribute") {
        return Some(listeners::set(world, request, protocol));
    }
    if let Some(protocol) = protocol_in(action, "DescribeLoadBalancer", "ListenerAttribute") {
        return Some(listener_views::attribute(world, request, protocol));
    }
    Some(match action {
        "StartLoadBalancerListener" => listeners::switch(world, request, ListenerStatus::Running),
        "StopLoadBalancerListener" => listeners::switch(world, request, ListenerStatus::Stopped),
        "DeleteLoadBalancerListener" => listeners::delete(world, request),
        "DescribeLoadBalancerListeners" => listener_views::list(world, request),
        "DescribeServerCertificates" => listener_views::server_certificates(world, request),
        "DescribeDomainExtensions" => domain_extensions::list(world, request),
        "CreateDomainExtension" => domain_extensions::create(world, request),
        "SetDomainExtensionAttribute" => domain_extensions::set(world, request),
        "DeleteDomainExtension" => domain_extensions::delete(world, request),
        _ => return None,
    })
}

fn group_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateVServerGroup" => server_groups::create(world, request),
        "DeleteVServerGroup" => server_groups::delete(world, request),
        "DescribeVServerGroups" => server_groups::list(world, request),
        "DescribeVServerGroupAttribute" => server_groups::attribute(world, request),
        "SetVServerGroupAttribute" => server_groups::set(world, request),
        "AddVServerGroupBackendServers" => server_groups::add(world, request),
        "RemoveVServerGroupBackendServers" => server_groups::remove(world, request),
        "ModifyVServerGroupBackendServers" => server_groups::modify(world, request),
        _ => return None,
    })
}

fn tag_and_acl_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "TagResources" => tags::tag(world, request),
        "UntagResources" => tags::untag(world, request),
        "ListTagResources" => tags::list(world, request),
        "CreateAccessControlList" => acls::create(world, request),
        "DeleteAccessControlList" => acls::delete(world, request),
        "DescribeAccessControlLists" => acls::list(world, request),
        "DescribeAccessControlListAttribute" => acls::attribute(world, request),
        "AddAccessControlListEntry" => acls::add_entries(world, request),
        "RemoveAccessControlListEntry" => acls::remove_entries(world, request),
        _ => return None,
    })
}

/// The protocol in an action's name, as in `CreateLoadBalancerTCPListener`.
fn protocol_in(action: &str, before: &str, after: &str) -> Option<Protocol> {
    match action.strip_prefix(before)?.strip_suffix(after)? {
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        "HTTP" => Some(Protocol::Http),
        "HTTPS" => Some(Protocol::Https),
        _ => None,
    }
}
