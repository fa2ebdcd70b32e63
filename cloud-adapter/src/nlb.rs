//! Network load balancers, as far as they are observed (Nlb 2022-04-30). The cloud controller manager
//! writes them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, ErrorClass};
use crate::operations::*;
use crate::pages;
use crate::shown::{self, Settings};

/// Ids that `ListLoadBalancers`, `ListListeners` and `ListServerGroups` take at once.
const IDS: usize = 20;
const PAGE: usize = 100;

/// A load balancer. Words are as the cloud writes them (`Intranet`, `DualStack`, `Active`); what it left
/// out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkLoadBalancer {
    /// `nlb-…`.
    #[serde(rename = "LoadBalancerId")]
    pub id: String,
    /// Name shown in the console.
    #[serde(rename = "LoadBalancerName")]
    pub name: String,
    /// `Inactive`, `Active`, `Provisioning`, `Configuring` or `CreateFailed`.
    #[serde(rename = "LoadBalancerStatus")]
    pub status: String,
    /// The host name that it serves.
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    /// `Internet` or `Intranet`.
    pub address_type: String,
    /// `ipv4` or `DualStack`.
    pub address_ip_version: String,
    /// `Internet` or `Intranet`, of its IPv6 addresses.
    pub ipv6_address_type: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Resource group.
    pub resource_group_id: String,
    /// Whether backends in other zones are sent to.
    pub cross_zone_enabled: bool,
    /// `cbwp-…`; empty without a shared bandwidth.
    pub bandwidth_package_id: String,
    /// Its security groups.
    pub security_group_ids: Vec<String>,
    /// Its zones.
    pub zone_mappings: Vec<ZoneMapping>,
    /// Tags.
    pub tags: Vec<Tag>,
}

impl NetworkLoadBalancer {
    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let tag = self.tags.iter().find(|tag| tag.key == key)?;
        Some(&tag.value)
    }
}

/// A zone of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ZoneMapping {
    /// The zone.
    pub zone_id: String,
    /// Its vswitch there.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: String,
    /// Its addresses there; one in fact.
    #[serde(rename = "LoadBalancerAddresses")]
    pub addresses: Vec<Address>,
}

/// The addresses of a load balancer in a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Within the VPC.
    #[serde(rename = "PrivateIPv4Address")]
    pub private: String,
    /// From everywhere; empty for an Intranet load balancer.
    #[serde(rename = "PublicIPv4Address")]
    pub public: String,
    /// `eip-…`, the elastic address that the public one is.
    #[serde(rename = "AllocationId")]
    pub eip_id: String,
}

/// A tag. `ListLoadBalancers` has `Key` and `Value`, `GetLoadBalancerAttribute` `TagKey` and `TagValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    /// Key.
    #[serde(alias = "TagKey")]
    pub key: String,
    /// Value.
    #[serde(alias = "TagValue")]
    pub value: String,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkListener {
    /// `lsn-…`.
    #[serde(rename = "ListenerId")]
    pub id: String,
    /// Its load balancer.
    pub load_balancer_id: String,
    /// The port that it serves; 0 where it serves a range.
    #[serde(rename = "ListenerPort")]
    pub port: u16,
    /// `TCP`, `UDP` or `TCPSSL`.
    #[serde(rename = "ListenerProtocol")]
    pub protocol: String,
    /// `Running`, `Stopped`, `Provisioning`, …
    #[serde(rename = "ListenerStatus")]
    pub status: String,
    /// Free text; the cloud controller manager writes whose listener it is.
    #[serde(rename = "ListenerDescription")]
    pub description: String,
    /// `sgp-…`, the server group behind it.
    pub server_group_id: String,
    /// The first port of a range, as text; empty without one.
    pub start_port: String,
    /// The last port of a range, as text; empty without one.
    pub end_port: String,
    /// All else that is shown.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What is behind listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServerGroup {
    /// `sgp-…`.
    #[serde(rename = "ServerGroupId")]
    pub id: String,
    /// All else that is shown.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl ServerGroup {
    /// Its settings.
    pub fn settings(&self) -> Settings {
        shown::settings(&self.more)
    }
}

impl NetworkListener {
    /// Its settings.
    pub fn settings(&self) -> Settings {
        shown::settings(&self.more)
    }

    /// The port that it serves and 0, or the first and the last of a range.
    pub fn ports(&self) -> (u16, u16) {
        let number = |text: &str| text.parse().unwrap_or(0);
        match self.port {
            0 => (number(&self.start_port), number(&self.end_port)),
            port => (port, 0),
        }
    }
}

/// One load balancer with all that can be asked of it; none if it does not exist.
///
/// # Errors
/// As [`Client::call`].
pub async fn load_balancer(
    client: &Client,
    id: &str,
) -> Result<Option<NetworkLoadBalancer>, CloudError> {
    let call = in_region(client, GET_NETWORK_LOAD_BALANCER_ATTRIBUTE).query("LoadBalancerId", id);
    match client.call_as::<NetworkLoadBalancer>(call).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Those of `ids` that exist, twenty to a call.
///
/// # Errors
/// As [`Client::call`]; a list that is not whole is an error.
pub async fn load_balancers(
    client: &Client,
    ids: &[String],
) -> Result<Vec<NetworkLoadBalancer>, CloudError> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let call = in_region(client, LIST_NETWORK_LOAD_BALANCERS).list("LoadBalancerIds", ids);
        found.extend(pages::by_token(client, call, PAGE, "LoadBalancers").await?);
    }
    Ok(found)
}

/// All of the region.
///
/// # Errors
/// As [`load_balancers`].
pub async fn all_load_balancers(client: &Client) -> Result<Vec<NetworkLoadBalancer>, CloudError> {
    let call = in_region(client, LIST_NETWORK_LOAD_BALANCERS);
    pages::by_token(client, call, PAGE, "LoadBalancers").await
}

/// All listeners of these load balancers.
///
/// # Errors
/// As [`load_balancers`].
pub async fn listeners(
    client: &Client,
    ids: &[String],
) -> Result<Vec<NetworkListener>, CloudError> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let call = in_region(client, LIST_NETWORK_LISTENERS).list("LoadBalancerIds", ids);
        found.extend(pages::by_token(client, call, PAGE, "Listeners").await?);
    }
    Ok(found)
}

/// All listeners of the region.
///
/// # Errors
/// As [`load_balancers`].
pub async fn all_listeners(client: &Client) -> Result<Vec<NetworkListener>, CloudError> {
    let call = in_region(client, LIST_NETWORK_LISTENERS);
    pages::by_token(client, call, PAGE, "Listeners").await
}

/// Those of these server groups that exist, twenty to a call.
///
/// # Errors
/// As [`load_balancers`].
pub async fn server_groups(
    client: &Client,
    ids: &[String],
) -> Result<Vec<ServerGroup>, CloudError> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let call = in_region(client, LIST_NETWORK_SERVER_GROUPS).list("ServerGroupIds", ids);
        found.extend(pages::by_token(client, call, PAGE, "ServerGroups").await?);
    }
    Ok(found)
}

/// All server groups of the region.
///
/// # Errors
/// As [`load_balancers`].
pub async fn all_server_groups(client: &Client) -> Result<Vec<ServerGroup>, CloudError> {
    let call = in_region(client, LIST_NETWORK_SERVER_GROUPS);
    pages::by_token(client, call, PAGE, "ServerGroups").await
}

fn in_region(client: &Client, operation: Operation) -> RpcCall {
    RpcCall::new(operation).query("RegionId", client.region())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_load_balancer_is_read_as_the_cloud_writes_it() {
        let answer = json!({
            "LoadBalancerId": "nlb-1",
            "LoadBalancerName": "web",
            "DNSName": "nlb-1.cn-beijing.nlb.aliyuncs.com",
            "AddressType": "Internet",
            "AddressIpVersion": "ipv4",
            "ZoneMappings": [{
                "ZoneId": "cn-beijing-g",
                "VSwitchId": "vsw-a",
                "LoadBalancerAddresses": [{
                    "AllocationId": "eip-1",
                    "PrivateIPv4Address": "10.0.0.7",
                    "PublicIPv4Address": "203.0.113.7",
                }],
            }],
            "Tags": [
                {"Key": "ack.aliyun.com", "Value": "c1f0"},
                {"TagKey": "tier", "TagValue": "front"},
            ],
            "LoadBalancerBillingConfig": {"PayType": "PostPay"},
        });
        let read: NetworkLoadBalancer = serde_json::from_value(answer).unwrap();
        assert_eq!((read.id.as_str(), read.name.as_str()), ("nlb-1", "web"));
        assert_eq!(read.dns_name, "nlb-1.cn-beijing.nlb.aliyuncs.com");
        let [zone] = read.zone_mappings.as_slice() else {
            panic!("{read:?}")
        };
        let address = zone.addresses.first().unwrap();
        assert_eq!(
            (zone.vswitch_id.as_str(), address.private.as_str()),
            ("vsw-a", "10.0.0.7")
        );
        assert_eq!(
            (address.public.as_str(), address.eip_id.as_str()),
            ("203.0.113.7", "eip-1")
        );
        assert_eq!(read.tag("ack.aliyun.com"), Some("c1f0"));
        assert_eq!(read.tag("tier"), Some("front"));
        assert_eq!(read.tag("team"), None);
    }

    #[test]
    fn a_listener_serves_a_port_or_a_range() {
        let read = |answer| serde_json::from_value::<NetworkListener>(answer).unwrap();
        assert_eq!(read(json!({"ListenerPort": 80})).ports(), (80, 0));
        let range = json!({"ListenerPort": 0, "StartPort": "1000", "EndPort": "2000"});
        assert_eq!(read(range).ports(), (1000, 2000));
    }

    #[test]
    fn settings_of_a_server_group_are_named_by_their_place() {
        let answer = json!({
            "ServerGroupId": "sgp-1", "Scheduler": "Wrr",
            "HealthCheck": {"HealthCheckInterval": 5}, "Tags": [],
        });
        let read: ServerGroup = serde_json::from_value(answer).unwrap();
        let expected = [
            ("HealthCheck.HealthCheckInterval", "5"),
            ("Scheduler", "Wrr"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(
            (read.id.as_str(), read.settings()),
            ("sgp-1", expected.into())
        );
    }
}
