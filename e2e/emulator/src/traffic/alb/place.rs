//! To which load balancer a request was sent.

use axum::http::Request;

use super::PLACE_HEADER;
use crate::alb::LoadBalancer;
use crate::world::World;

/// What the names of all load balancers end in.
const SUFFIX: &str = ".alb.aliyuncs.com";

/// A load balancer and a port of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// DNS name or address.
    name: String,
    /// The port.
    pub(super) port: u16,
}

impl Place {
    /// A port of the load balancer with this DNS name or address.
    pub fn at(name: &str, port: u16) -> Self {
        let name = name.to_ascii_lowercase();
        Self { name, port }
    }

    fn new(authority: &str, secure: bool) -> Self {
        let usual = if secure { 443 } else { 80 };
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) => match port.parse() {
                Ok(port) => (name, port),
                Err(_) => (authority, usual),
            },
            None => (authority, usual),
        };
        Self::at(name, port)
    }

    pub(super) fn balancer<'a>(&self, world: &'a World) -> Option<&'a LoadBalancer> {
        let balancers = world.alb.load_balancers.values();
        let mut balancers = balancers.map(|balancer| &balancer.value);
        balancers.find(|balancer| {
            let mut zones = balancer.zone_mappings.iter();
            balancer.dns_name == self.name
                || zones.any(|zone| zone.address == self.name || zone.intranet_address == self.name)
        })
    }
}

/// The load balancer that a request was sent to, if it was sent to one.
pub fn place<B>(world: &World, request: &Request<B>, secure: bool) -> Option<Place> {
    let header = request.headers().get(PLACE_HEADER);
    if let Some(text) = header.and_then(|value| value.to_str().ok()) {
        return Some(Place::new(text, secure));
    }
    if let Some(authority) = request.uri().authority() {
        let place = Place::new(authority.as_str(), secure);
        return place.balancer(world).map(|_| place);
    }
    let host = request.headers().get(http::header::HOST);
    let host = host.and_then(|value| value.to_str().ok())?;
    let place = Place::new(host, secure);
    // Most requests are API calls, so names come before a look at all load balancers.
    (place.name.ends_with(SUFFIX) && place.balancer(world).is_some()).then_some(place)
}
