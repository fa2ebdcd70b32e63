//! Networks (Vpc 2016-04-28), as far as they are observed.

use serde::Deserialize;

use crate::call::RpcCall;
use crate::client::Client;
use crate::error::CloudError;
use crate::operations::*;
use crate::pages;

/// The most that the product gives at once.
const PAGE: usize = 50;

/// A virtual private cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Vpc {
    /// `vpc-…`.
    #[serde(rename = "VpcId")]
    pub id: String,
    /// Name shown in the console.
    #[serde(rename = "VpcName")]
    pub name: String,
    /// Its addresses.
    pub cidr_block: String,
    /// `Available` or `Pending`.
    pub status: String,
}

/// A vswitch: a subnet in one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VSwitch {
    /// `vsw-…`.
    #[serde(rename = "VSwitchId")]
    pub id: String,
    /// Name shown in the console.
    #[serde(rename = "VSwitchName")]
    pub name: String,
    /// The VPC it is part of.
    pub vpc_id: String,
    /// Its zone.
    pub zone_id: String,
    /// Its addresses.
    pub cidr_block: String,
    /// Addresses that are free.
    pub available_ip_address_count: u64,
    /// `Available` or `Pending`.
    pub status: String,
}

/// A zone of the region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Zone {
    /// `cn-beijing-g`.
    #[serde(rename = "ZoneId")]
    pub id: String,
    /// Name shown in the console.
    pub local_name: String,
}

/// All VPCs of the region, or those of these ids.
///
/// # Errors
/// As [`Client::call`]; a list that is not whole is an error.
pub async fn vpcs(client: &Client, ids: &[String]) -> Result<Vec<Vpc>, CloudError> {
    let ids = (!ids.is_empty()).then(|| ids.join(","));
    let call = in_region(client, DESCRIBE_VPCS).query_opt("VpcId", ids);
    let listed = pages::all(client, call, PAGE, ("Vpcs", "Vpc"), &["VpcId"]).await?;
    listed.all_readable(DESCRIBE_VPCS)
}

/// All vswitches of a VPC.
///
/// # Errors
/// As [`vpcs`].
pub async fn vswitches(client: &Client, vpc_id: &str) -> Result<Vec<VSwitch>, CloudError> {
    let call = in_region(client, DESCRIBE_VSWITCHES).query("VpcId", vpc_id);
    let items = ("VSwitches", "VSwitch");
    let listed = pages::all(client, call, PAGE, items, &["VSwitchId"]).await?;
    listed.all_readable(DESCRIBE_VSWITCHES)
}

/// One vswitch; none if the region has none of this id, or none that the caller is shown.
///
/// # Errors
/// As [`vpcs`].
pub async fn vswitch(client: &Client, id: &str) -> Result<Option<VSwitch>, CloudError> {
    let call = in_region(client, DESCRIBE_VSWITCHES).query("VSwitchId", id);
    let items = ("VSwitches", "VSwitch");
    let listed = pages::all(client, call, PAGE, items, &["VSwitchId"]).await?;
    let mut found: Vec<VSwitch> = listed.all_readable(DESCRIBE_VSWITCHES)?;
    found.retain(|vswitch| vswitch.id == id);
    Ok(found.pop())
}

/// The zones of the region.
///
/// # Errors
/// As [`Client::call`].
pub async fn zones(client: &Client) -> Result<Vec<Zone>, CloudError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        zones: Zones,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Zones {
        zone: Vec<Zone>,
    }
    let answer: Answer = client.call_as(in_region(client, DESCRIBE_ZONES)).await?;
    Ok(answer.zones.zone)
}

fn in_region(client: &Client, operation: Operation) -> RpcCall {
    RpcCall::new(operation).query("RegionId", client.region())
}
