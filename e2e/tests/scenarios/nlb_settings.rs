//! Every setting of a network load balancer: given, changed, disputed and taken back. What counts is
//! what the load balancer is afterwards.

use alicloud_emulator::vpc::Eip;
use e2e::world::{Expect, World, WorldOptions};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::exposed::{binding, condition, now};
use super::nlb::{LONG, binding_of, class_of, gone, key, ready, told};
use super::nlb_settings_rows::{
    EIP, OWN_NAME, Seen, Table, is_of_listeners, listener, look, most, only, rest,
};
use super::slb_settings::{as_wanted, service};
use super::slb_settings_rows::nodes;

/// A gateway's Service that was there before.
const FRONT: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: front, namespace: istio-system}
spec:
  type: LoadBalancer
  loadBalancerClass: alibabacloud.com/nlb
  selector: {app: istio-ingressgateway, istio: ingressgateway}
  ports:
  - {name: http, port: 80, protocol: TCP, targetPort: 80}
  - {name: tcp, port: 81, protocol: TCP, targetPort: 80}
  - {name: tls, port: 443, protocol: TCP, targetPort: 80}
  - {name: dns, port: 53, protocol: UDP, targetPort: 53}
"#;

/// The zones, each with its vswitch.
struct Zones(Vec<Value>);

impl Zones {
    async fn of(world: &World) -> Self {
        let state = world.cloud.state().await.unwrap();
        let vswitches = state["vpc"]["vswitches"].as_object().unwrap().values();
        let zones = vswitches.map(|one| json!({"zoneId": one["zoneId"], "vswitchId": one["id"]}));
        Self(zones.collect())
    }

    fn zone(&self, letter: &str) -> Value {
        let mut zones = self.0.iter();
        let is = |zone: &&Value| zone["zoneId"].as_str().unwrap().ends_with(letter);
        zones.find(is).unwrap().clone()
    }
}

/// Elastic addresses are nothing that the operator makes.
fn furnish(world: &World) {
    let furnished = world.cloud.change(|world| {
        let eip = Eip {
            allocation_id: EIP.to_owned(),
            address: "203.0.113.77".to_owned(),
            name: String::new(),
            instance_id: None,
            created: Timestamp::UNIX_EPOCH,
        };
        world.vpc.eips.insert(EIP.to_owned(), eip);
    });
    assert!(furnished);
}

/// The load balancer of the Service: its id, and the name that it has by itself.
struct Balancer {
    id: String,
    own_name: String,
}

impl Balancer {
    async fn of(world: &World) -> Self {
        let service = service(world, "front").await;
        let uid = service.metadata.uid.unwrap().replace('-', "");
        let labels = service.metadata.labels.unwrap_or_default();
        Self {
            id: labels["service.k8s.alibaba/loadbalancer-id"].clone(),
            own_name: format!("a{uid}").chars().take(32).collect(),
        }
    }

    /// Waits until it shows all that rows expect at one of the three times.
    async fn shows(&self, world: &World, rows: impl Iterator<Item = &Seen> + Clone, time: usize) {
        let seen = async || {
            let nlb = world.cloud.state().await.map_err(|e| e.to_string())?["nlb"].take();
            as_wanted(rows.clone().map(|(_, place, values)| {
                let wanted = match values[time] {
                    OWN_NAME => &self.own_name,
                    value => value,
                };
                (*place, look(&nlb, &self.id, place), wanted)
            }))
        };
        let expected = ["as first given", "as changed", "as before"][time];
        let waited = world.wait_until("the load balancer", expected, LONG, seen);
        waited.await.unwrap();
    }
}

async fn apply(world: &World, name: &str, nlb: &Value) {
    let manifest = binding_of("front", (name, "hello"), nlb);
    world.apply(&manifest).await.unwrap();
}

async fn delete(world: &World, name: &str) {
    let target = binding("default", name);
    world.delete(&target).await.unwrap();
    gone(world, &target).await;
}

#[tokio::test]
async fn every_setting_is_given_changed_disputed_and_taken_back() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    furnish(&world);
    super::helloworld(&world, "default", "hello", "").await;
    nodes(&world).await;
    world.apply(FRONT).await.unwrap();
    let zones = Zones::of(&world).await;
    let zone = |letter: &str| zones.zone(letter);
    let gateway = json!({
        "service": {"namespace": "istio-system", "name": "front"},
        "settings": {
            "addressType": "Internet", "ipVersion": "DualStack", "zoneMappings": [zone("f"), zone("g")],
        },
        "bindingsMaySet": ["*"],
    });
    world.apply(&class_of("front", &gateway)).await.unwrap();

    let table = most(zone);
    apply(&world, "one", &table.first).await;
    ready(&world, "one").await;
    let balancer = Balancer::of(&world).await;
    let rows = || table.seen.iter();
    balancer.shows(&world, rows(), 0).await;
    let before = id_of_the_listener(&world, &balancer).await;

    apply(&world, "one", &table.then).await;
    balancer.shows(&world, rows(), 1).await;
    ready(&world, "one").await;
    let after = id_of_the_listener(&world, &balancer).await;
    assert_eq!(before, after, "another certificate makes no new listener");

    disputed(&world, &table).await;
    refused(&world).await;
    annotated_by_hand(&world, &balancer).await;
    ready(&world, "one").await;
    balancer.shows(&world, rows(), 1).await;

    // The one that holds them goes, and the other one gets them.
    delete(&world, "one").await;
    balancer.shows(&world, rows(), 0).await;
    ready(&world, "two").await;

    let mut kept = only(&table.first, &["listeners", "certificate"]);
    kept["backends"] = json!({"type": "Nodes"});
    apply(&world, "two", &kept).await;
    let others = rows().filter(|row| !is_of_listeners(row));
    balancer.shows(&world, others, 2).await;
    let listeners = rows().filter(|row| is_of_listeners(row));
    balancer.shows(&world, listeners.clone(), 0).await;
    delete(&world, "two").await;
    balancer.shows(&world, listeners, 2).await;

    what_goes_with_none_of_these(&world, &balancer).await;
}

/// The same with settings that would not go together with those before.
async fn what_goes_with_none_of_these(world: &World, balancer: &Balancer) {
    let table = rest();
    let rows = || table.seen.iter();
    apply(world, "one", &table.first).await;
    balancer.shows(world, rows(), 0).await;
    apply(world, "one", &table.then).await;
    balancer.shows(world, rows(), 1).await;
    ready(world, "one").await;
    disputed(world, &table).await;
    balancer.shows(world, rows(), 1).await;
    delete(world, "one").await;
    balancer.shows(world, rows(), 0).await;
    // What the class says comes back as long as somebody uses it.
    apply(world, "two", &json!({})).await;
    balancer.shows(world, rows(), 2).await;
    delete(world, "two").await;
}

async fn id_of_the_listener(world: &World, balancer: &Balancer) -> Value {
    let state = world.cloud.state().await.unwrap();
    let listener = listener(&state["nlb"], &balancer.id, "443");
    assert_ne!(listener["id"], Value::Null);
    listener["id"].clone()
}

/// Another binding wants the first values: it is told of each field that the first one has it.
async fn disputed(world: &World, table: &Table) {
    apply(world, "two", &table.first).await;
    let fields = table.first.as_object().unwrap();
    let look = async || {
        let status = now(world, &binding("default", "two")).await.data["status"].take();
        let conflicts = status["conflicts"].as_array().cloned().unwrap_or_default();
        let shown = conflicts.len() as u64;
        let omitted = status["conflictsOmitted"].as_u64().unwrap_or_default();
        let known = conflicts.iter().all(|conflict| {
            let field = conflict["field"].as_str().unwrap_or_default();
            let field = field.strip_prefix("nlb.").unwrap_or_default();
            fields.contains_key(field) && conflict["heldBy"]["name"] == "one"
        });
        match known && shown + omitted == fields.len() as u64 {
            true => Ok(()),
            false => Err(status["conflicts"].to_string()),
        }
    };
    let waited = world.wait_until("two", "told of every field", LONG, look);
    waited.await.unwrap();
    let expected = Expect::condition_with_reason("Programmed", "False", "Conflict");
    let target = binding("default", "two");
    world.wait_for(&target, &expected, LONG).await.unwrap();
}

/// What is fixed once the load balancer exists is wanted by a third one, and moves nothing.
async fn refused(world: &World) {
    for (field, value) in [
        ("ipVersion", json!("IPv4")),
        ("resourceGroupId", json!("rg-other")),
        (
            "existing",
            json!({"id": "nlb-other", "instance": "Manage", "listeners": "Override"}),
        ),
    ] {
        apply(world, "poisoned", &json!({ field: value })).await;
        let expected = Expect::that("refused", move |object| {
            let (_, reason, message) = condition(object, "Programmed").unwrap_or_default();
            let is = reason == "Immutable" && message.contains(&format!("nlb.{field}"));
            is.then_some(())
                .ok_or_else(|| format!("{reason}: {message}"))
        });
        let target = binding("default", "poisoned");
        world.wait_for(&target, &expected, LONG).await.unwrap();
    }
    delete(world, "poisoned").await;
}

/// Somebody annotates the Service, which is not the operator's own: that counts, the binding says whose it
/// is, and what the binding wants comes back when it is given up.
async fn annotated_by_hand(world: &World, balancer: &Balancer) {
    let annotate = async |edit: String| {
        let front = [
            "-n",
            "istio-system",
            "annotate",
            "--overwrite",
            "service",
            "front",
        ];
        let args: Vec<&str> = front.into_iter().chain([edit.as_str()]).collect();
        world.kubectl(&args).await.unwrap();
    };
    annotate(format!("{}=7", key("cps"))).await;
    let message = told(world, "one", "Programmed", "ForeignField").await;
    for word in ["cps", "kubectl-annotate", "istio-system/front"] {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let row: Seen = ("maxConnectionsPerSecond", "443 Cps", ["7", "200", ""]);
    balancer.shows(world, [row].iter(), 0).await;
    annotate(format!("{}-", key("cps"))).await;
    balancer.shows(world, [row].iter(), 1).await;
}
