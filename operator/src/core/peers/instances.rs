//! How many Services may have a load balancer of their own.

use super::{Peer, wants};
use crate::core::validate::{Gateway, Validated};

/// The most Services that may have a load balancer of this gateway, if this binding's is beyond that.
/// Those that have one keep it; then the oldest come first, and by namespace and name.
pub(super) fn used_up(
    binding: &Validated,
    gateway: &Gateway,
    peers: &[impl std::borrow::Borrow<Peer>],
) -> Option<i32> {
    let most = gateway.per_binding.as_ref()?.max_instances?;
    let rank = |peer: &&Peer| (!peer.has_service, peer.created, peer.binding.clone());
    let peers = peers.iter().map(std::borrow::Borrow::borrow);
    let mut others: Vec<&Peer> = peers
        .filter(|peer: &&Peer| peer.live && wants(peer, binding))
        .filter(|peer| peer.class.as_ref() == Some(&binding.class))
        .filter(|peer| peer.gateway.as_ref() == Some(&gateway.name))
        .collect();
    others.sort_by_key(rank);
    let mut services: Vec<&(String, String)> = Vec::new();
    for peer in others {
        let Some(service) = &peer.service else {
            continue;
        };
        if peer.binding == binding.binding {
            let known = peer.has_service || services.contains(&service);
            return (!known && i32::try_from(services.len()).is_ok_and(|used| used >= most))
                .then_some(most);
        }
        if !services.contains(&service) {
            services.push(service);
        }
    }
    None
}
