//! What is refused of load balancers, listeners, server groups, servers, tags and tokens.

use serde_json::json;

use super::testing::{Sent, Stage, owned, text, with};

#[test]
fn a_load_balancer_needs_two_zones_that_fit() {
    let mut stage = Stage::new();
    let third = stage
        .world
        .vpc
        .vswitches
        .values()
        .nth(2)
        .expect("three")
        .clone();
    let first = stage
        .world
        .vpc
        .vswitches
        .values()
        .next()
        .expect("one")
        .clone();
    let cases: [(Sent<'_>, &str); 8] = [
        (
            &[
                ("ZoneMappings.2.VSwitchId", ""),
                ("ZoneMappings.2.ZoneId", ""),
            ],
            "IllegalParam.ZoneMappings",
        ),
        (
            &[("ZoneMappings.2.ZoneId", &third.zone_id)],
            "Mismatch.ZoneId",
        ),
        (
            &[
                ("ZoneMappings.2.VSwitchId", &first.id),
                ("ZoneMappings.2.ZoneId", &first.zone_id),
            ],
            "IllegalParam.ZoneMappings",
        ),
        (
            &[("ZoneMappings.2.VSwitchId", "vsw-none")],
            "ResourceNotFound.VSwitch",
        ),
        (&[("VpcId", "vpc-none")], "ResourceNotFound.Vpc"),
        (
            &[("LoadBalancerEdition", "Gold")],
            "IllegalParam.LoadBalancerEdition",
        ),
        (
            &[("LoadBalancerName", "1")],
            "IllegalParam.LoadBalancerName",
        ),
        (
            &[("LoadBalancerBillingConfig.PayType", "")],
            "MissingParam.LoadBalancerBillingConfig",
        ),
    ];
    for (over, code) in cases {
        let sent = stage.balancer_params(over);
        assert_eq!(stage.refused("CreateLoadBalancer", &sent), code, "{over:?}");
    }
    assert_eq!(stage.world.alb.load_balancers.len(), 1);
}

#[test]
fn addresses_come_from_the_vswitches_and_go_back() {
    let mut stage = Stage::new();
    let used = |stage: &Stage| -> usize {
        let vswitches = stage.world.vpc.vswitches.values();
        vswitches.map(|vswitch| vswitch.used.len()).sum()
    };
    assert_eq!(used(&stage), 2);
    let of_id = owned(&[("LoadBalancerId", &stage.balancer)]);
    let shown = stage.ok("GetLoadBalancerAttribute", &of_id);
    assert_eq!(shown["LoadBalancerStatus"], "Active");
    assert_eq!(shown["ZoneMappings"].as_array().map(Vec::len), Some(2));
    let name = text(&shown, "DNSName");
    assert!(name.ends_with(".cn-hangzhou.alb.aliyuncs.com"), "{name}");
    stage.ok("DeleteLoadBalancer", &of_id);
    assert_eq!(used(&stage), 0);
    assert!(stage.world.alb.listeners.is_empty(), "they go with it");
    let code = stage.refused("GetLoadBalancerAttribute", &of_id);
    assert_eq!(code, "ResourceNotFound.LoadBalancer");
}

#[test]
fn deletion_protection_holds_until_it_is_off() {
    let mut stage = Stage::new();
    let of_id = owned(&[("LoadBalancerId", &stage.balancer)]);
    let protected = owned(&[("ResourceId", &stage.balancer)]);
    stage.ok("EnableDeletionProtection", &protected);
    let code = stage.refused("DeleteLoadBalancer", &of_id);
    assert_eq!(code, "OperationDenied.DeletionProtectionEnabled");
    stage.ok("DisableDeletionProtection", &protected);
    stage.ok("DeleteLoadBalancer", &of_id);
}

#[test]
fn editions_only_go_up_and_logs_are_there_once() {
    let mut stage = Stage::new();
    let of_id = owned(&[("LoadBalancerId", &stage.balancer)]);
    let to = |edition: &str| with(of_id.clone(), &[("LoadBalancerEdition", edition)]);
    stage.ok("UpdateLoadBalancerEdition", &to("StandardWithWaf"));
    let code = stage.refused("UpdateLoadBalancerEdition", &to("Basic"));
    assert_eq!(code, "OperationDenied.LoadBalancerEditionDowngrade");
    let log = with(of_id.clone(), &[("LogProject", "p"), ("LogStore", "s")]);
    stage.ok("EnableLoadBalancerAccessLog", &log);
    assert_eq!(
        stage.ok("GetLoadBalancerAttribute", &of_id)["AccessLogConfig"]["LogStore"],
        "s"
    );
    let code = stage.refused("EnableLoadBalancerAccessLog", &log);
    assert_eq!(code, "OperationDenied.AccessLogEnabled");
    stage.ok("DisableLoadBalancerAccessLog", &of_id);
}

#[test]
fn ports_of_a_load_balancer_are_unique() {
    let mut stage = Stage::new();
    let refusal = stage.listener_on("80").expect_err("taken");
    assert_eq!(refusal.code, "ResourceAlreadyExist.Listener");
    stage.listener_on("81").expect("free");
}

#[test]
fn listeners_start_and_stop_and_need_what_they_lead_to() {
    let mut stage = Stage::new();
    let of_id = owned(&[("ListenerId", &stage.listener)]);
    assert_eq!(
        stage.refused("StartListener", &of_id),
        "IncorrectStatus.Listener"
    );
    stage.ok("StopListener", &of_id);
    assert_eq!(
        stage.ok("GetListenerAttribute", &of_id)["ListenerStatus"],
        "Stopped"
    );
    stage.ok("StartListener", &of_id);
    stage.group = "sgp-none".to_owned();
    let refusal = stage.listener_on("81").expect_err("no such group");
    assert_eq!(refusal.code, "ResourceNotFound.ServerGroup");
    let https = owned(&[
        ("LoadBalancerId", &stage.balancer),
        ("ListenerPort", "443"),
        ("ListenerProtocol", "HTTPS"),
        ("DefaultActions.1.Type", "ForwardGroup"),
        (
            "DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId",
            "sgp-none",
        ),
    ]);
    assert_eq!(
        stage.refused("CreateListener", &https),
        "MissingParam.Certificates"
    );
    stage.ok("DeleteListener", &of_id);
    assert_eq!(
        stage.refused("DeleteListener", &of_id),
        "ResourceNotFound.Listener"
    );
}

#[test]
fn a_server_group_in_use_stays() {
    let mut stage = Stage::new();
    let of_id = |id: &str| owned(&[("ServerGroupId", id)]);
    let group = stage.group.clone();
    assert_eq!(
        stage.refused("DeleteServerGroup", &of_id(&group)),
        "ResourceInUse.ServerGroup"
    );
    let other = stage.group_named("other");
    let tuple = "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId";
    let rule = stage.rule(1, &[(tuple, &other)]);
    assert_eq!(
        stage.refused("DeleteServerGroup", &of_id(&other)),
        "ResourceInUse.ServerGroup"
    );
    let shown = stage.ok("ListServerGroups", &owned(&[("ServerGroupIds.1", &other)]));
    let users = &shown["ServerGroups"][0]["RelatedLoadBalancerIds"];
    assert_eq!(users, &json!([stage.balancer]));
    stage.ok("DeleteRule", &owned(&[("RuleId", &rule)]));
    stage.ok("DeleteServerGroup", &of_id(&other));
}

#[test]
fn server_groups_have_settings_in_their_bounds() {
    let mut stage = Stage::new();
    let vpc = stage.vpc();
    let good = owned(&[
        ("ServerGroupName", "good"),
        ("VpcId", &vpc),
        ("HealthCheckConfig.HealthCheckEnabled", "true"),
    ]);
    let cases: [(Sent<'_>, &str); 7] = [
        (&[("VpcId", "")], "MissingParam.VpcId"),
        (&[("VpcId", "vpc-none")], "ResourceNotFound.Vpc"),
        (&[("ServerGroupName", "")], "MissingParam.ServerGroupName"),
        (
            &[("HealthCheckConfig.HealthCheckEnabled", "")],
            "MissingParam.HealthCheckConfig",
        ),
        (
            &[("HealthCheckConfig.HealthCheckInterval", "51")],
            "IllegalParam.HealthCheckInterval",
        ),
        (&[("Scheduler", "Uch")], "MissingParam.UchConfig"),
        (&[("Protocol", "TCP")], "IllegalParam.Protocol"),
    ];
    for (over, code) in cases {
        let sent = with(good.clone(), over);
        assert_eq!(stage.refused("CreateServerGroup", &sent), code, "{over:?}");
    }
    stage.ok("CreateServerGroup", &good);
}

fn servers(group: &str, name: &str, ips: &[&str]) -> Vec<(String, String)> {
    let mut sent = owned(&[("ServerGroupId", group)]);
    for (ip, number) in ips.iter().zip(1..) {
        let prefix = format!("{name}.{number}");
        sent.push((format!("{prefix}.ServerId"), format!("eni-{ip}")));
        sent.push((format!("{prefix}.ServerIp"), (*ip).to_owned()));
        sent.push((format!("{prefix}.ServerType"), "Eni".to_owned()));
        sent.push((format!("{prefix}.Port"), "8080".to_owned()));
    }
    sent
}

#[test]
fn servers_are_added_removed_and_replaced() {
    let mut stage = Stage::new();
    let group = stage.group.clone();
    let add = servers(&group, "Servers", &["10.1.0.1", "10.1.0.2"]);
    stage.ok("AddServersToServerGroup", &add);
    let code = stage.refused("AddServersToServerGroup", &add);
    assert_eq!(code, "Conflict.BackendServer");
    let mut swap = servers(&group, "AddedServers", &["10.1.0.3"]);
    swap.extend(servers(&group, "RemovedServers", &["10.1.0.1"]));
    stage.ok("ReplaceServersInServerGroup", &swap);
    let code = stage.refused("ReplaceServersInServerGroup", &swap);
    assert_eq!(code, "ResourceNotFound.BackendServer");
    let shown = stage.ok(
        "ListServerGroupServers",
        &owned(&[("ServerGroupId", &group)]),
    );
    let ips: Vec<_> = shown["Servers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|server| server["ServerIp"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(ips, ["10.1.0.2", "10.1.0.3"]);
    let bad = with(add.clone(), &[("Servers.1.ServerId", "i-1")]);
    let code = stage.refused("AddServersToServerGroup", &bad);
    assert_eq!(code, "ResourceNotFound.BackendServer");
    let bad = with(add, &[("Servers.1.Weight", "101")]);
    assert_eq!(
        stage.refused("AddServersToServerGroup", &bad),
        "IllegalParam.Weight"
    );
    let many: Vec<String> = (1..=41).map(|last| format!("10.2.0.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let many = servers(&group, "Servers", &many);
    assert_eq!(
        stage.refused("AddServersToServerGroup", &many),
        "IllegalParam.Servers"
    );
}

#[test]
fn what_is_being_changed_is_not_changed() {
    let mut stage = Stage::new();
    stage.world.alb.settling = jiff::SignedDuration::from_mins(1);
    let group = stage.group.clone();
    let add = servers(&group, "Servers", &["10.1.0.1"]);
    stage.ok("AddServersToServerGroup", &add);
    let code = stage.refused("RemoveServersFromServerGroup", &add);
    assert_eq!(code, "IncorrectStatus.ServerGroup");
    let shown = stage.ok("ListServerGroups", &owned(&[("ServerGroupIds.1", &group)]));
    assert_eq!(shown["ServerGroups"][0]["ServerGroupStatus"], "Configuring");
    stage.rule(1, &[]);
    let sent = stage.rule_params(2, &[]);
    assert_eq!(
        stage.refused("CreateRule", &sent),
        "IncorrectStatus.Listener"
    );
    let shown = stage.ok("ListRules", &[]);
    assert_eq!(shown["Rules"][0]["RuleStatus"], "Provisioning");
    let of_id = owned(&[("LoadBalancerId", &stage.balancer)]);
    stage.ok("UpdateLoadBalancerAttribute", &of_id);
    let code = stage.refused("DeleteLoadBalancer", &of_id);
    assert_eq!(code, "IncorrectStatus.LoadBalancer");
    let jobs = stage.ok("ListAsynJobs", &[]);
    assert_eq!(jobs["Jobs"][0]["Status"], "Processing");
}

#[test]
fn a_token_counts_once_and_a_dry_run_not_at_all() {
    let mut stage = Stage::new();
    let sent = stage.balancer_params(&[("ClientToken", "t")]);
    let first = stage.ok("CreateLoadBalancer", &sent);
    assert_eq!(stage.ok("CreateLoadBalancer", &sent), first);
    let other = with(sent, &[("LoadBalancerName", "other")]);
    let code = stage.refused("CreateLoadBalancer", &other);
    assert_eq!(code, "IdempotentParameterMismatch");
    let dry = stage.balancer_params(&[("DryRun", "true")]);
    assert_eq!(stage.refused("CreateLoadBalancer", &dry), "DryRunOperation");
    let dry = with(dry, &[("VpcId", "vpc-none")]);
    assert_eq!(
        stage.refused("CreateLoadBalancer", &dry),
        "ResourceNotFound.Vpc"
    );
    assert_eq!(stage.world.alb.load_balancers.len(), 2);
}

#[test]
fn tags_find_what_carries_them() {
    let mut stage = Stage::new();
    let tag = owned(&[
        ("ResourceType", "loadbalancer"),
        ("ResourceId.1", &stage.balancer),
        ("Tag.1.Key", "ack.aliyun.com"),
        ("Tag.1.Value", "c1"),
    ]);
    stage.ok("TagResources", &tag);
    let count = |stage: &mut Stage, value: &str| {
        let sent = owned(&[("Tag.1.Key", "ack.aliyun.com"), ("Tag.1.Value", value)]);
        stage.ok("ListLoadBalancers", &sent)["TotalCount"].clone()
    };
    assert_eq!(count(&mut stage, "c1"), 1);
    assert_eq!(count(&mut stage, "c2"), 0);
    let bad = with(tag.clone(), &[("Tag.1.Key", "acs:x")]);
    assert_eq!(stage.refused("TagResources", &bad), "IllegalParam.Tag.Key");
    let bad = with(tag.clone(), &[("ResourceId.1", "alb-none")]);
    assert_eq!(
        stage.refused("TagResources", &bad),
        "ResourceNotFound.Resource"
    );
    let untag = with(
        tag,
        &[
            ("Tag.1.Key", ""),
            ("Tag.1.Value", ""),
            ("TagKey.1", "ack.aliyun.com"),
        ],
    );
    stage.ok("UnTagResources", &untag);
    assert_eq!(count(&mut stage, "c1"), 0);
}

#[test]
fn lists_come_in_pages() {
    let mut stage = Stage::new();
    for number in 0..4 {
        stage.group_named(&format!("n{number}"));
    }
    let first = stage.ok("ListServerGroups", &owned(&[("MaxResults", "3")]));
    assert_eq!(first["ServerGroups"].as_array().map(Vec::len), Some(3));
    assert_eq!(first["TotalCount"], 5);
    let token = text(&first, "NextToken");
    let second = stage.ok(
        "ListServerGroups",
        &owned(&[("MaxResults", "3"), ("NextToken", &token)]),
    );
    assert_eq!(second["ServerGroups"].as_array().map(Vec::len), Some(2));
    assert_eq!(second["NextToken"], "");
    let code = stage.refused("ListServerGroups", &owned(&[("MaxResults", "101")]));
    assert_eq!(code, "IllegalParam.MaxResults");
    let code = stage.refused("ListServerGroups", &owned(&[("NextToken", "x")]));
    assert_eq!(code, "IllegalParam.NextToken");
}
