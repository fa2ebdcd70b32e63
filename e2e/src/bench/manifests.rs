//! What is applied for a given number of bindings.

use serde_json::{Value, json};

use super::audit;

/// The cloud's account, region and the cluster's id in it.
pub(super) const ACCOUNT: &str = "1234567890123456";
pub(super) const REGION: &str = "cn-beijing";
pub(super) const CLUSTER: &str = "c1f0";
/// The one class.
pub(super) const CLASS: &str = "scale";

/// Namespace of the consumers.
const CALLERS: &str = "callers";
/// Most bindings of one group: a quarter of what the product allows.
const PER_GROUP: usize = 250;
const PER_NAMESPACE: usize = 50;
const CONSUMERS: usize = 4;

/// How many bindings, and so how many of everything else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Bindings.
    pub bindings: usize,
    /// What the class allows: calls per second and operation.
    pub call_budget: u32,
}

impl Scale {
    pub(super) fn namespaces(self) -> usize {
        self.bindings.div_ceil(PER_NAMESPACE).max(2)
    }

    pub(super) fn groups(self) -> usize {
        self.bindings.div_ceil(PER_GROUP).clamp(2, 32)
    }

    pub(super) fn consumers(self) -> usize {
        CONSUMERS.min(self.bindings)
    }

    pub(super) fn namespace(self, index: usize) -> String {
        format!("team-{:03}", index % self.namespaces())
    }

    /// What has to be there before the first binding, as YAML; all objects but Routes.
    pub(super) fn surroundings(self) -> String {
        let mut objects = vec![
            namespace(audit::NAMESPACE),
            namespace("istio-system"),
            namespace(CALLERS),
        ];
        objects.extend((0..self.namespaces()).map(|index| namespace(&self.namespace(index))));
        objects.extend(rights());
        objects.push(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "istio-ingressgateway", "namespace": "istio-system"},
            "spec": {
                "selector": {"istio": "ingressgateway"},
                "ports": [{"name": "http2", "port": 80}, {"name": "https", "port": 443}],
            },
        }));
        objects.push(self.class());
        objects.extend((0..self.consumers()).map(consumer));
        let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
        documents.join("\n---\n")
    }

    fn class(self) -> Value {
        let groups: Vec<Value> = (0..self.groups())
            .map(|index| json!({"name": group(index)}))
            .collect();
        json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
            "metadata": {"name": CLASS},
            "spec": {
                "cloud": {
                    "accountId": ACCOUNT, "regionId": REGION, "clusterId": CLUSTER,
                    "credentials": {"type": "Environment"},
                    "callBudget": {"requestsPerSecond": self.call_budget},
                },
                "defaults": {"gateway": "intranet", "apiGateway": {"gateway": "main"}},
                "gateways": [{"name": "intranet", "slb": {
                    "service": {
                        "namespace": "istio-system", "name": "istio-ingressgateway-intranet",
                        "createFrom": {"name": "istio-ingressgateway"},
                    },
                    "settings": {"addressType": "Intranet"},
                }}],
                "apiGateways": [{"name": "main", "type": "Classic", "groups": groups}],
            },
        })
    }

    /// A Knative Route with a host, as Knative leaves it when the service is ready: what there is
    /// to create, and its status.
    pub(super) fn route(self, index: usize) -> (Value, Value) {
        let (namespace, name) = (self.namespace(index), name(index));
        let identity = json!({
            "apiVersion": "serving.knative.dev/v1", "kind": "Route",
            "metadata": {"name": name, "namespace": namespace},
        });
        let mut route = identity.clone();
        route["spec"] = json!({"traffic": [{"configurationName": name, "percent": 100, "latestRevision": true}]});
        let mut status = identity;
        status["status"] = json!({
            "url": format!("http://{name}.{namespace}.example.com"),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        });
        (route, status)
    }

    /// A binding: one API in one group, one consumer, limits that all share.
    pub(super) fn binding(self, index: usize) -> Value {
        let caller = consumer_name(index % self.consumers());
        let allowed =
            json!({"name": caller, "consumerRef": {"name": caller, "namespace": CALLERS}});
        json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": name(index), "namespace": self.namespace(index)},
            "spec": {
                "className": CLASS,
                "serviceRef": {"kind": "KnativeService", "name": name(index)},
                "apiGateway": {
                    "group": group(index % self.groups()),
                    "protocols": ["HTTP"],
                    "auth": {"consumer": {"apiKey": {"in": ["Header"]}, "signature": {}, "allow": [allowed]}},
                    "throttling": {"limits": [{"name": "total", "scope": "API", "requests": 1000, "per": "Minute"}]},
                },
            },
        })
    }
}

/// Name of a binding and of its Route.
pub(super) fn name(index: usize) -> String {
    format!("app-{index:05}")
}

fn group(index: usize) -> String {
    format!("scale{index:02}")
}

fn consumer_name(index: usize) -> String {
    format!("caller-{index}")
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn consumer(index: usize) -> Value {
    let name = consumer_name(index);
    json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
        "metadata": {"name": name, "namespace": CALLERS},
        "spec": {
            "allowedNamespaces": {"from": "All"},
            "credentials": [{"name": "first", "type": "Generated", "kinds": ["APIKey"], "secretRef": {"name": name}}],
        },
    })
}

/// A ServiceAccount for the operator, so that its requests can be told from others'.
fn rights() -> [Value; 2] {
    let (name, namespace) = (audit::ACCOUNT, audit::NAMESPACE);
    [
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "gatewaybinding-operator-of-the-bench"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_gets_more_than_the_product_allows() {
        for bindings in [1, 20, 100, 1000, 5000, 8000] {
            let scale = Scale {
                bindings,
                call_budget: 50,
            };
            let mut in_group = std::collections::BTreeMap::<String, usize>::new();
            for index in 0..bindings {
                let binding = scale.binding(index);
                let group = binding["spec"]["apiGateway"]["group"].to_string();
                *in_group.entry(group).or_default() += 1;
            }
            assert!(in_group.values().all(|n| *n <= 1000), "{in_group:?}");
            assert!(in_group.len() <= scale.groups());
        }
    }
}
