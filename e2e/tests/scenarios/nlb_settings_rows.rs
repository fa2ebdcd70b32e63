//! Settings of a network load balancer, and what becomes of it by them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// A setting, where it shows in the cloud, and as what: with the first value, with the second one, and
/// when nobody gives it any more.
pub(super) type Seen = (&'static str, &'static str, [&'static str; 3]);

/// Settings that go together, with two values each.
pub(super) struct Table {
    pub(super) first: Value,
    pub(super) then: Value,
    pub(super) seen: &'static [Seen],
}

/// The name that the cloud controller manager gives by itself.
pub(super) const OWN_NAME: &str = "(own)";
/// An elastic address that somebody has.
pub(super) const EIP: &str = "eip-bound";

/// Settings that show in the cloud in another way than by a row: what is fixed once the load balancer
/// exists is refused, and what is about the end shows then.
pub(super) const WITHOUT_ROW: [&str; 5] = [
    "existing.id",
    "existing.listeners",
    "ipVersion",
    "resourceGroupId",
    "onDelete",
];

/// Settings as given at first; port 80 speaks TCP, 53 UDP and 443 TLS. `zone` gives the zone of a letter
/// with its vswitch.
pub(super) fn most(zone: impl Fn(&str) -> Value) -> Table {
    let mut bound = zone("f");
    bound["privateAddress"] = json!("10.0.0.77");
    bound["eipId"] = json!(EIP);
    let tls = json!({"port": 443, "protocol": "TCPSSL"});
    Table {
        first: json!({
            "name": "first",
            "zoneMappings": [bound, zone("h")],
            "ipv6AddressType": "Internet",
            "tags": {"team": "shop", "tier": ""},
            "securityGroupIds": ["sg-1", "sg-2"],
            "bandwidthPackageId": "cbwp-1",
            "crossZone": "Disabled",
            "onDelete": "Preserve",
            "listeners": [tls],
            "certificate": {"id": "cert-1", "additionalIds": ["cert-2"], "clientAuthorityId": "ca-1"},
            "tlsPolicy": "tls_cipher_policy_1_1",
            "alpn": "HTTP2Optional",
            "proxyProtocol": {"version2": "Enabled", "privateLink": ["VPCId", "EndpointId"]},
            "idleTimeout": "15s",
            "maxConnectionsPerSecond": 100,
            "scheduler": "RoundRobin",
            "connectionDrain": {"timeout": "30s"},
            "clientAddress": "Replaced",
            "healthCheck": {
                "type": "HTTP", "path": "/healthz", "host": "a.example.com", "method": "HEAD",
                "statusCodes": ["2xx", "3xx"], "port": 8080, "interval": "6s", "timeout": "7s",
                "healthyThreshold": 4, "unhealthyThreshold": 3,
            },
            "backends": {"type": "Nodes", "nodeLabels": {"pool": "ingress"}, "weight": 50},
        }),
        then: json!({
            "name": "second",
            "zoneMappings": [zone("g"), zone("h")],
            "ipv6AddressType": "Intranet",
            "tags": {"team": "cart"},
            "securityGroupIds": ["sg-1"],
            "bandwidthPackageId": "cbwp-2",
            "crossZone": "Enabled",
            "onDelete": "Delete",
            "listeners": [{"port": 80, "protocol": "TCPSSL"}, tls],
            "certificate": {"id": "cert-3", "additionalIds": ["cert-4"]},
            "tlsPolicy": "tls_cipher_policy_1_2_strict",
            "alpn": "HTTP1Only",
            "proxyProtocol": {"version2": "Enabled", "privateLink": ["EndpointServiceId"]},
            "idleTimeout": "20s",
            "maxConnectionsPerSecond": 200,
            "scheduler": "TupleHash",
            "connectionDrain": {"timeout": "1m"},
            "clientAddress": "Preserved",
            "healthCheck": {"type": "TCP", "interval": "8s"},
            "backends": {
                "type": "Nodes", "cordonedNodes": "Remove", "weight": 20, "consoleWeights": "Keep",
            },
        }),
        seen: MOST,
    }
}

#[rustfmt::skip]
const MOST: &[Seen] = &[
    ("name", "name", ["first", "second", OWN_NAME]),
    ("zoneMappings", "zones", ["f h", "g h", "f g"]),
    ("zoneMappings", "has 10.0.0.77", ["true", "false", "false"]),
    ("zoneMappings", "has eip-bound", ["true", "false", "false"]),
    ("ipv6AddressType", "ipv6AddressType", ["Internet", "Intranet", "Intranet"]),
    // Tags stay when nobody gives any: the cloud controller manager takes the last ones from none.
    ("tags", "tag team", ["shop", "cart", "shop"]),
    ("tags", "tag tier", ["", "none", ""]),
    ("securityGroupIds", "securityGroupIds", ["sg-1 sg-2", "sg-1", ""]),
    ("bandwidthPackageId", "bandwidthPackageId", ["cbwp-1", "cbwp-2", ""]),
    ("crossZone", "crossZone", ["false", "true", "true"]),
    ("listeners.protocol", "443 protocol", ["TCPSSL", "TCPSSL", "TCP"]),
    ("listeners.protocol", "80 protocol", ["TCP", "TCPSSL", "TCP"]),
    ("listeners.protocol", "53 protocol", ["UDP", "UDP", "UDP"]),
    ("certificate.id", "443 certificate", ["cert-1", "cert-3", "none"]),
    ("certificate.additionalIds", "443 certificates", ["cert-1 cert-2", "cert-3 cert-4", ""]),
    ("certificate.clientAuthorityId", "443 CaEnabled", ["true", "false", "false"]),
    ("certificate.clientAuthorityId", "443 authorities", ["ca-1", "ca-1", ""]),
    ("tlsPolicy", "443 SecurityPolicyId", ["tls_cipher_policy_1_1", "tls_cipher_policy_1_2_strict", "tls_cipher_policy_1_0"]),
    ("alpn", "443 AlpnEnabled", ["true", "true", "false"]),
    ("alpn", "443 AlpnPolicy", ["HTTP2Optional", "HTTP1Only", "HTTP2Optional"]),
    ("proxyProtocol.version2", "443 ProxyProtocolEnabled", ["true", "true", "false"]),
    ("proxyProtocol.privateLink.VPCId", "443 ProxyProtocolV2Config.Ppv2VpcIdEnabled", ["true", "false", "false"]),
    ("proxyProtocol.privateLink.EndpointId", "443 ProxyProtocolV2Config.Ppv2PrivateLinkEpIdEnabled", ["true", "false", "false"]),
    ("proxyProtocol.privateLink.EndpointServiceId", "443 ProxyProtocolV2Config.Ppv2PrivateLinkEpsIdEnabled", ["false", "true", "false"]),
    // It stays: the default is another one for each protocol.
    ("idleTimeout", "443 IdleTimeout", ["15", "20", "15"]),
    ("idleTimeout", "53 IdleTimeout", ["15", "20", "15"]),
    ("maxConnectionsPerSecond", "443 Cps", ["100", "200", "0"]),
    ("scheduler", "443 Scheduler", ["rr", "tch", "Wrr"]),
    ("connectionDrain", "53 ConnectionDrainEnabled", ["true", "true", "false"]),
    ("connectionDrain.timeout", "53 ConnectionDrainTimeout", ["30", "60", "30"]),
    // Likewise.
    ("clientAddress", "443 PreserveClientIpEnabled", ["false", "true", "false"]),
    ("healthCheck.type", "443 HealthCheckEnabled", ["true", "true", "true"]),
    ("healthCheck.type", "443 HealthCheckType", ["HTTP", "TCP", "TCP"]),
    // Not asked for by a check of this type.
    ("healthCheck.path", "443 HealthCheckUrl", ["/healthz", "/healthz", "/healthz"]),
    ("healthCheck.host", "443 HealthCheckDomain", ["a.example.com", "$SERVER_IP", "$SERVER_IP"]),
    ("healthCheck.method", "443 HttpCheckMethod", ["HEAD", "GET", "GET"]),
    ("healthCheck.statusCodes", "443 HealthCheckHttpCode", ["http_2xx http_3xx", "http_2xx", "http_2xx"]),
    ("healthCheck.port", "443 HealthCheckConnectPort", ["8080", "8080", "8080"]),
    ("healthCheck.interval", "443 HealthCheckInterval", ["6", "8", "5"]),
    ("healthCheck.timeout", "443 HealthCheckConnectTimeout", ["7", "5", "5"]),
    ("healthCheck.healthyThreshold", "443 HealthyThreshold", ["4", "2", "2"]),
    ("healthCheck.unhealthyThreshold", "443 UnhealthyThreshold", ["3", "2", "2"]),
    ("backends.nodeLabels", "443 server i-plain", ["none", "20", "100"]),
    ("backends.cordonedNodes", "443 server i-cordoned", ["50", "none", "100"]),
    ("backends.weight", "443 server i-plain", ["none", "20", "100"]),
    // What it was: whoever set it.
    ("backends.consoleWeights", "443 server i-pooled", ["50", "50", "100"]),
];

/// Whether a row is about what listeners are. The others show on them.
pub(super) fn is_of_listeners((setting, ..): &Seen) -> bool {
    ["listeners", "certificate"]
        .iter()
        .any(|field| setting.starts_with(field))
}

/// Those that do not go together with the others.
pub(super) fn rest() -> Table {
    Table {
        first: json!({
            "addressType": "Intranet",
            "listeners": [{"port": 81, "protocol": "TCP", "range": {"first": 1000, "last": 2000}}],
            "backends": {"type": "Pods"},
        }),
        then: json!({
            "addressType": "Internet",
            "listeners": [{"port": 81, "protocol": "TCP"}],
            "backends": {"type": "Nodes"},
        }),
        seen: REST,
    }
}

const REST: &[Seen] = &[
    (
        "addressType",
        "addressType",
        ["Intranet", "Internet", "Internet"],
    ),
    ("listeners.range", "1000 last", ["2000", "none", "none"]),
    ("listeners.range", "81 protocol", ["none", "TCP", "TCP"]),
    ("backends.type", "80 kinds", ["Eni", "Ecs", "Eni"]),
];

/// Some fields of settings.
pub(super) fn only(settings: &Value, fields: &[&str]) -> Value {
    let pairs = fields
        .iter()
        .map(|field| ((*field).to_owned(), settings[field].clone()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// What a place of a load balancer shows, or "none". A place of a listener begins with its port.
pub(super) fn look(nlb: &Value, id: &str, place: &str) -> String {
    let balancer = &nlb["loadBalancers"][id]["value"];
    let parts: Vec<&str> = place.split(' ').collect();
    match parts.as_slice() {
        ["zones"] => {
            let zones = balancer["zoneMappings"].as_array().into_iter().flatten();
            let letters = zones.filter_map(|zone| zone["zoneId"].as_str()?.rsplit('-').next());
            let mut letters: Vec<&str> = letters.collect();
            letters.sort_unstable();
            letters.join(" ")
        }
        ["has", text] => {
            let mappings = balancer["zoneMappings"].to_string();
            mappings.contains(&format!("\"{text}\"")).to_string()
        }
        ["tag", key] => shown(&balancer["tags"][key]),
        [field] => shown(&balancer[field]),
        [port, more @ ..] => of_listener(nlb, listener(nlb, id, port), more),
        [] => String::new(),
    }
}

/// The listener of a port, or of a range that begins with it.
pub(super) fn listener<'a>(nlb: &'a Value, balancer: &str, port: &str) -> &'a Value {
    let port: u64 = port.parse().unwrap_or_default();
    let all = nlb["listeners"].as_object().into_iter().flatten();
    let mut all = all.map(|(_, listener)| &listener["value"]);
    let found = all.find(|one| {
        one["loadBalancerId"] == balancer && (one["port"] == port || one["range"][0] == port)
    });
    found.unwrap_or(&Value::Null)
}

fn of_listener(nlb: &Value, listener: &Value, place: &[&str]) -> String {
    let group = listener["serverGroupId"].as_str().unwrap_or_default();
    let group = &nlb["serverGroups"][group]["value"];
    let servers = || group["servers"].as_array().into_iter().flatten();
    match place {
        ["protocol"] => shown(&listener["protocol"]),
        ["last"] => shown(&listener["range"][1]),
        ["certificate"] => shown(&listener["certificates"][0]),
        ["certificates"] => shown(&listener["certificates"]),
        ["authorities"] => shown(&listener["caCertificates"]),
        ["server", id] => {
            let server = servers().find(|server| server["id"] == *id);
            shown(&server.unwrap_or(&Value::Null)["weight"])
        }
        ["kinds"] => {
            let kinds: BTreeSet<String> = servers().map(|server| shown(&server["kind"])).collect();
            kinds.into_iter().collect::<Vec<_>>().join(" ")
        }
        _ => {
            let path = format!("/{}", place.join(" ").replace('.', "/"));
            let settings = [
                &listener["more"],
                &group["more"],
                &group["more"]["HealthCheck"],
            ];
            let found = settings.iter().find_map(|of| of.pointer(&path));
            shown(found.unwrap_or(&Value::Null))
        }
    }
}

fn shown(found: &Value) -> String {
    match found {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
