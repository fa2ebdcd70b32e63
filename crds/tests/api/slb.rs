//! What the settings of a load balancer may say, in a class as in a binding.

use serde_json::Value;

use crate::check::{assert_refused, base, patched, violations};

const BINDING: &str = "GatewayBinding";
const CLASS: &str = "GatewayBindingClass";

/// Broken rules: the fields, and what the message says.
const REFUSED: &[(&str, &str)] = &[
    (
        "zones: {primary: cn-b-g, backup: cn-b-g}",
        "another zone than primary",
    ),
    (
        "billing: {instance: PayByCLCU, spec: slb.s1.small}",
        "bought with instance: PayBySpec alone",
    ),
    (
        "billing: {instance: PayByCLCU, traffic: PayByBandwidth, bandwidthMbps: 5}",
        "sold with instance: PayBySpec alone",
    ),
    (
        "billing: {instance: PayBySpec, bandwidthMbps: 5}",
        "bandwidthMbps and traffic: PayByBandwidth go together",
    ),
    (
        "billing: {instance: PayBySpec, traffic: PayByTraffic, bandwidthMbps: 5}",
        "bandwidthMbps and traffic: PayByBandwidth go together",
    ),
    (
        "billing: {instance: PayBySpec, traffic: PayByBandwidth}",
        "bandwidthMbps and traffic: PayByBandwidth go together",
    ),
    ("tags: {\"a=b\": c}", "a key has 1 to 64 characters"),
    ("tags: {\"\": c}", "a key has 1 to 64 characters"),
    ("tags: {aliyun.team: c}", "a key has 1 to 64 characters"),
    ("tags: {\"acs:team\": c}", "a key has 1 to 64 characters"),
    ("tags: {\"https://a\": c}", "a key has 1 to 64 characters"),
    (
        "tags: {ack.aliyun.com: c}",
        "the cloud controller manager's own tags",
    ),
    (
        "tags: {kubernetes.do.not.delete: c}",
        "the cloud controller manager's own tags",
    ),
    (
        "tags: {kubernetes.reused.by.user: c}",
        "the cloud controller manager's own tags",
    ),
    (
        "listeners: [{port: 443, protocol: HTTPS, redirectTo: 444}]",
        "only an HTTP listener redirects",
    ),
    (
        "certificate: {id: \"1\", hosts: [{host: a.b, id: \"2\"}, {host: a.b, id: \"3\"}]}",
        "a host has one certificate",
    ),
    (
        "sessionPersistence: {insertedCookie: {timeout: 1h}, serverCookie: {name: a}}",
        "either inserted by the load balancer or set by the server",
    ),
    (
        "sessionPersistence: {insertedCookie: {timeout: 25h}}",
        "between 1s and 24h",
    ),
    (
        "sessionPersistence: {sourceAddress: 2h}",
        "between 1s and 1h",
    ),
    ("connectionDrain: {timeout: 9s}", "between 10s and 15m"),
    ("timeouts: {established: 16m}", "between 10s and 15m"),
    ("timeouts: {idle: 61s}", "between 1s and 1m"),
    ("timeouts: {request: 181s}", "between 1s and 3m"),
    ("healthCheck: {type: TCP, path: /}", "belong to type: HTTP"),
    (
        "healthCheck: {type: TCP, statusCodes: [2xx]}",
        "belong to type: HTTP",
    ),
    (
        "healthCheck: {type: None, interval: 5s}",
        "there is nothing else to set",
    ),
    (
        "healthCheck: {type: TCP, interval: 5s, timeout: 4s}",
        "timeout must not be below interval",
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
    (
        "backends: {type: Pods, cordonedNodes: Remove}",
        "cordonedNodes is about nodes",
    ),
    (
        "backends: {nodeLabels: {\"-a\": b}}",
        "a key must be that of a label",
    ),
];

/// Broken bounds: the fields, and the path of what is out of them.
const MALFORMED: &[(&str, &str)] = &[
    ("addressType: intranet", "/addressType"),
    ("name: \"a b\"", "/name"),
    ("zones: {backup: cn-beijing-g}", "/zones"),
    ("vswitchId: sw-1", "/vswitchId"),
    ("address: fe80::1", "/address"),
    ("ipVersion: ipv6", "/ipVersion"),
    ("billing: {instance: paybyspec}", "/billing/instance"),
    (
        "billing: {instance: PayBySpec, spec: slb.s9.small}",
        "/billing/spec",
    ),
    (
        "billing: {instance: PayBySpec, traffic: PayByBandwidth, bandwidthMbps: 5121}",
        "/billing/bandwidthMbps",
    ),
    ("resourceGroupId: acf", "/resourceGroupId"),
    ("tags: {}", "/tags"),
    ("tags: {a: \"b,c=d\"}", "/tags/a"),
    ("protection: {}", "/protection"),
    ("protection: {deletion: true}", "/protection/deletion"),
    ("publishedAddress: eip", "/publishedAddress"),
    ("publishedHostname: a_b", "/publishedHostname"),
    ("onDelete: Retain", "/onDelete"),
    ("listeners: []", "/listeners"),
    ("listeners: [{port: 0, protocol: TCP}]", "/listeners/0/port"),
    (
        "listeners: [{port: 80, protocol: GRPC}]",
        "/listeners/0/protocol",
    ),
    ("certificate: {id: \"1,2\"}", "/certificate/id"),
    (
        "certificate: {id: \"1\", hosts: [{host: \"a:b\", id: \"2\"}]}",
        "/certificate/hosts/0/host",
    ),
    ("tlsPolicy: tls_cipher_policy_1_3", "/tlsPolicy"),
    ("http2: \"on\"", "/http2"),
    ("proxyProtocol: V1", "/proxyProtocol"),
    ("forwardedHeaders: [Host]", "/forwardedHeaders/0"),
    ("forwardedHeaders: []", "/forwardedHeaders"),
    ("scheduler: wlc", "/scheduler"),
    ("sessionPersistence: {}", "/sessionPersistence"),
    (
        "sessionPersistence: {serverCookie: {name: \"a;b\"}}",
        "/sessionPersistence/serverCookie/name",
    ),
    (
        "connectionDrain: {timeout: 500ms}",
        "/connectionDrain/timeout",
    ),
    ("timeouts: {}", "/timeouts"),
    ("clientAddresses: {}", "/clientAddresses"),
    (
        "clientAddresses: {allowACLs: [acl-1], denyACLs: [acl-2]}",
        "/clientAddresses",
    ),
    (
        "clientAddresses: {allowACLs: []}",
        "/clientAddresses/allowACLs",
    ),
    (
        "clientAddresses: {denyACLs: [10.0.0.0/8]}",
        "/clientAddresses/denyACLs/0",
    ),
    ("healthCheck: {type: UDP}", "/healthCheck/type"),
    (
        "healthCheck: {type: HTTP, path: healthz}",
        "/healthCheck/path",
    ),
    (
        "healthCheck: {type: TCP, healthyThreshold: 1}",
        "/healthCheck/healthyThreshold",
    ),
    ("healthCheck: {type: TCP, port: -520}", "/healthCheck/port"),
    ("backends: {}", "/backends"),
    ("backends: {weight: 101}", "/backends/weight"),
    ("backends: {type: ENI}", "/backends/type"),
];

/// Legal at the edges.
const ACCEPTED: &[&str] = &[
    "billing: {instance: PayByCLCU}",
    "billing: {instance: PayBySpec, traffic: PayByTraffic}",
    "billing: {instance: PayBySpec, spec: slb.s3.large, traffic: PayByBandwidth, bandwidthMbps: 5120}",
    "tags: {team: \"\", \"a/b.c-d\": x}",
    "listeners: [{port: 80, protocol: HTTP, redirectTo: 443}, {port: 443, protocol: HTTPS}]",
    "certificate: {id: \"1\", hosts: [{host: a.b, id: \"2\"}, {host: \"*.a.b\", id: \"2\"}]}",
    "sessionPersistence: {sourceAddress: 1h, insertedCookie: {timeout: 24h}}",
    "connectionDrain: {timeout: 15m}",
    "timeouts: {established: 10s, idle: 1m, request: 3m}",
    "healthCheck: {type: None}",
    "healthCheck: {type: HTTP, path: /, interval: 5s, timeout: 5s}",
    "backends: {nodeLabels: {example.com/pool: a}, weight: 0}",
    "backends: {type: Nodes, cordonedNodes: Remove}",
];

/// What the messages of all rules say.
pub(crate) fn messages() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().map(|case| case.1)
}

/// A class and a binding with these settings.
fn with(fields: &str) -> [Value; 2] {
    let class = format!(
        "spec: {{gateways: [{{name: intranet, slb: {{service: {{namespace: a, name: b}}, settings: {{{fields}}}}}}}]}}"
    );
    let bare = patched(base(BINDING), "spec: {slb: null}");
    let binding = patched(bare, &format!("spec: {{slb: {{{fields}}}}}"));
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
