//! A load balancer that others made and a Service names by its id.

use k8s_openapi::api::core::v1::Service;

use super::annotations::Annotations;
use super::attributes::{CLUSTER_TAG_KEY, TAG_KEY, Tags};

/// The id that a Service names.
pub(super) fn named(annotations: Annotations<'_>) -> Option<&str> {
    annotations.get("id")
}

/// Whether listeners are made, and taken over. Nothing but this very word is true.
pub(super) fn overrides_listeners(annotations: Annotations<'_>) -> bool {
    annotations.get("force-override-listeners") == Some("true")
}

/// Why it cannot be taken: a cloud controller manager made it, or it has another address than the
/// Service has published.
pub(super) fn refusal(service: &Service, tags: &Tags, address: &str) -> Option<String> {
    if tags
        .iter()
        .any(|(key, _)| [TAG_KEY, CLUSTER_TAG_KEY].contains(&key.as_str()))
    {
        return Some("can not reuse loadbalancer created by kubernetes.".to_owned());
    }
    if Annotations::of(service).get("external-ip-type") == Some("eip") {
        return None;
    }
    let status = service.status.as_ref()?;
    let ingress = status.load_balancer.as_ref()?.ingress.as_ref()?;
    let first = ingress.first()?.ip.as_deref().unwrap_or_default();
    let fits = ingress.iter().any(|one| {
        let ip = one.ip.as_deref().unwrap_or_default();
        ip == address
            || (ip.is_empty() && one.hostname.as_deref().is_some_and(|host| !host.is_empty()))
    });
    (!fits).then(|| {
        format!("service has been associated with ip [{first}], cannot be bound to ip [{address}]")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(ip: &str) -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "s", "namespace": "n"},
            "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
        }))
        .expect("a Service")
    }

    #[test]
    fn only_one_that_is_free_and_has_the_same_address_is_taken() {
        let none = Tags::new();
        assert_eq!(refusal(&Service::default(), &none, "203.0.113.1"), None);
        assert_eq!(refusal(&service("203.0.113.1"), &none, "203.0.113.1"), None);
        assert_eq!(
            refusal(&service("203.0.113.2"), &none, "203.0.113.1").as_deref(),
            Some(
                "service has been associated with ip [203.0.113.2], cannot be bound to ip [203.0.113.1]"
            )
        );
        let made = vec![(TAG_KEY.to_owned(), "x".to_owned())];
        assert_eq!(
            refusal(&Service::default(), &made, "203.0.113.1").as_deref(),
            Some("can not reuse loadbalancer created by kubernetes.")
        );
    }
}
