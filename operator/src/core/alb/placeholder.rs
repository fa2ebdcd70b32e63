//! Rules that no request matches, and Ingresses of nothing else: they keep the places of rules that are
//! gone, see [`super::seats`].

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

use super::render::{ORDER, PREFIX};
use super::seats::{Extent, Holding};
use crate::core::names::short_hash;

/// Label of an Ingress that only keeps a place, with the shard that made it. Whose it is goes by its
/// IngressClass: the class that makes for that one may have gone to another shard since.
pub const LABEL: &str = "gatewaybinding.dev/alb-placeholder";
/// Nobody's name ends so (RFC 2606).
const DOMAIN: &str = ".placeholder.invalid";

/// A rule of an Ingress for a host that there cannot be, and the annotation with its action. Hosts differ
/// by place and number, so that no two rules of a listener are alike.
pub(super) fn rule(order: u16, at: usize) -> (Value, (String, String)) {
    let backend = format!("r{at}");
    let rule = json!({
        "host": format!("o{order}-r{at}{DOMAIN}"),
        "http": {"paths": [{
            "path": "/",
            "pathType": "Prefix",
            "backend": {"service": {"name": backend, "port": {"name": "use-annotation"}}},
        }]},
    });
    let action = json!([{"type": "FixedResponse", "FixedResponseConfig": {
        "Content": "Nothing is here.", "ContentType": "text/plain", "HttpCode": "404",
    }}]);
    let annotation = format!("{PREFIX}actions.{backend}");
    (rule, (annotation, action.to_string()))
}

/// Name of the Ingress that keeps a place.
pub fn name(ingress_class: &str, order: u16) -> String {
    format!("alb-place-{}-{order}", short_hash(ingress_class))
}

/// The Ingress that keeps a place, for server-side apply.
pub fn body(
    namespace: &str,
    shard: &str,
    ingress_class: &str,
    order: u16,
    extent: Extent,
) -> Value {
    let mut annotations = Map::new();
    annotations.insert(ORDER.to_owned(), json!(order.to_string()));
    if extent.secured {
        let ports = json!([{"HTTP": 80}, {"HTTPS": 443}]).to_string();
        annotations.insert(format!("{PREFIX}listen-ports"), json!(ports));
    }
    let mut rules = Vec::new();
    for at in 0..extent.rules {
        let (rule, (annotation, action)) = rule(order, at);
        annotations.insert(annotation, json!(action));
        rules.push(rule);
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name(ingress_class, order),
            "namespace": namespace,
            "labels": {
                LABEL: shard,
                crds::keys::MANAGED_BY: crds::keys::FIELD_MANAGER,
            },
            "annotations": annotations,
        },
        "spec": {"ingressClassName": ingress_class, "rules": rules},
    })
}

/// The labels by which the placeholders that a shard made are found.
pub fn selector(shard: &str) -> String {
    format!(
        "{LABEL}={shard},{}={}",
        crds::keys::MANAGED_BY,
        crds::keys::FIELD_MANAGER
    )
}

/// Whether an Ingress only keeps a place.
pub fn is_placeholder(ingress: &Ingress) -> bool {
    let labels = ingress.labels();
    let made_by = labels.get(crds::keys::MANAGED_BY).map(String::as_str);
    labels.contains_key(LABEL) && made_by == Some(crds::keys::FIELD_MANAGER)
}

/// What an Ingress has on its load balancer; none: it names no class.
pub fn holding(ingress: &Ingress) -> Option<Holding> {
    let spec = ingress.spec.as_ref()?;
    let instance = spec.ingress_class_name.clone()?;
    let order = ingress.annotations().get(ORDER);
    let (mut rules, mut idle) = (0, 0);
    for rule in spec.rules.iter().flatten() {
        let paths = rule.http.as_ref().map_or(0, |http| http.paths.len());
        rules += paths;
        let host = rule.host.as_deref().unwrap_or_default();
        idle += if host.ends_with(DOMAIN) { paths } else { 0 };
    }
    let ports = ingress.annotations().get(&format!("{PREFIX}listen-ports"));
    let has_tls = spec.tls.as_ref().is_some_and(|tls| !tls.is_empty());
    Some(Holding {
        instance,
        order: order.and_then(|order| order.parse().ok()),
        extent: Extent {
            rules,
            secured: ports.map_or(has_tls, |ports| ports.contains("HTTPS")),
        },
        idle,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(extent: Extent) -> Ingress {
        serde_json::from_value(body("system", "", "knative-alb-ingress-x", 12, extent)).unwrap()
    }

    #[test]
    fn a_placeholder_tells_by_itself_what_it_keeps() {
        for secured in [false, true] {
            let extent = Extent { rules: 3, secured };
            let kept = kept(extent);
            assert!(is_placeholder(&kept) && !is_placeholder(&Ingress::default()));
            let expected = Holding {
                instance: "knative-alb-ingress-x".to_owned(),
                order: Some(12),
                extent,
                idle: 3,
            };
            assert_eq!(holding(&kept), Some(expected));
            assert_eq!(kept.spec.unwrap().tls, None);
        }
    }

    /// ALB takes hosts of 3 to 128 characters with a period, whose last part is letters.
    #[test]
    fn its_hosts_are_such_as_alb_takes_and_nobody_has() {
        let (first, (annotation, action)) = rule(1000, 0);
        assert_eq!(first["host"], "o1000-r0.placeholder.invalid");
        assert_eq!(annotation, "alb.ingress.kubernetes.io/actions.r0");
        assert!(action.starts_with('['), "actions are arrays");
        assert_ne!(rule(1000, 1).0["host"], first["host"]);
    }

    #[test]
    fn names_are_told_apart_by_class_and_place() {
        let all = [name("a", 1), name("a", 2), name("b", 1)];
        assert!(all[0] != all[1] && all[0] != all[2]);
        assert!(name(&"long".repeat(60), 1000).len() <= 63);
    }
}
