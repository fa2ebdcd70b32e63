//! Listeners: create, change, start, stop, delete.

use std::collections::BTreeMap;

use serde_json::json;

use super::tags::tags_of;
use super::{find, listener_settings};
use crate::api::{Answer, ApiError, Request};
use crate::slb::{Listener, ListenerStatus, LoadBalancer, Protocol};
use crate::world::World;

/// Listeners of one load balancer.
const LISTENERS_MAX: usize = 50;

impl Listener {
    /// The id by which tag calls name a listener.
    pub(super) fn resource_id(&self, load_balancer_id: &str) -> String {
        format!("{load_balancer_id}_{}_{}", self.protocol.name(), self.port)
    }

    pub(super) fn forwards(&self) -> bool {
        self.settings
            .get("ListenerForward")
            .is_some_and(|forward| forward == "on")
    }
}

pub(super) fn create(world: &mut World, request: &Request, protocol: Protocol) -> Answer {
    let params = &request.params;
    let port = find::listener_port(request)?;
    let mut settings = listener_settings::defaults(protocol);
    listener_settings::apply(&mut settings, protocol, params)?;
    listener_settings::check(&settings, params)?;
    let listener = Listener {
        port,
        protocol,
        status: ListenerStatus::Stopped,
        server_group_id: params.filled("VServerGroupId").map(str::to_owned),
        description: params.filled("Description").unwrap_or_default().to_owned(),
        settings,
        tags: tags_of(request)?,
        domain_extensions: BTreeMap::new(),
    };
    let id = find::load_balancer(world, request)?.id.clone();
    check_references(world, request, &id, &listener)?;
    if listener.server_group_id.is_none()
        && !listener.forwards()
        && !listener.settings.contains_key("BackendServerPort")
    {
        return Err(params.missing("BackendServerPort"));
    }
    let balancer = find::load_balancer(world, request)?;
    if balancer
        .listeners
        .iter()
        .any(|other| other.port == port && clash(other.protocol, protocol))
    {
        return Err(ApiError::bad_request(
            "ListenerAlreadyExists",
            "There is already a listener bound to the port on the specified load balancer.",
        ));
    }
    if balancer.listeners.len() >= LISTENERS_MAX {
        return Err(ApiError::bad_request(
            "ListenerNumberOverLimit",
            "The maximum number of listeners of the load balancer is exceeded.",
        ));
    }
    balancer.listeners.push(listener);
    balancer
        .listeners
        .sort_by_key(|listener| (listener.port, listener.protocol));
    Ok(json!({}))
}

/// Only UDP may share a port number with one of the others.
fn clash(one: Protocol, other: Protocol) -> bool {
    (one == Protocol::Udp) == (other == Protocol::Udp)
}

pub(super) fn set(world: &mut World, request: &Request, protocol: Protocol) -> Answer {
    let params = &request.params;
    let port = find::listener_port(request)?;
    let balancer = find::load_balancer(world, request)?;
    let id = balancer.id.clone();
    let mut listener = find::listener_of(balancer, port, protocol)?.clone();
    listener_settings::apply(&mut listener.settings, protocol, params)?;
    listener_settings::check(&listener.settings, params)?;
    if let Some(description) = params.filled("Description") {
        description.clone_into(&mut listener.description);
    }
    match params.one_of("VServerGroup", &["on", "off"])? {
        Some("on") => {
            listener.server_group_id = Some(params.required("VServerGroupId")?.to_owned())
        }
        Some(_) => listener.server_group_id = None,
        None => {}
    }
    check_references(world, request, &id, &listener)?;
    let balancer = find::load_balancer(world, request)?;
    if params.bool("DryRun")? != Some(true) {
        *find::listener_of(balancer, port, protocol)? = listener;
    }
    Ok(json!({}))
}

pub(super) fn switch(world: &mut World, request: &Request, status: ListenerStatus) -> Answer {
    listener(find::load_balancer(world, request)?, request)?.status = status;
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let balancer = find::load_balancer(world, request)?;
    let position = find::listener_position(balancer, request)?;
    balancer.listeners.remove(position);
    Ok(json!({}))
}

fn listener<'a>(
    balancer: &'a mut LoadBalancer,
    request: &Request,
) -> Result<&'a mut Listener, ApiError> {
    let position = find::listener_position(balancer, request)?;
    balancer
        .listeners
        .get_mut(position)
        .ok_or_else(find::no_listener)
}

/// What a listener points at must exist and belong to the same load balancer.
fn check_references(
    world: &World,
    request: &Request,
    load_balancer_id: &str,
    listener: &Listener,
) -> Result<(), ApiError> {
    if let Some(id) = &listener.server_group_id {
        let group = world.slb.server_groups.get(id);
        if group.is_none_or(|group| group.load_balancer_id != load_balancer_id) {
            return Err(find::no_group());
        }
    }
    if listener
        .settings
        .get("AclStatus")
        .is_some_and(|status| status == "on")
        && let Some(ids) = listener.settings.get("AclId")
        && ids
            .split(',')
            .any(|id| !world.slb.access_control_lists.contains_key(id.trim()))
    {
        return Err(super::acls::no_acl());
    }
    if listener.protocol == Protocol::Https {
        let id = listener.settings.get("ServerCertificateId");
        let id = id.ok_or_else(|| request.params.missing("ServerCertificateId"))?;
        if !world.slb.server_certificates.contains_key(id) {
            return Err(find::no_certificate());
        }
    }
    Ok(())
}
