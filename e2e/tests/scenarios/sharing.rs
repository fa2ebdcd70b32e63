//! Bindings of two namespaces on one gateway and in one group: they share, and part again.

use std::collections::BTreeMap;

use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, api_key, binding, cloud_is, cluster_is, consumer, example_file,
        exposed_without_limits, gone, helloworld, host, intranet_service, mutations, now, ready,
    },
    namespace,
};

const TEAMS: [&str; 2] = ["blue", "green"];

/// A team's binding on the default path, with the same limits as the other's.
fn exposes(team: &str) -> String {
    format!(
        "apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {{name: hello, namespace: {team}}}
spec:
  serviceRef: {{kind: KnativeService, name: hello}}
  apiGateway:
    protocols: [HTTP]
    auth: {{consumer: {{apiKey: {{in: [Header]}}, signature: {{}}, allow: [{{name: caller}}]}}}}
    throttling: {{limits: [{{name: total, scope: API, requests: 1000, per: Minute}}]}}
"
    )
}

fn caller(team: &str) -> String {
    format!(
        "{{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, metadata: {{name: caller, namespace: {team}}}, \
         spec: {{credentials: [{{name: first, type: Generated, kinds: [APIKey], secretRef: {{name: caller}}}}]}}}}"
    )
}

/// The status of a request of a team's caller to that team's service.
async fn status(world: &World, host: &str, team: &str) -> u16 {
    let authorization = format!("APPCODE {}", api_key(world, team, "caller").await);
    let headers = [("authorization", authorization.as_str())];
    let path = format!("/{team}/hello");
    let answer = world.cloud.curl(host, &path, &headers).await.unwrap();
    answer.status
}

pub(super) async fn number_of(world: &World) -> BTreeMap<&'static str, usize> {
    let state = world.cloud.state().await.unwrap();
    let size = |kind| match &state["cloudapi"][kind] {
        Value::Object(all) => all.len(),
        Value::Array(all) => all.len(),
        other => panic!("{kind} is {other}"),
    };
    ["groups", "vpcAccesses", "plugins", "apis", "grants", "apps"]
        .into_iter()
        .map(|kind| (kind, size(kind)))
        .collect()
}

#[tokio::test]
async fn two_namespaces_share_and_part_in_any_order() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    world.apply(&example_file("class.yaml")).await.unwrap();
    for team in TEAMS {
        namespace(&world, team).await;
        super::helloworld(&world, team, "hello", "").await;
        world.apply(&caller(team)).await.unwrap();
        ready(&world, &consumer(team, "caller")).await;
    }
    let cluster = world.objects().await.unwrap();
    let cloud = world.cloud_objects().await.unwrap();

    for leaving in [&TEAMS[..1], &TEAMS[1..], &TEAMS[..]] {
        let host = share(&world).await;
        if leaving.len() == 1 {
            differ(&world, leaving[0]).await;
        }
        part(&world, &host, leaving).await;
        cloud_is(&world, &cloud).await;
        cluster_is(&world, &cluster).await;
    }
}

/// Both are there and answer, on one Service, group, VPC authorization and plugin. The host.
async fn share(world: &World) -> String {
    world.cloud.reset_calls().await.unwrap();
    for team in TEAMS {
        world.apply(&exposes(team)).await.unwrap();
    }
    let mut hosts = Vec::new();
    for team in TEAMS {
        hosts.push(host(&ready(world, &binding(team, "hello")).await));
    }
    assert_eq!(hosts[0], hosts[1], "one group");
    for team in TEAMS {
        assert_eq!(status(world, &hosts[0], team).await, 200, "{team}");
    }
    let expected = [
        ("groups", 1),
        ("vpcAccesses", 1),
        ("plugins", 1),
        ("apis", 2),
        ("grants", 2),
        ("apps", 2),
    ];
    assert_eq!(number_of(world).await, BTreeMap::from(expected));
    let made = mutations(world).await;
    for once in ["CreateApiGroup", "SetVpcAccess", "CreatePlugin"] {
        let times = made.iter().filter(|action| *action == once).count();
        assert_eq!(times, 1, "{once} in {made:?}");
    }
    hosts.remove(0)
}

/// One team changes its limits and changes them back: it leaves the shared plugin and returns, and
/// the other one notices nothing.
async fn differ(world: &World, team: &str) {
    let other = TEAMS.into_iter().find(|other| *other != team).unwrap();
    let before = now(world, &binding(other, "hello"))
        .await
        .resource_version();
    for (requests, plugins) in [(500, 2), (1000, 1)] {
        let limit = json!({"name": "total", "scope": "API", "requests": requests, "per": "Minute"});
        let patch = json!({"spec": {"apiGateway": {"throttling": {"limits": [limit]}}}});
        world.patch(&binding(team, "hello"), &patch).await.unwrap();
        ready(world, &binding(team, "hello")).await;
        assert_eq!(number_of(world).await["plugins"], plugins, "{requests}");
    }
    let after = now(world, &binding(other, "hello"))
        .await
        .resource_version();
    assert_eq!(before, after);
}

/// Some of the teams delete their bindings; the others are as before until they go too.
async fn part(world: &World, host: &str, leaving: &[&str]) {
    let staying: Vec<&str> = TEAMS
        .into_iter()
        .filter(|team| !leaving.contains(team))
        .collect();
    for team in leaving {
        world.delete(&binding(team, "hello")).await.unwrap();
    }
    for team in leaving {
        gone(world, &binding(team, "hello")).await;
    }
    for team in &staying {
        assert_eq!(status(world, host, team).await, 200, "{team} stays");
        now(world, &intranet_service()).await;
        world.delete(&binding(team, "hello")).await.unwrap();
    }
    for team in &staying {
        gone(world, &binding(team, "hello")).await;
    }
    gone(world, &intranet_service()).await;
}

/// A caller of another namespace may be named where its owner consents, and only as long.
#[tokio::test]
async fn a_caller_is_shared_with_the_namespaces_that_its_owner_names() {
    let world = exposed_without_limits().await;
    namespace(&world, "green").await;
    super::helloworld(&world, "green", "hello", "").await;
    let binding_of_green = exposes("green").replace(
        "allow: [{name: caller}]",
        "allow: [{name: caller, consumerRef: {namespace: default, name: knative}}]",
    );
    world.apply(&binding_of_green).await.unwrap();
    let green = binding("green", "hello");
    let caller = Caller::of(&world, &helloworld()).await;
    let refused = Expect::condition_with_reason("ResolvedRefs", "False", "ConsumerNotAllowed");
    world.wait_for(&green, &refused, PATIENCE).await.unwrap();
    caller.get_until("/green/hello", 403).await;

    let label = json!({"metadata": {"labels": {"tenant": "green"}}});
    let namespace = Target::of::<Namespace>(None, "green");
    world.patch(&namespace, &label).await.unwrap();
    let consent = json!({"from": "Selector", "selector": {"matchLabels": {"tenant": "green"}}});
    let consent = json!({"spec": {"allowedNamespaces": consent}});
    let knative = consumer("default", "knative");
    world.patch(&knative, &consent).await.unwrap();
    ready(&world, &green).await;
    caller.get_until("/green/hello", 200).await;

    // Either side can end it: here the namespace loses its label.
    let label = json!({"metadata": {"labels": {"tenant": null}}});
    world.patch(&namespace, &label).await.unwrap();
    world.wait_for(&green, &refused, PATIENCE).await.unwrap();
    caller.get_until("/green/hello", 403).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200, "at home it may");
}
