//! Network interfaces of pod addresses. Controllers ask ECS for them, which is not emulated, so their ids are
//! derived from the addresses.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The id of the network interface that has an address.
pub(crate) fn eni_id(ip: &str) -> String {
    let digest: String = hex::encode(Sha256::digest(ip)).chars().take(17).collect();
    format!("eni-{digest}")
}

/// What ECS would answer to `DescribeNetworkInterfaces` with these parameters, as far as a real controller
/// reads it: for whoever stands between one and the emulator.
pub fn describe_network_interfaces(parameters: &BTreeMap<String, String>) -> Value {
    let addresses = parameters
        .iter()
        .filter(|(name, _)| name.starts_with("PrivateIpAddress."));
    let sets: Vec<Value> = addresses
        .map(|(_, ip)| {
            json!({
                "NetworkInterfaceId": eni_id(ip),
                "PrivateIpAddress": ip,
                "PrivateIpSets": {"PrivateIpSet": [{"PrivateIpAddress": ip, "Primary": true}]},
                "Status": "InUse",
            })
        })
        .collect();
    json!({
        "RequestId": "r", "PageNumber": 1, "PageSize": 100, "TotalCount": sets.len(),
        "NetworkInterfaceSets": {"NetworkInterfaceSet": sets},
    })
}
