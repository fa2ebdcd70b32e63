//! Reads load balancers of a kind with their listeners, and reduces them to what decisions need.

use std::collections::{BTreeSet, HashMap};

use cloud_adapter::client::Client;
use cloud_adapter::error::CloudError;
use cloud_adapter::nlb::{self, NetworkListener, NetworkLoadBalancer, ServerGroup};
use cloud_adapter::shown::Settings;
use cloud_adapter::slb;

use crate::core::balancer::LoadBalancer;
use crate::core::nlb::{NlbState, Zone};
use crate::core::observed::{ListenerState, LoadBalancerState};

/// A kind of load balancer, which has a product of its own in the cloud.
#[derive(Clone, Copy, Debug)]
pub(in crate::controller::cloud) enum Kind {
    /// SLB.
    Classic,
    /// NLB.
    Network,
}

impl Kind {
    /// One of them by its id; none if there is none.
    pub(super) async fn one(
        self,
        client: &Client,
        id: &str,
    ) -> Result<Option<LoadBalancer>, CloudError> {
        let ids = [id.to_owned()];
        match self {
            Self::Classic => {
                let Some(found) = slb::load_balancer(client, id).await? else {
                    return Ok(None);
                };
                let listeners = slb::listeners(client, &ids).await?;
                Ok(Some(classic(found, listeners)))
            }
            Self::Network => {
                let Some(found) = nlb::load_balancer(client, id).await? else {
                    return Ok(None);
                };
                let listeners = nlb::listeners(client, &ids).await?;
                let groups = nlb::server_groups(client, &groups_of(&listeners)).await?;
                Ok(Some(network(found, listeners, &by_id(groups))))
            }
        }
    }

    /// Those of `ids` that exist, or all of the region.
    pub(super) async fn list(
        self,
        client: &Client,
        ids: Option<&[String]>,
    ) -> Result<Vec<LoadBalancer>, CloudError> {
        match self {
            Self::Classic => {
                let (found, listeners) = match ids {
                    Some(ids) => (
                        slb::load_balancers(client, ids).await?,
                        slb::listeners(client, ids).await?,
                    ),
                    None => (
                        slb::all_load_balancers(client).await?,
                        slb::all_listeners(client).await?,
                    ),
                };
                let mut of = by_owner(listeners, |listener| &listener.load_balancer_id);
                let own = |id: &str| of.remove(id).unwrap_or_default();
                Ok(with_own(found, |one| &one.id, own, classic))
            }
            Self::Network => {
                let (found, listeners, groups) = match ids {
                    Some(ids) => {
                        let found = nlb::load_balancers(client, ids).await?;
                        let listeners = nlb::listeners(client, ids).await?;
                        let groups = groups_of(&listeners);
                        let groups = nlb::server_groups(client, &groups).await?;
                        (found, listeners, groups)
                    }
                    None => (
                        nlb::all_load_balancers(client).await?,
                        nlb::all_listeners(client).await?,
                        nlb::all_server_groups(client).await?,
                    ),
                };
                let groups = by_id(groups);
                let mut of = by_owner(listeners, |listener| &listener.load_balancer_id);
                let own = |id: &str| of.remove(id).unwrap_or_default();
                let state = |found, listeners| network(found, listeners, &groups);
                Ok(with_own(found, |one| &one.id, own, state))
            }
        }
    }
}

fn by_owner<L>(listeners: Vec<L>, owner: impl Fn(&L) -> &String) -> HashMap<String, Vec<L>> {
    let mut of: HashMap<String, Vec<L>> = HashMap::new();
    for listener in listeners {
        of.entry(owner(&listener).clone())
            .or_default()
            .push(listener);
    }
    of
}

/// The server groups behind listeners.
fn groups_of(listeners: &[NetworkListener]) -> Vec<String> {
    let groups = listeners.iter().map(|listener| &listener.server_group_id);
    let groups: BTreeSet<&String> = groups.filter(|id| !id.is_empty()).collect();
    groups.into_iter().cloned().collect()
}

/// Settings of server groups, by id.
fn by_id(groups: Vec<ServerGroup>) -> HashMap<String, Settings> {
    let groups = groups.into_iter();
    groups
        .map(|group| {
            let settings = group.settings();
            (group.id, settings)
        })
        .collect()
}

/// Each load balancer with the listeners that are its own.
fn with_own<B, L>(
    found: Vec<B>,
    id: impl Fn(&B) -> &String,
    mut own: impl FnMut(&str) -> Vec<L>,
    state: impl Fn(B, Vec<L>) -> LoadBalancer,
) -> Vec<LoadBalancer> {
    let found = found.into_iter();
    found
        .map(|one| {
            let listeners = own(id(&one));
            state(one, listeners)
        })
        .collect()
}

fn in_order(mut listeners: Vec<ListenerState>) -> Vec<ListenerState> {
    listeners.sort_by(|a, b| (a.port, &a.protocol).cmp(&(b.port, &b.protocol)));
    listeners
}

fn classic(found: slb::LoadBalancer, listeners: Vec<slb::Listener>) -> LoadBalancer {
    let listeners = listeners.into_iter().map(|listener| ListenerState {
        settings: listener.settings(),
        group: Settings::new(),
        port: listener.port,
        last_port: 0,
        protocol: listener.protocol,
        status: listener.status,
        description: listener.description,
    });
    LoadBalancer::Classic(LoadBalancerState {
        traffic_charge: found.traffic_charge().to_owned(),
        id: found.id,
        name: found.name,
        address_type: found.address_type,
        vpc_id: found.vpc_id,
        vswitch_id: found.vswitch_id,
        primary_zone: found.primary_zone,
        backup_zone: found.backup_zone,
        status: found.status,
        address: found.address,
        ip_version: found.address_ip_version,
        resource_group_id: found.resource_group_id,
        instance_charge: found.instance_charge_type,
        spec: found.spec,
        bandwidth: found.bandwidth,
        delete_protection: found.delete_protection,
        modification_protection: found.modification_protection_status,
        tags: found
            .tags
            .tag
            .into_iter()
            .map(|tag| (tag.key, tag.value))
            .collect(),
        listeners: Some(in_order(listeners.collect())),
    })
}

fn network(
    found: NetworkLoadBalancer,
    listeners: Vec<NetworkListener>,
    groups: &HashMap<String, Settings>,
) -> LoadBalancer {
    let listeners = listeners.into_iter().map(|listener| {
        let (port, last_port) = listener.ports();
        let group = groups.get(&listener.server_group_id);
        ListenerState {
            settings: listener.settings(),
            group: group.cloned().unwrap_or_default(),
            port,
            last_port,
            protocol: listener.protocol,
            status: listener.status,
            description: listener.description,
        }
    });
    let zones = found.zone_mappings.into_iter().map(|zone| {
        let address = zone.addresses.into_iter().next().unwrap_or_default();
        Zone {
            id: zone.zone_id,
            vswitch_id: zone.vswitch_id,
            address: address.private,
        }
    });
    let mut zones: Vec<Zone> = zones.collect();
    zones.sort_by(|a, b| a.id.cmp(&b.id));
    let mut security_group_ids = found.security_group_ids;
    security_group_ids.sort();
    LoadBalancer::Network(NlbState {
        id: found.id,
        name: found.name,
        dns_name: found.dns_name,
        address_type: found.address_type,
        ip_version: found.address_ip_version,
        ipv6_address_type: found.ipv6_address_type,
        vpc_id: found.vpc_id,
        resource_group_id: found.resource_group_id,
        cross_zone: found.cross_zone_enabled,
        bandwidth_package_id: found.bandwidth_package_id,
        security_group_ids,
        status: found.status,
        zones,
        tags: found
            .tags
            .into_iter()
            .map(|tag| (tag.key, tag.value))
            .collect(),
        listeners: Some(in_order(listeners.collect())),
    })
}
