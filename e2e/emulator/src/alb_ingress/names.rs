//! The names that the controller goes by, and how it reads annotations.

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;

pub(super) const PREFIX: &str = "alb.ingress.kubernetes.io/";
const NGINX: &str = "nginx.ingress.kubernetes.io/";

/// The label that Knative's Ingresses carry; it decides how actions are read.
pub(super) const KNATIVE_LABEL: &str = "knative.aliyun.com/ingress";
/// The label that tells which content was applied.
pub(super) const HASH_LABEL: &str = "alb.ingress.kubernetes.io/hash";
pub(super) const FINALIZER: &str = "ingress.k8s.alibaba/resources";
/// What an IngressClass of the controller names.
pub(super) const CONTROLLER: &str = "ingress.k8s.alibabacloud/alb";
/// The annotation of old that names the class.
pub(super) const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// The AlbConfig of Ingresses that name none.
pub(super) const DEFAULT_GROUP: &str = "default";
/// Where AlbConfigs count as being, though they are in no namespace.
pub(super) const GROUP_NAMESPACE: &str = "kube-system";
/// The backend port that leaves all to the annotation.
pub(super) const USE_ANNOTATION: &str = "use-annotation";

pub(super) const CLUSTER_TAG: &str = "ack.aliyun.com";
pub(super) const RESOURCE_TAG: &str = "ingress.k8s.alibaba/resource";
pub(super) const ALBCONFIG_TAG: &str = "ingress.k8s.alibaba/albconfig";
pub(super) const SERVICE_NAMESPACE_TAG: &str = "ingress.k8s.alibaba/service_ns";
pub(super) const INGRESS_TAG: &str = "ingress.k8s.alibaba/ingress_name";
pub(super) const SERVICE_TAG: &str = "ingress.k8s.alibaba/service_name";
pub(super) const PORT_TAG: &str = "ingress.k8s.alibaba/service_port";

/// `namespace/name`
pub(super) fn key(ingress: &Ingress) -> String {
    format!(
        "{}/{}",
        ingress.namespace().unwrap_or_default(),
        ingress.name_any()
    )
}

/// An annotation of the controller's own, be it empty.
pub(super) fn annotation<'a>(ingress: &'a Ingress, name: &str) -> Option<&'a str> {
    let value = ingress.annotations().get(&format!("{PREFIX}{name}"));
    value.map(String::as_str)
}

/// One that nginx's name will do for too; empty if there is neither.
pub(super) fn either<'a>(ingress: &'a Ingress, name: &str) -> &'a str {
    let nginx = ingress.annotations().get(&format!("{NGINX}{name}"));
    let own = annotation(ingress, name);
    let nginx = nginx.map(String::as_str);
    nginx
        .filter(|value| !value.is_empty())
        .or(own)
        .unwrap_or_default()
}

pub(super) fn is_knative(ingress: &Ingress) -> bool {
    ingress.labels().contains_key(KNATIVE_LABEL)
}

/// The name of the class of an Ingress.
pub(super) fn class(ingress: &Ingress) -> Option<&str> {
    let spec = ingress.spec.as_ref()?;
    let annotation = ingress.annotations().get(CLASS_ANNOTATION);
    let named = spec.ingress_class_name.as_ref().or(annotation);
    named.map(String::as_str)
}

/// A value of a tag, which may not begin like the vendor's own.
pub(super) fn tag_value(text: &str) -> String {
    match text.starts_with("aliyun") || text.starts_with("acs:") {
        true => format!("_{text}"),
        false => text.to_owned(),
    }
}
