//! Domains of HTTPS listeners that have a certificate of their own.

use serde_json::{Value, json};

use super::find;
use crate::api::{Answer, ApiError, Request};
use crate::slb::{DomainExtension, Listener, Protocol};
use crate::world::World;

/// Domains of one listener besides its own certificate's.
const DOMAINS_MAX: usize = 20;

fn no_extension() -> ApiError {
    ApiError::bad_request(
        "InvalidParameter",
        "The specified DomainExtensionId does not exist.",
    )
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let balancer = find::seen_load_balancer(world, request)?;
    let port = find::listener_port(request)?;
    let only = request.params.filled("DomainExtensionId");
    let listener = balancer.listeners.iter();
    let listener = listener.filter(|one| one.port == port && one.protocol == Protocol::Https);
    let items: Vec<Value> = listener
        .flat_map(|listener| &listener.domain_extensions)
        .filter(|(id, _)| only.is_none_or(|only| only == *id))
        .map(|(id, one)| {
            json!({
                "DomainExtensionId": id,
                "Domain": one.domain,
                "ServerCertificateId": one.server_certificate_id,
            })
        })
        .collect();
    Ok(json!({"DomainExtensions": {"DomainExtension": items}}))
}

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let port = find::listener_port(request)?;
    let domain = params.required("Domain")?.to_owned();
    let server_certificate_id = certificate(world, request)?;
    let id = world.ids.resource(&format!("de-{}", world.region_mark()));
    let balancer = find::load_balancer(world, request)?;
    let listener = find::listener_of(balancer, port, Protocol::Https)?;
    let extensions = &mut listener.domain_extensions;
    if extensions.values().any(|other| other.domain == domain) {
        return Err(ApiError::bad_request(
            "DomainExtensionAlreadyExist",
            "The specified domain has an extension on this listener already.",
        ));
    }
    if extensions.len() >= DOMAINS_MAX {
        return Err(ApiError::bad_request(
            "DomainExtensionNumberOverLimit",
            "The maximum number of domain extensions of the listener is exceeded.",
        ));
    }
    let extension = DomainExtension {
        domain,
        server_certificate_id,
    };
    extensions.insert(id.clone(), extension);
    Ok(json!({"DomainExtensionId": id, "ListenerPort": port}))
}

pub(super) fn set(world: &mut World, request: &Request) -> Answer {
    let id = request.params.required("DomainExtensionId")?.to_owned();
    let server_certificate_id = certificate(world, request)?;
    let listener = listener_with(world, &id)?;
    let extension = listener.domain_extensions.get_mut(&id);
    extension.ok_or_else(no_extension)?.server_certificate_id = server_certificate_id;
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let id = request.params.required("DomainExtensionId")?;
    listener_with(world, id)?.domain_extensions.remove(id);
    Ok(json!({}))
}

fn certificate(world: &World, request: &Request) -> Result<String, ApiError> {
    let id = request.params.required("ServerCertificateId")?;
    if !world.slb.server_certificates.contains_key(id) {
        return Err(find::no_certificate());
    }
    Ok(id.to_owned())
}

fn listener_with<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Listener, ApiError> {
    let balancers = world.slb.load_balancers.values_mut();
    balancers
        .flat_map(|balancer| &mut balancer.value.listeners)
        .find(|listener| listener.domain_extensions.contains_key(id))
        .ok_or_else(no_extension)
}
