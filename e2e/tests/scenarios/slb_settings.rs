//! Every setting of a load balancer: given, changed, disputed and taken back. What counts is what the
//! load balancer is afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use alicloud_emulator::slb::{AccessControlList, ServerCertificate};
use e2e::world::{Expect, World, WorldOptions};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use serde_json::{Value, json};

use super::exposed::{binding, class, condition, gone, now, ready};
use super::slb_drift::put_back;
use super::slb_elastic::the_elastic_address_is_published;
use super::slb_settings_rows::{
    OWN_ADDRESS, OWN_NAME, Row, listeners, look, nodes, rows, settings,
};

/// For what takes the operator and the cloud controller manager several rounds.
pub(super) const LONG: Duration = Duration::from_secs(120);

/// A gateway's Service that was there before.
const FRONT: &str = r#"
apiVersion: v1
kind: Service
metadata:
  name: front
  namespace: istio-system
  annotations:
    service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type: intranet
    service.beta.kubernetes.io/alicloud-loadbalancer-established-timeout: "333"
spec:
  type: LoadBalancer
  selector: {app: istio-ingressgateway, istio: ingressgateway}
  ports:
  - {name: http, port: 80, protocol: TCP, targetPort: 80}
  - {name: tcp, port: 81, protocol: TCP, targetPort: 80}
  - {name: https, port: 443, protocol: TCP, targetPort: 80}
  - {name: more, port: 8080, protocol: TCP, targetPort: 80}
  - {name: dns, port: 53, protocol: UDP, targetPort: 53}
"#;

const CLASS: &str = r#"
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: front}
spec:
  cloud: {regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  gateways:
  - name: front
    slb:
      service: {namespace: istio-system, name: front}
      settings: {addressType: Intranet}
      bindingsMaySet: ["*"]
"#;

pub(super) fn manifest(class: &str, name: &str, slb: &Value) -> String {
    let manifest = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "className": class, "gateway": class,
            "serviceRef": {"kind": "KnativeService", "name": "hello"}, "slb": slb,
        },
    });
    manifest.to_string()
}

/// Certificates and access control lists are nothing that the operator makes.
fn furnish(world: &World) {
    let furnished = world.cloud.change(|world| {
        for id in ["cert-1", "cert-2"] {
            let certificate = ServerCertificate {
                id: id.to_owned(),
                name: id.to_owned(),
                common_name: "*.example.com".to_owned(),
                created: Timestamp::UNIX_EPOCH,
                expires: Timestamp::MAX,
            };
            world
                .slb
                .server_certificates
                .insert(id.to_owned(), certificate);
        }
        for id in ["acl-1", "acl-2"] {
            let list = AccessControlList {
                id: id.to_owned(),
                name: id.to_owned(),
                ip_version: "ipv4".to_owned(),
                entries: [("10.0.0.0/8".to_owned(), String::new())].into(),
                created: Timestamp::UNIX_EPOCH,
            };
            world.slb.access_control_lists.insert(id.to_owned(), list);
        }
    });
    assert!(furnished);
}

/// Id, own name and address of the Service's load balancer.
pub(super) struct Balancer {
    pub(super) id: String,
    own_name: String,
    address: String,
}

pub(super) async fn service(world: &World, name: &str) -> Service {
    let services = Api::<Service>::namespaced(world.client(), "istio-system");
    services.get(name).await.unwrap()
}

fn published(service: &Service) -> String {
    let service = serde_json::to_value(service).unwrap();
    let ingress = &service["status"]["loadBalancer"]["ingress"][0];
    let text = ingress["hostname"].as_str().or(ingress["ip"].as_str());
    text.unwrap_or_default().to_owned()
}

impl Balancer {
    async fn of(world: &World, name: &str) -> Self {
        let service = service(world, name).await;
        let uid = service.metadata.uid.clone().unwrap().replace('-', "");
        let labels = service.metadata.labels.clone().unwrap_or_default();
        let id = labels["service.k8s.alibaba/loadbalancer-id"].clone();
        let state = world.cloud.state().await.unwrap();
        let address = look(&state["slb"], &id, "", "address");
        Self {
            id,
            own_name: format!("a{uid}").chars().take(32).collect(),
            address,
        }
    }

    /// Waits until it shows all that rows expect at one of the three times.
    pub(super) async fn shows(&self, world: &World, service_name: &str, rows: &[Row], time: usize) {
        let seen = async || {
            let slb = world.cloud.state().await.map_err(|e| e.to_string())?["slb"].take();
            let published = published(&service(world, service_name).await);
            let places = rows.iter().flat_map(|row| row.seen);
            as_wanted(places.map(|(place, values)| {
                let wanted = match values[time] {
                    OWN_NAME => &self.own_name,
                    OWN_ADDRESS => &self.address,
                    value => value,
                };
                let found = look(&slb, &self.id, &published, place);
                (*place, found, wanted)
            }))
        };
        let expected = ["as first given", "as changed", "as before"][time];
        world
            .wait_until("the load balancer", expected, LONG, seen)
            .await
            .unwrap();
    }
}

/// Says which places show something else than what is wanted, if any do.
pub(super) fn as_wanted<'a>(
    places: impl Iterator<Item = (&'a str, String, &'a str)>,
) -> Result<(), String> {
    let wrong: Vec<String> = places
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(place, found, wanted)| format!("{place} is {found}, not {wanted}"))
        .collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("; ")),
    }
}

pub(super) async fn told(world: &World, name: &str, reason: &str) -> String {
    let expected = Expect::condition_with_reason("Programmed", "False", reason);
    let target = binding("default", name);
    let told = world.wait_for(&target, &expected, LONG).await.unwrap();
    condition(&told, "Programmed").unwrap().2
}

#[tokio::test]
async fn every_setting_is_given_changed_disputed_and_taken_back() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    furnish(&world);
    super::helloworld(&world, "default", "hello", "").await;
    nodes(&world).await;
    world.apply(FRONT).await.unwrap();
    world.apply(CLASS).await.unwrap();
    let (rows, listeners) = (rows(), listeners());
    let all = || rows.iter().chain(&listeners);
    let first = settings(all(), |row| &row.first);
    let then = settings(all(), |row| &row.then);

    world
        .apply(&manifest("front", "one", &first))
        .await
        .unwrap();
    ready(&world, &binding("default", "one")).await;
    let balancer = Balancer::of(&world, "front").await;
    balancer.shows(&world, "front", &rows, 0).await;
    balancer.shows(&world, "front", &listeners, 0).await;

    world.apply(&manifest("front", "one", &then)).await.unwrap();
    balancer.shows(&world, "front", &rows, 1).await;
    balancer.shows(&world, "front", &listeners, 1).await;
    ready(&world, &binding("default", "one")).await;

    another_certificate(&world, &balancer, &then).await;

    // Another one wants the first values, a third one what cannot be: neither moves anything. Who may
    // connect is not decided by who came first, so of that it asks for less until it is alone.
    let mut looser = first.clone();
    looser["clientAddresses"] = json!({"denyACLs": ["acl-2"]});
    world
        .apply(&manifest("front", "two", &looser))
        .await
        .unwrap();
    told(&world, "two", "Conflict").await;
    disputed(&world, "two", all().map(|row| row.field)).await;
    let zones = json!({"zones": {"primary": "cn-beijing-x"}});
    world
        .apply(&manifest("front", "poisoned", &zones))
        .await
        .unwrap();
    let message = told(&world, "poisoned", "Immutable").await;
    assert!(message.contains("slb.zones.primary"), "{message}");
    ready(&world, &binding("default", "one")).await;
    balancer.shows(&world, "front", &rows, 1).await;

    // The one that holds them goes, and the other one gets them, in spite of the third.
    world.delete(&binding("default", "one")).await.unwrap();
    gone(&world, &binding("default", "one")).await;
    world
        .apply(&manifest("front", "two", &first))
        .await
        .unwrap();
    balancer.shows(&world, "front", &rows, 0).await;
    ready(&world, &binding("default", "two")).await;
    put_back(&world, &balancer, &rows).await;

    let only_listeners = settings(&listeners, |row| &row.first);
    world
        .apply(&manifest("front", "two", &only_listeners))
        .await
        .unwrap();
    balancer.shows(&world, "front", &rows, 2).await;
    balancer.shows(&world, "front", &listeners, 0).await;

    for name in ["two", "poisoned"] {
        world.delete(&binding("default", name)).await.unwrap();
        gone(&world, &binding("default", name)).await;
    }
    balancer.shows(&world, "front", &listeners, 2).await;
}

/// Another certificate is given to the listener that is there.
async fn another_certificate(world: &World, balancer: &Balancer, settings: &Value) {
    world.cloud.reset_calls().await.unwrap();
    let mut other = settings.clone();
    other["certificate"]["id"] = json!("cert-1");
    world
        .apply(&manifest("front", "one", &other))
        .await
        .unwrap();
    let row = Row {
        field: "certificate",
        first: Value::Null,
        then: Value::Null,
        seen: &[("443 ServerCertificateId", ["cert-1", "", ""])],
    };
    balancer.shows(world, "front", &[row], 0).await;
    let calls = world.cloud.calls().await.unwrap();
    let deleted = calls
        .iter()
        .find(|call| call.action == "DeleteLoadBalancerListener");
    assert!(deleted.is_none(), "{deleted:?}");
    world
        .apply(&manifest("front", "one", settings))
        .await
        .unwrap();
    ready(world, &binding("default", "one")).await;
}

/// Waits until a binding is told that others hold these fields.
async fn disputed(world: &World, name: &str, fields: impl Iterator<Item = &'static str>) {
    let fields: BTreeSet<String> = fields.map(|field| format!("slb.{field}")).collect();
    let look = async || {
        let status = now(world, &binding("default", name)).await.data["status"].take();
        let conflicts = status["conflicts"].as_array().cloned().unwrap_or_default();
        let shown = conflicts.len();
        let omitted = status["conflictsOmitted"].as_u64().unwrap_or_default();
        let known = conflicts.iter().all(|conflict| {
            let field = conflict["field"].as_str().unwrap_or_default();
            fields.contains(field) && conflict["heldBy"]["name"] == "one"
        });
        let number = u64::try_from(shown).unwrap_or_default() + omitted;
        match known && number == fields.len() as u64 {
            true => Ok(()),
            false => Err(status["conflicts"].to_string()),
        }
    };
    world
        .wait_until(name, "told of every field", LONG, look)
        .await
        .unwrap();
}

const MADE: &str = r#"
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: made}
spec:
  cloud: {regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  gateways:
  - name: made
    slb:
      service:
        namespace: istio-system
        name: made
        createFrom:
          name: istio-ingressgateway
          ports: [80, 443]
          externalTrafficPolicy: Local
          sessionAffinity: ClientIP
      bindingsMaySet: ["*"]
"#;

pub(super) fn made_rows() -> Vec<Row> {
    vec![
        Row {
            field: "billing",
            first: json!({
                "instance": "PayBySpec", "spec": "slb.s2.small",
                "traffic": "PayByBandwidth", "bandwidthMbps": 5,
            }),
            then: json!({"instance": "PayBySpec", "spec": "slb.s2.medium", "traffic": "PayByTraffic"}),
            seen: &[
                (
                    "instanceChargeType",
                    ["PayBySpec", "PayBySpec", "PayBySpec"],
                ),
                ("spec", ["slb.s2.small", "slb.s2.medium", "slb.s2.medium"]),
                (
                    "internetChargeType",
                    ["paybybandwidth", "paybytraffic", "paybytraffic"],
                ),
            ],
        },
        Row {
            field: "scheduler",
            first: json!("SourceHash"),
            then: json!("TupleHash"),
            seen: &[("80 Scheduler", ["sch", "tch", "rr"])],
        },
        Row {
            field: "addressType",
            first: json!("Internet"),
            then: json!("Internet"),
            seen: &[("addressType", ["internet", "internet", "internet"])],
        },
        Row {
            field: "zones",
            first: json!({"primary": "cn-beijing-g", "backup": "cn-beijing-f"}),
            then: json!({"primary": "cn-beijing-g"}),
            seen: &[
                (
                    "masterZoneId",
                    ["cn-beijing-g", "cn-beijing-g", "cn-beijing-g"],
                ),
                (
                    "slaveZoneId",
                    ["cn-beijing-f", "cn-beijing-f", "cn-beijing-f"],
                ),
            ],
        },
        Row {
            field: "onDelete",
            first: json!("Delete"),
            then: json!("Preserve"),
            seen: &[],
        },
    ]
}

#[tokio::test]
async fn what_a_load_balancer_is_made_with_and_what_is_left_of_it() {
    let options = WorldOptions {
        sells_pay_by_spec: true,
        ..WorldOptions::default()
    };
    let world = World::start(options).await.unwrap();
    furnish(&world);
    super::helloworld(&world, "default", "hello", "").await;
    the_elastic_address_is_published(&world).await;
    world.apply(MADE).await.unwrap();
    let rows = made_rows();
    let first = settings(&rows, |row| &row.first);
    world.apply(&manifest("made", "one", &first)).await.unwrap();
    let target = binding("default", "one");
    ready(&world, &target).await;
    let spec = service(&world, "made").await.spec.unwrap();
    let ports: Vec<i32> = spec.ports.iter().flatten().map(|port| port.port).collect();
    assert_eq!(ports, [80, 443], "of the four that the other one has");
    assert_eq!(spec.external_traffic_policy.as_deref(), Some("Local"));
    assert_eq!(spec.session_affinity.as_deref(), Some("ClientIP"));
    let balancer = Balancer::of(&world, "made").await;
    balancer.shows(&world, "made", &rows, 0).await;

    for (field, value) in [
        ("addressType", json!("Intranet")),
        ("zones", json!({"primary": "cn-beijing-f"})),
        ("ipVersion", json!("IPv6")),
        ("resourceGroupId", json!("rg-other")),
    ] {
        let mut other = first.clone();
        other[field] = value;
        // An address from a bandwidth is Internet's alone, and would be refused before.
        other["billing"] = json!({"instance": "PayBySpec", "spec": "slb.s2.small"});
        world.apply(&manifest("made", "one", &other)).await.unwrap();
        let message = told(&world, "one", "Immutable").await;
        assert!(message.contains(&format!("slb.{field}")), "{message}");
        assert!(
            message.contains("delete the gateway's Service"),
            "{message}"
        );
        balancer.shows(&world, "made", &rows, 0).await;
    }

    let then = settings(&rows, |row| &row.then);
    world.apply(&manifest("made", "one", &then)).await.unwrap();
    balancer.shows(&world, "made", &rows, 1).await;
    ready(&world, &target).await;

    // The Service is the operator's own, and goes with its last user; its load balancer is left bare.
    world.delete(&target).await.unwrap();
    gone(&world, &target).await;
    world.delete(&class("made")).await.unwrap();
    gone(&world, &class("made")).await;
    let look = async || {
        let state = world.cloud.state().await.map_err(|e| e.to_string())?;
        let balancer = &state["slb"]["loadBalancers"][&balancer.id]["value"];
        let bare = balancer["listeners"] == json!([]) && balancer["deleteProtection"] == false;
        let mine = balancer["tags"]
            .as_object()
            .is_some_and(serde_json::Map::is_empty);
        match bare && mine {
            true => Ok(()),
            false => Err(balancer.to_string()),
        }
    };
    world
        .wait_until("the load balancer", "empty, and there", LONG, look)
        .await
        .unwrap();
}
