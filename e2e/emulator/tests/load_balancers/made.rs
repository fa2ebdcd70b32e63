//! What the tests need first: load balancers, groups and listeners.

use serde_json::Value;

use crate::common::{Client, REGION, VPC};

pub(crate) async fn vswitch(client: &Client) -> (String, String) {
    let answer = client
        .call(VPC, "DescribeVSwitches", &[("RegionId", REGION)])
        .await;
    let first = &answer.body["VSwitches"]["VSwitch"][0];
    let text = |name: &str| first[name].as_str().expect("a text").to_owned();
    (text("VSwitchId"), text("VpcId"))
}

pub(crate) async fn intranet(client: &Client, name: &str) -> String {
    let (vswitch, vpc) = vswitch(client).await;
    let params = [
        ("AddressType", "intranet"),
        ("VSwitchId", &*vswitch),
        ("VpcId", &*vpc),
        ("LoadBalancerName", name),
    ];
    text(
        &client.slb_ok("CreateLoadBalancer", &params).await,
        "LoadBalancerId",
    )
}

pub(crate) fn text(value: &Value, member: &str) -> String {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {value}"))
        .to_owned()
}

pub(crate) async fn tcp_listener(client: &Client, id: &str, group: &str) {
    let params = [
        ("LoadBalancerId", id),
        ("ListenerPort", "80"),
        ("Bandwidth", "-1"),
        ("VServerGroupId", group),
    ];
    client
        .slb_ok("CreateLoadBalancerTCPListener", &params)
        .await;
}

pub(crate) async fn group(client: &Client, id: &str) -> String {
    let params = [("LoadBalancerId", id), ("VServerGroupName", "g")];
    text(
        &client.slb_ok("CreateVServerGroup", &params).await,
        "VServerGroupId",
    )
}
