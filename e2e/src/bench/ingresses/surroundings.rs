//! What has to be in the cluster before a layer starts.

use std::net::Ipv4Addr;

use alicloud_emulator::alb_ingress;

use super::{layer::Layer, stage::SYSTEM};

/// A class with enough load balancers.
const CLASS: &str = "
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: alb}
spec:
  cloud: {accountId: \"1234567890123456\", regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  gateways:
  - name: alb
    alb:
      maxRules: MAX-RULES
      maxInstances: 16
      settings: {zoneMappings: [{vswitchId: VSWITCH-0}, {vswitchId: VSWITCH-1}]}
";

/// The cloud account of the class.
pub(super) struct Account {
    /// VSwitches in two zones.
    pub(super) vswitches: [String; 2],
    /// Rules that a load balancer may have.
    pub(super) max_rules: usize,
}

impl Account {
    /// One that is not asked. It may have twice the rules of a new one: the most that is granted.
    pub(super) fn imagined() -> Self {
        let vswitches = ["vsw-2zeqgkyib34gw1fxxx", "vsw-2zefv5qwao4prxxx"];
        Self {
            vswitches: vswitches.map(str::to_owned),
            max_rules: 200,
        }
    }
}

/// The YAML. `gateway` is an address on which something answers.
pub(super) fn of(layer: Layer, gateway: Ipv4Addr, account: &Account) -> String {
    match layer {
        Layer::Alb => {
            let [first, second] = &account.vswitches;
            let class = CLASS.replace("VSWITCH-0", first);
            let class = class.replace("VSWITCH-1", second);
            let class = class.replace("MAX-RULES", &account.max_rules.to_string());
            format!("{}---{class}", alb_ingress::DEFINITION)
        }
        Layer::NetIstio => istio(gateway),
        Layer::NetGatewayApi => gateway_api(gateway),
        Layer::NetKourier => kourier(gateway),
    }
}

/// A Service, labelled `istio: NAME` as Istio's are, and where it leads.
fn service(namespace: &str, name: &str, gateway: Ipv4Addr) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: {namespace}, labels: {{istio: {name}}}}}, spec: {{ports: [{{name: http2, port: 80, targetPort: 8081}}]}}}}\n---\n\
         {{apiVersion: v1, kind: Endpoints, metadata: {{name: {name}, namespace: {namespace}}}, subsets: [{{addresses: [{{ip: {gateway}}}], ports: [{{name: http2, port: 8081}}]}}]}}\n---\n"
    )
}

/// The kinds of Istio that net-istio watches, and two gateways.
fn istio(address: Ipv4Addr) -> String {
    let definition = |kind: &str| {
        let singular = kind.to_lowercase();
        format!(
            "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: {singular}s.networking.istio.io}}, spec: {{group: networking.istio.io, scope: Namespaced, \
             names: {{kind: {kind}, listKind: {kind}List, plural: {singular}s, singular: {singular}}}, \
             versions: [{{name: v1beta1, served: true, storage: true, subresources: {{status: {{}}}}, schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}]}}}}\n---\n"
        )
    };
    let gateway = |name: &str| {
        let service = service("istio-system", name, address);
        format!(
            "{service}{{apiVersion: networking.istio.io/v1beta1, kind: Gateway, metadata: {{name: {name}, namespace: {SYSTEM}}}, spec: {{selector: {{istio: {name}}}, servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: [\"*\"]}}]}}}}\n---\n"
        )
    };
    let configured = |name: &str| {
        format!(
            "    - {{name: {name}, namespace: {SYSTEM}, service: {name}.istio-system.svc.cluster.local}}\n"
        )
    };
    format!(
        "{}apiVersion: v1\nkind: Namespace\nmetadata: {{name: istio-system}}\n---\n{}{}\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-istio, namespace: {SYSTEM}}}\ndata:\n  \
         external-gateways: |\n{}  local-gateways: |\n{}",
        ["VirtualService", "Gateway", "DestinationRule"]
            .map(definition)
            .concat(),
        gateway("external"),
        gateway("local"),
        configured("external"),
        configured("local"),
    )
}

fn gateway_api(address: Ipv4Addr) -> String {
    let gateway = |name: &str| {
        let service = service("gateways", name, address);
        format!(
            "{service}{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: {name}, namespace: gateways}}, spec: {{gatewayClassName: istio, listeners: [{{name: http, port: 80, protocol: HTTP, allowedRoutes: {{namespaces: {{from: All}}}}}}]}}}}\n---\n"
        )
    };
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: gateways}}\n---\n{}{}\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-gateway, namespace: {SYSTEM}}}\ndata:\n  \
         external-gateways: |\n    - {{class: istio, gateway: gateways/external, service: gateways/external}}\n  \
         local-gateways: |\n    - {{class: istio, gateway: gateways/local, service: gateways/local}}\n",
        gateway("external"),
        gateway("local"),
    )
}

fn kourier(address: Ipv4Addr) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: kourier-system}}\n---\n{}{}\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-kourier, namespace: {SYSTEM}}}\n",
        service("kourier-system", "kourier", address),
        service("kourier-system", "kourier-internal", address),
    )
}
