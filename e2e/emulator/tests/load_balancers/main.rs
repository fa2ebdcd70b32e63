//! The life of a load balancer, and what the product refuses.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

#[path = "../common/mod.rs"]
mod common;
mod made;
mod refused;

use common::{Client, SLB, start};
use made::{group, intranet, tcp_listener, text, vswitch};
use serde_json::json;

const POD: &str = r#"[{"serverId":"eni-1","serverIp":"127.0.0.1","port":8081,"weight":100,"type":"eni","description":"d"}]"#;

#[tokio::test]
async fn a_load_balancer_lives_and_dies() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let id = intranet(&client, "gw").await;
    let of_id = [("LoadBalancerId", &*id)];
    let view = client.slb_ok("DescribeLoadBalancerAttribute", &of_id).await;
    assert!(text(&view, "Address").starts_with("10.0."), "{view}");
    assert_eq!(
        (
            &*text(&view, "NetworkType"),
            &*text(&view, "LoadBalancerStatus")
        ),
        ("vpc", "active")
    );
    let group = group(&client, &id).await;
    let of_group = [("VServerGroupId", &*group)];
    client
        .slb_ok(
            "AddVServerGroupBackendServers",
            &[of_group[0], ("BackendServers", POD)],
        )
        .await;
    tcp_listener(&client, &id, &group).await;
    let listeners = client
        .slb_ok(
            "DescribeLoadBalancerListeners",
            &[("LoadBalancerId.1", &id)],
        )
        .await;
    let listener = &listeners["Listeners"][0];
    assert_eq!(listener["Status"], "stopped");
    assert_eq!(listener["TCPListenerConfig"]["EstablishedTimeout"], 900);
    client
        .slb_ok(
            "StartLoadBalancerListener",
            &[of_id[0], ("ListenerPort", "80")],
        )
        .await;
    let params = [of_id[0], ("ListenerPort", "80"), ("Scheduler", "rr")];
    client
        .slb_ok("SetLoadBalancerTCPListenerAttribute", &params)
        .await;
    let attribute = client
        .slb_ok(
            "DescribeLoadBalancerTCPListenerAttribute",
            &[of_id[0], ("ListenerPort", "80")],
        )
        .await;
    assert_eq!(
        (
            &*text(&attribute, "Scheduler"),
            &*text(&attribute, "Status")
        ),
        ("rr", "running")
    );
    let in_use = client.slb("DeleteVServerGroup", &of_group).await;
    assert_eq!(in_use.code(), "RspoolVipExist");
    client
        .slb_ok(
            "SetLoadBalancerDeleteProtection",
            &[of_id[0], ("DeleteProtection", "on")],
        )
        .await;
    assert_eq!(
        client.slb("DeleteLoadBalancer", &of_id).await.code(),
        "OperationDenied.DeleteProtectionIsOn"
    );
    client
        .slb_ok(
            "SetLoadBalancerDeleteProtection",
            &[of_id[0], ("DeleteProtection", "off")],
        )
        .await;
    client.slb_ok("DeleteLoadBalancer", &of_id).await;
    let gone = client.slb("DescribeLoadBalancerAttribute", &of_id).await;
    assert_eq!(
        (gone.code(), gone.status.as_u16()),
        ("InvalidLoadBalancerId.NotFound", 404)
    );
    assert_eq!(
        client
            .slb("DescribeVServerGroupAttribute", &of_group)
            .await
            .code(),
        "InvalidParameter"
    );
}

#[tokio::test]
async fn an_address_is_taken_from_the_vswitch_and_given_back() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let (vswitch, _) = vswitch(&client).await;
    let create = async |address: &str| {
        let params = [
            ("AddressType", "intranet"),
            ("VSwitchId", &*vswitch),
            ("Address", address),
        ];
        client.slb("CreateLoadBalancer", &params).await
    };
    let cidr = emulator.state().world().vpc.vswitches[&vswitch].cidr;
    let wanted = cidr.usable().nth(40).expect("a large range").to_string();
    let first = create(&wanted).await;
    assert_eq!(first.text("Address"), wanted);
    assert_eq!(create(&wanted).await.code(), "IpAddressInUse");
    assert_eq!(create("192.168.0.1").await.code(), "InvalidParameter");
    client
        .slb_ok(
            "DeleteLoadBalancer",
            &[("LoadBalancerId", &first.text("LoadBalancerId"))],
        )
        .await;
    assert_eq!(create(&wanted).await.code(), "ok");
}

#[tokio::test]
async fn one_client_token_makes_one_load_balancer() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let create = || client.slb_ok("CreateLoadBalancer", &[("ClientToken", "t")]);
    assert_eq!(
        text(&create().await, "LoadBalancerId"),
        text(&create().await, "LoadBalancerId")
    );
    let list = client.slb_ok("DescribeLoadBalancers", &[]).await;
    assert_eq!(list["TotalCount"], 1);
    assert_eq!(
        list["LoadBalancers"]["LoadBalancer"][0]["InternetChargeTypeAlias"],
        "paybytraffic"
    );
}

#[tokio::test]
async fn tags_are_set_found_and_removed() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let id = intranet(&client, "gw").await;
    intranet(&client, "untagged").await;
    let target = [("ResourceType", "instance"), ("ResourceId.1", &*id)];
    let tags = [
        ("Tag.1.Key", "owner"),
        ("Tag.1.Value", "me"),
        ("Tag.2.Key", "team"),
        ("Tag.2.Value", "x"),
    ];
    client
        .slb_ok("TagResources", &[&target[..], &tags[..]].concat())
        .await;
    let found = async |tags: &str| {
        let list = client
            .slb_ok("DescribeLoadBalancers", &[("Tags", tags)])
            .await;
        list["TotalCount"].as_u64().expect("a number")
    };
    assert_eq!(found(r#"[{"TagKey":"owner","TagValue":"me"}]"#).await, 1);
    assert_eq!(found(r#"[{"TagKey":"owner","TagValue":"you"}]"#).await, 0);
    client
        .slb_ok(
            "UntagResources",
            &[target[0], target[1], ("TagKey.1", "owner")],
        )
        .await;
    let left = client.slb_ok("ListTagResources", &target).await;
    let keys: Vec<&str> = left["TagResources"]["TagResource"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tag| tag["TagKey"].as_str())
        .collect();
    assert_eq!(keys, ["team"]);
    let missing = client
        .slb(
            "TagResources",
            &[target[0], ("ResourceId.1", "lb-no"), tags[0], tags[1]],
        )
        .await;
    assert_eq!(missing.code(), "InvalidLoadBalancerId.NotFound");
}

#[tokio::test]
async fn health_follows_the_endpoint() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let pod = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = pod.local_addr().expect("bound").port();
    let id = intranet(&client, "gw").await;
    let group = group(&client, &id).await;
    let servers =
        json!([{"serverId": "eni-1", "serverIp": "127.0.0.1", "port": port, "type": "eni"}])
            .to_string();
    client
        .slb_ok(
            "AddVServerGroupBackendServers",
            &[("VServerGroupId", &group), ("BackendServers", &servers)],
        )
        .await;
    tcp_listener(&client, &id, &group).await;
    await_health(&client, &id, "normal").await;
    drop(pod);
    await_health(&client, &id, "abnormal").await;
}

async fn await_health(client: &Client, id: &str, wanted: &str) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(15);
    loop {
        let answer = client
            .call(SLB, "DescribeHealthStatus", &[("LoadBalancerId", id)])
            .await;
        let status =
            answer.body["BackendServers"]["BackendServer"][0]["ServerHealthStatus"].clone();
        if status == wanted {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the server is {status}, not {wanted}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
