//! Reads of listeners and of what they use.

use serde_json::{Map, Value, json};

use super::tags::{matches_tags, tag_view};
use super::{find, listener_settings};
use crate::api::{Answer, Request};
use crate::slb::{Listener, Protocol};
use crate::sts::wire_time;
use crate::world::World;

/// Load balancers whose listeners one call may list.
const BALANCERS_MAX: usize = 10;

/// `DescribeLoadBalancer<Protocol>ListenerAttribute`: all settings side by side.
pub(super) fn attribute(world: &World, request: &Request, protocol: Protocol) -> Answer {
    let balancer = find::seen_load_balancer(world, request)?;
    let port = find::listener_port(request)?;
    let mut listeners = balancer.listeners.iter();
    let listener = listeners
        .find(|listener| listener.port == port && listener.protocol == protocol)
        .ok_or_else(find::no_listener)?;
    let mut view: Map<String, Value> = listener
        .settings
        .iter()
        .map(|(name, value)| listener_settings::shown(name, value))
        .collect();
    view.insert("AclIds".to_owned(), json!({"AclId": acl_ids(listener)}));
    view.insert("Tags".to_owned(), json!({"Tag": tag_view(&listener.tags)}));
    view.insert("LoadBalancerId".to_owned(), json!(balancer.id));
    view.insert("ListenerPort".to_owned(), json!(listener.port));
    view.insert("Status".to_owned(), json!(listener.status.name()));
    view.insert("Description".to_owned(), json!(listener.description));
    view.insert("VServerGroupId".to_owned(), json!(group(listener)));
    if let Some(enabled) = view
        .get("ProxyProtocolV2Enabled")
        .map(|text| text == "true")
    {
        view.insert("ProxyProtocolV2Enabled".to_owned(), json!(enabled));
    }
    Ok(Value::Object(view))
}

/// `DescribeLoadBalancerListeners`: common members, and the rest in a part named by the protocol.
pub(super) fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let ids = params.strings("LoadBalancerId");
    if ids.len() > BALANCERS_MAX {
        return Err(params.invalid("LoadBalancerId"));
    }
    let size = params.int_between("MaxResults", 1, 100)?.unwrap_or(20);
    let size = usize::try_from(size).unwrap_or(20);
    let start: usize = match params.filled("NextToken") {
        None => 0,
        Some(token) => token.parse().map_err(|_| params.invalid("NextToken"))?,
    };
    let port = params.int_between("ListenerPort", 1, 65_535)?;
    let protocol = find::listener_protocol(request)?;
    let hits: Vec<Value> = world
        .slb
        .load_balancers
        .values()
        .filter_map(|balancer| balancer.seen(request.now))
        .filter(|balancer| ids.is_empty() || ids.contains(&balancer.id))
        .flat_map(|balancer| {
            balancer
                .listeners
                .iter()
                .map(move |listener| (balancer, listener))
        })
        .filter(|(_, listener)| port.is_none_or(|port| port == i64::from(listener.port)))
        .filter(|(_, listener)| protocol.is_none_or(|protocol| protocol == listener.protocol))
        .filter(|(_, listener)| {
            params
                .filled("Description")
                .is_none_or(|text| text == listener.description)
        })
        .filter(|(_, listener)| matches_tags(request, &listener.tags))
        .map(|(balancer, listener)| list_view(&balancer.id, listener))
        .collect();
    let page: Vec<Value> = hits.iter().skip(start).take(size).cloned().collect();
    let end = start.saturating_add(page.len());
    let mut answer = json!({"Listeners": page, "MaxResults": size, "TotalCount": hits.len()});
    if end < hits.len() {
        answer["NextToken"] = json!(end.to_string());
    }
    Ok(answer)
}

/// Settings that every protocol has stand beside the part, not in it.
const COMMON: [&str; 6] = [
    "AclStatus",
    "AclType",
    "AclId",
    "Bandwidth",
    "BackendServerPort",
    "Scheduler",
];

fn list_view(load_balancer_id: &str, listener: &Listener) -> Value {
    let mut view = Map::new();
    let mut config = Map::new();
    for (name, value) in &listener.settings {
        let (shown_name, value) = listener_settings::shown(name, value);
        let place = if COMMON.contains(&name.as_str()) {
            &mut view
        } else {
            &mut config
        };
        place.insert(shown_name, value);
    }
    // Lists have it by both names.
    if let Some(checks) = listener.settings.get("HealthCheckSwitch") {
        config.insert("HealthCheckSwitch".to_owned(), json!(checks));
    }
    view.insert("AclIds".to_owned(), json!(acl_ids(listener)));
    view.insert("Tags".to_owned(), json!(tag_view(&listener.tags)));
    view.insert("LoadBalancerId".to_owned(), json!(load_balancer_id));
    view.insert("ListenerPort".to_owned(), json!(listener.port));
    view.insert(
        "ListenerProtocol".to_owned(),
        json!(listener.protocol.name()),
    );
    view.insert("Status".to_owned(), json!(listener.status.name()));
    view.insert("Description".to_owned(), json!(listener.description));
    view.insert("VServerGroupId".to_owned(), json!(group(listener)));
    let part = format!("{}ListenerConfig", listener.protocol.name().to_uppercase());
    view.insert(part, Value::Object(config));
    Value::Object(view)
}

fn group(listener: &Listener) -> &str {
    listener.server_group_id.as_deref().unwrap_or_default()
}

fn acl_ids(listener: &Listener) -> Vec<&str> {
    listener
        .settings
        .get("AclId")
        .map(|ids| ids.split(',').map(str::trim).collect())
        .unwrap_or_default()
}

pub(super) fn server_certificates(world: &World, request: &Request) -> Answer {
    let wanted = request.params.filled("ServerCertificateId");
    let items: Vec<Value> = world
        .slb
        .server_certificates
        .values()
        .filter(|certificate| wanted.is_none_or(|id| id == certificate.id))
        .map(|certificate| {
            json!({
                "ServerCertificateId": certificate.id,
                "ServerCertificateName": certificate.name,
                "CommonName": certificate.common_name,
                "CreateTime": wire_time(certificate.created),
                "CreateTimeStamp": certificate.created.as_millisecond(),
                "ExpireTime": wire_time(certificate.expires),
                "ExpireTimeStamp": certificate.expires.as_millisecond(),
                "RegionId": world.region,
                "ResourceGroupId": "rg-default",
            })
        })
        .collect();
    Ok(json!({"ServerCertificates": {"ServerCertificate": items}}))
}
