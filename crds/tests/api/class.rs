//! What a GatewayBindingClass may say.

use crate::check::{Patch, accepted, every_rule_is_broken_by, refused, updates};

const KIND: &str = "GatewayBindingClass";

const RRSA: Patch = "spec: {cloud: {credentials: {type: RRSA, rrsa: {roleArn: \"acs:ram::1:role/a\", oidcProviderArn: \"acs:ram::1:oidc-provider/b\"}}}}";

const REFUSED: &[(&str, Patch, &str)] = &[
    (
        "a long name",
        "metadata: {name: a123456789b123456789c123456789d123456789e123456789f123456789abcd}",
        "at most 63 characters",
    ),
    (
        "a load balancer without a cloud",
        "spec: {cloud: null, apiGateways: null, defaults: {apiGateway: null}}",
        "cloud is required",
    ),
    (
        "an API gateway without a cloud",
        "spec: {cloud: null, gateways: null, defaults: {gateway: null}}",
        "cloud is required",
    ),
    (
        "RRSA without its settings",
        "spec: {cloud: {credentials: {type: RRSA}}}",
        "rrsa must be given",
    ),
    (
        "settings of RRSA with another type",
        "spec: {cloud: {credentials: {rrsa: {roleArn: \"acs:ram::1:role/a\", oidcProviderArn: \"acs:ram::1:oidc-provider/b\"}}}}",
        "rrsa must be given",
    ),
    (
        "a role with another type",
        "spec: {cloud: {credentials: {ecsRAMRole: {roleName: a}}}}",
        "ecsRAMRole may be given",
    ),
    (
        "a credentials URI without its address",
        "spec: {cloud: {credentials: {type: CredentialsURI}}}",
        "credentialsURI must be given",
    ),
    (
        "an address with another type",
        "spec: {cloud: {credentials: {credentialsURI: {uri: \"http://a/\"}}}}",
        "credentialsURI must be given",
    ),
    (
        "a Secret that is not named",
        "spec: {cloud: {credentials: {type: Secret}}}",
        "secret must be given",
    ),
    (
        "a Secret with another type",
        "spec: {cloud: {credentials: {secret: {namespace: a, name: b}}}}",
        "secret must be given",
    ),
    (
        "a selector for all namespaces",
        "spec: {allowedNamespaces: {from: All, selector: {matchLabels: {a: b}}}}",
        "selector must be given",
    ),
    (
        "no selector for some namespaces",
        "spec: {allowedNamespaces: {from: Selector}}",
        "selector must be given",
    ),
    (
        "a default gateway that is none",
        "spec: {defaults: {gateway: other}}",
        "defaults.gateway must be",
    ),
    (
        "a default API gateway that is none",
        "spec: {defaults: {apiGateway: {gateway: other}}}",
        "defaults.apiGateway must name",
    ),
    (
        "a default group that is none",
        "spec: {defaults: {apiGateway: {group: other}}}",
        "defaults.apiGateway must name",
    ),
    (
        "a default gateway without any",
        "spec: {gateways: null}",
        "defaults.gateway must be",
    ),
    (
        "a default API gateway without any",
        "spec: {apiGateways: null}",
        "defaults.apiGateway must name",
    ),
    (
        "a default group of nowhere",
        "spec: {defaults: {apiGateway: {gateway: null}}}",
        "group needs gateway",
    ),
    (
        "a gateway that is nothing",
        "spec: {gateways: [{name: intranet}]}",
        "a gateway must say what it is",
    ),
    (
        "a gateway that is two things",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}}, alb: {}}]}",
        "give alb alone, or one of slb and nlb, higress, or higress behind one of these",
    ),
    (
        "a gateway that is two kinds of Service",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}}, nlb: {service: {namespace: a, name: b}}}]}",
        "give alb alone, or one of slb and nlb, higress, or higress behind one of these",
    ),
    (
        "an NLB before nothing",
        "spec: {gateways: [{name: intranet, nlb: {settings: {addressType: Intranet}}}]}",
        "of nlb give exactly one of service",
    ),
    (
        "one NLB of others for each binding",
        "spec: {gateways: [{name: intranet, nlb: {perBinding: {}, settings: {existing: {id: nlb-1}}}}]}",
        "one existing NLB cannot be that of each binding",
    ),
    (
        "all settings of an NLB and one of them",
        "spec: {gateways: [{name: intranet, nlb: {perBinding: {}, bindingsMaySet: [name, \"*\"]}}]}",
        "settings of nlb and must stand alone",
    ),
    (
        "a gateway that is Higress and an ALB",
        "spec: {gateways: [{name: intranet, higress: {namespace: higress-system, adapter: KIngress}, alb: {}}]}",
        "give alb alone, or one of slb and nlb, higress, or higress behind one of these",
    ),
    (
        "Knative switched to a load balancer",
        "spec: {knative: {gateway: intranet}}",
        "knative.gateway must be",
    ),
    (
        "Knative switched to a gateway that is not there",
        "spec: {knative: {gateway: other}}",
        "knative.gateway must be",
    ),
    (
        "an ALB without a cloud",
        "spec: {cloud: null, apiGateways: null, defaults: {gateway: null, apiGateway: null}, gateways: [{name: alb, alb: {}}]}",
        "cloud is required",
    ),
    (
        "one AlbConfig for both kinds of address",
        "spec: {gateways: [{name: intranet, alb: {internet: {albConfig: knative-intranet}}}]}",
        "two different AlbConfigs",
    ),
    (
        "settings of an ALB that set nothing",
        "spec: {gateways: [{name: intranet, alb: {settings: {}}}]}",
        "no setting of alb is given",
    ),
    (
        "two vswitches in one zone",
        "spec: {gateways: [{name: intranet, alb: {settings: {zoneMappings: [{vswitchId: vsw-a, zoneId: cn-beijing-g}, {vswitchId: vsw-b, zoneId: cn-beijing-g}]}}}]}",
        "two vswitches are in one zone",
    ),
    (
        "all settings of an ALB and one of them",
        "spec: {gateways: [{name: intranet, alb: {bindingsMaySet: [zoneMappings, \"*\"]}}]}",
        "settings of alb and must stand alone",
    ),
    (
        "a hop that says nothing",
        "spec: {gateways: [{name: intranet, alb: {hop: {}}}]}",
        "hop says nothing",
    ),
    (
        "a hop of the class that ALB serves",
        "spec: {gateways: [{name: intranet, alb: {hop: {ingressClass: alb.ingress.networking.knative.dev}}}]}",
        "an ingress class of its own",
    ),
    (
        "an ALB for the class of the hop",
        "spec: {gateways: [{name: intranet, alb: {ingressClass: kourier.ingress.networking.knative.dev}}]}",
        "an ingress class of its own",
    ),
    (
        "a Service made after itself",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b, createFrom: {name: b}}}}]}",
        "another Service",
    ),
    (
        "neither a shared Service nor one for each",
        "spec: {gateways: [{name: intranet, slb: {settings: {addressType: Intranet}}}]}",
        "exactly one of service",
    ),
    (
        "a shared Service and one for each",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, perBinding: {}}}]}",
        "exactly one of service",
    ),
    (
        "one load balancer as that of each",
        "spec: {gateways: [{name: intranet, slb: {perBinding: {}, settings: {existing: {id: lb-1}}}}]}",
        "cannot be that of each",
    ),
    (
        "settings that set nothing",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, settings: {}}}]}",
        "less than 1 property",
    ),
    (
        "one zone twice",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, settings: {zones: {primary: cn-beijing-g, backup: cn-beijing-g}}}}]}",
        "another zone than primary",
    ),
    (
        "everything and something",
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, bindingsMaySet: [name, \"*\"]}}]}",
        "must stand alone",
    ),
    (
        "one existing group twice",
        "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative, existing: {id: \"1\"}}, {name: other, existing: {id: \"1\"}}]}]}",
        "two groups name the same existing group",
    ),
    (
        "one existing way for two ports",
        "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative}], backends: [{gateway: intranet, port: 80, existing: {id: \"1\"}}, {gateway: intranet, port: 81, existing: {id: \"1\"}}]}]}",
        "two backends name the same existing way",
    ),
    (
        "a way to a gateway that is none",
        "spec: {apiGateways: [{name: main, type: Classic, groups: [{name: knative}], backends: [{gateway: other, port: 80, existing: {id: \"1\"}}]}]}",
        "must each name one of gateways",
    ),
    (
        "a way to a gateway without any",
        "spec: {gateways: null, defaults: {gateway: null}, apiGateways: [{name: main, type: Classic, groups: [{name: knative}], backends: [{gateway: intranet, port: 80, existing: {id: \"1\"}}]}]}",
        "must each name one of gateways",
    ),
];

const MALFORMED: &[(&str, Patch, &str)] = &[
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
