//! What breaks a rule of a class, and what the API server says.

use crate::check::Patch;

pub(super) const REFUSED: &[(&str, Patch, &str)] = &[
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
