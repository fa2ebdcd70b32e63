//! What the settings of a network load balancer may say, in a class as in a binding.

use serde_json::Value;

use crate::check::{assert_refused, base, patched, violations};

const BINDING: &str = "GatewayBinding";
const CLASS: &str = "GatewayBindingClass";

/// Broken rules: the fields, and what the message says.
const REFUSED: &[(&str, &str)] = &[
    (
        "zoneMappings: [{zoneId: cn-b-g, vswitchId: vsw-a}, {zoneId: cn-b-g, vswitchId: vsw-b}]",
        "name every zone once",
    ),
    (
        "zoneMappings: [{zoneId: cn-b-g, vswitchId: vsw-a, eipId: eip-1}, {zoneId: cn-b-h, vswitchId: vsw-b}]",
        "eipId needs privateAddress",
    ),
    ("tags: {\"a=b\": c}", "a key has 1 to 64 characters"),
    (
        "tags: {ack.aliyun.com: c}",
        "the cloud controller manager's own tags",
    ),
    (
        "listeners: [{port: 80, protocol: TCP, range: {first: 2, last: 2}}]",
        "first must be below last",
    ),
    ("idleTimeout: 901s", "between 10s and 15m"),
    ("idleTimeout: 9s", "between 10s and 15m"),
    ("connectionDrain: {timeout: 16m}", "between 0s and 15m"),
    ("healthCheck: {type: TCP, path: /}", "belong to type: HTTP"),
    (
        "healthCheck: {type: None, interval: 5s}",
        "there is nothing else to set",
    ),
    (
        "healthCheck: {type: TCP, interval: 51s}",
        "between 1s and 50s",
    ),
    ("healthCheck: {type: TCP, timeout: 0s}", "between 1s and 5m"),
    (
        "backends: {type: Pods, nodeLabels: {a: b}}",
        "nodeLabels choose nodes",
    ),
];

/// Broken bounds: the fields, and the path of what is out of them.
const MALFORMED: &[(&str, &str)] = &[
    ("addressType: intranet", "/addressType"),
    ("existing: {id: lb-1}", "/existing/id"),
    ("name: a", "/name"),
    ("name: 1ab", "/name"),
    ("name: a/b", "/name"),
    (
        "zoneMappings: [{zoneId: cn-b-g, vswitchId: vsw-a}]",
        "/zoneMappings",
    ),
    (
        "zoneMappings: [{zoneId: cn-b-g, vswitchId: a}, {zoneId: cn-b-h, vswitchId: vsw-b}]",
        "/zoneMappings/0/vswitchId",
    ),
    (
        "zoneMappings: [{zoneId: cn-b-g, vswitchId: vsw-a, privateAddress: \"fe80::1\"}, {zoneId: cn-b-h, vswitchId: vsw-b}]",
        "/zoneMappings/0/privateAddress",
    ),
    (
        "zoneMappings: [{zoneId: cn-b-g, vswitchId: vsw-a, privateAddress: 10.0.0.1, eipId: \"1\"}, {zoneId: cn-b-h, vswitchId: vsw-b}]",
        "/zoneMappings/0/eipId",
    ),
    ("ipVersion: IPv6", "/ipVersion"),
    ("ipv6AddressType: internet", "/ipv6AddressType"),
    ("resourceGroupId: acf", "/resourceGroupId"),
    ("tags: {}", "/tags"),
    ("securityGroupIds: []", "/securityGroupIds"),
    ("securityGroupIds: [\"sg-a,sg-b\"]", "/securityGroupIds/0"),
    ("bandwidthPackageId: cbwp", "/bandwidthPackageId"),
    ("crossZone: \"on\"", "/crossZone"),
    ("onDelete: Retain", "/onDelete"),
    ("listeners: []", "/listeners"),
    (
        "listeners: [{port: 80, protocol: HTTP}]",
        "/listeners/0/protocol",
    ),
    (
        "listeners: [{port: 80, protocol: TCP, range: {first: 0, last: 1}}]",
        "/listeners/0/range/first",
    ),
    ("certificate: {id: \"1,2\"}", "/certificate/id"),
    (
        "certificate: {id: \"1\", additionalIds: []}",
        "/certificate/additionalIds",
    ),
    (
        "certificate: {id: \"1\", additionalIds: [\"2,3\"]}",
        "/certificate/additionalIds/0",
    ),
    (
        "certificate: {id: \"1\", clientAuthorityId: \"2,3\"}",
        "/certificate/clientAuthorityId",
    ),
    ("tlsPolicy: tls_cipher_policy_1_3", "/tlsPolicy"),
    ("alpn: h2", "/alpn"),
    (
        "proxyProtocol: {version2: \"on\"}",
        "/proxyProtocol/version2",
    ),
    (
        "proxyProtocol: {version2: Enabled, privateLink: []}",
        "/proxyProtocol/privateLink",
    ),
    ("maxConnectionsPerSecond: 0", "/maxConnectionsPerSecond"),
    (
        "maxConnectionsPerSecond: 1000001",
        "/maxConnectionsPerSecond",
    ),
    ("scheduler: wlc", "/scheduler"),
    ("clientAddress: \"on\"", "/clientAddress"),
    ("healthCheck: {type: UDP}", "/healthCheck/type"),
    (
        "healthCheck: {type: TCP, unhealthyThreshold: 11}",
        "/healthCheck/unhealthyThreshold",
    ),
    ("backends: {weight: 101}", "/backends/weight"),
];

/// Legal at the edges.
const ACCEPTED: &[&str] = &[
    "zoneMappings: [{zoneId: cn-b-g, vswitchId: vsw-a, privateAddress: 10.0.0.1, eipId: eip-1}, {zoneId: cn-b-h, vswitchId: vsw-b}]",
    "existing: {id: nlb-1, listeners: Override, instance: Manage}",
    "name: a1",
    "listeners: [{port: 80, protocol: TCP, range: {first: 1000, last: 1001}}, {port: 443, protocol: TCPSSL}, {port: 53, protocol: UDP}]",
    "certificate: {id: \"1\", additionalIds: [\"2\"], clientAuthorityId: \"3\"}",
    "proxyProtocol: {version2: Disabled}",
    "idleTimeout: 15m",
    "maxConnectionsPerSecond: 1000000",
    "connectionDrain: {timeout: 0s}",
    "healthCheck: {type: None}",
    "healthCheck: {type: TCP, interval: 50s, timeout: 1s}",
];

/// What the messages of all rules say.
pub(crate) fn messages() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().map(|case| case.1)
}

/// A class and a binding with these settings.
fn with(fields: &str) -> [Value; 2] {
    let class = format!(
        "spec: {{gateways: [{{name: intranet, nlb: {{service: {{namespace: a, name: b}}, settings: {{{fields}}}}}}}]}}"
    );
    let bare = patched(base(BINDING), "spec: {slb: null, apiGateway: null}");
    let binding = patched(bare, &format!("spec: {{nlb: {{{fields}}}}}"));
    [binding, patched(base(CLASS), &class)]
}

#[test]
fn what_breaks_a_rule_is_refused_for_that_reason_alone() {
    for (fields, expected) in REFUSED {
        for object in with(fields) {
            assert_refused(fields, &violations(&object, None), expected);
        }
    }
}

#[test]
fn what_is_out_of_bounds_is_refused_at_its_path() {
    for (fields, path) in MALFORMED {
        for object in with(fields) {
            assert_refused(fields, &violations(&object, None), path);
        }
    }
}

#[test]
fn what_is_legal_is_accepted() {
    for fields in ACCEPTED {
        for object in with(fields) {
            let found = violations(&object, None);
            assert!(found.is_empty(), "{fields} is refused: {found:#?}");
        }
    }
}
