//! The keys that switch Knative over: to an ALB, or to Higress in either way of putting it under Knative.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    ClassGateway, ClassKnative, HIGRESS_INGRESS_CLASS, HigressAdapter, HigressGateway,
    KnativeDomain, KnativeObject,
};
use serde_json::json;

use super::switch::{NAMESPACE, Slot, Values};

/// The class of net-istio, which turns Knative's Ingresses into objects of Istio.
const ISTIO_INGRESS_CLASS: &str = "istio.ingress.networking.knative.dev";
/// The key of the class for what names none, and its older spelling, which Serving still reads.
const INGRESS_CLASS: [&str; 2] = ["ingress-class", "ingress.class"];
/// Both Gateways.
const INGRESS_GATEWAY: &str = KnativeObject::KnativeIngressGateway.name();
const LOCAL_GATEWAY: &str = KnativeObject::KnativeLocalGateway.name();
/// Current keys of `config-istio`, whose values are lists.
const CURRENT: [(&str, &str); 2] = [
    ("external-gateways", INGRESS_GATEWAY),
    ("local-gateways", LOCAL_GATEWAY),
];
/// What older keys of `config-istio` begin with.
const OLDER: [(&str, &str); 2] = [
    ("gateway", INGRESS_GATEWAY),
    ("local-gateway", LOCAL_GATEWAY),
];

/// The data of a ConfigMap.
pub type Data = BTreeMap<String, String>;

/// The objects that have to be there to switch over to a gateway.
pub fn objects(knative: &ClassKnative, gateway: &ClassGateway) -> Vec<KnativeObject> {
    let by_istio = by_istio(gateway).is_some();
    let needed = |object: &KnativeObject| match object {
        KnativeObject::ConfigNetwork => true,
        KnativeObject::ConfigDomain => knative.domains.is_some(),
        KnativeObject::ConfigIstio
        | KnativeObject::KnativeIngressGateway
        | KnativeObject::KnativeLocalGateway => by_istio,
    };
    KnativeObject::ALL.into_iter().filter(needed).collect()
}

/// What the keys have to have. From `network` and `istio`, the data of `config-network` and
/// `config-istio`, follows which spelling of their keys is in use.
pub fn wanted(
    knative: &ClassKnative,
    gateway: &ClassGateway,
    network: &Data,
    istio: &Data,
) -> Values {
    let mut values = Values::new();
    if let Some(class) = ingress_class(gateway) {
        let [current, older] = INGRESS_CLASS;
        let is_old = !network.contains_key(current) && network.contains_key(older);
        let key = if is_old { older } else { current };
        values.insert(slot(KnativeObject::ConfigNetwork, key), class.to_owned());
    }
    for domain in knative.domains.iter().flatten() {
        let slot = slot(KnativeObject::ConfigDomain, &domain.name);
        values.insert(slot, selector(domain));
    }
    if let Some(gateway) = by_istio(gateway) {
        point_istio(gateway, istio, &mut values);
    }
    values
}

/// The class of Knative Ingresses that a gateway serves.
fn ingress_class(gateway: &ClassGateway) -> Option<&str> {
    if let Some(alb) = &gateway.alb {
        return Some(alb.ingress_class());
    }
    Some(match gateway.higress.as_ref()?.adapter {
        HigressAdapter::KIngress => HIGRESS_INGRESS_CLASS,
        HigressAdapter::IstioCRDs => ISTIO_INGRESS_CLASS,
    })
}

/// Higress, if it reads what net-istio makes.
fn by_istio(gateway: &ClassGateway) -> Option<&HigressGateway> {
    let higress = gateway.higress.as_ref()?;
    (higress.adapter == HigressAdapter::IstioCRDs).then_some(higress)
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

fn point_istio(gateway: &HigressGateway, istio: &Data, values: &mut Values) {
    let service = format!(
        "{}.{}.svc.cluster.local",
        gateway.service(),
        gateway.namespace
    );
    if reads_lists(istio) {
        for (key, name) in CURRENT {
            let list = format!("- name: {name}\n  namespace: {NAMESPACE}\n  service: {service}\n");
            values.insert(slot(KnativeObject::ConfigIstio, key), list);
        }
    } else {
        for (prefix, name) in OLDER {
            let key = format!("{prefix}.{NAMESPACE}.{name}");
            values.insert(slot(KnativeObject::ConfigIstio, &key), service.clone());
        }
    }
    let selector = json!(gateway.selector()).to_string();
    values.insert(
        slot(KnativeObject::KnativeIngressGateway, "selector"),
        selector.clone(),
    );
    values.insert(
        slot(KnativeObject::KnativeLocalGateway, "selector"),
        selector,
    );
}

/// Whether net-istio is to be told by the current keys. It takes no ConfigMap with both, so what is in
/// use decides; else whether its own example explains the current ones. The older ones are read by every
/// version.
fn reads_lists(istio: &Data) -> bool {
    let has_older = |key: &String| {
        let mut older = OLDER.iter();
        older.any(|(prefix, _)| {
            key.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    if istio.keys().any(has_older) {
        return false;
    }
    let used = CURRENT.iter().any(|(key, _)| istio.contains_key(*key));
    let example = istio.get("_example");
    used || example.is_some_and(|text| text.contains("external-gateways"))
}

fn slot(object: KnativeObject, key: &str) -> Slot {
    Slot {
        object,
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(adapter: &str) -> ClassGateway {
        let higress = json!({"namespace": "higress-system", "adapter": adapter});
        serde_json::from_value(json!({"name": "higress", "higress": higress})).unwrap()
    }

    fn knative() -> ClassKnative {
        let domains = json!([
            {"name": "example.com"}, {"name": "shop.example.com", "selector": {"team": "true"}},
        ]);
        serde_json::from_value(json!({"gateway": "higress", "domains": domains})).unwrap()
    }

    fn keys(adapter: &str, istio: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        told(wanted(&knative(), &gateway(adapter), &Data::new(), istio))
    }

    fn told(values: Values) -> BTreeMap<String, String> {
        let told =
            |(slot, value): (Slot, String)| (format!("{}/{}", slot.object.name(), slot.key), value);
        values.into_iter().map(told).collect()
    }

    #[test]
    fn the_first_way_is_the_article_s() {
        let found = keys("KIngress", &BTreeMap::new());
        let expected = [
            ("config-domain/example.com", ""),
            (
                "config-domain/shop.example.com",
                "selector:\n  \"team\": \"true\"\n",
            ),
            ("config-network/ingress-class", "higress"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found, expected.into());
    }

    #[test]
    fn the_second_way_is_the_article_s() {
        let found = keys("IstioCRDs", &BTreeMap::new());
        let service = "higress-gateway.higress-system.svc.cluster.local";
        assert_eq!(
            found["config-istio/gateway.knative-serving.knative-ingress-gateway"],
            service
        );
        assert_eq!(
            found["config-istio/local-gateway.knative-serving.knative-local-gateway"],
            service
        );
        let selector = r#"{"app":"higress-gateway","higress":"higress-system-higress-gateway"}"#;
        assert_eq!(found["knative-ingress-gateway/selector"], selector);
        assert_eq!(found["knative-local-gateway/selector"], selector);
        assert_eq!(found["config-network/ingress-class"], ISTIO_INGRESS_CLASS);
    }

    #[test]
    fn a_net_istio_of_today_gets_its_lists() {
        let example = "external-gateways: |\n  - name: knative-ingress-gateway";
        let istio = BTreeMap::from([("_example".to_owned(), example.to_owned())]);
        let found = keys("IstioCRDs", &istio);
        assert_eq!(
            found["config-istio/local-gateways"],
            "- name: knative-local-gateway\n  namespace: knative-serving\n  service: higress-gateway.higress-system.svc.cluster.local\n"
        );
        assert!(
            !found
                .keys()
                .any(|key| key.starts_with("config-istio/gateway."))
        );
    }

    #[test]
    fn keys_of_both_spellings_never_come_together() {
        let list = ("external-gateways".to_owned(), "[]".to_owned());
        let found = keys("IstioCRDs", &[list.clone()].into());
        assert!(found.contains_key("config-istio/external-gateways"));
        for older in ["gateway.istio-system.other", "local-gateway.mine"] {
            let istio = [list.clone(), (older.to_owned(), "x".to_owned())].into();
            let found = keys("IstioCRDs", &istio);
            assert!(!found.contains_key("config-istio/external-gateways"));
            assert!(
                found.contains_key("config-istio/gateway.knative-serving.knative-ingress-gateway")
            );
        }
    }

    #[test]
    fn the_spelling_of_the_ingress_class_is_the_one_in_use() {
        let key = |network: &[&str]| {
            let network = network
                .iter()
                .map(|key| ((*key).to_owned(), "kourier".to_owned()));
            let values = wanted(
                &knative(),
                &gateway("KIngress"),
                &network.collect(),
                &Data::new(),
            );
            let mut keys = values.into_keys();
            keys.find(|slot| slot.object == KnativeObject::ConfigNetwork)
                .map(|slot| slot.key)
        };
        for (network, expected) in [
            (&[][..], "ingress-class"),
            (&["ingress-class"], "ingress-class"),
            (&["ingress.class"], "ingress.class"),
            (&["ingress.class", "ingress-class"], "ingress-class"),
        ] {
            assert_eq!(key(network).as_deref(), Some(expected), "{network:?}");
        }
    }

    #[test]
    fn an_alb_takes_its_ingress_class_alone() {
        let knative: ClassKnative = serde_json::from_value(json!({"gateway": "alb"})).unwrap();
        let gateway = json!({"name": "alb", "alb": {"ingressClass": "alb.example.com"}});
        let gateway: ClassGateway = serde_json::from_value(gateway).unwrap();
        let found = told(wanted(&knative, &gateway, &Data::new(), &Data::new()));
        let expected = (
            "config-network/ingress-class".to_owned(),
            "alb.example.com".to_owned(),
        );
        assert_eq!(found, [expected].into());
        assert_eq!(objects(&knative, &gateway), [KnativeObject::ConfigNetwork]);
    }

    #[test]
    fn only_what_is_written_has_to_be_there() {
        use KnativeObject::{ConfigDomain, ConfigNetwork};
        let found = objects(&knative(), &gateway("KIngress"));
        assert_eq!(found, [ConfigNetwork, ConfigDomain]);
        assert_eq!(
            objects(&knative(), &gateway("IstioCRDs")),
            KnativeObject::ALL
        );
    }
}
