//! What is shown of listeners.

use serde_json::{Value, json};

use super::errors;
use super::model::Listener;
use super::pages::{self, among};
use super::tags;
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

fn seen<'a>(world: &'a World, request: &Request) -> Result<&'a Listener, ApiError> {
    let id = request.params.required("ListenerId")?;
    let found = world.alb.listeners.get(id);
    found
        .and_then(|listener| listener.seen(request.now))
        .ok_or_else(|| errors::not_found("Listener", id))
}

pub(super) fn attribute(world: &World, request: &Request) -> Answer {
    let listener = seen(world, request)?;
    let mut view = view(world, request, listener);
    let default = listener.certificates.first();
    let default: Vec<Value> = default
        .map(|id| json!({"CertificateId": id}))
        .into_iter()
        .collect();
    view["Certificates"] = json!(default);
    let authorities = listener.ca_certificates.iter();
    let authorities = authorities.map(|id| json!({"CertificateId": id, "Status": "Associated"}));
    view["CaCertificates"] = json!(authorities.collect::<Vec<Value>>());
    view["CaEnabled"] = json!(listener.ca_enabled);
    view["AclConfig"] = json!({"AclRelations": []});
    Ok(view)
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let ids = pages::wanted(request, "ListenerIds", 20)?;
    let balancers = pages::wanted(request, "LoadBalancerIds", 20)?;
    let protocol = request.params.filled("ListenerProtocol");
    let seen = world.alb.listeners.values();
    let seen = seen.filter_map(|listener| listener.seen(request.now));
    let views = seen
        .filter(|listener| {
            among(&ids, &listener.id)
                && among(&balancers, &listener.load_balancer_id)
                && protocol.is_none_or(|protocol| protocol == listener.protocol)
                && tags::matches(request, &listener.tags)
        })
        .map(|listener| view(world, request, listener));
    pages::page(request, "Listeners", views.collect())
}

fn view(world: &World, request: &Request, listener: &Listener) -> Value {
    let tuples = listener.default_actions.iter();
    let tuples = tuples.map(|tuple| json!({"ServerGroupId": tuple.server_group_id}));
    let group = json!({"ServerGroupTuples": tuples.collect::<Vec<Value>>()});
    let mut view = json!({
        "ListenerId": listener.id,
        "ListenerPort": listener.port,
        "ListenerProtocol": listener.protocol,
        "ListenerStatus": listener.status(request.now, world.alb.settling),
        "ListenerDescription": listener.description,
        "LoadBalancerId": listener.load_balancer_id,
        "IdleTimeout": listener.idle_timeout,
        "RequestTimeout": listener.request_timeout,
        "GzipEnabled": listener.gzip,
        "Http2Enabled": listener.http2,
        "SecurityPolicyId": listener.security_policy_id,
        "DefaultActions": [{"Type": "ForwardGroup", "ForwardGroupConfig": group}],
        "Tags": tags::view(&listener.tags),
    });
    for name in ["XForwardedForConfig", "QuicConfig", "LogConfig"] {
        let config = listener.more.get(name).cloned();
        view[name] = config.unwrap_or_else(|| json!({}));
    }
    view
}

pub(super) fn certificates(world: &World, request: &Request) -> Answer {
    let listener = seen(world, request)?;
    let ids = request.params.strings("CertificateIds");
    let views = listener.certificates.iter().enumerate();
    let views = views.filter(|(_, id)| among(&ids, id)).map(|(place, id)| {
        json!({
            "CertificateId": id,
            "CertificateType": "Server",
            "IsDefault": place == 0,
            "Status": "Associated",
        })
    });
    pages::page(request, "Certificates", views.collect())
}

/// Which servers of a listener are not well. No health is checked, so all are as long as there are any.
pub(super) fn health(world: &World, request: &Request) -> Answer {
    let listener = seen(world, request)?;
    let info = |id: &str| {
        let group = world.alb.server_groups.get(id).map(|group| &group.value);
        json!({
            "ServerGroupId": id,
            "ActionType": "ForwardGroup",
            "HealthCheckEnabled": "off",
            "ServerCount": group.map_or(0, |group| group.servers.len()),
            "NonNormalServers": [],
        })
    };
    let defaults = listener.default_actions.iter();
    let defaults = defaults.map(|tuple| info(&tuple.server_group_id));
    let rules = match request.params.bool("IncludeRule")? {
        Some(true) => world.alb.rules_of(&listener.id),
        _ => Vec::new(),
    };
    let rules = rules.into_iter().map(|rule| {
        let infos: Vec<Value> = rule.server_groups().map(info).collect();
        json!({"RuleId": rule.id, "ServerGroupInfos": infos})
    });
    Ok(json!({
        "ListenerHealthStatus": [{
            "ListenerId": listener.id,
            "ListenerPort": listener.port,
            "ListenerProtocol": listener.protocol,
            "ServerGroupInfos": defaults.collect::<Vec<Value>>(),
        }],
        "RuleHealthStatus": rules.collect::<Vec<Value>>(),
        "NextToken": "",
    }))
}
