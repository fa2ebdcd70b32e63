//! What a GatewayBinding may say.

use crate::check::{Patch, accepted, every_rule_is_broken_by, refused, updates};

const KIND: &str = "GatewayBinding";

const REFUSED: &[(&str, Patch, &str)] = &[
    (
        "a long name",
        "metadata: {name: a123456789b123456789c123456789d123456789e123456789f123456789abcd}",
        "at most 63 characters",
    ),
    (
        "a port of a Knative Service",
        "spec: {serviceRef: {port: 80}}",
        "port is for kind Service only",
    ),
    (
        "an API of a plain Service without a port",
        "spec: {serviceRef: {kind: Service}}",
        "serviceRef.port is required with apiGateway",
    ),
    (
        "an alb block that asks for nothing",
        "spec: {slb: null, apiGateway: null, alb: {}}",
        "alb asks for nothing",
    ),
    (
        "alb and slb",
        "spec: {apiGateway: null, slb: {name: a}, alb: {revisionRules: [{name: a, revision: b, headers: [{name: c, value: d}]}]}}",
        "alb and slb settle different gateways",
    ),
    (
        "an API gateway in front of alb",
        "spec: {slb: null, alb: {revisionRules: [{name: a, revision: b, headers: [{name: c, value: d}]}]}}",
        "apiGateway cannot stand in front of alb",
    ),
    (
        "nlb and slb",
        "spec: {apiGateway: null, slb: {name: a}, nlb: {name: ab}}",
        "nlb settles another gateway than slb and alb",
    ),
    (
        "an API gateway in front of nlb",
        "spec: {slb: null, nlb: {name: ab}}",
        "apiGateway cannot stand in front of nlb",
    ),
    (
        "two vswitches in one zone",
        "spec: {slb: null, apiGateway: null, alb: {zoneMappings: [{vswitchId: vsw-a, zoneId: cn-beijing-g}, {vswitchId: vsw-b, zoneId: cn-beijing-g}]}}",
        "two vswitches are in one zone",
    ),
    (
        "two rules of one name",
        "spec: {slb: null, apiGateway: null, alb: {revisionRules: [{name: a, revision: b, headers: [{name: c, value: d}]}, {name: a, tag: b, cookies: [{name: c, value: d}]}]}}",
        "two revisionRules have the same name",
    ),
    (
        "a rule for nothing",
        "spec: {slb: null, apiGateway: null, alb: {revisionRules: [{name: a, headers: [{name: c, value: d}]}]}}",
        "revision or tag, and not both",
    ),
    (
        "a rule for two things",
        "spec: {slb: null, apiGateway: null, alb: {revisionRules: [{name: a, revision: b, tag: b, headers: [{name: c, value: d}]}]}}",
        "revision or tag, and not both",
    ),
    (
        "a rule for every request",
        "spec: {slb: null, apiGateway: null, alb: {revisionRules: [{name: a, revision: b}]}}",
        "needs headers or cookies",
    ),
    (
        "a rule with more than ALB takes",
        "spec: {slb: null, apiGateway: null, alb: {revisionRules: [{name: a, revision: b, headers: [{name: a, value: d}, {name: b, value: d}, {name: c, value: d}, {name: d, value: d}], cookies: [{name: a, value: d}, {name: b, value: d}, {name: c, value: d}, {name: d, value: d}]}]}}",
        "at most 7 headers and cookies",
    ),
    (
        "a rule on Host",
        "spec: {slb: null, apiGateway: null, alb: {revisionRules: [{name: a, revision: b, headers: [{name: Host, value: d}]}]}}",
        "Host cannot be matched",
    ),
    (
        "a higress block that asks for nothing",
        "spec: {slb: null, apiGateway: null, higress: {}}",
        "higress asks for nothing",
    ),
    (
        "a policy of an API gateway for Higress",
        "spec: {slb: null, apiGateway: null, higress: {throttling: {existing: {id: \"1\"}}}}",
        "Higress has none",
    ),
    (
        "alb and higress",
        "spec: {slb: null, apiGateway: null, higress: {auth: {anonymous: {}}}, alb: {revisionRules: [{name: a, revision: b, headers: [{name: c, value: d}]}]}}",
        "alb and higress settle",
    ),
    (
        "Higress for a plain Service",
        "spec: {slb: null, apiGateway: null, serviceRef: {kind: Service}, higress: {auth: {anonymous: {}}}}",
        "higress is for Knative Services",
    ),
    (
        "addresses that may and may not",
        "spec: {slb: null, apiGateway: null, higress: {clientAddresses: {allow: [10.0.0.1], deny: [10.0.0.2]}}}",
        "exactly one of allow and deny",
    ),
    (
        "addresses of neither kind",
        "spec: {slb: null, apiGateway: null, higress: {clientAddresses: {source: Header}}}",
        "exactly one of allow and deny",
    ),
    (
        "cookies for every page",
        "spec: {slb: null, apiGateway: null, higress: {cors: {origins: [\"*\"], credentials: Allow}}}",
        "browsers refuse it",
    ),
    (
        "nothing that is blocked",
        "spec: {slb: null, apiGateway: null, higress: {blockedRequests: {status: 403}}}",
        "blocks nothing",
    ),
    (
        "a header without its name",
        "spec: {slb: null, apiGateway: null, higress: {throttling: {limits: [{name: a, scope: Header, value: b, requests: 1, per: Day}]}}}",
        "header goes with scope",
    ),
    (
        "a parameter of a header",
        "spec: {slb: null, apiGateway: null, higress: {throttling: {limits: [{name: a, scope: Header, header: b, parameter: c, value: d, requests: 1, per: Day}]}}}",
        "header goes with scope",
    ),
    (
        "a header without its value",
        "spec: {slb: null, apiGateway: null, higress: {throttling: {limits: [{name: a, scope: Header, header: b, requests: 1, per: Day}]}}}",
        "value goes with scope",
    ),
    (
        "a value of every request",
        "spec: {slb: null, apiGateway: null, higress: {throttling: {limits: [{name: a, scope: API, value: b, requests: 1, per: Day}]}}}",
        "value goes with scope",
    ),
    (
        "a number where a text belongs",
        "spec: {slb: null, apiGateway: null, higress: {throttling: {limits: [{name: a, scope: Header, header: x-ca-key, value: 123456, requests: 2, per: Minute}]}}}",
        "is not of type",
    ),
    (
        "a token of everybody",
        "spec: {slb: null, apiGateway: null, higress: {auth: {anonymous: {}, jwt: {issuers: [{name: a, issuer: b, jwks: \"{}\"}]}}}}",
        "anonymous lets everybody in",
    ),
    (
        "an empty slb block",
        "spec: {slb: {zones: null}}",
        "less than 1 property",
    ),
    (
        "one zone twice",
        "spec: {slb: {zones: {backup: cn-beijing-g}}}",
        "another zone than primary",
    ),
    (
        "no authentication",
        "spec: {apiGateway: {auth: {consumer: null}}}",
        "say who may call",
    ),
    (
        "anonymous beside consumers",
        "spec: {apiGateway: {auth: {anonymous: {}}}}",
        "must stand alone",
    ),
    (
        "consumers without a way to prove it",
        "spec: {apiGateway: {auth: {consumer: {apiKey: null, signature: null}}}}",
        "how callers prove",
    ),
    (
        "a limit for the API with a consumer",
        "spec: {apiGateway: {throttling: {limits: [{name: a, scope: API, consumer: b, requests: 1, per: Day}]}}}",
        "scope: Consumer only",
    ),
    (
        "a route with two paths",
        "spec: {apiGateway: {routes: [{name: a, path: {exact: /a, prefix: /b}}]}}",
        "exactly one of exact and prefix",
    ),
    (
        "a route without a path",
        "spec: {apiGateway: {routes: [{name: a, path: {replaceWith: /}}]}}",
        "exactly one of exact and prefix",
    ),
    (
        "a prefix that climbs",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a/../b}}]}}",
        "must not contain",
    ),
    (
        "an exact path that stays",
        "spec: {apiGateway: {routes: [{name: a, path: {exact: /a/.}}]}}",
        "must not contain",
    ),
    (
        "an approval while everything is applied",
        "spec: {mode: Apply, approvedPlan: \"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
        "mode: Plan only",
    ),
    (
        "an approval without a mode",
        "spec: {mode: null, approvedPlan: \"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
        "mode: Plan only",
    ),
    (
        "an approval while nothing is done",
        "spec: {mode: Suspend, approvedPlan: \"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
        "mode: Plan only",
    ),
    (
        "a replacement with an empty segment",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a, replaceWith: //b}}]}}",
        "must not contain",
    ),
    (
        "an existing API for two methods",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a}, methods: [GET, POST], existing: {id: \"1\"}}]}}",
        "a route with existing is one API",
    ),
    (
        "an existing API for two routes",
        "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a}, existing: {id: \"1\"}}, {name: b, path: {prefix: /b}, existing: {id: \"1\"}}]}}",
        "two routes name the same existing API",
    ),
    (
        "throttling that says nothing",
        "spec: {apiGateway: {throttling: {limits: null}}}",
        "say which limits",
    ),
];

const MALFORMED: &[(&str, Patch, &str)] = &[
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

const UPDATES: &[(&str, Patch, Patch, Option<&str>)] = &[
    (
        "another class",
        "{}",
        "spec: {className: other}",
        Some("className cannot be changed"),
    ),
    (
        "no class any more",
        "{}",
        "spec: {className: null}",
        Some("className cannot be changed"),
    ),
    (
        "a class where there was none",
        "spec: {className: null}",
        "{}",
        None,
    ),
    (
        "still no class",
        "spec: {className: null}",
        "spec: {className: null, mode: Plan}",
        None,
    ),
    ("the same class", "{}", "spec: {mode: Suspend}", None),
    (
        "another service",
        "{}",
        "spec: {serviceRef: {name: other}}",
        None,
    ),
    ("another gateway", "{}", "spec: {gateway: other}", None),
    (
        "no API gateway any more",
        "{}",
        "spec: {apiGateway: null}",
        None,
    ),
    (
        "other zones, as the loser of a conflict must be able to say",
        "{}",
        "spec: {slb: {zones: {primary: cn-beijing-h}}}",
        None,
    ),
];

#[test]
fn what_breaks_a_rule_is_refused() {
    refused(KIND, REFUSED);
}

#[test]
fn what_has_the_wrong_shape_is_refused() {
    refused(KIND, MALFORMED);
}

#[test]
fn what_freezes_does_not_change() {
    updates(KIND, UPDATES);
}

#[test]
fn every_rule_has_a_case() {
    let refused = REFUSED.iter().map(|case| case.2);
    every_rule_is_broken_by(
        KIND,
        refused
            .chain(UPDATES.iter().filter_map(|case| case.3))
            .chain(crate::slb::messages())
            .chain(crate::nlb::messages()),
    );
}

#[test]
fn what_is_legal_is_accepted() {
    accepted(
        KIND,
        &[
            ("the first scenario", "{}"),
            (
                "revision rules",
                "spec: {slb: null, apiGateway: null, alb: {revisionRules: [{name: by-header, revision: helloworld-go-00002, headers: [{name: demo, value: test}]}, {name: by-cookie, tag: rev1, cookies: [{name: demo, value: always}, {name: cookie2, value: v2}]}]}}",
            ),
            (
                "the least",
                "spec: {className: null, gateway: null, slb: null, apiGateway: null, mode: null, driftPolicy: null, deletionPolicy: null}",
            ),
            (
                "a plain Service with a port",
                "spec: {serviceRef: {kind: Service, port: 8080}}",
            ),
            (
                "a plain Service without one and without an API",
                "spec: {serviceRef: {kind: Service}, apiGateway: null}",
            ),
            (
                "the longest name",
                "metadata: {name: a123456789b123456789c123456789d123456789e123456789f123456789abc}",
            ),
            (
                "only an address type",
                "spec: {slb: {zones: null, addressType: Internet}}",
            ),
            ("only a name", "spec: {slb: {zones: null, name: a/b-c_d.e}}"),
            (
                "only a vswitch",
                "spec: {slb: {zones: null, vswitchId: vsw-2ze}}",
            ),
            ("one zone", "spec: {slb: {zones: {backup: null}}}"),
            (
                "an open API",
                "spec: {apiGateway: {auth: {consumer: null, anonymous: {}}}}",
            ),
            (
                "signatures only",
                "spec: {apiGateway: {auth: {consumer: {apiKey: null}}}}",
            ),
            (
                "API keys only",
                "spec: {apiGateway: {auth: {consumer: {signature: null}}}}",
            ),
            (
                "nobody may call",
                "spec: {apiGateway: {auth: {consumer: {allow: []}}}}",
            ),
            (
                "a consumer elsewhere",
                "spec: {apiGateway: {auth: {consumer: {allow: [{name: a, consumerRef: {namespace: b, name: c}}]}}}}",
            ),
            (
                "a consumer under another name",
                "spec: {apiGateway: {auth: {consumer: {allow: [{name: a, consumerRef: {name: c}}]}}}}",
            ),
            (
                "a time with an offset",
                "spec: {apiGateway: {auth: {consumer: {allow: [{name: a, until: \"2027-01-01T00:00:00+08:00\"}]}}}}",
            ),
            (
                "a limit for one consumer",
                "spec: {apiGateway: {throttling: {limits: [{name: a, scope: Consumer, consumer: knative, requests: 1, per: Day}]}}}",
            ),
            (
                "an exact path",
                "spec: {apiGateway: {routes: [{name: a, path: {exact: /a/b.c, replaceWith: /d}}]}}",
            ),
            (
                "dots that do not climb",
                "spec: {apiGateway: {routes: [{name: a, path: {prefix: /.well-known/a..b/...}}]}}",
            ),
            (
                "defaults of the API gateway",
                "spec: {apiGateway: {gateway: null, group: null, environments: null, protocols: null, routes: null, throttling: null}}",
            ),
            (
                "the article's limit",
                "spec: {slb: null, apiGateway: null, higress: {throttling: {limits: [{name: demo, scope: Header, header: x-ca-key, value: \"123456\", requests: 2, per: Minute}]}}}",
            ),
            (
                "the article's callers",
                "spec: {slb: null, apiGateway: null, higress: {auth: {consumer: {apiKey: {in: [Query], names: [apikey]}, allow: [{name: consumer2}], deny: [{name: consumer1}]}}}}",
            ),
            (
                "basic authentication",
                "spec: {slb: null, apiGateway: null, higress: {auth: {consumer: {basic: {}, allow: []}}}}",
            ),
            (
                "tokens alone",
                "spec: {slb: null, apiGateway: null, higress: {auth: {jwt: {issuers: [{name: a, issuer: b, jwks: \"{}\"}]}}}}",
            ),
            (
                "pages of everybody",
                "spec: {slb: null, apiGateway: null, higress: {cors: {origins: [\"*\"]}}}",
            ),
            (
                "addresses",
                "spec: {slb: null, apiGateway: null, higress: {clientAddresses: {allow: [10.0.0.0/8]}}}",
            ),
            (
                "blocked texts",
                "spec: {slb: null, apiGateway: null, higress: {blockedRequests: {urls: [swagger.html]}}}",
            ),
            (
                "an answer of its own",
                "spec: {slb: null, apiGateway: null, higress: {response: {status: 503}}}",
            ),
            (
                "an approved plan",
                "spec: {mode: Plan, approvedPlan: \"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
            ),
            (
                "a timeout",
                "spec: {apiGateway: {backend: {timeout: 1m30s}}}",
            ),
            (
                "an existing API for any method",
                "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a}, existing: {id: 8afff6c8c4c6447abb035812e4d66b65}}]}}",
            ),
            (
                "existing APIs for one method each",
                "spec: {apiGateway: {routes: [{name: a, path: {prefix: /a}, methods: [GET], existing: {id: \"1\"}}, {name: b, path: {prefix: /a}, methods: [POST], existing: {id: \"2\"}}, {name: c, path: {prefix: /c}}]}}",
            ),
            (
                "an existing policy as it is",
                "spec: {apiGateway: {throttling: {limits: null, existing: {id: \"1\"}}}}",
            ),
            (
                "an existing policy with limits",
                "spec: {apiGateway: {throttling: {existing: {id: \"1\"}}}}",
            ),
        ],
    );
}
