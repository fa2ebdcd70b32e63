//! The keys that switch Knative over, for either way of putting Higress under it.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    ClassKnative, HIGRESS_INGRESS_CLASS, HigressAdapter, HigressGateway, KnativeDomain,
};
use serde_json::json;

use super::network::{Shared, Slot, Values};

/// The class of net-istio, which turns Knative's Ingresses into objects of Istio.
const ISTIO_INGRESS_CLASS: &str = "istio.ingress.networking.knative.dev";
/// Both Gateways, and the namespace they are in.
const NAMESPACE: &str = "knative-serving";
const INGRESS_GATEWAY: &str = "knative-ingress-gateway";
const LOCAL_GATEWAY: &str = "knative-local-gateway";
/// Current keys of `config-istio`, whose values are lists.
const CURRENT: [(&str, &str); 2] = [
    ("external-gateways", INGRESS_GATEWAY),
    ("local-gateways", LOCAL_GATEWAY),
];

/// What the keys have to have. `istio` is the data of `config-istio`, from which follows which spelling
/// the net-istio that is installed reads.
pub fn wanted(
    knative: &ClassKnative,
    gateway: &HigressGateway,
    istio: &BTreeMap<String, String>,
) -> Values {
    let class = match gateway.adapter {
        HigressAdapter::KIngress => HIGRESS_INGRESS_CLASS,
        HigressAdapter::IstioCRDs => ISTIO_INGRESS_CLASS,
    };
    let mut values = Values::new();
    values.insert(slot(Shared::Network, "ingress-class"), class.to_owned());
    for domain in knative.domains.iter().flatten() {
        values.insert(slot(Shared::Domain, &domain.name), selector(domain));
    }
    if gateway.adapter == HigressAdapter::IstioCRDs {
        point_istio(gateway, istio, &mut values);
    }
    values
}

/// The value of a domain in `config-domain`.
fn selector(domain: &KnativeDomain) -> String {
    let Some(labels) = domain.selector.as_ref().filter(|labels| !labels.is_empty()) else {
        return String::new();
    };
    // A text in JSON is one in YAML.
    let lines = labels
        .iter()
        .map(|(key, value)| format!("  {}: {}\n", json!(key), json!(value)));
    format!("selector:\n{}", lines.collect::<String>())
}

fn point_istio(gateway: &HigressGateway, istio: &BTreeMap<String, String>, values: &mut Values) {
    let service = format!(
        "{}.{}.svc.cluster.local",
        gateway.service(),
        gateway.namespace
    );
    if reads_lists(istio) {
        for (key, name) in CURRENT {
            let list = format!("- name: {name}\n  namespace: {NAMESPACE}\n  service: {service}\n");
            values.insert(slot(Shared::Istio, key), list);
        }
    } else {
        for (prefix, name) in [
            ("gateway", INGRESS_GATEWAY),
            ("local-gateway", LOCAL_GATEWAY),
        ] {
            let key = format!("{prefix}.{NAMESPACE}.{name}");
            values.insert(slot(Shared::Istio, &key), service.clone());
        }
    }
    let selector = json!(gateway.selector()).to_string();
    values.insert(slot(Shared::IngressGateway, "selector"), selector.clone());
    values.insert(slot(Shared::LocalGateway, "selector"), selector);
}

/// Whether net-istio reads the current keys: somebody uses them, or its own example explains them. The
/// old ones are read by every version.
fn reads_lists(istio: &BTreeMap<String, String>) -> bool {
    let used = CURRENT.iter().any(|(key, _)| istio.contains_key(*key));
    let example = istio.get("_example");
    used || example.is_some_and(|text| text.contains("external-gateways"))
}

fn slot(object: Shared, key: &str) -> Slot {
    Slot {
        object,
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(adapter: &str) -> HigressGateway {
        serde_json::from_value(json!({"namespace": "higress-system", "adapter": adapter})).unwrap()
    }

    fn knative() -> ClassKnative {
        let domains = json!([
            {"name": "example.com"}, {"name": "shop.example.com", "selector": {"team": "true"}},
        ]);
        serde_json::from_value(json!({"gateway": "higress", "domains": domains})).unwrap()
    }

    fn keys(adapter: &str, istio: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let values = wanted(&knative(), &gateway(adapter), istio).into_iter();
        values
            .map(|(slot, value)| (format!("{:?}/{}", slot.object, slot.key), value))
            .collect()
    }

    #[test]
    fn the_first_way_is_the_article_s() {
        let found = keys("KIngress", &BTreeMap::new());
        let expected = [
            ("Domain/example.com", ""),
            (
                "Domain/shop.example.com",
                "selector:\n  \"team\": \"true\"\n",
            ),
            ("Network/ingress-class", "higress"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found, expected.into());
    }

    #[test]
    fn the_second_way_is_the_article_s() {
        let found = keys("IstioCRDs", &BTreeMap::new());
        let service = "higress-gateway.higress-system.svc.cluster.local";
        assert_eq!(
            found["Istio/gateway.knative-serving.knative-ingress-gateway"],
            service
        );
        assert_eq!(
            found["Istio/local-gateway.knative-serving.knative-local-gateway"],
            service
        );
        let selector = r#"{"app":"higress-gateway","higress":"higress-system-higress-gateway"}"#;
        assert_eq!(found["IngressGateway/selector"], selector);
        assert_eq!(found["LocalGateway/selector"], selector);
        assert_eq!(found["Network/ingress-class"], ISTIO_INGRESS_CLASS);
    }

    #[test]
    fn a_net_istio_of_today_gets_its_lists() {
        let example = "external-gateways: |\n  - name: knative-ingress-gateway";
        let istio = BTreeMap::from([("_example".to_owned(), example.to_owned())]);
        let found = keys("IstioCRDs", &istio);
        assert_eq!(
            found["Istio/local-gateways"],
            "- name: knative-local-gateway\n  namespace: knative-serving\n  service: higress-gateway.higress-system.svc.cluster.local\n"
        );
        assert!(!found.keys().any(|key| key.starts_with("Istio/gateway.")));
    }
}
