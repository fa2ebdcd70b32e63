//! What breaks a rule of a binding, and what the API server says.

use crate::check::Patch;

pub(super) const REFUSED: &[(&str, Patch, &str)] = &[
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
