//! What must be there before Knative is switched over to Higress: otherwise its services would be
//! served by nobody. Each lack is told with the command that helps.

use crds::v1alpha1::{HigressAdapter, HigressGateway, Reason};

use crate::core::problem::Problem;

/// API group of Knative's Ingresses.
pub const NETWORKING: &str = "networking.internal.knative.dev";

/// What was found in the cluster. What could not be looked at is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The Service of the gateway.
    pub service: bool,
    /// The definition of `WasmPlugin`.
    pub plugin_definition: bool,
    /// The definition of Knative's Ingresses.
    pub ingress_definition: bool,
    /// The definitions of Istio's Gateways and virtual services.
    pub istio_definitions: bool,
    /// Knative's two Gateways, which come with net-istio.
    pub knative_gateways: bool,
    /// Whether Higress' ServiceAccount has all of [`RIGHTS`].
    pub may_serve: bool,
    /// Whether Higress was installed to read Istio's objects, where its Deployment tells.
    pub reads_istio: Option<bool>,
}

/// What Higress needs to serve Knative's Ingresses: resource and verbs.
pub const RIGHTS: [(&str, &[&str]); 2] = [
    ("ingresses", &["get", "list", "watch"]),
    ("ingresses/status", &["get", "patch", "update"]),
];

/// What is missing, the first thing to do first.
pub fn lacks(gateway: &HigressGateway, facts: &Facts) -> Vec<Problem> {
    let namespace = &gateway.namespace;
    let mut found = Vec::new();
    if !facts.service {
        found.push(lack(
            Reason::HigressNotFound,
            format!(
                "higress: there is no Service {namespace}/{}. Install Higress: helm install higress -n {namespace} --create-namespace higress.io/higress, or correct higress.namespace and higress.service.",
                gateway.service()
            ),
        ));
    }
    if !facts.plugin_definition {
        found.push(lack(
            Reason::HigressNotFound,
            format!(
                "higress: the definition wasmplugins.extensions.higress.io is missing. It comes with Higress: helm upgrade --install higress -n {namespace} higress.io/higress."
            ),
        ));
    }
    match gateway.adapter {
        HigressAdapter::KIngress => found.extend(lacks_of_ingresses(gateway, facts)),
        HigressAdapter::IstioCRDs => found.extend(lacks_of_istio(gateway, facts)),
    }
    found
}

fn lacks_of_ingresses(gateway: &HigressGateway, facts: &Facts) -> Option<Problem> {
    let namespace = &gateway.namespace;
    if !facts.ingress_definition {
        return Some(lack(
            Reason::HigressNotFound,
            format!(
                "higress: the definition ingresses.{NETWORKING} is missing. Install Knative Serving, then restart Higress, which looks for it at its start only: kubectl rollout restart -n {namespace} deployment/higress-controller."
            ),
        ));
    }
    if facts.may_serve {
        return None;
    }
    let role = format!("higress-controller-{namespace}");
    Some(lack(
        Reason::HigressNotPermitted,
        format!(
            "higress: Higress has no right to read Knative's Ingresses and to write their status. Run: kubectl patch clusterrole {role} --type json -p '{}'.",
            patch()
        ),
    ))
}

fn lacks_of_istio(gateway: &HigressGateway, facts: &Facts) -> Option<Problem> {
    let namespace = &gateway.namespace;
    if !facts.istio_definitions {
        return Some(lack(
            Reason::IstioAPIDisabled,
            "higress: the definitions of Istio are missing. Install them: helm install istio-base istio/base -n istio-system --create-namespace.".to_owned(),
        ));
    }
    if facts.reads_istio == Some(false) {
        return Some(lack(
            Reason::IstioAPIDisabled,
            format!(
                "higress: Higress does not read the objects of Istio. Let it: helm upgrade higress -n {namespace} --set global.enableIstioAPI=true higress.io/higress --reuse-values."
            ),
        ));
    }
    if !facts.knative_gateways {
        return Some(lack(
            Reason::IstioAPIDisabled,
            "higress: Knative's Gateways knative-ingress-gateway and knative-local-gateway are missing. They come with net-istio: apply net-istio.yaml of the release that goes with your Knative Serving.".to_owned(),
        ));
    }
    None
}

/// The rights as a JSON patch of a role.
fn patch() -> String {
    let rules = RIGHTS.map(|(resource, verbs)| {
        serde_json::json!({
            "op": "add", "path": "/rules/-",
            "value": {"apiGroups": [NETWORKING], "resources": [resource], "verbs": verbs},
        })
    });
    serde_json::json!(rules).to_string()
}

fn lack(reason: Reason, message: String) -> Problem {
    Problem::unresolved(reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gateway(adapter: &str) -> HigressGateway {
        serde_json::from_value(json!({"namespace": "higress-system", "adapter": adapter})).unwrap()
    }

    fn all_there() -> Facts {
        Facts {
            service: true,
            plugin_definition: true,
            ingress_definition: true,
            istio_definitions: true,
            knative_gateways: true,
            may_serve: true,
            reads_istio: Some(true),
        }
    }

    fn reasons(adapter: &str, facts: &Facts) -> Vec<Reason> {
        let found = lacks(&gateway(adapter), facts).into_iter();
        found.map(|problem| problem.reason).collect()
    }

    #[test]
    fn nothing_is_missing_where_all_is_there() {
        assert_eq!(reasons("KIngress", &all_there()), []);
        assert_eq!(reasons("IstioCRDs", &all_there()), []);
    }

    #[test]
    fn each_lack_has_its_reason() {
        let without = |change: fn(&mut Facts)| {
            let mut facts = all_there();
            change(&mut facts);
            facts
        };
        let both = [
            without(|facts| facts.service = false),
            without(|facts| facts.plugin_definition = false),
        ];
        for facts in both {
            assert_eq!(reasons("KIngress", &facts), [Reason::HigressNotFound]);
            assert_eq!(reasons("IstioCRDs", &facts), [Reason::HigressNotFound]);
        }
        let knative = without(|facts| facts.ingress_definition = false);
        assert_eq!(reasons("KIngress", &knative), [Reason::HigressNotFound]);
        let rights = without(|facts| facts.may_serve = false);
        assert_eq!(reasons("KIngress", &rights), [Reason::HigressNotPermitted]);
        assert_eq!(reasons("IstioCRDs", &rights), []);
        let istio = [
            without(|facts| facts.istio_definitions = false),
            without(|facts| facts.reads_istio = Some(false)),
            without(|facts| facts.knative_gateways = false),
        ];
        for facts in istio {
            assert_eq!(reasons("IstioCRDs", &facts), [Reason::IstioAPIDisabled]);
            assert_eq!(reasons("KIngress", &facts), []);
        }
    }
}
