//! Plugins of Higress: from bindings to objects on the API server, and from these to what a request gets.

use std::collections::BTreeMap;

use crds::{GatewayBinding, GatewayConsumer};
use e2e::world::{Expect, Target, World};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    higress_stage::{
        SYSTEM, answers, example, gateway, install, ours, ours_are, plugins, request, rules, world,
    },
    mass_changes::LONG,
};

fn binding(name: &str) -> Target {
    Target::of::<GatewayBinding>(Some("default"), name)
}

async fn wait(world: &World, target: &Target, expected: Expect) -> DynamicObject {
    world.wait_for(target, &expected, LONG).await.unwrap()
}

/// A condition for the generation that the object has now.
fn says(type_: &'static str, reason: &'static str) -> Expect {
    Expect::that(
        format!("{type_} {reason} for its generation"),
        move |object: &DynamicObject| {
            let conditions = object.data["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            let one = conditions.find(|one| one["type"] == type_);
            let one = one.ok_or("no such condition")?;
            let current = one["observedGeneration"].as_i64() == object.metadata.generation;
            if current && one["reason"] == reason {
                Ok(())
            } else {
                Err(one.to_string())
            }
        },
    )
}

fn message(object: &DynamicObject, type_: &str) -> String {
    let conditions = object.data["status"]["conditions"].as_array().unwrap();
    let one = conditions.iter().find(|one| one["type"] == type_).unwrap();
    one["message"].as_str().unwrap().to_owned()
}

/// The key of a consumer.
async fn key(world: &World, secret: &str) -> String {
    let secrets = Api::<Secret>::namespaced(world.client(), "default");
    let data = secrets.get(secret).await.unwrap().data.unwrap();
    String::from_utf8(data["apiKey"].0.clone()).unwrap()
}

async fn statuses(world: &World, paths: &[String]) -> Vec<u16> {
    let mut higress = gateway(world).await;
    let answers = paths
        .iter()
        .map(|path| higress.ask(&request(path, None, 0)).status());
    answers.collect()
}

#[tokio::test]
async fn rules_are_in_force_as_long_as_their_bindings_ask_for_them() {
    let mut world = world(true).await;
    for file in ["class", "knative-service", "consumers", "binding"] {
        world.apply(&example(file)).await.unwrap();
    }
    let hello = binding("hello");
    let lacking = wait(&world, &hello, says("ResolvedRefs", "HigressNotFound")).await;
    assert!(message(&lacking, "Ready").contains("helm install higress"));
    install(&world).await;
    let foreign = plugins(&world).await["request-block"].clone();
    let ready = wait(&world, &hello, says("Ready", "Ready")).await;
    assert!(message(&ready, "Ready").contains("in clear text"));

    let first = key(&world, "consumer1-key").await;
    let second = key(&world, "consumer2-key").await;
    let paths = [
        "/".to_owned(),
        format!("/?apikey={first}"),
        format!("/?apikey={second}"),
    ];
    assert_eq!(statuses(&world, &paths).await, [401, 403, 200]);
    let mut higress = gateway(&world).await;
    let header = Some(("x-ca-key", "123456"));
    let limited = [0, 1, 2, 61].map(|at| higress.ask(&request(&paths[2], header, at)).status());
    assert_eq!(limited, [200, 200, 429, 200]);
    assert_eq!(ours(&world).await.len(), 2, "one for each plugin");

    nothing_moves_over_a_restart(&mut world).await;
    two_that_contradict_each_other(&world).await;
    what_others_change(&world, &paths).await;
    consumers_come_and_go(&world, &second).await;

    // What is not valid any more keeps what was last good.
    let odd = json!({"spec": {"higress": {"throttling": {"limits": [
        {"name": "key-123456", "scope": "Consumer", "requests": 1, "per": "Day"},
    ]}}}});
    world.patch(&hello, &odd).await.unwrap();
    wait(&world, &hello, says("Accepted", "Unsupported")).await;
    assert_eq!(ours(&world).await.len(), 2);

    let retained = leaves_its_rules(&world).await;

    world.delete(&hello).await.unwrap();
    wait(&world, &hello, Expect::gone()).await;
    assert_eq!(ours(&world).await.len(), 0, "they went before it did");
    let mut left = plugins(&world).await;
    assert!(left.remove(&retained).is_some());
    assert_eq!(left.len(), 1, "what is not the operator's");
    assert_eq!(
        left["request-block"].resource_version(),
        foreign.resource_version()
    );
    world.stop().await.unwrap();
}

async fn nothing_moves_over_a_restart(world: &mut World) {
    let before = world.objects().await.unwrap();
    let options = world.options().operator.clone().unwrap();
    world.operator.take().unwrap().kill().await.unwrap();
    world.start_operator(&options).await.unwrap();
    passes(world, 3).await;
    let after = world.objects().await.unwrap();
    let moved: Vec<&String> = before
        .keys()
        .chain(after.keys())
        .filter(|name| before.get(*name) != after.get(*name))
        .collect();
    assert_eq!(moved, Vec::<&String>::new());
}

/// Waits until the operator has gone over Higress this often since it was started.
async fn passes(world: &World, number: u64) {
    let url = format!("{}/metrics", world.operator.as_ref().unwrap().health_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let look = async || {
        let answer = http
            .get(&url)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let lines = text.lines().filter(|line| {
            line.contains("_count{")
                && line.contains("controller=\"Higress\"")
                && line.contains("outcome=\"Converged\"")
        });
        let counted: u64 = lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum();
        if counted >= number {
            Ok(())
        } else {
            Err(format!("{counted} of {number} passes: {text}"))
        }
    };
    let waited = world.wait_until("the operator", "gone over Higress", LONG, look);
    waited.await.unwrap();
}

/// The older one's word counts, and the other one is told whose that is.
async fn two_that_contradict_each_other(world: &World) {
    let rival = example("binding")
        .replace("name: hello\n  namespace", "name: rival\n  namespace")
        .replace("requests: 2", "requests: 1000");
    world.apply(&rival).await.unwrap();
    let told = wait(world, &binding("rival"), says("Programmed", "Conflict")).await;
    let message = message(&told, "Programmed");
    assert!(
        message.contains("GatewayBinding default/hello is older"),
        "{message}"
    );
    let limits = ours(world).await["gatewaybinding-key-rate-limit-0"].clone();
    let config = &rules(&limits)[0]["config"]["limit_keys"][0];
    assert_eq!(config["query_per_minute"], 2);
    world.delete(&binding("rival")).await.unwrap();
    wait(world, &binding("rival"), Expect::gone()).await;
}

/// What somebody puts into a plugin of ours would put its rules out of force.
async fn what_others_change(world: &World, paths: &[String]) {
    let all = ours(world).await;
    let (name, _) = all
        .iter()
        .find(|(name, _)| name.contains("key-auth"))
        .unwrap();
    let mut object = all[name].clone();
    object.metadata = Default::default();
    let target = plugin(name);
    let patch = json!({"spec": {
        "pluginConfig": {"a": 1}, "failStrategy": "FAIL_OPEN", "matchRules": [], "defaultConfig": {"x": 1},
    }});
    world.patch(&target, &patch).await.unwrap();
    let spec = all[name].data["spec"].clone();
    ours_are(world, "as they were", |found| {
        found[name].data["spec"] == spec
    })
    .await;
    assert_eq!(statuses(world, paths).await, [401, 403, 200]);
}

fn plugin(name: &str) -> Target {
    let kind = kube::api::GroupVersionKind::gvk("extensions.higress.io", "v1alpha1", "WasmPlugin");
    let kind = kube::api::ApiResource::from_gvk_with_plural(&kind, "wasmplugins");
    Target::for_object(
        kind.clone(),
        &DynamicObject::new(name, &kind).within(SYSTEM),
    )
}

/// A key is replaced without a gap, and a rule whose consumers are gone lets in nobody.
async fn consumers_come_and_go(world: &World, old: &str) {
    let consumer = Target::of::<GatewayConsumer>(Some("default"), "consumer2");
    let credential = |name: &str, secret: &str| json!({"name": name, "type": "Generated", "kinds": ["APIKey"], "secretRef": {"name": secret}});
    let (first, next) = (
        credential("first", "consumer2-key"),
        credential("next", "consumer2-next"),
    );
    let both = json!({"spec": {"credentials": [first, next]}});
    world.patch(&consumer, &both).await.unwrap();
    let secret = Target::of::<Secret>(Some("default"), "consumer2-next");
    wait(world, &secret, Expect::exists()).await;
    let new = key(world, "consumer2-next").await;
    answers(world, &format!("/?apikey={new}"), 200).await;
    answers(world, &format!("/?apikey={old}"), 200).await;
    let patch = json!({"spec": {"credentials": [next]}});
    world.patch(&consumer, &patch).await.unwrap();
    answers(world, &format!("/?apikey={old}"), 403).await;
    answers(world, &format!("/?apikey={new}"), 200).await;

    world.delete(&consumer).await.unwrap();
    answers(world, &format!("/?apikey={new}"), 403).await;
    let lacking = wait(
        world,
        &binding("hello"),
        says("ResolvedRefs", "ConsumerNotFound"),
    )
    .await;
    assert!(message(&lacking, "ResolvedRefs").contains("GatewayConsumer default/consumer2"));
    answers(world, "/", 401).await;
}

/// A binding that is retained leaves its rules where nobody looks after them; returns the name of that object.
async fn leaves_its_rules(world: &World) -> String {
    let mut kept: Value = serde_json::from_str(&limited(1)).unwrap();
    kept["spec"]["deletionPolicy"] = json!("Retain");
    world.apply(&kept.to_string()).await.unwrap();
    let kept = binding("b1");
    wait(world, &kept, says("Programmed", "Programmed")).await;
    world.delete(&kept).await.unwrap();
    wait(world, &kept, Expect::gone()).await;
    let shared = &ours(world).await["gatewaybinding-key-rate-limit-0"];
    let routes = rules(shared)
        .iter()
        .filter_map(|rule| rule["ingress"][0].as_str());
    assert_eq!(routes.collect::<Vec<_>>(), ["default/hello"]);
    let all = plugins(world).await;
    let mut retained = all
        .into_iter()
        .filter(|(name, _)| name.starts_with("retained-"));
    let (name, object) = retained.next().unwrap();
    assert_eq!(rules(&object)[0]["ingress"][0], "default/s1");
    assert!(!object.labels().contains_key(crds::keys::MANAGED_BY));
    name
}

/// A binding with a limit for a service that need not be there yet.
fn limited(number: usize) -> String {
    json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": format!("b{number}"), "namespace": "default"},
        "spec": {
            "className": "higress",
            "serviceRef": {"kind": "KnativeService", "name": format!("s{number}")},
            "higress": {"throttling": {"limits": [{
                "name": "a", "scope": "Header", "header": "x-ca-key", "value": "123456", "requests": 2, "per": "Minute",
            }]}},
        },
    })
    .to_string()
}

#[tokio::test]
async fn a_fleet_shares_one_object_and_a_burst_is_one_write() {
    const FLEET: usize = 300;
    let world = world(false).await;
    install(&world).await;
    world.apply(&example("class")).await.unwrap();
    let applied = stream::iter(0..FLEET).map(|number| {
        let (world, manifest) = (&world, limited(number));
        async move { world.apply(&manifest).await.map(drop) }
    });
    let applied: Vec<_> = applied.buffer_unordered(16).collect().await;
    assert!(applied.iter().all(Result::is_ok), "{applied:?}");
    let whole = |found: &BTreeMap<String, DynamicObject>| {
        let mut objects = found.values();
        objects.next().is_some_and(|one| rules(one).len() == FLEET)
    };
    let found = ours_are(&world, "with all rules", whole).await;
    assert_eq!(found.len(), 1, "one object for one plugin");
    let (name, object) = found.iter().next().unwrap();
    let writes = object.metadata.generation.unwrap();
    assert!(writes <= 30, "{writes} writes for {FLEET} bindings");

    // A change of all rules at once is one write.
    let class = Target::of::<crds::GatewayBindingClass>(None, "higress");
    let version = json!({"spec": {"gateways": [{"name": "higress", "higress": {
        "namespace": SYSTEM, "adapter": "KIngress", "plugins": {"version": "1.0.1"},
    }}]}});
    world.patch(&class, &version).await.unwrap();
    let url = |found: &BTreeMap<String, DynamicObject>| {
        let url: &Value = &found[name].data["spec"]["url"];
        url.as_str().unwrap().ends_with(":1.0.1")
    };
    let found = ours_are(&world, "of the new version", url).await;
    assert_eq!(found[name].metadata.generation.unwrap(), writes + 1);
    with_a_load_balancer_in_front(&world, FLEET).await;
    world.stop().await.unwrap();
}

/// Higress behind a load balancer of the operator's: both are looked after, and both go.
async fn with_a_load_balancer_in_front(world: &World, fleet: usize) {
    let class = "
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: both}
spec:
  cloud: {accountId: \"1234567890123456\", regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  gateways:
  - name: both
    higress: {namespace: higress-system, adapter: KIngress}
    slb: {service: {namespace: higress-system, name: higress-gateway}, settings: {addressType: Intranet}}
";
    world.apply(class).await.unwrap();
    let mut both: Value = serde_json::from_str(&limited(fleet)).unwrap();
    both["spec"]["className"] = json!("both");
    both["spec"]["gateway"] = json!("both");
    world.apply(&both.to_string()).await.unwrap();
    let both = binding(&format!("b{fleet}"));
    let claims = |wanted: &'static [&'static str]| {
        Expect::that(
            format!("claims {wanted:?}"),
            move |object: &DynamicObject| {
                let ledger = object.data["status"]["ledger"].as_array();
                let kinds = ledger
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| entry["kind"].as_str());
                let kinds: Vec<&str> = kinds.collect();
                if kinds == wanted {
                    Ok(())
                } else {
                    Err(format!("{kinds:?}"))
                }
            },
        )
    };
    wait(world, &both, claims(&["HigressRules", "Service"])).await;
    let count = |number: usize| {
        move |found: &BTreeMap<String, DynamicObject>| {
            found
                .values()
                .next()
                .is_some_and(|one| rules(one).len() == number)
        }
    };
    ours_are(world, "with one rule more", count(fleet + 1)).await;
    let without = json!({"spec": {"higress": null}});
    world.patch(&both, &without).await.unwrap();
    wait(world, &both, claims(&["Service"])).await;
    ours_are(world, "without it", count(fleet)).await;
    world.delete(&both).await.unwrap();
    wait(world, &both, Expect::gone()).await;
}
