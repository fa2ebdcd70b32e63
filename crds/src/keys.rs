//! Names that the operator reads and writes in the metadata of Kubernetes objects.

/// Annotation on a `GatewayBindingClass`: `"true"` makes it the class of the bindings that name none.
pub const IS_DEFAULT_CLASS: &str = "gatewaybinding.dev/is-default-class";

/// Annotation a person sets to ask for a drift check now. Any new value (commonly a time) is a new
/// request; the operator never writes it.
pub const RECONCILE_AT: &str = "gatewaybinding.dev/reconcile-at";

/// Annotation on an object that is being deleted: `"true"` lets it go without cleaning up the cloud.
pub const DETACH: &str = "gatewaybinding.dev/detach";

/// Annotation on Kubernetes objects the operator created: the marker of ownership
/// (cluster id of the class).
pub const OWNED_BY_CLUSTER: &str = "gatewaybinding.dev/cluster-id";

/// Annotation on Kubernetes objects the operator created: the object it was created for,
/// as `Kind/namespace/name`.
pub const CREATED_FOR: &str = "gatewaybinding.dev/created-for";

/// Label on Kubernetes objects the operator created; the value is [`FIELD_MANAGER`].
pub const MANAGED_BY: &str = "gatewaybinding.dev/managed-by";

/// Label on classes and consumers: the shard that serves them, see the operator's `--shard`.
pub const SHARD: &str = "gatewaybinding.dev/shard";

/// Label on Kubernetes objects the operator created: the name of the class.
pub const CLASS: &str = "gatewaybinding.dev/class";

/// Annotation on a gateway's Service whose load balancer was changed past it: a new value makes the
/// cloud controller manager compare everything again.
pub const RESYNC: &str = "gatewaybinding.dev/resync";

/// Finalizer on bindings, consumers, and the classes they use.
pub const FINALIZER: &str = "gatewaybinding.dev/cleanup";

/// Field manager of all server-side applies.
pub const FIELD_MANAGER: &str = "gatewaybinding-operator";

/// Entries of the Secret that a class with credentials of type `Secret` points to.
pub mod cloud_secret {
    /// Access key id. Required.
    pub const ACCESS_KEY_ID: &str = "accessKeyId";
    /// Access key secret. Required.
    pub const ACCESS_KEY_SECRET: &str = "accessKeySecret";
    /// Security token of a temporary access key. Optional.
    pub const SECURITY_TOKEN: &str = "securityToken";
}

/// Entries of the Secret that holds a consumer's credential, unless the credential names others.
pub mod consumer_secret {
    /// The API key (the classic API Gateway calls it AppCode).
    pub const API_KEY: &str = "apiKey";
    /// Id of the signing key pair (the classic API Gateway calls it AppKey).
    pub const KEY_ID: &str = "keyId";
    /// Secret of the signing key pair (the classic API Gateway calls it AppSecret).
    pub const KEY_SECRET: &str = "keySecret";
}
