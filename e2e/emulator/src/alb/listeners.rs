//! Creating, changing and deleting listeners.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::errors;
use super::jobs;
use super::model::{Listener, State};
use super::node::Node;
use super::rule_model::Tuple;
use super::rule_params;
use super::tags;
use crate::api::{Answer, ApiError, Request};
use crate::world::{Visible, World};

/// Listeners of a load balancer.
const LISTENERS_MAX: usize = 50;

/// Certificates of a listener beside the default one.
const CERTIFICATES_MAX: usize = 25;

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let balancer_id = root.required("LoadBalancerId")?;
    let balancer = world.alb.load_balancer(balancer_id)?;
    if balancer.status(request.now, world.alb.settling) != "Active" {
        return Err(errors::incorrect_status("LoadBalancer", balancer_id));
    }
    let mut listener = described(&root, request)?;
    let siblings = || {
        let listeners = world.alb.listeners.values().map(|listener| &listener.value);
        listeners.filter(|other| other.load_balancer_id == balancer_id)
    };
    // QUIC runs over UDP, the others over TCP.
    let same_place = |other: &Listener| {
        other.port == listener.port && (other.protocol == "QUIC") == (listener.protocol == "QUIC")
    };
    if siblings().any(same_place) {
        return Err(ApiError::bad_request(
            "ResourceAlreadyExist.Listener",
            format!(
                "The specified resource of Listener {} already exists.",
                listener.port
            ),
        ));
    }
    let count = siblings().count() + 1;
    if count > LISTENERS_MAX {
        let name = "LoadBalancerListenersNum";
        return Err(errors::resource_quota(
            name,
            balancer_id,
            count,
            LISTENERS_MAX,
        ));
    }
    check_groups(&world.alb, balancer_id, &listener.default_actions)?;
    listener.id = world.ids.resource("lsn-");
    listener.settled = request.now + world.alb.settling;
    let id = listener.id.clone();
    let visible = Visible::new(listener, request.visible_from);
    world.alb.listeners.insert(id.clone(), visible);
    let job = jobs::start(world, request, "listener", &id);
    Ok(json!({"JobId": job, "ListenerId": id}))
}

fn described(root: &Node, request: &Request) -> Result<Listener, ApiError> {
    let port = root.int("ListenerPort", 1, 65_535)?;
    let port = port.ok_or_else(|| errors::missing("ListenerPort"))?;
    let protocol = root.one_of("ListenerProtocol", &["HTTP", "HTTPS", "QUIC"])?;
    let protocol = protocol.ok_or_else(|| errors::missing("ListenerProtocol"))?;
    let mut listener = Listener {
        id: String::new(),
        load_balancer_id: root.required("LoadBalancerId")?.to_owned(),
        port: u16::try_from(port).map_err(|_| errors::illegal("ListenerPort"))?,
        protocol: protocol.to_owned(),
        default_actions: Vec::new(),
        description: String::new(),
        idle_timeout: 15,
        request_timeout: 60,
        gzip: true,
        http2: protocol == "HTTPS",
        security_policy_id: match protocol {
            "HTTPS" => "tls_cipher_policy_1_0".to_owned(),
            _ => String::new(),
        },
        certificates: Vec::new(),
        ca_certificates: Vec::new(),
        ca_enabled: false,
        more: BTreeMap::new(),
        stopped: false,
        tags: tags::of_node(root)?,
        created: request.now,
        settled: request.now,
    };
    set(&mut listener, root)?;
    if listener.default_actions.is_empty() {
        return Err(errors::missing("DefaultActions"));
    }
    if protocol != "HTTP" && listener.certificates.is_empty() {
        return Err(errors::missing("Certificates"));
    }
    Ok(listener)
}

/// Takes over what was sent.
fn set(listener: &mut Listener, root: &Node) -> Result<(), ApiError> {
    if let Some(text) = root.text("ListenerDescription") {
        text.clone_into(&mut listener.description);
    }
    if let Some(seconds) = root.int("IdleTimeout", 1, 600)? {
        listener.idle_timeout = seconds;
    }
    if let Some(seconds) = root.int("RequestTimeout", 1, 600)? {
        listener.request_timeout = seconds;
    }
    if let Some(on) = root.bool("GzipEnabled")? {
        listener.gzip = on;
    }
    if let Some(on) = root.bool("Http2Enabled")? {
        listener.http2 = on && listener.protocol == "HTTPS";
    }
    if let Some(policy) = root.text("SecurityPolicyId") {
        if listener.protocol == "HTTP" {
            return Err(errors::illegal("SecurityPolicyId"));
        }
        policy.clone_into(&mut listener.security_policy_id);
    }
    if let Some(on) = root.bool("CaEnabled")? {
        listener.ca_enabled = on;
    }
    let certificates = certificate_ids(root, "Certificates")?;
    if certificates.len() > 1 || !certificates.is_empty() && listener.protocol == "HTTP" {
        return Err(errors::illegal("Certificates"));
    }
    if let Some(first) = certificates.into_iter().next() {
        listener.certificates.retain(|known| *known != first);
        listener.certificates.insert(0, first);
    }
    let authorities = certificate_ids(root, "CaCertificates")?;
    if !authorities.is_empty() {
        listener.ca_certificates = authorities;
    }
    for name in ["XForwardedForConfig", "QuicConfig"] {
        if let Some(config) = root.get(name) {
            let shown = shown(config, name)?;
            listener.more.insert(name.to_owned(), shown);
        }
    }
    let actions = root.items("DefaultActions");
    if let [action] = actions.as_slice() {
        listener.default_actions = default_action(action)?;
    } else if !actions.is_empty() {
        return Err(errors::illegal("DefaultActions"));
    }
    Ok(())
}

fn certificate_ids(root: &Node, name: &str) -> Result<Vec<String>, ApiError> {
    let items = root.items(name).into_iter();
    items
        .map(|item| item.required("CertificateId").map(str::to_owned))
        .collect()
}

fn default_action(action: &Node) -> Result<Vec<Tuple>, ApiError> {
    action.required("Type")?;
    action.one_of("Type", &["ForwardGroup"])?;
    let group = action
        .get("ForwardGroupConfig")
        .ok_or_else(|| errors::missing("ForwardGroupConfig"))?;
    let tuples = rule_params::tuples(&group.items("ServerGroupTuples"))?;
    match tuples.len() {
        1 => Ok(tuples),
        _ => Err(errors::illegal("ServerGroupTuples")),
    }
}

/// Switches and names as they were sent.
fn shown(config: &Node, name: &str) -> Result<Value, ApiError> {
    const MEMBERS: [&str; 22] = [
        "QuicListenerId",
        "QuicUpgradeEnabled",
        "AccessLogRecordCustomizedHeadersEnabled",
        "TracingEnabled",
        "TracingType",
        "XForwardedForClientCertClientVerifyAlias",
        "XForwardedForClientCertClientVerifyEnabled",
        "XForwardedForClientCertFingerprintAlias",
        "XForwardedForClientCertFingerprintEnabled",
        "XForwardedForClientCertIssuerDNAlias",
        "XForwardedForClientCertIssuerDNEnabled",
        "XForwardedForClientCertSubjectDNAlias",
        "XForwardedForClientCertSubjectDNEnabled",
        "XForwardedForClientSourceIpsEnabled",
        "XForwardedForClientSourceIpsTrusted",
        "XForwardedForClientSrcPortEnabled",
        "XForwardedForEnabled",
        "XForwardedForHostEnabled",
        "XForwardedForProcessingMode",
        "XForwardedForProtoEnabled",
        "XForwardedForSLBIdEnabled",
        "XForwardedForSLBPortEnabled",
    ];
    let mut members = Map::new();
    for member in MEMBERS {
        let value = match member.ends_with("Enabled") {
            true => config
                .bool(member)
                .map_err(|_| errors::illegal(name))?
                .map(Value::from),
            false => config.text(member).map(Value::from),
        };
        if let Some(value) = value {
            members.insert(member.to_owned(), value);
        }
    }
    Ok(Value::Object(members))
}

fn check_groups(state: &State, balancer_id: &str, tuples: &[Tuple]) -> Result<(), ApiError> {
    let balancer = state.load_balancer(balancer_id)?;
    for tuple in tuples {
        let group = state.server_group(&tuple.server_group_id)?;
        if group.vpc_id != balancer.vpc_id {
            return Err(errors::mismatch("VpcId", balancer_id, &group.id));
        }
    }
    Ok(())
}

/// The listener of `ListenerId`, to be changed. One that is being changed is not.
fn changeable(world: &World, request: &Request) -> Result<Listener, ApiError> {
    let id = request.params.required("ListenerId")?;
    let listener = world.alb.listener(id)?.clone();
    match listener.status(request.now, world.alb.settling) {
        "Running" | "Stopped" => Ok(listener),
        _ => Err(errors::incorrect_status("Listener", id)),
    }
}

fn keep(world: &mut World, request: &Request, mut listener: Listener) -> Answer {
    listener.settled = request.now + world.alb.settling;
    let id = listener.id.clone();
    if let Some(kept) = world.alb.listeners.get_mut(&id) {
        kept.value = listener;
    }
    let job = jobs::start(world, request, "listener", &id);
    Ok(json!({ "JobId": job }))
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let mut listener = changeable(world, request)?;
    set(&mut listener, &Node::of(&request.params))?;
    check_groups(
        &world.alb,
        &listener.load_balancer_id,
        &listener.default_actions,
    )?;
    keep(world, request, listener)
}

pub(super) fn update_log(world: &mut World, request: &Request) -> Answer {
    let mut listener = changeable(world, request)?;
    let root = Node::of(&request.params);
    let mut config = shown(&root, "LogConfig")?;
    if let Some(tracing) = root.get("AccessLogTracingConfig") {
        config["AccessLogTracingConfig"] = shown(tracing, "AccessLogTracingConfig")?;
    }
    listener.more.insert("LogConfig".to_owned(), config);
    keep(world, request, listener)
}

pub(super) fn switch(world: &mut World, request: &Request, on: bool) -> Answer {
    let mut listener = changeable(world, request)?;
    if listener.stopped != on {
        return Err(errors::incorrect_status("Listener", &listener.id));
    }
    listener.stopped = !on;
    keep(world, request, listener)
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let id = changeable(world, request)?.id;
    world.alb.listeners.remove(&id);
    world
        .alb
        .rules
        .retain(|_, rule| rule.value.listener_id != id);
    let job = jobs::start(world, request, "listener", &id);
    Ok(json!({ "JobId": job }))
}

pub(super) fn certificates(world: &mut World, request: &Request, add: bool) -> Answer {
    let mut listener = changeable(world, request)?;
    let ids = certificate_ids(&Node::of(&request.params), "Certificates")?;
    if ids.is_empty() {
        return Err(errors::missing("Certificates"));
    }
    if listener.protocol == "HTTP" {
        return Err(errors::illegal("ListenerId"));
    }
    for id in ids {
        let default = listener.certificates.first() == Some(&id);
        let known = listener.certificates.contains(&id);
        match add {
            true if known => return Err(errors::conflict("Certificate", &id, &listener.id)),
            true => listener.certificates.push(id),
            false if default || !known => return Err(errors::not_found("Certificate", &id)),
            false => listener.certificates.retain(|other| *other != id),
        }
    }
    let extra = listener.certificates.len().saturating_sub(1);
    if extra > CERTIFICATES_MAX {
        let name = "LoadBalancerCertificatesNum";
        return Err(errors::resource_quota(
            name,
            &listener.id,
            extra,
            CERTIFICATES_MAX,
        ));
    }
    keep(world, request, listener)
}
