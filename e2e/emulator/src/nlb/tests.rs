//! What is kept, what is refused, and what is shown of network load balancers.

use serde_json::{Value, json};

use crate::api::{Answer, Caller, Params, Product, Request};
use crate::world::World;

type Sent<'a> = &'a [(&'a str, &'a str)];

/// A world in which nothing takes time.
struct Stage {
    world: World,
}

impl Stage {
    fn new() -> Self {
        Self {
            world: World::new("cn-hangzhou", "1234567890123456"),
        }
    }

    fn call(&mut self, action: &str, sent: &[(String, String)]) -> Answer {
        let now = jiff::Timestamp::now();
        let request = Request {
            product: Product::Nlb,
            action: action.to_owned(),
            params: Params::new(Product::Nlb, sent.iter().cloned()),
            caller: Caller {
                account_id: "1234567890123456".to_owned(),
                access_key_id: "k".to_owned(),
                role_arn: None,
            },
            region: "cn-hangzhou".to_owned(),
            now,
            visible_from: now,
            request_id: "r".to_owned(),
        };
        super::handle(&mut self.world, &request)
    }

    fn ok(&mut self, action: &str, sent: Sent<'_>) -> Value {
        let answer = self.call(action, &owned(sent));
        answer.unwrap_or_else(|error| panic!("{action}: {error}"))
    }

    fn refused(&mut self, action: &str, sent: Sent<'_>) -> String {
        self.call(action, &owned(sent)).expect_err(action).code
    }

    /// The parameters of a load balancer in two zones, with others over them; an empty one is left out.
    fn in_two_zones(&self, over: Sent<'_>) -> Vec<(String, String)> {
        let vpc = self.world.vpc.vpcs.keys().next().expect("a VPC");
        let mut sent = owned(&[("AddressType", "Internet"), ("VpcId", vpc)]);
        for (vswitch, number) in self.world.vpc.vswitches.values().take(2).zip(1..) {
            let prefix = format!("ZoneMappings.{number}");
            sent.push((format!("{prefix}.VSwitchId"), vswitch.id.clone()));
            sent.push((format!("{prefix}.ZoneId"), vswitch.zone_id.clone()));
        }
        for (name, value) in over {
            sent.retain(|(known, _)| known != name);
            if !value.is_empty() {
                sent.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        sent
    }

    fn balancer(&mut self, over: Sent<'_>) -> String {
        let sent = self.in_two_zones(over);
        let answer = self.call("CreateLoadBalancer", &sent);
        text(&answer.expect("a load balancer"), "LoadbalancerId")
    }

    fn group(&mut self, protocol: &str) -> String {
        let vpc = self.world.vpc.vpcs.keys().next().expect("a VPC").clone();
        let sent = [
            ("ServerGroupName", "k8s.80"),
            ("VpcId", &vpc),
            ("Protocol", protocol),
        ];
        text(&self.ok("CreateServerGroup", &sent), "ServerGroupId")
    }

    fn shown(&mut self, id: &str) -> Value {
        self.ok("GetLoadBalancerAttribute", &[("LoadBalancerId", id)])
    }

    fn addresses_taken(&self) -> usize {
        let vswitches = self.world.vpc.vswitches.values();
        vswitches.map(|vswitch| vswitch.used.len()).sum()
    }
}

fn owned(sent: Sent<'_>) -> Vec<(String, String)> {
    let sent = sent.iter();
    sent.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().expect(name).to_owned()
}

#[test]
fn a_load_balancer_needs_two_zones_and_is_made_once_per_token() {
    let mut stage = Stage::new();
    let one_zone = stage.in_two_zones(&[
        ("ZoneMappings.2.VSwitchId", ""),
        ("ZoneMappings.2.ZoneId", ""),
    ]);
    let refusal = stage.call("CreateLoadBalancer", &one_zone);
    assert_eq!(
        refusal.expect_err("one zone").code,
        "IllegalParam.ZoneMappings"
    );
    let first = stage.balancer(&[("ClientToken", "t")]);
    assert_eq!(stage.balancer(&[("ClientToken", "t")]), first);
    assert_ne!(stage.balancer(&[("ClientToken", "u")]), first);
    let shown = stage.shown(&first);
    assert_eq!(shown["LoadBalancerStatus"], "Active");
    assert!(text(&shown, "DNSName").starts_with(&first));
    let address = &shown["ZoneMappings"][0]["LoadBalancerAddresses"][0];
    assert_ne!(address["PublicIPv4Address"], "");
    assert_eq!(stage.addresses_taken(), 4);
}

#[test]
fn the_address_type_changes_and_the_host_name_does_not() {
    let mut stage = Stage::new();
    let id = stage.balancer(&[]);
    let before = stage.shown(&id);
    let to = |kind| [("LoadBalancerId", id.as_str()), ("AddressType", kind)];
    let action = "UpdateLoadBalancerAddressTypeConfig";
    assert_eq!(
        stage.refused(action, &to("Internet")),
        "IllegalParam.AddressType"
    );
    stage.ok(action, &to("Intranet"));
    let after = stage.shown(&id);
    assert_eq!(after["DNSName"], before["DNSName"]);
    let address = &after["ZoneMappings"][0]["LoadBalancerAddresses"][0];
    assert_eq!(address["PublicIPv4Address"], "");
    let package = [
        ("LoadBalancerId", id.as_str()),
        ("BandwidthPackageId", "cbwp-1"),
    ];
    assert_eq!(
        stage.refused("AttachCommonBandwidthPackageToLoadBalancer", &package),
        "OperationDenied.AddressTypeNotSupport"
    );
}

#[test]
fn protection_keeps_it_and_deletion_gives_its_addresses_back() {
    let mut stage = Stage::new();
    let id = stage.balancer(&[("DeletionProtectionConfig.Enabled", "true")]);
    let it = [("LoadBalancerId", id.as_str())];
    assert_eq!(
        stage.refused("DeleteLoadBalancer", &it),
        "OperationDenied.DeletionProtection"
    );
    let off = [it[0], ("DeletionProtectionEnabled", "false")];
    stage.ok("UpdateLoadBalancerProtection", &off);
    let job = text(&stage.ok("DeleteLoadBalancer", &it), "JobId");
    assert_eq!(
        stage.ok("GetJobStatus", &[("JobId", &job)])["Status"],
        "Succeeded"
    );
    assert_eq!(stage.addresses_taken(), 0);
    assert_eq!(
        stage.refused("GetLoadBalancerAttribute", &it),
        "ResourceNotFound.loadBalancer"
    );
}

#[test]
fn listeners_take_no_port_twice_and_know_their_limits() {
    let mut stage = Stage::new();
    let (balancer, tcp, udp) = (stage.balancer(&[]), stage.group("TCP"), stage.group("UDP"));
    let on = |port: &str, protocol: &str, group: &str, more: Sent<'_>| {
        let mut sent = owned(&[
            ("LoadBalancerId", &balancer),
            ("ListenerPort", port),
            ("ListenerProtocol", protocol),
            ("ServerGroupId", group),
        ]);
        sent.extend(owned(more));
        sent
    };
    let mut create = |sent: Vec<(String, String)>| {
        let answer = stage.call("CreateListener", &sent);
        answer.map_err(|error| error.code)
    };
    let range = |first, last| [("StartPort", first), ("EndPort", last)];
    assert!(create(on("80", "TCP", &tcp, &[])).is_ok());
    assert!(
        create(on("80", "UDP", &udp, &[])).is_ok(),
        "another transport"
    );
    let refused = [
        (on("80", "TCP", &tcp, &[]), "Conflict.Port"),
        (on("0", "TCP", &tcp, &range("70", "90")), "Conflict.Port"),
        (
            on("0", "TCP", &tcp, &range("90", "90")),
            "IllegalParam.StartPort",
        ),
        (on("81", "UDP", &tcp, &[]), "Mismatch.Protocol"),
        (on("81", "HTTP", &tcp, &[]), "IllegalParam.ListenerProtocol"),
        (
            on("443", "TCPSSL", &tcp, &[]),
            "MissingParam.CertificateIds",
        ),
        (
            on("81", "UDP", &udp, &[("IdleTimeout", "21")]),
            "IllegalParam.IdleTimeout",
        ),
        (
            on("81", "TCP", &tcp, &[("AlpnEnabled", "true")]),
            "IllegalParam.AlpnEnabled",
        ),
        (
            on("81", "TCP", "sgp-none", &[]),
            "ResourceNotFound.serverGroup",
        ),
    ];
    for (sent, code) in refused {
        assert_eq!(create(sent.clone()), Err(code.to_owned()), "{sent:?}");
    }
    assert!(create(on("0", "TCP", &tcp, &range("1000", "2000"))).is_ok());
    let group = [("ServerGroupId", tcp.as_str())];
    assert_eq!(
        stage.refused("DeleteServerGroup", &group),
        "ResourceInUse.serverGroup"
    );
}

#[test]
fn certificates_are_listed_with_the_default_one_first() {
    let mut stage = Stage::new();
    let (balancer, group) = (stage.balancer(&[]), stage.group("TCP"));
    let made = stage.ok(
        "CreateListener",
        &[
            ("LoadBalancerId", &balancer),
            ("ListenerPort", "443"),
            ("ListenerProtocol", "TCPSSL"),
            ("ServerGroupId", &group),
            ("CertificateIds.1", "c1"),
        ],
    );
    let listener = text(&made, "ListenerId");
    let certificate = |id| {
        [
            ("ListenerId", listener.as_str()),
            ("AdditionalCertificateIds.1", id),
        ]
    };
    let (add, remove) = (
        "AssociateAdditionalCertificatesWithListener",
        "DisassociateAdditionalCertificatesWithListener",
    );
    stage.ok(add, &certificate("c2"));
    assert_eq!(
        stage.refused(add, &certificate("c2")),
        "Conflict.Certificate"
    );
    assert_eq!(
        stage.refused(remove, &certificate("c1")),
        "ResourceNotFound.certificate"
    );
    let shown = stage.ok("ListListenerCertificates", &[("ListenerId", &listener)]);
    let ids: Vec<&Value> = shown["Certificates"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["CertificateId"])
        .collect();
    assert_eq!(ids, [&json!("c1"), &json!("c2")]);
}

#[test]
fn server_groups_count_their_servers() {
    let mut stage = Stage::new();
    let group = stage.group("TCP");
    let server = [
        ("ServerGroupId", group.as_str()),
        ("Servers.1.ServerId", "eni-1"),
        ("Servers.1.ServerType", "Eni"),
        ("Servers.1.ServerIp", "192.168.0.9"),
        ("Servers.1.Port", "8080"),
    ];
    stage.ok("AddServersToServerGroup", &server);
    assert_eq!(
        stage.refused("AddServersToServerGroup", &server),
        "Conflict.BackendServer"
    );
    let shown = stage.ok("ListServerGroups", &[("ServerGroupIds.1", &group)]);
    assert_eq!(shown["ServerGroups"][0]["ServerCount"], 1);
    let quic = [("ServerGroupId", group.as_str()), ("Scheduler", "qch")];
    assert_eq!(
        stage.refused("UpdateServerGroupAttribute", &quic),
        "IllegalParam.Scheduler"
    );
}

#[test]
fn only_a_dual_stack_has_addresses_of_version_six() {
    let mut stage = Stage::new();
    let (four, both) = (
        stage.balancer(&[]),
        stage.balancer(&[("AddressIpVersion", "DualStack")]),
    );
    let action = "EnableLoadBalancerIpv6Internet";
    assert_eq!(
        stage.refused(action, &[("LoadBalancerId", &four)]),
        "OperationDenied.AddressIpVersionNotSupport"
    );
    stage.ok(action, &[("LoadBalancerId", &both)]);
    assert_eq!(stage.shown(&both)["Ipv6AddressType"], "Internet");
}

#[test]
fn tags_find_a_load_balancer() {
    let mut stage = Stage::new();
    let id = stage.balancer(&[("Tag.1.Key", "team"), ("Tag.1.Value", "shop")]);
    stage.balancer(&[]);
    let found = stage.ok(
        "ListLoadBalancers",
        &[("Tag.1.Key", "team"), ("Tag.1.Value", "shop")],
    );
    assert_eq!(found["TotalCount"], 1);
    assert_eq!(found["LoadBalancers"][0]["LoadBalancerId"], json!(id));
    let of = [
        ("ResourceType", "loadbalancer"),
        ("ResourceId.1", id.as_str()),
    ];
    stage.ok("UntagResources", &[of[0], of[1], ("TagKey.1", "team")]);
    assert_eq!(stage.ok("ListTagResources", &of)["TagResources"], json!([]));
}
