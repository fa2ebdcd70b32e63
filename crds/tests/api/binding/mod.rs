//! What a GatewayBinding may say.

mod malformed;
mod refused;

use crate::check::{Patch, accepted, every_rule_is_broken_by, refused, updates};
use malformed::MALFORMED;
use refused::REFUSED;

const KIND: &str = "GatewayBinding";

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
