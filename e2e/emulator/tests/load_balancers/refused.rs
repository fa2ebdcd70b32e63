//! What the product refuses.

use serde_json::{Value, json};

use crate::common::{Client, builder, start};
use crate::made::{group, intranet, tcp_listener, text, vswitch};

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
