//! What a GatewayBindingClass may say.

mod malformed;
mod refused;

use crate::check::{Patch, accepted, every_rule_is_broken_by, refused, updates};
use malformed::MALFORMED;
use refused::REFUSED;

const KIND: &str = "GatewayBindingClass";

const RRSA: Patch = "spec: {cloud: {credentials: {type: RRSA, rrsa: {roleArn: \"acs:ram::1:role/a\", oidcProviderArn: \"acs:ram::1:oidc-provider/b\"}}}}";

const UPDATES: &[(&str, Patch, Patch, Option<&str>)] = &[
    (
        "another region",
        "{}",
        "spec: {cloud: {regionId: cn-hangzhou}}",
        Some("cloud.regionId cannot be changed"),
    ),
    (
        "another cluster",
        "{}",
        "spec: {cloud: {clusterId: c2}}",
        Some("cloud.clusterId cannot be changed"),
    ),
    (
        "another account",
        "{}",
        "spec: {cloud: {accountId: \"9999999999999999\"}}",
        Some("cloud.accountId cannot be changed"),
    ),
    (
        "no account any more",
        "{}",
        "spec: {cloud: {accountId: null}}",
        Some("cloud.accountId cannot be changed"),
    ),
    (
        "an account where there was none",
        "spec: {cloud: {accountId: null}}",
        "{}",
        None,
    ),
    (
        "no cloud any more",
        "{}",
        "spec: {cloud: null, gateways: null, apiGateways: null, defaults: null}",
        Some("cloud cannot be removed"),
    ),
    (
        "a cloud where there was none",
        "spec: {cloud: null, gateways: null, apiGateways: null, defaults: null}",
        "{}",
        None,
    ),
    ("other credentials", "{}", RRSA, None),
    (
        "another default",
        "{}",
        "spec: {defaults: {gateway: null}}",
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
                "the least",
                "spec: {cloud: null, gateways: null, apiGateways: null, defaults: null}",
            ),
            ("RRSA", RRSA),
            (
                "the role of the node",
                "spec: {cloud: {credentials: {type: ECSRAMRole}}}",
            ),
            (
                "the named role of the node",
                "spec: {cloud: {credentials: {type: ECSRAMRole, ecsRAMRole: {roleName: a}}}}",
            ),
            (
                "a credentials URI",
                "spec: {cloud: {credentials: {type: CredentialsURI, credentialsURI: {uri: \"http://127.0.0.1:7002/c\"}}}}",
            ),
            (
                "a Secret",
                "spec: {cloud: {credentials: {type: Secret, secret: {namespace: a, name: b}}}}",
            ),
            ("all namespaces", "spec: {allowedNamespaces: {from: All}}"),
            (
                "some namespaces",
                "spec: {allowedNamespaces: {from: Selector, selector: {matchLabels: {a: b}}}}",
            ),
            (
                "a default API gateway without a group",
                "spec: {defaults: {apiGateway: {group: null}}}",
            ),
            ("no defaults", "spec: {defaults: null}"),
            ("a guard that says nothing", "spec: {massChangeGuard: {}}"),
            (
                "no guard",
                "spec: {massChangeGuard: {state: Disabled, maxObjects: 5}}",
            ),
            (
                "a guard that asks each time",
                "spec: {massChangeGuard: {maxObjects: 0, maxPercent: 100}}",
            ),
            (
                "a mass change that was confirmed",
                "spec: {massChangeGuard: {confirmed: 0123456789abcdef}}",
            ),
            ("orphans as by default", "spec: {orphans: {}}"),
            (
                "orphans that are collected after three sweeps",
                "spec: {orphans: {policy: Collect, sweeps: 3}}",
            ),
            (
                "Higress without a cloud",
                "spec: {cloud: null, apiGateways: null, defaults: null, knative: {gateway: higress, domains: [{name: example.com}]}, gateways: [{name: higress, higress: {namespace: higress-system, adapter: IstioCRDs}}]}",
            ),
            (
                "Knative switched to an ALB",
                "spec: {knative: {gateway: alb}, gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, settings: {addressType: Intranet}}}, {name: alb, alb: {}}]}",
            ),
            (
                "Higress behind a load balancer",
                "spec: {knative: {gateway: intranet}, gateways: [{name: intranet, higress: {namespace: a, adapter: KIngress}, slb: {service: {namespace: a, name: higress-gateway}, settings: {addressType: Intranet}}}]}",
            ),
            (
                "a gateway that leaves nothing open",
                "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, settings: {addressType: Intranet}}}]}",
            ),
            (
                "a load balancer for each",
                "spec: {gateways: [{name: intranet, slb: {perBinding: {maxInstances: 20}, settings: {addressType: Intranet}, bindingsMaySet: [existing]}}]}",
            ),
            (
                "a gateway that leaves two fields open",
                "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, bindingsMaySet: [name, zones]}}]}",
            ),
            (
                "what may be adopted",
                "spec: {adoptable: [API, Policy, Consumer]}",
            ),
            (
                "existing groups beside one of the operator",
                "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative}, {name: pays, existing: {id: \"1\"}}, {name: media, existing: {id: \"2\"}}]}]}",
            ),
            (
                "existing ways",
                "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative}], backends: [{gateway: intranet, port: 80, existing: {id: \"1\"}}, {gateway: intranet, port: 81, existing: {id: \"2\"}}]}]}",
            ),
            (
                "a Service made after another",
                "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, createFrom: {name: c}}}}]}",
            ),
            (
                "one made after some of another",
                "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, createFrom: {name: c, ports: [443], externalTrafficPolicy: Local, sessionAffinity: None}}}}]}",
            ),
        ],
    );
}
