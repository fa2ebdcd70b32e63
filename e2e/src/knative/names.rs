//! Names, labels and annotations of Knative Serving and its networking layers.

/// Namespace of the Knative system.
pub const SYSTEM_NAMESPACE: &str = "knative-serving";

/// The networking layer of this stand-in, Knative's default.
pub const ISTIO_INGRESS_CLASS: &str = "istio.ingress.networking.knative.dev";
/// Annotation of a KIngress: which networking layer serves it.
pub const INGRESS_CLASS: &str = "networking.knative.dev/ingress.class";
/// The same of a Knative Service or Route, as users write it.
pub const INGRESS_CLASS_OF_USERS: &str = "networking.knative.dev/ingress-class";
/// Annotation of a KIngress: the Route's memory of a gradual rollout.
pub const ROLLOUT: &str = "networking.internal.knative.dev/rollout";
/// Annotation of a KIngress: `{"tag":["host"]}`.
pub const TAG_TO_HOST: &str = "networking.internal.knative.dev/tag-to-host";
/// Label of a Service: `cluster-local` keeps it off the public gateway.
pub const VISIBILITY: &str = "networking.knative.dev/visibility";
/// The only value of [`VISIBILITY`].
pub const CLUSTER_LOCAL: &str = "cluster-local";

/// Label: the Knative Service something belongs to.
pub const SERVICE: &str = "serving.knative.dev/service";
/// Label: the uid of that Service.
pub const SERVICE_UID: &str = "serving.knative.dev/serviceUID";
/// Label: the Configuration of a Revision.
pub const CONFIGURATION: &str = "serving.knative.dev/configuration";
/// Label: the uid of that Configuration.
pub const CONFIGURATION_UID: &str = "serving.knative.dev/configurationUID";
/// Label: the Configuration's generation that made a Revision.
pub const CONFIGURATION_GENERATION: &str = "serving.knative.dev/configurationGeneration";
/// Label of what belongs to a Revision.
pub const REVISION: &str = "serving.knative.dev/revision";
/// Label: the uid of that Revision.
pub const REVISION_UID: &str = "serving.knative.dev/revisionUID";
/// Label of what belongs to a Route.
pub const ROUTE: &str = "serving.knative.dev/route";
/// Label of a KIngress: the Route's namespace.
pub const ROUTE_NAMESPACE: &str = "serving.knative.dev/routeNamespace";
/// Annotation: Routes that refer to a Configuration or Revision.
pub const ROUTES: &str = "serving.knative.dev/routes";
/// Label of a Revision: `active` or `reserve`.
pub const ROUTING_STATE: &str = "serving.knative.dev/routingState";
/// Label of a Revision's Services: the ServerlessService's name.
pub const SKS: &str = "networking.internal.knative.dev/serverlessservice";
/// Label of a Revision's Services: `Public` or `Private`.
pub const SERVICE_TYPE: &str = "networking.internal.knative.dev/serviceType";
/// kubectl's note on an object, which Knative never hands down.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Header by which the activator knows the Revision.
pub const REVISION_HEADER: &str = "Knative-Serving-Revision";
/// Header by which the activator knows the Revision's namespace.
pub const NAMESPACE_HEADER: &str = "Knative-Serving-Namespace";

/// Domain of the cluster.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// The cluster-local host of a Route or of one of its tags.
pub fn cluster_local_host(name: &str, namespace: &str) -> String {
    format!("{name}.{namespace}.svc.{CLUSTER_DOMAIN}")
}

/// The public host (`domain-template` at its default).
pub fn public_host(name: &str, namespace: &str, domain: &str) -> String {
    format!("{name}.{namespace}.{domain}")
}

/// The name within a host of a tag (`tag-template` at its default) or, without one, of the Route.
pub fn host_label(route: &str, tag: Option<&str>) -> String {
    match tag {
        Some(tag) => format!("{tag}-{route}"),
        None => route.to_owned(),
    }
}
