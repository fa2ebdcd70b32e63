//! Application load balancer (ALB), version 2020-06-16: what the ALB Ingress controller and an
//! operator call. Access control lists, certificates' contents, AScripts, health check templates and
//! security policies of one's own are not played.

mod balancer_views;
mod balancers;
pub(crate) mod errors;
mod jobs;
mod listener_views;
mod listeners;
mod model;
pub(crate) mod node;
pub(crate) mod pages;
mod repeat;
mod rule_check;
mod rule_model;
mod rule_params;
mod rules;
mod server_groups;
pub(crate) mod servers;
pub(crate) mod tags;
pub(crate) mod texts;

#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use model::{Job, Listener, LoadBalancer, Server, ServerGroup, State, ZoneMapping};
pub use rule_model::{
    Action, Condition, ConditionKind, Direction, Effect, Pair, Rule, RuleWrite, Step, Tuple,
};

use crate::api::{Answer, Request};
use crate::world::World;

/// Carries out one action.
pub fn handle(world: &mut World, request: &Request) -> Answer {
    repeat::once(world, request, carry_out)
}

fn carry_out(world: &mut World, request: &Request) -> Answer {
    let action = request.action.as_str();
    balancer_action(world, request, action)
        .or_else(|| listener_action(world, request, action))
        .or_else(|| rule_action(world, request, action))
        .or_else(|| group_action(world, request, action))
        .unwrap_or_else(|| Err(request.not_emulated()))
}

fn balancer_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateLoadBalancer" => balancers::create(world, request),
        "DeleteLoadBalancer" => balancers::delete(world, request),
        "UpdateLoadBalancerAttribute" => balancers::update_attribute(world, request),
        "UpdateLoadBalancerEdition" => balancers::update_edition(world, request),
        "UpdateLoadBalancerZones" => balancers::update_zones(world, request),
        "UpdateLoadBalancerAddressTypeConfig" => balancers::update_address_type(world, request),
        "EnableDeletionProtection" => balancers::protect(world, request, true),
        "DisableDeletionProtection" => balancers::protect(world, request, false),
        "EnableLoadBalancerAccessLog" => balancers::access_log(world, request, true),
        "DisableLoadBalancerAccessLog" => balancers::access_log(world, request, false),
        "GetLoadBalancerAttribute" => balancer_views::attribute(world, request),
        "ListLoadBalancers" => balancer_views::list(world, request),
        "DescribeZones" => Ok(balancer_views::zones(world)),
        "DescribeRegions" => Ok(balancer_views::regions(world)),
        "MoveResourceGroup" => tags::move_resource_group(world, request),
        "TagResources" => tags::tag(world, request),
        "UnTagResources" => tags::untag(world, request),
        "ListTagResources" => tags::list(world, request),
        "ListAsynJobs" => jobs::list(world, request),
        _ => return None,
    })
}

fn listener_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateListener" => listeners::create(world, request),
        "DeleteListener" => listeners::delete(world, request),
        "UpdateListenerAttribute" => listeners::update(world, request),
        "UpdateListenerLogConfig" => listeners::update_log(world, request),
        "StartListener" => listeners::switch(world, request, true),
        "StopListener" => listeners::switch(world, request, false),
        "AssociateAdditionalCertificatesWithListener" => {
            listeners::certificates(world, request, true)
        }
        "DissociateAdditionalCertificatesFromListener" => {
            listeners::certificates(world, request, false)
        }
        "GetListenerAttribute" => listener_views::attribute(world, request),
        "ListListeners" => listener_views::list(world, request),
        "ListListenerCertificates" => listener_views::certificates(world, request),
        "GetListenerHealthStatus" => listener_views::health(world, request),
        _ => return None,
    })
}

fn rule_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateRule" => rules::create_one(world, request),
        "CreateRules" => rules::create(world, request),
        "UpdateRuleAttribute" => rules::update_one(world, request),
        "UpdateRulesAttribute" => rules::update(world, request),
        "DeleteRule" => rules::delete_one(world, request),
        "DeleteRules" => rules::delete(world, request),
        "ListRules" => rules::list(world, request),
        _ => return None,
    })
}

fn group_action(world: &mut World, request: &Request, action: &str) -> Option<Answer> {
    Some(match action {
        "CreateServerGroup" => server_groups::create(world, request),
        "DeleteServerGroup" => server_groups::delete(world, request),
        "UpdateServerGroupAttribute" => server_groups::update(world, request),
        "ListServerGroups" => server_groups::list(world, request),
        "AddServersToServerGroup" => servers::add(world, request),
        "RemoveServersFromServerGroup" => servers::remove(world, request),
        "ReplaceServersInServerGroup" => servers::replace(world, request),
        "UpdateServerGroupServersAttribute" => servers::update(world, request),
        "ListServerGroupServers" => servers::list(world, request),
        _ => return None,
    })
}
