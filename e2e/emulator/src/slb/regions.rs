//! Regions and zones.

use serde_json::{Value, json};

use crate::world::World;

/// Each zone with the other ones as its possible secondaries.
pub(super) fn zones(world: &World) -> Value {
    let all = world.vpc.zones();
    let zones: Vec<Value> = all
        .iter()
        .map(|zone| {
            let others: Vec<Value> = all
                .iter()
                .filter(|other| *other != zone)
                .map(|other| json!({"ZoneId": other, "LocalName": other}))
                .collect();
            json!({"ZoneId": zone, "LocalName": zone, "SlaveZones": {"SlaveZone": others}})
        })
        .collect();
    json!({"Zones": {"Zone": zones}})
}

pub(super) fn regions(world: &World) -> Value {
    let region = &world.region;
    json!({"Regions": {"Region": [{
        "RegionId": region,
        "LocalName": region,
        "RegionEndpoint": format!("slb.{region}.aliyuncs.com"),
    }]}})
}

pub(super) fn available_resource(world: &World) -> Value {
    let all = world.vpc.zones();
    let supported = json!([
        {"AddressType": "vpc", "AddressIPVersion": "ipv4"},
        {"AddressType": "classic_internet", "AddressIPVersion": "ipv4"},
        {"AddressType": "classic_internet", "AddressIPVersion": "ipv6"},
    ]);
    let pairs: Vec<Value> = all
        .iter()
        .flat_map(|master| {
            all.iter()
                .filter(move |slave| *slave != master)
                .map(move |slave| (master, slave))
        })
        .map(|(master, slave)| {
            json!({
                "MasterZoneId": master,
                "SlaveZoneId": slave,
                "SupportResources": {"SupportResource": supported},
            })
        })
        .collect();
    json!({"AvailableResources": {"AvailableResource": pairs}})
}
