//! Two shards of the operator on one cluster, each with an ALB of its own; several load balancers of one
//! class; and a class that goes from one shard to the other.

use std::collections::BTreeMap;

use e2e::{
    harness::{Replica, ReplicaOptions},
    knative::types::KIngress,
    world::{Target, World, WorldOptions},
};
use k8s_openapi::api::networking::v1::Ingress;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::{
    alb_neighbours::{apply, delete, done, only, ready},
    alb_stage::{CLASS, alb_configs, kingress, says, services, target, vswitches, with_vswitches},
    mass_changes::LONG,
    namespace,
};

/// The ALB of the other shard takes two rules on each of at most two load balancers.
const OTHER: &str = "
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: alb-eu, labels: {gatewaybinding.dev/shard: eu}}
spec:
  cloud: {accountId: \"1234567890123456\", regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  defaults: {gateway: alb}
  gateways:
  - name: alb
    alb:
      ingressClass: eu.alb.example.com
      internet: {albConfig: eu-internet}
      intranet: {albConfig: eu-intranet}
      maxRules: 2
      maxInstances: 2
      settings: {zoneMappings: [{vswitchId: vsw-2zeqgkyib34gw1fxxx}, {vswitchId: vsw-2zefv5qwao4prxxx}]}
";

/// A Knative Ingress of the other shard.
fn of_eu(name: &str, first: i64) -> Value {
    let mut ingress = kingress("many", name, first);
    let class = "networking.knative.dev/ingress.class";
    ingress["metadata"]["annotations"][class] = json!("eu.alb.example.com");
    ingress
}

/// Where everybody is on public load balancers: IngressClass, and UID and place of the Ingress.
async fn places(world: &World) -> BTreeMap<String, (String, String)> {
    let all = Api::<Ingress>::namespaced(world.client(), "many");
    let all = all.list(&Default::default()).await.unwrap().items;
    let places = all.into_iter().filter_map(|ingress| {
        let class = ingress.spec.as_ref()?.ingress_class_name.clone()?;
        let order = ingress
            .annotations()
            .get("alb.ingress.kubernetes.io/order")?;
        let place = format!("{} at {order}", ingress.uid()?);
        let is_public = class.contains("internet");
        is_public.then(|| (ingress.name_any(), (class, place)))
    });
    places.collect()
}

fn instance(places: &BTreeMap<String, (String, String)>, name: &str) -> String {
    places[name].0.clone()
}

/// What there is of `home`, in which version.
async fn of_home(world: &World) -> BTreeMap<String, String> {
    let mut objects = world.objects().await.unwrap();
    objects.retain(|name, _| name.contains("many/home") && name.starts_with("Ingress"));
    objects
}

/// What the first operator has written so far, as it counts.
async fn written(world: &World) -> Vec<String> {
    let url = format!("{}/metrics", world.operator.as_ref().unwrap().health_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = http.get(&url).send().await.unwrap().text().await.unwrap();
    let lines = text.lines();
    let steps = lines.filter(|line| line.starts_with("gatewaybinding_plan_steps_total{"));
    steps.map(str::to_owned).collect()
}

/// With the change of a Knative Ingress of theirs, it stays on the load balancer that it has.
async fn nobody_moves_between_load_balancers(world: &World) {
    for name in ["eu-2", "eu-3"] {
        apply(world, &of_eu(name, 100)).await;
    }
    let full = places(world).await;
    let first = "knative-alb-ingress-eu-internet";
    let second = "knative-alb-ingress-eu-internet-2";
    for (name, expected) in [("eu-1", first), ("eu-2", first), ("eu-3", second)] {
        assert_eq!(instance(&full, name), expected, "{name}");
    }
    // There is room on the first one again, which is no reason to go there.
    delete(world, "eu-1").await;
    apply(world, &of_eu("eu-3", 30)).await;
    assert_eq!(done(world).await, only([("changed", "eu-3")]));
    let mut expected = full;
    expected.remove("eu-1");
    assert_eq!(places(world).await, expected);
}

#[tokio::test]
async fn operators_of_two_shards_leave_each_other_alone_until_a_class_goes_over() {
    let world = World::start(WorldOptions {
        knative: false,
        ..WorldOptions::default()
    });
    let world = world.await.unwrap();
    alb_configs(&world).await;
    let vswitches = vswitches(&world).await;
    for class in [CLASS, OTHER] {
        let class = with_vswitches(class, &vswitches);
        world.apply(&class).await.unwrap();
    }
    namespace(&world, "many").await;
    let eu = format!("{}\n---\n{}", services("many", "eu-1"), of_eu("eu-1", 100));
    world.apply(&eu).await.unwrap();
    apply(&world, &kingress("many", "home", 100)).await;
    let ingresses = Api::<KIngress>::namespaced(world.client(), "many");
    let left = ingresses.get("eu-1").await.unwrap();
    assert!(
        left.finalizers().is_empty() && left.status.is_none(),
        "{left:?}"
    );
    assert_eq!(places(&world).await.len(), 1, "its operator does not run");

    let before = (of_home(&world).await, written(&world).await);
    let options = ReplicaOptions {
        identity: "operator-eu".to_owned(),
        keys: world.options().operator_keys.clone(),
        args: ["--shard", "eu", "--drift-interval", "2s"]
            .map(str::to_owned)
            .to_vec(),
    };
    let other = Replica::start(&world, &options).await.unwrap();
    ready(&world, "eu-1").await;
    nobody_moves_between_load_balancers(&world).await;
    assert_eq!((of_home(&world).await, written(&world).await), before);
    assert_eq!(before.0.len(), 3, "the Knative Ingress and two of ALB");

    // The class goes over: what is served, and the place that is kept for nobody, stay as they are.
    let held = places(&world).await;
    world.cloud.reset_calls().await.unwrap();
    let class = Target::of::<crds::GatewayBindingClass>(None, "alb-eu");
    let ours = json!({"metadata": {"labels": {"gatewaybinding.dev/shard": null}}});
    world.patch(&class, &ours).await.unwrap();
    world.apply(&of_eu("eu-2", 30).to_string()).await.unwrap();
    let served = says("Ready", "True", "");
    let eu = target("many", "eu-2");
    world.wait_for(&eu, &served, LONG * 2).await.unwrap();
    assert_eq!(done(&world).await, only([("changed", "eu-2")]));
    assert_eq!(places(&world).await, held);
    // Who comes takes the place that the other operator has kept.
    other.terminate(LONG).await.unwrap();
    apply(&world, &of_eu("eu-4", 100)).await;
    assert_eq!(done(&world).await, only([("changed", "eu-4")]));
    assert_eq!(
        instance(&places(&world).await, "eu-4"),
        instance(&held, "eu-2")
    );
    assert_ne!(written(&world).await, before.1, "by the first operator");
    world.stop().await.unwrap();
}
