//! The hash by which CCM tells whether a Service changed.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use serde_json::json;
use sha2::{Digest, Sha224};

/// SHA-224 over ports, type, traffic policy, class, all annotations and the deletion time. CCM
/// hashes the same fields in another notation, so the values differ from its own but move when its
/// own would.
pub(super) fn service_hash(service: &Service) -> String {
    let spec = service.spec.as_ref();
    // What is empty is as if it were not said.
    let annotations = service.metadata.annotations.iter().flatten();
    let annotations: BTreeMap<_, _> = annotations.filter(|(_, value)| !value.is_empty()).collect();
    let hashed = json!([
        spec.and_then(|spec| spec.ports.as_ref()),
        spec.and_then(|spec| spec.type_.as_ref()),
        spec.and_then(|spec| spec.external_traffic_policy.as_ref()),
        spec.and_then(|spec| spec.load_balancer_class.as_ref()),
        annotations,
        service.metadata.deletion_timestamp,
    ]);
    hex::encode(Sha224::digest(hashed.to_string()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ServiceSpec;

    use super::*;

    #[test]
    fn annotations_count_and_selectors_do_not() {
        let plain = Service::default();
        let mut selecting = Service::default();
        let selector = [("app".to_owned(), "x".to_owned())].into();
        selecting.spec = Some(ServiceSpec {
            selector: Some(selector),
            ..ServiceSpec::default()
        });
        assert_eq!(service_hash(&plain), service_hash(&selecting));
        let mut annotated = Service::default();
        annotated.metadata.annotations = Some([("any".to_owned(), "key".to_owned())].into());
        assert_ne!(service_hash(&plain), service_hash(&annotated));
        assert_eq!(service_hash(&plain).len(), 56);
    }
}
