//! Bindings that are wrong in themselves, or name what is not there.

/// Where the bad bindings are.
pub(super) const NAMESPACE: &str = "bad";

/// A bad binding, and what it is to be told.
pub(super) struct Case {
    /// Name of the binding.
    pub(super) name: &'static str,
    /// Members of its spec besides `serviceRef`, as YAML.
    pub(super) spec: String,
    /// More members of the manifest's spec that replace the usual `serviceRef`.
    pub(super) service: &'static str,
    /// The condition that is False.
    pub(super) condition: &'static str,
    /// Its reason.
    pub(super) reason: &'static str,
    /// What its message has in it: field, value, rule, what to do.
    pub(super) words: &'static [&'static str],
}

const HELLO: &str = "serviceRef: {kind: KnativeService, name: hello}";
/// Callers as they should be.
pub(super) const AUTH: &str =
    "auth: {consumer: {apiKey: {in: [Header]}, signature: {}, allow: []}}";

impl Case {
    pub(super) fn new(
        name: &'static str,
        spec: impl Into<String>,
        (condition, reason): (&'static str, &'static str),
        words: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            spec: spec.into(),
            service: HELLO,
            condition,
            reason,
            words,
        }
    }

    /// One that the API server does not even store.
    pub(super) fn refused(name: &'static str, spec: &'static str) -> Self {
        Self {
            service: if spec.contains("serviceRef") {
                ""
            } else {
                HELLO
            },
            ..Self::new(name, spec, ("", ""), &[])
        }
    }

    fn of(mut self, service: &'static str) -> Self {
        self.service = service;
        self
    }

    /// The binding.
    pub(super) fn manifest(&self) -> String {
        let members = self.spec.lines().chain([self.service]);
        let spec: String = members.map(|line| format!("  {line}\n")).collect();
        format!(
            "apiVersion: gatewaybinding.dev/v1alpha1\nkind: GatewayBinding\nmetadata:\n  name: {}\n  namespace: {NAMESPACE}\nspec:\n{spec}",
            self.name
        )
    }
}

const REJECTED: (&str, &str) = ("Accepted", "InvalidSpec");
const UNSUPPORTED: (&str, &str) = ("Accepted", "Unsupported");

fn api_gateway(members: &str) -> String {
    format!("apiGateway: {{{members}}}")
}

fn consumer(members: &str) -> String {
    api_gateway(&format!("auth: {{consumer: {{{members}}}}}"))
}

fn allow(entries: &str) -> String {
    consumer(&format!(
        "apiKey: {{in: [Header]}}, signature: {{}}, allow: [{entries}]"
    ))
}

fn limits(limits: &str) -> String {
    api_gateway(&format!("{AUTH}, throttling: {{limits: [{limits}]}}"))
}

/// Cases that need nothing but the example's class.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = names();
    cases.extend(exposures());
    cases.extend(references());
    cases
}

/// Names of what the class does not have.
fn names() -> Vec<Case> {
    vec![
        Case::new(
            "unknown-class",
            "className: nowhere",
            ("Accepted", "ClassNotFound"),
            &[
                "spec.className",
                "\"nowhere\"",
                "Create it, or name another",
            ],
        ),
        Case::new(
            "unknown-gateway",
            "gateway: nowhere",
            ("Accepted", "GatewayNotFound"),
            &[
                "spec.gateway",
                "\"nowhere\"",
                "\"production\"",
                "it has \"intranet\"",
            ],
        ),
        Case::new(
            "unknown-api-gateway",
            api_gateway(&format!("gateway: nowhere, group: knative, {AUTH}")),
            ("Accepted", "GatewayNotFound"),
            &["spec.apiGateway.gateway", "\"nowhere\"", "it has \"main\""],
        ),
        Case::new(
            "unknown-group",
            api_gateway(&format!("group: nowhere, {AUTH}")),
            ("Accepted", "GroupNotFound"),
            &["spec.apiGateway.group", "\"nowhere\"", "it has \"knative\""],
        ),
        Case::new(
            "field-not-open",
            "slb: {zones: {primary: cn-beijing-g}}",
            ("Accepted", "NotAllowedByClass"),
            &[
                "spec.slb.zones",
                "\"production\"",
                "\"intranet\"",
                "bindingsMaySet",
            ],
        ),
    ]
}

/// What the classic API Gateway cannot do, or no API gateway could.
fn exposures() -> Vec<Case> {
    vec![
        Case::new(
            "query-only",
            consumer("apiKey: {in: [Query]}, signature: {}, allow: []"),
            UNSUPPORTED,
            &["apiKey.in", "[Query]", "Use [Header] or [Header, Query]"],
        ),
        Case::new(
            "no-signature",
            consumer("apiKey: {in: [Header]}, allow: []"),
            UNSUPPORTED,
            &["auth.consumer.signature", "signature: {}"],
        ),
        Case::new(
            "mixed-units",
            limits(
                "{name: total, scope: API, requests: 9, per: Minute}, {name: each, scope: Consumer, requests: 1, per: Second}",
            ),
            UNSUPPORTED,
            &[
                "throttling.limits",
                "\"total\" is per Minute",
                "\"each\" per Second",
                "Use the same",
            ],
        ),
        Case::new(
            "consumer-above-api",
            limits(
                "{name: total, scope: API, requests: 9, per: Minute}, {name: each, scope: Consumer, requests: 10, per: Minute}",
            ),
            REJECTED,
            &[
                "throttling.limits",
                "Consumer (10)",
                "API (9)",
                "Lower the one",
            ],
        ),
        Case::new(
            "no-limit-for-api",
            limits("{name: each, scope: Consumer, requests: 10, per: Minute}"),
            UNSUPPORTED,
            &["throttling.limits", "scope: API", "Add one"],
        ),
        Case::new(
            "limit-for-nobody",
            limits(
                "{name: total, scope: API, requests: 9, per: Minute}, {name: one, scope: Consumer, consumer: ghost, requests: 1, per: Minute}",
            ),
            REJECTED,
            &[
                "throttling.limits[one].consumer",
                "\"ghost\"",
                "auth.consumer.allow",
            ],
        ),
        Case::new(
            "equal-routes",
            api_gateway(&format!(
                "{AUTH}, routes: [{{name: one, path: {{prefix: /a}}}}, {{name: two, path: {{prefix: /a/}}}}]"
            )),
            REJECTED,
            &[
                "spec.apiGateway.routes",
                "\"one\"",
                "\"two\"",
                "same path and method",
            ],
        ),
        Case::new(
            "too-patient",
            api_gateway(&format!("{AUTH}, backend: {{timeout: 31s}}")),
            REJECTED,
            &["spec.apiGateway.backend.timeout", "31", "30 s"],
        ),
        Case::new(
            "taken-path",
            api_gateway(&format!(
                "{AUTH}, routes: [{{name: all, path: {{prefix: /}}}}]"
            )),
            ("Programmed", "PathConflict"),
            &[
                "spec.apiGateway.routes[all]",
                "\"knative\"",
                "default/helloworld",
                "Use another path",
            ],
        ),
        Case::new(
            "plain-service",
            "",
            UNSUPPORTED,
            &[
                "spec.serviceRef",
                "bad/hello",
                "Knative services only",
                "Name a KnativeService",
            ],
        )
        .of("serviceRef: {kind: Service, name: hello}"),
    ]
}

/// References to what is missing, not ready, over or not shared.
fn references() -> Vec<Case> {
    vec![
        Case::new(
            "missing-service",
            "",
            ("ResolvedRefs", "ServiceNotFound"),
            &["spec.serviceRef", "Knative Service bad/ghost", "Create it"],
        )
        .of("serviceRef: {kind: KnativeService, name: ghost}"),
        Case::new(
            "route-not-ready",
            "",
            ("ResolvedRefs", "RouteNotReady"),
            &["spec.serviceRef", "bad/broken", "is not ready"],
        )
        .of("serviceRef: {kind: KnativeService, name: broken}"),
        Case::new(
            "expired",
            allow("{name: private, until: \"2020-01-01T00:00:00Z\"}"),
            ("ResolvedRefs", "GrantExpired"),
            &[
                "allow[private].until",
                "2020-01-01T00:00:00Z has passed",
                "Move the date",
            ],
        ),
        Case::new(
            "missing-consumer",
            allow("{name: ghost}"),
            ("ResolvedRefs", "ConsumerNotFound"),
            &["allow[ghost]", "GatewayConsumer bad/ghost", "Create it"],
        ),
        Case::new(
            "without-consent",
            allow("{name: knative, consumerRef: {namespace: default, name: knative}}"),
            ("ResolvedRefs", "ConsumerNotAllowed"),
            &[
                "allow[knative]",
                "GatewayConsumer default/knative",
                "spec.allowedNamespaces",
            ],
        ),
        Case::new(
            "same-consumer-twice",
            allow(
                "{name: one, consumerRef: {name: ghost}}, {name: two, consumerRef: {name: ghost}}",
            ),
            REJECTED,
            &[
                "auth.consumer.allow",
                "\"one\"",
                "\"two\"",
                "bad/ghost",
                "Keep one",
            ],
        ),
        Case::new(
            "unmade-consumer",
            allow("{name: unmade}"),
            ("ResolvedRefs", "ConsumerNotReady"),
            &[
                "allow[unmade]",
                "GatewayConsumer bad/unmade",
                "its own status",
            ],
        ),
    ]
}

/// Specs that are never stored, and words of the answer.
pub(super) fn refused_by_the_api_server()
-> Vec<(&'static str, &'static str, &'static [&'static str])> {
    vec![
        (
            "wrong-enum",
            "mode: Maybe",
            &[
                "spec.mode",
                "Unsupported value: \"Maybe\"",
                "\"Apply\", \"Plan\", \"Suspend\"",
            ],
        ),
        (
            "wrong-kind",
            "serviceRef: {kind: Deployment, name: hello}",
            &[
                "spec.serviceRef.kind",
                "\"Deployment\"",
                "\"KnativeService\", \"Service\"",
            ],
        ),
        (
            "typo",
            "gatewey: intranet",
            &["unknown field \"spec.gatewey\""],
        ),
        (
            "no-auth",
            "apiGateway: {protocols: [HTTP]}",
            &["spec.apiGateway.auth: Required value"],
        ),
        (
            "nobody-said-who",
            "apiGateway: {auth: {}}",
            &["spec.apiGateway.auth", "say who may call", "anonymous: {}"],
        ),
        (
            "anonymous-and-known",
            "apiGateway: {auth: {anonymous: {}, consumer: {signature: {}, allow: []}}}",
            &["spec.apiGateway.auth.anonymous", "must stand alone"],
        ),
        (
            "no-path",
            "apiGateway: {auth: {anonymous: {}}, routes: [{name: all, path: {exact: /a, prefix: /b}}]}",
            &["routes[0].path", "give exactly one of exact and prefix"],
        ),
        (
            "up-path",
            "apiGateway: {auth: {anonymous: {}}, routes: [{name: all, path: {prefix: /a/../b}}]}",
            &["routes[0].path", "must not contain //, /./ or /../"],
        ),
        (
            "same-route-twice",
            "apiGateway: {auth: {anonymous: {}}, routes: [{name: all, path: {exact: /a}}, {name: all, path: {exact: /b}}]}",
            &["routes[1]", "Duplicate value"],
        ),
        (
            "long-name",
            "slb: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
            &["spec.slb.name", "may not be more than 80"],
        ),
        (
            "same-zone-twice",
            "slb: {zones: {primary: cn-beijing-g, backup: cn-beijing-g}}",
            &[
                "spec.slb.zones.backup",
                "backup must be another zone than primary",
            ],
        ),
        (
            "no-date",
            "apiGateway: {auth: {consumer: {signature: {}, allow: [{name: a, until: tomorrow}]}}}",
            &["allow[0].until", "\"tomorrow\"", "date-time"],
        ),
        (
            "knative-with-port",
            "serviceRef: {kind: KnativeService, name: hello, port: 80}",
            &["spec.serviceRef.port", "port is for kind Service only"],
        ),
    ]
}
