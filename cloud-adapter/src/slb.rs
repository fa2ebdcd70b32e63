//! Classic load balancers, as far as they are observed (Slb 2014-05-15). The cloud controller
//! manager writes them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, ErrorClass};
use crate::operations::*;
use crate::pages;
use crate::shown::{self, Settings};

/// Ids that `DescribeLoadBalancers` and `DescribeLoadBalancerListeners` take at once.
const IDS: usize = 10;
const PAGE: usize = 100;

/// A load balancer. Words are as the cloud writes them (`intranet`, `PayBySpec`, `slb.s1.small`);
/// what it left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LoadBalancer {
    /// `lb-…`.
    #[serde(rename = "LoadBalancerId")]
    pub id: String,
    /// Name shown in the console.
    #[serde(rename = "LoadBalancerName")]
    pub name: String,
    /// `active`, `inactive` or `locked`.
    #[serde(rename = "LoadBalancerStatus")]
    pub status: String,
    /// `slb.s1.small`, …; empty for pay-by-CLCU.
    #[serde(rename = "LoadBalancerSpec")]
    pub spec: String,
    /// The address that it serves.
    pub address: String,
    /// `internet` or `intranet`.
    pub address_type: String,
    /// `ipv4` or `ipv6`.
    #[serde(rename = "AddressIPVersion")]
    pub address_ip_version: String,
    /// `vpc` or `classic`.
    pub network_type: String,
    /// The VPC of an intranet load balancer.
    pub vpc_id: String,
    /// The vswitch of an intranet load balancer.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: String,
    /// Primary zone.
    #[serde(rename = "MasterZoneId")]
    pub primary_zone: String,
    /// Backup zone.
    #[serde(rename = "SlaveZoneId")]
    pub backup_zone: String,
    /// `PayBySpec` or `PayByCLCU`.
    pub instance_charge_type: String,
    /// `paybytraffic`, `paybybandwidth` (in lists 4 and 3).
    pub internet_charge_type: String,
    /// The same in words; in lists only.
    pub internet_charge_type_alias: String,
    /// Peak bandwidth in Mbit/s; -1 for pay-by-traffic.
    pub bandwidth: i64,
    /// `on` or `off`.
    pub delete_protection: String,
    /// `ConsoleProtection` or `NonProtection`.
    pub modification_protection_status: String,
    /// Resource group.
    pub resource_group_id: String,
    /// Tags.
    pub tags: Tags,
}

impl LoadBalancer {
    /// How traffic is billed: `paybytraffic` or `paybybandwidth`.
    pub fn traffic_charge(&self) -> &str {
        match self.internet_charge_type_alias.as_str() {
            "" => &self.internet_charge_type,
            alias => alias,
        }
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let tag = self.tags.tag.iter().find(|tag| tag.key == key)?;
        Some(&tag.value)
    }
}

/// Tags as load balancers wrap them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tags {
    /// The tags.
    pub tag: Vec<Tag>,
}

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Tag {
    /// Key.
    #[serde(rename = "TagKey")]
    pub key: String,
    /// Value.
    #[serde(rename = "TagValue")]
    pub value: String,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Listener {
    /// Its load balancer.
    pub load_balancer_id: String,
    /// The port that it serves.
    #[serde(rename = "ListenerPort")]
    pub port: u16,
    /// `tcp`, `udp`, `http` or `https`.
    #[serde(rename = "ListenerProtocol")]
    pub protocol: String,
    /// `running`, `stopped`, …
    pub status: String,
    /// Free text; the cloud controller manager writes whose listener it is.
    pub description: String,
    /// The server group behind it.
    #[serde(rename = "VServerGroupId")]
    pub server_group_id: String,
    /// Peak bandwidth in Mbit/s; -1: not limited.
    pub bandwidth: i64,
    /// All else that is shown: what every protocol has, and a part that is named by the protocol.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Listener {
    /// Its settings: those that every protocol has and those of its own.
    pub fn settings(&self) -> Settings {
        const COMMON: [&str; 4] = ["Scheduler", "AclStatus", "AclType", "AclIds"];
        let part = format!("{}ListenerConfig", self.protocol.to_uppercase());
        let own = self.more.get(&part).and_then(Value::as_object);
        let mut settings = own.map(shown::settings).unwrap_or_default();
        let common = COMMON.into_iter().filter_map(|name| {
            let value = self.more.get(name)?;
            Some((name.to_owned(), value.clone()))
        });
        settings.extend(shown::settings(&common.collect()));
        settings
    }
}

/// One load balancer with all that can be asked of it; none if it does not exist.
///
/// # Errors
/// As [`Client::call`].
pub async fn load_balancer(client: &Client, id: &str) -> Result<Option<LoadBalancer>, CloudError> {
    let call = in_region(client, DESCRIBE_LOAD_BALANCER_ATTRIBUTE).query("LoadBalancerId", id);
    match client.call_as::<LoadBalancer>(call).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Those of `ids` that exist, ten to a call.
///
/// # Errors
/// As [`Client::call`]; a list that is not whole is an error.
pub async fn load_balancers(
    client: &Client,
    ids: &[String],
) -> Result<Vec<LoadBalancer>, CloudError> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let call =
            in_region(client, DESCRIBE_LOAD_BALANCERS).query("LoadBalancerId", ids.join(","));
        found.extend(all_pages(client, call).await?);
    }
    Ok(found)
}

/// All of the region.
///
/// # Errors
/// As [`load_balancers`].
pub async fn all_load_balancers(client: &Client) -> Result<Vec<LoadBalancer>, CloudError> {
    all_pages(client, in_region(client, DESCRIBE_LOAD_BALANCERS)).await
}

/// All listeners of the region.
///
/// # Errors
/// As [`load_balancers`].
pub async fn all_listeners(client: &Client) -> Result<Vec<Listener>, CloudError> {
    all_tokens(client, in_region(client, DESCRIBE_LOAD_BALANCER_LISTENERS)).await
}

/// All that carry each of these tags.
///
/// # Errors
/// As [`load_balancers`].
pub async fn load_balancers_with_tags(
    client: &Client,
    tags: &[(&str, &str)],
) -> Result<Vec<LoadBalancer>, CloudError> {
    let call = in_region(client, DESCRIBE_LOAD_BALANCERS).tags(tags.iter().copied());
    all_pages(client, call).await
}

async fn all_pages(client: &Client, call: RpcCall) -> Result<Vec<LoadBalancer>, CloudError> {
    let items = ("LoadBalancers", "LoadBalancer");
    let listed = pages::all(client, call, PAGE, items, &["LoadBalancerId"]).await?;
    listed.all_readable(DESCRIBE_LOAD_BALANCERS)
}

/// All listeners of these load balancers.
///
/// # Errors
/// As [`load_balancers`].
pub async fn listeners(client: &Client, ids: &[String]) -> Result<Vec<Listener>, CloudError> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let call = in_region(client, DESCRIBE_LOAD_BALANCER_LISTENERS).list("LoadBalancerId", ids);
        found.extend(all_tokens(client, call).await?);
    }
    Ok(found)
}

async fn all_tokens(client: &Client, call: RpcCall) -> Result<Vec<Listener>, CloudError> {
    pages::by_token(client, call, PAGE, "Listeners").await
}

fn in_region(client: &Client, operation: Operation) -> RpcCall {
    RpcCall::new(operation).query("RegionId", client.region())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_those_of_the_listeners_own_protocol() {
        let answer = json!({
            "LoadBalancerId": "lb-1", "ListenerPort": 80, "ListenerProtocol": "tcp",
            "Status": "running", "Scheduler": "rr", "AclStatus": "on", "AclType": "white",
            "AclId": "acl-1", "AclIds": ["acl-1"], "Bandwidth": -1, "Tags": [],
            "TCPListenerConfig": {"HealthCheckInterval": 2, "HealthCheck": "on"},
            "HTTPListenerConfig": null,
        });
        let read: Listener = serde_json::from_value(answer).unwrap();
        assert_eq!((read.port, read.status.as_str()), (80, "running"));
        let expected = [
            ("AclIds", "acl-1"),
            ("AclStatus", "on"),
            ("AclType", "white"),
            ("HealthCheck", "on"),
            ("HealthCheckInterval", "2"),
            ("Scheduler", "rr"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(read.settings(), expected.into());
    }
}
