//! Which requests the rules of a binding are for: those of all Knative Ingresses that lead to its
//! Knative Service.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::v1alpha1::{HIGRESS_INGRESS_CLASS, NamespacedName};
use kube::ResourceExt;

use super::state::State;
use crate::core::alb::kingress::KIngress;
use crate::core::higress::scope::Scope;

/// Label of what Serving makes for a Knative Service.
const SERVICE: &str = "serving.knative.dev/service";

/// Who serves a Knative Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// Higress, or what is to be.
    ByHigress,
    /// Knative has made no Ingress for it yet.
    NotYet,
    /// Another networking layer, by its class.
    ByAnother(String),
}

/// The requests to a Knative Service. Its own Knative Ingress is among them before Knative has made it,
/// so that no request comes before its rules; and those that rewrite another host to one of its hosts,
/// which is what a DomainMapping does.
pub fn scope(service: &NamespacedName, system: &str, state: &State) -> Scope {
    let name = (service.namespace.as_str(), service.name.as_str());
    let mut scope = Scope::of_ingress(name, [], system);
    let here = ingresses(service, state);
    let (own, others): (Vec<_>, Vec<_>) = here
        .iter()
        .partition(|ingress| is_of(ingress, &service.name));
    let served: BTreeSet<&str> = own.iter().flat_map(|ingress| hosts(ingress)).collect();
    let leading = others
        .into_iter()
        .filter(|ingress| rewrites(ingress).any(|host| served.contains(host)));
    for ingress in own.iter().copied().chain(leading) {
        let (namespace, name) = (service.namespace.as_str(), ingress.name_any());
        scope.add(&Scope::of_ingress(
            (namespace, &name),
            hosts(ingress),
            system,
        ));
    }
    scope
}

/// Who serves a Knative Service.
pub fn served(service: &NamespacedName, state: &State) -> Served {
    let here = ingresses(service, state);
    let mut own = here.iter().filter(|ingress| is_of(ingress, &service.name));
    match own.next().map(|ingress| ingress.class()) {
        None => Served::NotYet,
        Some(Some(HIGRESS_INGRESS_CLASS)) => Served::ByHigress,
        Some(class) => Served::ByAnother(class.unwrap_or_default().to_owned()),
    }
}

fn ingresses(service: &NamespacedName, state: &State) -> Vec<Arc<KIngress>> {
    let mut here = state.kingresses.state();
    here.retain(|ingress| ingress.namespace().as_deref() == Some(&service.namespace));
    here
}

/// Whether a Knative Ingress is that of a Knative Service.
fn is_of(ingress: &KIngress, service: &str) -> bool {
    match ingress.labels().get(SERVICE) {
        Some(label) => label == service,
        None => ingress.name_any() == service,
    }
}

fn hosts(ingress: &KIngress) -> impl Iterator<Item = &str> {
    let rules = ingress.spec["rules"].as_array().into_iter().flatten();
    let hosts = rules.filter_map(|rule| rule["hosts"].as_array());
    hosts.flatten().filter_map(|host| host.as_str())
}

fn rewrites(ingress: &KIngress) -> impl Iterator<Item = &str> {
    let rules = ingress.spec["rules"].as_array().into_iter().flatten();
    let paths = rules.filter_map(|rule| rule["http"]["paths"].as_array());
    paths
        .flatten()
        .filter_map(|path| path["rewriteHost"].as_str())
}

#[cfg(test)]
mod tests {
    use super::super::wakes::Wakes;
    use super::*;
    use crate::controller::queue::queue;
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    fn state(ingresses: &[Value]) -> State {
        let state = State::new(Wakes::default(), queue().0);
        let mut writer = state.writer().unwrap();
        for ingress in ingresses {
            writer.apply_watcher_event(&Event::Apply(
                serde_json::from_value::<KIngress>(ingress.clone()).unwrap(),
            ));
        }
        state
    }

    fn ingress(name: &str, labels: Value, rules: Value) -> Value {
        json!({
            "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
            "metadata": {
                "name": name, "namespace": "default", "labels": labels,
                "annotations": {"networking.knative.dev/ingress.class": "higress"},
            },
            "spec": {"rules": rules},
        })
    }

    fn hello() -> NamespacedName {
        NamespacedName {
            namespace: "default".to_owned(),
            name: "hello".to_owned(),
        }
    }

    #[test]
    fn a_service_has_its_rules_before_knative_has_made_anything_for_it() {
        let state = state(&[]);
        let found = scope(&hello(), "higress-system", &state);
        assert_eq!(found.routes, ["default/hello".to_owned()].into());
        assert_eq!(served(&hello(), &state), Served::NotYet);
    }

    #[test]
    fn who_comes_by_a_mapped_domain_meets_the_same_rules() {
        let local = "hello.default.svc.cluster.local";
        let state = state(&[
            ingress(
                "hello",
                json!({SERVICE: "hello"}),
                json!([{"hosts": [local]}, {"hosts": ["Hello.default.example.com"]}]),
            ),
            ingress(
                "shop.example.com",
                json!({}),
                json!([{"hosts": ["shop.example.com"], "http": {"paths": [{"rewriteHost": local}]}}]),
            ),
            ingress(
                "other.example.com",
                json!({}),
                json!([{"hosts": ["other.example.com"], "http": {"paths": [{"rewriteHost": "x"}]}}]),
            ),
        ]);
        let found = scope(&hello(), "higress-system", &state);
        let routes = ["default/hello", "default/shop.example.com"].map(str::to_owned);
        assert_eq!(found.routes, routes.into());
        let hosts = [local, "hello.default.example.com", "shop.example.com"];
        assert_eq!(found.hosts, hosts.map(str::to_owned).into());
        assert_eq!(served(&hello(), &state), Served::ByHigress);
    }
}
