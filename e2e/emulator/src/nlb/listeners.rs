//! Creating, changing and deleting listeners.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::jobs;
use super::model::{Listener, State};
use super::not_found;
use crate::alb::node::Node;
use crate::alb::{errors, tags};
use crate::api::{Answer, ApiError, Request};
use crate::world::{Visible, World};

/// Listeners of a load balancer.
const LISTENERS_MAX: usize = 50;

/// Certificates of a listener beside the default one.
const CERTIFICATES_MAX: usize = 25;

/// Certificates that one call may name.
const CERTIFICATES_PER_CALL: usize = 15;

const POLICIES: [&str; 4] = ["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred"];

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let balancer_id = root.required("LoadBalancerId")?;
    let balancer = world.nlb.load_balancer(balancer_id)?;
    if balancer.status(request.now, world.nlb.settling) != "Active" {
        return Err(errors::incorrect_status("loadBalancer", balancer_id));
    }
    let mut listener = described(&root, request)?;
    check_group(&world.nlb, &listener)?;
    let siblings = || {
        let listeners = world.nlb.listeners.values().map(|listener| &listener.value);
        listeners.filter(|other| other.load_balancer_id == balancer_id)
    };
    if siblings().any(|other| other.collides(&listener)) {
        return Err(errors::conflict(
            "Port",
            "a listener",
            &listener.port.to_string(),
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
    listener.id = world.ids.resource("lsn-");
    listener.settled = request.now + world.nlb.settling;
    let id = listener.id.clone();
    let visible = Visible::new(listener, request.visible_from);
    world.nlb.listeners.insert(id.clone(), visible);
    let job = jobs::start(world, request);
    Ok(json!({"ListenerId": id, "JobId": job}))
}

fn port(root: &Node, name: &str) -> Result<u16, ApiError> {
    let port = root.int(name, 0, 65_535)?.unwrap_or_default();
    u16::try_from(port).map_err(|_| errors::illegal(name))
}

fn described(root: &Node, request: &Request) -> Result<Listener, ApiError> {
    root.required("ListenerPort")?;
    let protocol = root.one_of("ListenerProtocol", &["TCP", "UDP", "TCPSSL"])?;
    let protocol = protocol.ok_or_else(|| errors::missing("ListenerProtocol"))?;
    let mut listener = Listener {
        id: String::new(),
        load_balancer_id: root.required("LoadBalancerId")?.to_owned(),
        port: port(root, "ListenerPort")?,
        range: (port(root, "StartPort")?, port(root, "EndPort")?),
        protocol: protocol.to_owned(),
        description: String::new(),
        server_group_id: String::new(),
        more: BTreeMap::from([
            ("AlpnEnabled".to_owned(), json!(false)),
            ("CaEnabled".to_owned(), json!(false)),
            ("Cps".to_owned(), json!(0)),
            ("ProxyProtocolEnabled".to_owned(), json!(false)),
            (
                "IdleTimeout".to_owned(),
                json!(if protocol == "UDP" { 20 } else { 900 }),
            ),
        ]),
        certificates: Vec::new(),
        ca_certificates: Vec::new(),
        stopped: false,
        tags: tags::of_node(root)?,
        settled: request.now,
    };
    if listener.port == 0 && !(1..listener.range.1).contains(&listener.range.0) {
        return Err(errors::illegal("StartPort"));
    }
    root.required("ServerGroupId")?;
    set(&mut listener, root)?;
    Ok(listener)
}

/// Takes over what was sent.
fn set(listener: &mut Listener, root: &Node) -> Result<(), ApiError> {
    let encrypted = listener.protocol == "TCPSSL";
    if let Some(text) = root.text("ListenerDescription") {
        text.clone_into(&mut listener.description);
    }
    if let Some(group) = root.text("ServerGroupId") {
        group.clone_into(&mut listener.server_group_id);
    }
    let longest = if listener.protocol == "UDP" { 20 } else { 900 };
    let numbers = [("IdleTimeout", 10, longest), ("Cps", 0, 1_000_000)];
    for (name, low, high) in numbers {
        if let Some(number) = root.int(name, low, high)? {
            listener.more.insert(name.to_owned(), json!(number));
        }
    }
    for name in ["ProxyProtocolEnabled", "AlpnEnabled", "CaEnabled"] {
        if let Some(on) = root.bool(name)? {
            if on && !encrypted && name == "AlpnEnabled" {
                return Err(errors::illegal(name));
            }
            if name == "CaEnabled" && !encrypted {
                continue;
            }
            listener.more.insert(name.to_owned(), json!(on));
        }
    }
    if let Some(policy) = root.one_of("AlpnPolicy", &POLICIES)? {
        listener.more.insert("AlpnPolicy".to_owned(), json!(policy));
    }
    if listener.more.get("AlpnEnabled") == Some(&json!(true))
        && !listener.more.contains_key("AlpnPolicy")
    {
        return Err(errors::missing("AlpnPolicy"));
    }
    if let Some(config) = root.get("ProxyProtocolV2Config") {
        let shown = proxy_protocol(config)?;
        listener
            .more
            .insert("ProxyProtocolV2Config".to_owned(), shown);
    }
    encryption(listener, root, encrypted)
}

/// It takes effect with encryption only, and is sent with every listener of a Service that has one of
/// that kind.
fn encryption(listener: &mut Listener, root: &Node, encrypted: bool) -> Result<(), ApiError> {
    if !encrypted {
        return Ok(());
    }
    if let Some(policy) = root.text("SecurityPolicyId") {
        let policy = json!(policy);
        listener.more.insert("SecurityPolicyId".to_owned(), policy);
    }
    let certificates = root.texts("CertificateIds");
    if certificates.len() > 1 {
        return Err(errors::illegal("CertificateIds"));
    }
    if let Some(first) = certificates.into_iter().next() {
        let additional = listener.certificates.iter().skip(1).cloned();
        let others: Vec<String> = additional.filter(|other| *other != first).collect();
        listener.certificates = [first].into_iter().chain(others).collect();
    }
    let authorities = root.texts("CaCertificateIds");
    if !authorities.is_empty() {
        listener.ca_certificates = authorities;
    }
    if listener.certificates.is_empty() {
        return Err(errors::missing("CertificateIds"));
    }
    let asks = listener.more.get("CaEnabled") == Some(&json!(true));
    if asks && listener.ca_certificates.is_empty() {
        return Err(errors::missing("CaCertificateIds"));
    }
    Ok(())
}

fn proxy_protocol(config: &Node) -> Result<Value, ApiError> {
    let mut shown = json!({});
    for name in [
        "Ppv2PrivateLinkEpIdEnabled",
        "Ppv2PrivateLinkEpsIdEnabled",
        "Ppv2VpcIdEnabled",
    ] {
        shown[name] = json!(config.bool(name)?.unwrap_or_default());
    }
    Ok(shown)
}

fn check_group(state: &State, listener: &Listener) -> Result<(), ApiError> {
    let group = state.server_group(&listener.server_group_id)?;
    // Encrypted connections are passed on in the clear.
    let speaks = |protocol: &str| if protocol == "UDP" { "UDP" } else { "TCP" };
    if speaks(&group.protocol) != speaks(&listener.protocol) {
        return Err(errors::mismatch("Protocol", &listener.id, &group.id));
    }
    Ok(())
}

/// The listener of `ListenerId`, to be changed. One that is being changed is not.
fn changeable(world: &World, request: &Request) -> Result<Listener, ApiError> {
    let id = request.params.required("ListenerId")?;
    let listener = world.nlb.listener(id)?.clone();
    match listener.status(request.now) {
        "Running" | "Stopped" => Ok(listener),
        _ => Err(errors::incorrect_status("listener", id)),
    }
}

fn keep(world: &mut World, request: &Request, mut listener: Listener) -> Answer {
    listener.settled = request.now + world.nlb.settling;
    if let Some(kept) = world.nlb.listeners.get_mut(&listener.id) {
        kept.value = listener;
    }
    let job = jobs::start(world, request);
    Ok(json!({ "JobId": job }))
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let mut listener = changeable(world, request)?;
    set(&mut listener, &Node::of(&request.params))?;
    check_group(&world.nlb, &listener)?;
    keep(world, request, listener)
}

pub(super) fn switch(world: &mut World, request: &Request, on: bool) -> Answer {
    let mut listener = changeable(world, request)?;
    if listener.stopped != on {
        return Err(errors::incorrect_status("listener", &listener.id));
    }
    listener.stopped = !on;
    keep(world, request, listener)
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let id = changeable(world, request)?.id;
    world.nlb.listeners.remove(&id);
    let job = jobs::start(world, request);
    Ok(json!({ "JobId": job }))
}

pub(super) fn certificates(world: &mut World, request: &Request, add: bool) -> Answer {
    let mut listener = changeable(world, request)?;
    let ids = request.params.strings("AdditionalCertificateIds");
    if ids.is_empty() || ids.len() > CERTIFICATES_PER_CALL {
        return Err(errors::illegal("AdditionalCertificateIds"));
    }
    if listener.protocol != "TCPSSL" {
        return Err(errors::illegal("ListenerId"));
    }
    for id in ids {
        let is_default = listener.certificates.first() == Some(&id);
        let known = listener.certificates.contains(&id);
        match add {
            true if known => return Err(errors::conflict("Certificate", &id, &listener.id)),
            true => listener.certificates.push(id),
            false if is_default || !known => return Err(not_found("certificate", &id)),
            false => listener.certificates.retain(|other| *other != id),
        }
    }
    let additional = listener.certificates.len().saturating_sub(1);
    if additional > CERTIFICATES_MAX {
        let name = "ListenerCertificatesNum";
        return Err(errors::resource_quota(
            name,
            &listener.id,
            additional,
            CERTIFICATES_MAX,
        ));
    }
    keep(world, request, listener)
}
