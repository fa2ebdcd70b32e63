//! What has the wrong shape for a binding, and what the API server says.

use crate::check::Patch;

pub(super) const MALFORMED: &[(&str, Patch, &str)] = &[
    ("an unknown field", "spec: {gatway: intranet}", "gatway"),
    (
        "an unknown kind of service",
        "spec: {serviceRef: {kind: Deployment}}",
        "/spec/serviceRef/kind",
    ),
    ("an unknown mode", "spec: {mode: apply}", "/spec/mode"),
    (
        "half a hash",
        "spec: {mode: Plan, approvedPlan: \"sha256:0123\"}",
        "/spec/approvedPlan",
    ),
    (
        "a hash of another kind",
        "spec: {mode: Plan, approvedPlan: latest}",
        "/spec/approvedPlan",
    ),
    (
        "an unknown drift policy",
        "spec: {driftPolicy: Ignore}",
        "/spec/driftPolicy",
    ),
    (
        "an unknown deletion policy",
        "spec: {deletionPolicy: Orphan}",
        "/spec/deletionPolicy",
    ),
    (
        "an unknown address type",
        "spec: {slb: {addressType: intranet}}",
        "/spec/slb/addressType",
    ),
    (
        "an unknown environment",
        "spec: {apiGateway: {environments: [{name: RELEASE}]}}",
        "/spec/apiGateway/environments/0/name",
    ),
    (
        "an unknown protocol",
        "spec: {apiGateway: {protocols: [FTP]}}",
        "/spec/apiGateway/protocols/0",
    ),
    (
        "an unknown method",
        "spec: {apiGateway: {routes: [{name: a, path: {exact: /}, methods: [get]}]}}",
        "/methods/0",
    ),
    (
        "an unknown scope",
        "spec: {apiGateway: {throttling: {limits: [{name: a, scope: User, requests: 1, per: Day}]}}}",
        "/scope",
    ),
    (
        "an unknown unit",
        "spec: {apiGateway: {throttling: {limits: [{name: a, scope: API, requests: 1, per: Week}]}}}",
        "/per",
    ),
    (
        "an unknown place for a key",
        "spec: {apiGateway: {auth: {consumer: {apiKey: {in: [Cookie]}}}}}",
        "/in/0",
    ),
    (
        "a key that may stand nowhere",
        "spec: {apiGateway: {auth: {consumer: {apiKey: {in: []}}}}}",
        "/in",
    ),
    (
        "a list of limits without a limit",
        "spec: {apiGateway: {throttling: {limits: []}}}",
        "/limits",
    ),
    (
        "an existing API without an id",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a}, existing: {}}]}}",
        "id",
    ),
    (
        "an existing API by something else than an id",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a}, existing: {id: \"a/b\"}}]}}",
        "/existing/id",
    ),
    (
        "an existing policy by its name",
        "spec: {apiGateway: {throttling: {existing: {name: limits}}}}",
        "existing",
    ),
    (
        "a limit of nothing",
        "spec: {apiGateway: {throttling: {limits: [{name: a, scope: API, requests: 0, per: Day}]}}}",
        "/requests",
    ),
    (
        "an empty list of routes",
        "spec: {apiGateway: {routes: []}}",
        "/routes",
    ),
    (
        "an empty list of environments",
        "spec: {apiGateway: {environments: []}}",
        "/environments",
    ),
    (
        "an empty list of protocols",
        "spec: {apiGateway: {protocols: []}}",
        "/protocols",
    ),
    (
        "no list of consumers",
        "spec: {apiGateway: {auth: {consumer: {allow: null}}}}",
        "allow",
    ),
    (
        "no word about authentication",
        "spec: {apiGateway: {auth: null}}",
        "auth",
    ),
    ("no service", "spec: {serviceRef: null}", "serviceRef"),
    (
        "a relative exact path",
        "spec: {apiGateway: {routes: [{name: a, path: {exact: a}}]}}",
        "/path/exact",
    ),
    (
        "a relative prefix",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: a}}]}}",
        "/path/prefix",
    ),
    (
        "a relative replacement",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a, replaceWith: b}}]}}",
        "/path/replaceWith",
    ),
    (
        "a path with a placeholder",
        "spec: {apiGateway: {routes: [{name: a, path: {exact: \"/users/{id}\"}}]}}",
        "/path/exact",
    ),
    (
        "a path with a wildcard",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: \"/a/*\"}}]}}",
        "/path/prefix",
    ),
    (
        "a time without zone",
        "spec: {apiGateway: {auth: {consumer: {allow: [{name: a, until: \"2027-01-01T00:00:00\"}]}}}}",
        "/until",
    ),
    (
        "a duration without unit",
        "spec: {apiGateway: {backend: {timeout: \"10\"}}}",
        "/timeout",
    ),
    (
        "a port out of range",
        "spec: {serviceRef: {kind: Service, port: 65536}}",
        "/port",
    ),
    (
        "a name that is none",
        "spec: {gateway: Intranet}",
        "/spec/gateway",
    ),
    (
        "a load balancer name of blanks",
        "spec: {slb: {name: my name}}",
        "/spec/slb/name",
    ),
    (
        "a vswitch that is none",
        "spec: {slb: {vswitchId: sw-1}}",
        "/spec/slb/vswitchId",
    ),
];
