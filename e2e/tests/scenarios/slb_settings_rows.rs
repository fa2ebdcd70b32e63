//! Settings of a load balancer, and what becomes of it by them.

use e2e::world::World;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

/// One setting, with two values.
pub(super) struct Row {
    pub(super) field: &'static str,
    pub(super) first: Value,
    pub(super) then: Value,
    /// Where it shows on the load balancer, and as what: with the first value, with the second one, and
    /// when nobody gives it any more.
    pub(super) seen: &'static [(&'static str, [&'static str; 3])],
}

/// Nodes beside that of the gateway.
const NODES: &str = "
apiVersion: v1
kind: Node
metadata: {name: plain}
spec: {providerID: cn-beijing.i-plain}
---
apiVersion: v1
kind: Node
metadata: {name: pooled, labels: {pool: ingress}}
spec: {providerID: cn-beijing.i-pooled}
---
apiVersion: v1
kind: Node
metadata: {name: cordoned, labels: {pool: ingress}}
spec: {providerID: cn-beijing.i-cordoned, unschedulable: true}
";

/// Makes the Nodes. The cloud controller manager sends to none that says nothing of its state.
pub(super) async fn nodes(world: &World) {
    world.apply(NODES).await.unwrap();
    let api = Api::<Node>::all(world.client());
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    for name in ["plain", "pooled", "cordoned"] {
        let (params, patch) = (PatchParams::default(), Patch::Merge(&ready));
        api.patch_status(name, &params, &patch).await.unwrap();
    }
}

/// The name that the cloud controller manager gives by itself.
pub(super) const OWN_NAME: &str = "(own)";
/// The load balancer's own address.
pub(super) const OWN_ADDRESS: &str = "(address)";

const fn row(
    field: &'static str,
    first: Value,
    then: Value,
    seen: &'static [(&'static str, [&'static str; 3])],
) -> Row {
    Row {
        field,
        first,
        then,
        seen,
    }
}

/// Settings of the load balancer itself, and of what the Service publishes.
fn of_the_load_balancer() -> Vec<Row> {
    vec![
        row(
            "name",
            json!("first"),
            json!("second"),
            &[("name", ["first", "second", OWN_NAME])],
        ),
        // Tags stay when nobody gives any: the cloud controller manager takes the last ones from none.
        row(
            "tags",
            json!({"team": "shop", "tier": ""}),
            json!({"team": "cart"}),
            &[
                ("tag team", ["shop", "cart", "shop"]),
                ("tag owner", ["none", "none", "none"]),
            ],
        ),
        row(
            "protection",
            json!({"deletion": "Disabled", "modification": "Disabled"}),
            json!({"deletion": "Enabled"}),
            &[
                ("deleteProtection", ["false", "true", "true"]),
                (
                    "modificationProtection",
                    ["NonProtection", "ConsoleProtection", "ConsoleProtection"],
                ),
            ],
        ),
        row(
            "publishedHostname",
            json!("a.example.com"),
            json!("b.example.com"),
            &[("published", ["a.example.com", "b.example.com", OWN_ADDRESS])],
        ),
        row(
            "backends",
            json!({
                "type": "Nodes", "nodeLabels": {"pool": "ingress"}, "cordonedNodes": "Remove",
                "weight": 50,
            }),
            json!({"type": "Nodes", "weight": 20, "consoleWeights": "Keep"}),
            &[
                ("server i-plain", ["none", "20", "none"]),
                ("server i-cordoned", ["none", "20", "none"]),
                // What it was: whoever set it.
                ("server i-pooled", ["50", "50", "none"]),
                ("server eni", ["none", "none", "100"]),
            ],
        ),
    ]
}

/// Settings of listeners: port 81 speaks TCP, 53 UDP, 8080 HTTP and 443 HTTPS.
fn of_listeners() -> Vec<Row> {
    vec![
        row(
            "tlsPolicy",
            json!("tls_cipher_policy_1_1"),
            json!("tls_cipher_policy_1_2_strict"),
            &[(
                "443 TLSCipherPolicy",
                [
                    "tls_cipher_policy_1_1",
                    "tls_cipher_policy_1_2_strict",
                    "tls_cipher_policy_1_0",
                ],
            )],
        ),
        row(
            "http2",
            json!("Enabled"),
            json!("Disabled"),
            &[("443 EnableHttp2", ["on", "off", "on"])],
        ),
        row(
            "proxyProtocol",
            json!("Disabled"),
            json!("Enabled"),
            &[("81 ProxyProtocolV2Enabled", ["false", "true", "false"])],
        ),
        row(
            "forwardedHeaders",
            json!(["Protocol"]),
            json!(["ListenerPort", "ClientPort"]),
            &[
                ("443 XForwardedFor_proto", ["on", "off", "off"]),
                ("443 XForwardedFor_SLBPORT", ["off", "on", "off"]),
                ("443 XForwardedFor_ClientSrcPort", ["off", "on", "off"]),
            ],
        ),
        row(
            "scheduler",
            json!("RoundRobin"),
            json!("WeightedRoundRobin"),
            &[
                ("81 Scheduler", ["rr", "wrr", "rr"]),
                ("443 Scheduler", ["rr", "wrr", "rr"]),
            ],
        ),
        row(
            "sessionPersistence",
            json!({"sourceAddress": "5m", "insertedCookie": {"timeout": "1h"}}),
            json!({"serverCookie": {"name": "JSESSIONID"}}),
            &[
                ("81 PersistenceTimeout", ["300", "0", "0"]),
                ("443 StickySession", ["on", "on", "off"]),
                ("443 StickySessionType", ["insert", "server", "insert"]),
                ("443 CookieTimeout", ["3600", "3600", "3600"]),
            ],
        ),
        row(
            "connectionDrain",
            json!({"timeout": "30s"}),
            json!({"timeout": "1m"}),
            &[
                ("53 ConnectionDrain", ["on", "on", "off"]),
                ("53 ConnectionDrainTimeout", ["30", "60", "30"]),
            ],
        ),
        row(
            "timeouts",
            json!({"established": "10m", "idle": "20s", "request": "1m30s"}),
            json!({"idle": "30s"}),
            &[
                // An older key of the Service says 333.
                ("81 EstablishedTimeout", ["600", "900", "333"]),
                ("443 IdleTimeout", ["20", "30", "15"]),
                ("443 RequestTimeout", ["90", "60", "60"]),
            ],
        ),
        row(
            "clientAddresses",
            json!({"allowACLs": ["acl-1"]}),
            json!({"denyACLs": ["acl-1", "acl-2"]}),
            &[
                ("443 AclStatus", ["on", "on", "off"]),
                ("443 AclType", ["white", "black", "white"]),
                ("443 AclId", ["acl-1", "acl-1,acl-2", "acl-1"]),
            ],
        ),
        row(
            "healthCheck",
            json!({
                "type": "HTTP", "path": "/healthz", "host": "a.example.com", "method": "GET",
                "statusCodes": ["2xx", "3xx"], "port": 8080, "interval": "5s", "timeout": "6s",
                "healthyThreshold": 4, "unhealthyThreshold": 2,
            }),
            json!({"type": "TCP", "interval": "3s"}),
            &[
                ("81 HealthCheckType", ["http", "tcp", "tcp"]),
                ("443 HealthCheck", ["on", "off", "off"]),
                ("443 HealthCheckURI", ["/healthz", "/healthz", "/healthz"]),
                ("443 HealthCheckDomain", ["a.example.com", "$_ip", "$_ip"]),
                ("443 HealthCheckMethod", ["get", "head", "head"]),
                (
                    "443 HealthCheckHttpCode",
                    ["http_2xx,http_3xx", "http_2xx", "http_2xx"],
                ),
                ("443 HealthCheckConnectPort", ["8080", "-520", "-520"]),
                ("443 HealthCheckInterval", ["5", "3", "2"]),
                ("443 HealthCheckTimeout", ["6", "5", "5"]),
                ("53 HealthCheckConnectTimeout", ["6", "5", "5"]),
                ("443 HealthyThreshold", ["4", "3", "3"]),
                ("443 UnhealthyThreshold", ["2", "3", "3"]),
            ],
        ),
    ]
}

/// What the listeners are: taken back last, since the others show on them.
pub(super) fn listeners() -> Vec<Row> {
    let https = json!({"port": 443, "protocol": "HTTPS"});
    vec![
        row(
            "listeners",
            json!([
                https,
                {"port": 80, "protocol": "HTTP", "redirectTo": 443},
                {"port": 8080, "protocol": "HTTP"},
            ]),
            json!([https, {"port": 80, "protocol": "HTTP"}, {"port": 8080, "protocol": "HTTP"}]),
            &[
                ("80 protocol", ["http", "http", "tcp"]),
                ("80 ListenerForward", ["on", "off", "none"]),
                ("443 protocol", ["https", "https", "tcp"]),
                ("81 protocol", ["tcp", "tcp", "tcp"]),
                ("53 protocol", ["udp", "udp", "udp"]),
            ],
        ),
        row(
            "certificate",
            json!({"id": "cert-1", "hosts": [{"host": "a.example.com", "id": "cert-2"}]}),
            json!({"id": "cert-2", "hosts": [{"host": "*.example.com", "id": "cert-1"}]}),
            &[
                ("443 ServerCertificateId", ["cert-1", "cert-2", "none"]),
                ("domain a.example.com", ["cert-2", "none", "none"]),
                ("domain *.example.com", ["none", "cert-1", "none"]),
            ],
        ),
    ]
}

/// All settings that can be changed and taken back while the listeners stay.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = of_the_load_balancer();
    rows.extend(of_listeners());
    rows
}

/// The settings of rows, each with the value that is picked.
pub(super) fn settings<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    pick: impl Fn(&'a Row) -> &'a Value,
) -> Value {
    let pairs = rows
        .into_iter()
        .map(|row| (row.field.to_owned(), pick(row).clone()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// What a place of a load balancer shows, or "none". `published` is what its Service publishes.
pub(super) fn look(slb: &Value, id: &str, published: &str, place: &str) -> String {
    let balancer = &slb["loadBalancers"][id]["value"];
    let found = match place.split_once(' ') {
        None if place == "published" => &Value::from(published),
        None => &balancer[place],
        Some(("tag", key)) => &balancer["tags"][key],
        // The weight of one behind port 8080, by its id or its kind.
        Some(("server", id)) => {
            let group = listener(balancer, "8080")["serverGroupId"].as_str();
            let group = &slb["serverGroups"][group.unwrap_or_default()];
            let mut servers = group["backends"].as_array().into_iter().flatten();
            let is = |server: &&Value| server["serverId"] == id || server["kind"] == id;
            servers
                .find(is)
                .map_or(&Value::Null, |found| &found["weight"])
        }
        Some(("domain", host)) => {
            let listener = listener(balancer, "443");
            let extensions = listener["domainExtensions"].as_object();
            let mut extensions = extensions.into_iter().flatten();
            let found = extensions.find(|(_, extension)| extension["domain"] == host);
            found.map_or(&Value::Null, |(_, found)| &found["serverCertificateId"])
        }
        Some((port, "protocol")) => &listener(balancer, port)["protocol"],
        Some((port, setting)) => &listener(balancer, port)["settings"][setting],
    };
    match found {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn listener<'a>(balancer: &'a Value, port: &str) -> &'a Value {
    let listeners = balancer["listeners"].as_array();
    let mut listeners = listeners.into_iter().flatten();
    let port: u64 = port.parse().unwrap_or_default();
    let found = listeners.find(|listener| listener["port"] == port);
    found.unwrap_or(&Value::Null)
}
