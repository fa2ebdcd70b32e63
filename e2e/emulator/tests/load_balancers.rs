//! The life of a load balancer, and what the product refuses.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use common::{Client, SLB, VPC, builder, start};
use serde_json::{Value, json};

async fn vswitch(client: &Client) -> (String, String) {
    let answer = client
        .call(VPC, "DescribeVSwitches", &[("RegionId", common::REGION)])
        .await;
    let first = &answer.body["VSwitches"]["VSwitch"][0];
    let text = |name: &str| first[name].as_str().expect("a text").to_owned();
    (text("VSwitchId"), text("VpcId"))
}

async fn intranet(client: &Client, name: &str) -> String {
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

fn text(value: &Value, member: &str) -> String {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {value}"))
        .to_owned()
}

async fn tcp_listener(client: &Client, id: &str, group: &str) {
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

async fn group(client: &Client, id: &str) -> String {
    let params = [("LoadBalancerId", id), ("VServerGroupName", "g")];
    text(
        &client.slb_ok("CreateVServerGroup", &params).await,
        "VServerGroupId",
    )
}

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
async fn a_full_vswitch_has_no_address() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let (vswitch, _) = vswitch(&client).await;
    {
        let mut world = emulator.state().world();
        let vswitch = world.vpc.vswitches.get_mut(&vswitch).expect("there");
        vswitch.used = vswitch
            .cidr
            .usable()
            .map(|address| (address, "other".to_owned()))
            .collect();
    }
    let params = [("AddressType", "intranet"), ("VSwitchId", &*vswitch)];
    assert_eq!(
        client.slb("CreateLoadBalancer", &params).await.code(),
        "VSwitchAvailableIpNotExist"
    );
}

#[tokio::test]
async fn creation_is_strict_about_values() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let cases: [(&[(&str, &str)], &str); 11] = [
        (&[("AddressType", "Internet")], "InvalidParameter"),
        (&[("AddressType", "intranet")], "MissingParameter"),
        (
            &[("AddressType", "intranet"), ("VSwitchId", "vsw-no")],
            "InvalidVSwitchId.NotFound",
        ),
        (&[("InstanceChargeType", "paybyclcu")], "InvalidParameter"),
        (&[("InstanceChargeType", "PayBySpec")], "PayBySpecHaltSales"),
        (
            &[("InternetChargeType", "paybybandwidth")],
            "InvalidParameter",
        ),
        (&[("Bandwidth", "5121")], "InvalidParameter"),
        (&[("LoadBalancerName", "a b")], "InvalidParameter"),
        (&[("MasterZoneId", "cn-hangzhou-z")], "InvalidParameter"),
        (&[("DeleteProtection", "true")], "InvalidParameter"),
        (
            &[("Tag.1.Key", "acs:x"), ("Tag.1.Value", "v")],
            "InvalidTagKey.Malformed",
        ),
    ];
    for (params, code) in cases {
        assert_eq!(
            client.slb("CreateLoadBalancer", params).await.code(),
            code,
            "{params:?}"
        );
    }
    assert!(emulator.state().world().slb.load_balancers.is_empty());
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
async fn specifications_are_sold_only_where_allowed() {
    let charge = |sold: bool| async move {
        let emulator = builder()
            .sell_pay_by_spec(sold)
            .start()
            .await
            .expect("starts");
        let client = Client::of(&emulator);
        let id = text(
            &client.slb_ok("CreateLoadBalancer", &[]).await,
            "LoadBalancerId",
        );
        let of_id = ("LoadBalancerId", &*id);
        let early = client
            .slb(
                "ModifyLoadBalancerInstanceSpec",
                &[of_id, ("LoadBalancerSpec", "slb.s2.small")],
            )
            .await;
        assert_eq!(early.code(), "OperationDenied.PayByCLCU");
        let params = [
            of_id,
            ("InstanceChargeType", "PayBySpec"),
            ("LoadBalancerSpec", "slb.s1.small"),
        ];
        let changed = client
            .slb("ModifyLoadBalancerInstanceChargeType", &params)
            .await
            .code()
            .to_owned();
        emulator.stop().await;
        changed
    };
    assert_eq!(charge(false).await, "Forbidden.ModifyInstanceChargeType");
    assert_eq!(charge(true).await, "ok");
}

#[tokio::test]
async fn listeners_are_strict() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let id = intranet(&client, "gw").await;
    let other = intranet(&client, "other").await;
    let (own, foreign) = (group(&client, &id).await, group(&client, &other).await);
    tcp_listener(&client, &id, &own).await;
    let create = async |protocol: &str, port: &str, more: &[(&str, &str)]| {
        let mut params = vec![
            ("LoadBalancerId", &*id),
            ("ListenerPort", port),
            ("Bandwidth", "-1"),
        ];
        if protocol.starts_with("HTTP") {
            params.push(("HealthCheck", "off"));
        }
        params.extend_from_slice(more);
        client
            .slb(&format!("CreateLoadBalancer{protocol}Listener"), &params)
            .await
            .code()
            .to_owned()
    };
    let mine = ("VServerGroupId", &*own);
    assert_eq!(create("HTTP", "80", &[mine]).await, "ListenerAlreadyExists");
    assert_eq!(create("UDP", "80", &[mine]).await, "ok");
    assert_eq!(
        create("TCP", "81", &[("VServerGroupId", &foreign)]).await,
        "InvalidParameter"
    );
    assert_eq!(create("TCP", "81", &[]).await, "MissingParameter");
    assert_eq!(create("TCP", "70000", &[mine]).await, "InvalidParameter");
    assert_eq!(
        create("TCP", "81", &[mine, ("Scheduler", "RR")]).await,
        "InvalidParameter"
    );
    assert_eq!(create("HTTPS", "443", &[mine]).await, "MissingParameter");
    assert_eq!(
        create("HTTPS", "443", &[mine, ("ServerCertificateId", "c")]).await,
        "CertificateNotExist"
    );
    let acl = [
        mine,
        ("AclStatus", "on"),
        ("AclType", "white"),
        ("AclId", "acl-no"),
    ];
    assert_eq!(create("TCP", "81", &acl).await, "AclNotExist");
    let start = client
        .slb(
            "StartLoadBalancerListener",
            &[("LoadBalancerId", &id), ("ListenerPort", "80")],
        )
        .await;
    assert_eq!(
        start.code(),
        "MissingParameter",
        "TCP and UDP share the port, so the protocol must be said"
    );
    let gone = client
        .slb(
            "DeleteLoadBalancerListener",
            &[("LoadBalancerId", &id), ("ListenerPort", "99")],
        )
        .await;
    assert_eq!(
        gone.text("Message"),
        "The specified resource does not exist."
    );
}

#[tokio::test]
async fn backend_servers_are_strict() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let id = intranet(&client, "gw").await;
    let group = group(&client, &id).await;
    let add = async |servers: Value| {
        let servers = servers.to_string();
        let params = [("VServerGroupId", &*group), ("BackendServers", &*servers)];
        client.slb("AddVServerGroupBackendServers", &params).await
    };
    let pod = |change: Value| {
        let mut pod =
            json!({"ServerId": "eni-1", "ServerIp": "10.1.0.1", "Port": "80", "Type": "eni"});
        pod.as_object_mut()
            .expect("an object")
            .extend(change.as_object().expect("an object").clone());
        json!([pod])
    };
    assert_eq!(
        add(pod(json!({"ServerId": "i-1"}))).await.code(),
        "InvalidServerId.NotExist"
    );
    let port = add(pod(json!({"Port": "http"}))).await;
    assert_eq!(
        port.text("Message"),
        "The specified Port must be between 1 and 65535."
    );
    assert_eq!(
        add(pod(json!({"Weight": 101}))).await.code(),
        "InvalidParameter"
    );
    assert_eq!(
        add(pod(json!({"ServerIp": ""}))).await.code(),
        "InvalidParameter"
    );
    assert_eq!(add(pod(json!({}))).await.code(), "ok");
    assert_eq!(
        add(pod(json!({}))).await.body["BackendServers"]["BackendServer"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let many: Vec<Value> = (0..200)
        .map(|n| json!({"ServerId": format!("eni-{n}"), "ServerIp": format!("10.2.0.{n}"), "Port": 80, "Type": "eni"}))
        .collect();
    assert_eq!(
        add(Value::from(many)).await.code(),
        "InstanceBackendServerNumberOverLimit"
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
