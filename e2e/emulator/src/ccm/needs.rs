//! Which Services the stand-in takes, and which of their changes it acts on.

use k8s_openapi::api::core::v1::Service;

use super::annotations::Annotations;

pub(super) const FINALIZER: &str = "service.k8s.alibaba/resources";
pub(super) const NETWORK_FINALIZER: &str = "service.k8s.alibaba/nlb";

const NETWORK_CLASS: &str = "alibabacloud.com/nlb";

const CLASS: &str = "service.beta.kubernetes.io/class";
const TUNNEL_TYPE: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-tunnel-type";

/// Whether a Service asks for a load balancer of either kind.
pub(super) fn wants_load_balancer(service: &Service) -> bool {
    wants_classic(service) || wants_network(service)
}

/// Whether a Service asks for a classic load balancer: type, no class of any kind, no tunnel.
pub(super) fn wants_classic(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    is_left_to_us(service) && spec.is_some_and(|spec| spec.load_balancer_class.is_none())
}

/// Whether a Service asks for a network load balancer.
pub(super) fn wants_network(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    let class = spec.and_then(|spec| spec.load_balancer_class.as_deref());
    is_left_to_us(service) && class == Some(NETWORK_CLASS)
}

/// Whether a pass is about a network load balancer: one that is there, or is to be.
pub(super) fn is_network(service: &Service) -> bool {
    has(service, NETWORK_FINALIZER) || wants_network(service)
}

fn is_left_to_us(service: &Service) -> bool {
    is_load_balancer_type(service) && !has_class(service) && !has_tunnel(service)
}

fn has_class(service: &Service) -> bool {
    Annotations::of(service).exact(CLASS).is_some()
}

fn has_tunnel(service: &Service) -> bool {
    let annotations = service.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key(TUNNEL_TYPE))
}

pub(super) fn is_load_balancer_type(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("LoadBalancer")
}

pub(super) fn has_finalizer(service: &Service) -> bool {
    has(service, FINALIZER) || has(service, NETWORK_FINALIZER)
}

pub(super) fn has(service: &Service, finalizer: &str) -> bool {
    let finalizers = service.metadata.finalizers.as_ref();
    finalizers.is_some_and(|all| all.iter().any(|one| one == finalizer))
}

/// Whether the load balancer of a Service is to be taken down.
pub(super) fn must_go(service: &Service) -> bool {
    service.metadata.deletion_timestamp.is_some() || !is_load_balancer_type(service)
}

/// A change that makes CCM act: reason and message of the event that tells of it.
pub(super) type Change = (&'static str, String);

/// The change that makes CCM act, if there is one. Labels, finalizers and status do not count, and
/// a Service that got a class of its own is left alone, its deletion included.
pub(super) fn change(old: &Service, new: &Service) -> Option<Change> {
    let (wanted, wants) = (wants_load_balancer(old), wants_load_balancer(new));
    if !wanted && !wants {
        return None;
    }
    if has_tunnel(new) {
        return None;
    }
    let because =
        |what: &str| format!("The service will be updated because the {what} has been changed.");
    if wanted != wants {
        let type_of = |service: &Service| {
            let kind = service.spec.as_ref().and_then(|spec| spec.type_.clone());
            kind.unwrap_or_default()
        };
        let note = format!("type change {} - {}", type_of(old), type_of(new));
        return (!has_class(new)).then_some(("TypeChanged", note));
    }
    if old.metadata.annotations != new.metadata.annotations {
        Some(("AnnotationChanged", because("annotations")))
    } else if old.spec != new.spec {
        Some(("ServiceSpecChanged", because("spec")))
    } else if old.metadata.deletion_timestamp.is_some() != new.metadata.deletion_timestamp.is_some()
    {
        Some(("DeleteTimestampChanged", because("delete timestamp")))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ServiceSpec;

    use super::*;

    fn service() -> Service {
        let spec = ServiceSpec {
            type_: Some("LoadBalancer".to_owned()),
            ..ServiceSpec::default()
        };
        Service {
            spec: Some(spec),
            ..Service::default()
        }
    }

    fn annotated(key: &str, value: &str) -> Service {
        let mut service = service();
        service.metadata.annotations = Some([(key.to_owned(), value.to_owned())].into());
        service
    }

    #[test]
    fn classes_and_tunnels_are_for_others() {
        assert!(wants_load_balancer(&service()));
        assert!(wants_load_balancer(&annotated(CLASS, "")));
        assert!(!wants_load_balancer(&annotated(CLASS, "mine")));
        assert!(!wants_load_balancer(&annotated(TUNNEL_TYPE, "")));
        let mut classed = service();
        classed.spec.as_mut().expect("set").load_balancer_class = Some("example.com/lb".to_owned());
        assert!(!wants_load_balancer(&classed));
        classed.spec.as_mut().expect("set").load_balancer_class =
            Some("alibabacloud.com/nlb".to_owned());
        assert!(wants_network(&classed) && !wants_classic(&classed));
    }

    #[test]
    fn only_what_ccm_looks_at_is_a_change() {
        let reason = |old: &Service, new: &Service| change(old, new).map(|(reason, _)| reason);
        let mut labelled = service();
        labelled.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert_eq!(reason(&service(), &labelled), None);
        let edited = annotated("a", "b");
        assert_eq!(reason(&service(), &edited), Some("AnnotationChanged"));
        assert_eq!(reason(&service(), &annotated(CLASS, "mine")), None);
        let mut cluster_ip = service();
        cluster_ip.spec.as_mut().expect("set").type_ = Some("ClusterIP".to_owned());
        let changed = change(&service(), &cluster_ip).expect("a change");
        assert_eq!(
            changed,
            (
                "TypeChanged",
                "type change LoadBalancer - ClusterIP".to_owned()
            )
        );
        assert_eq!(reason(&cluster_ip, &cluster_ip), None);
    }
}
