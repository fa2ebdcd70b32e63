//! What has the wrong shape for a class, and what the API server says.

use crate::check::Patch;

pub(super) const MALFORMED: &[(&str, Patch, &str)] = &[
    (
        "an unknown field",
        "spec: {cloud: {region: cn-beijing}}",
        "region",
    ),
    (
        "an unknown source of credentials",
        "spec: {cloud: {credentials: {type: AccessKey}}}",
        "/credentials/type",
    ),
    (
        "an unknown product",
        "spec: {cloud: {endpoints: [{product: ECS, url: \"https://a.b\"}]}}",
        "/product",
    ),
    (
        "an unknown API gateway",
        "spec: {apiGateways: [{name: main, type: CloudNative, groups: [{name: knative}]}]}",
        "/type",
    ),
    (
        "an unknown setting for bindings",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, bindingsMaySet: [zone]}}]}",
        "/bindingsMaySet/0",
    ),
    (
        "a copy of no ports",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, createFrom: {name: c, ports: []}}}}]}",
        "/createFrom/ports",
    ),
    (
        "a copy of a port that cannot be",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, createFrom: {name: c, ports: [0]}}}}]}",
        "/createFrom/ports/0",
    ),
    (
        "an unknown traffic policy",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, createFrom: {name: c, externalTrafficPolicy: Any}}}}]}",
        "/externalTrafficPolicy",
    ),
    (
        "an unknown session affinity",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, createFrom: {name: c, sessionAffinity: Cookie}}}}]}",
        "/sessionAffinity",
    ),
    (
        "an unknown way with foreign fields",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, foreignFields: Force}}}]}",
        "/foreignFields",
    ),
    (
        "an unknown state of the test domain",
        "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative, testDomain: Open}]}]}",
        "/testDomain",
    ),
    (
        "an unknown choice of namespaces",
        "spec: {allowedNamespaces: {from: Same}}",
        "/from",
    ),
    (
        "a selector that selects everything",
        "spec: {allowedNamespaces: {from: Selector, selector: {}}}",
        "/selector",
    ),
    (
        "labels that select everything",
        "spec: {allowedNamespaces: {from: Selector, selector: {matchLabels: {}}}}",
        "/matchLabels",
    ),
    ("no region", "spec: {cloud: {regionId: null}}", "regionId"),
    (
        "no cluster",
        "spec: {cloud: {clusterId: null}}",
        "clusterId",
    ),
    (
        "an account with a letter",
        "spec: {cloud: {accountId: \"12345678901234x\"}}",
        "/accountId",
    ),
    (
        "an endpoint with a path",
        "spec: {cloud: {endpoints: [{product: SLB, url: \"https://a.b/c\"}]}}",
        "/url",
    ),
    (
        "a budget of nothing",
        "spec: {cloud: {callBudget: {requestsPerSecond: 0}}}",
        "/requestsPerSecond",
    ),
    (
        "an unknown policy for orphans",
        "spec: {orphans: {policy: Delete}}",
        "/policy",
    ),
    (
        "orphans of two sweeps",
        "spec: {orphans: {sweeps: 2}}",
        "/sweeps",
    ),
    (
        "a group with a short name",
        "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: abc}]}]}",
        "/groups/0/name",
    ),
    (
        "an unknown kind to adopt",
        "spec: {adoptable: [Group]}",
        "/adoptable/0",
    ),
    (
        "a list of nothing to adopt",
        "spec: {adoptable: []}",
        "/adoptable",
    ),
    (
        "an existing group by its name",
        "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative, existing: {name: other}}]}]}",
        "existing",
    ),
    (
        "a way without a port",
        "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative}], backends: [{gateway: intranet, existing: {id: \"1\"}}]}]}",
        "port",
    ),
    (
        "an API gateway without groups",
        "spec: {apiGateways: [{name: main, type: Classic, groups: []}]}",
        "/groups",
    ),
    (
        "an unknown state of the guard",
        "spec: {massChangeGuard: {state: Off}}",
        "/state",
    ),
    (
        "fewer objects than none",
        "spec: {massChangeGuard: {maxObjects: -1}}",
        "/maxObjects",
    ),
    (
        "a share of nothing",
        "spec: {massChangeGuard: {maxPercent: 0}}",
        "/maxPercent",
    ),
    (
        "a confirmation that is no token",
        "spec: {massChangeGuard: {confirmed: all of it}}",
        "/confirmed",
    ),
    (
        "more than everything",
        "spec: {massChangeGuard: {maxPercent: 101}}",
        "/maxPercent",
    ),
];
