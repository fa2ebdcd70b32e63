//! Reasons: the closed set of words that say why a condition holds or does not.

/// Declares the reasons once: the variant, the word in the condition, and what it means.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a condition holds or does not. The set is closed: alerts and scripts may rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// All reasons, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The `reason` of the condition.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What the reason means, in one sentence for the documentation.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim(),)+
                }
            }

            /// The reason that this word names.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
            }
        }
    };
}

reasons! {
    // It is as it should be.
    /// The object is valid and its class allows it.
    Accepted,
    /// Everything it refers to exists and may be used.
    ResolvedRefs,
    /// Cluster and cloud match it.
    Programmed,
    /// Requests through the gateway were answered as they should be.
    Verified,
    /// Everything is in place.
    Ready,
    // Work is going on.
    /// It was not looked at yet, or waits for something that comes before.
    Pending,
    /// Cluster or cloud is being changed to match it.
    Reconciling,
    /// Each look at cluster and cloud in a pass has found something more to do.
    Unsettled,
    /// The cloud controller manager has not yet made the load balancer or brought it up to date, or the
    /// cloud is not done with it.
    WaitingForLoadBalancer,
    /// The Knative Service has no ready route, hence no host to send requests to.
    RouteNotReady,
    /// The ALB Ingress controller has not yet brought the load balancer up to date.
    WaitingForIngress,
    /// It is being deleted and cleaned up.
    Deleting,
    // What it says is refused.
    /// A field, or a combination of fields, is not valid; the message names it.
    InvalidSpec,
    /// The product in use cannot do what a field asks for.
    Unsupported,
    /// Requests are split over revisions of which one may be scaled to zero, which ALB alone cannot serve.
    SplitNeedsActivator,
    /// A name in the cloud, made from names in the spec, would be too long.
    NameTooLong,
    /// A field was changed that the cloud fixes once the thing exists.
    Immutable,
    /// The class does not leave a field open to bindings.
    NotAllowedByClass,
    /// The class allows no more of them; the message says of what.
    LimitReached,
    /// The class, gateway or group does not allow the namespace of the binding.
    NamespaceNotAllowed,
    /// Another binding holds a field of a shared thing with another value, or another class Knative.
    Conflict,
    /// Another binding publishes the same path and method in the group.
    PathConflict,
    // Something it refers to is missing.
    /// The named class does not exist.
    ClassNotFound,
    /// No class is named and none is marked as the default one.
    NoDefaultClass,
    /// No class is named and more than one is marked as the default one.
    AmbiguousDefaultClass,
    /// The class itself is not accepted.
    ClassNotReady,
    /// The class has no gateway or API gateway of that name, or none is named and there is no default.
    GatewayNotFound,
    /// The API gateway has no group of that name, or none is named and there is no default.
    GroupNotFound,
    /// The exposed service, or the Service of the gateway, does not exist; or a Service that ALB is to lead
    /// to has no Endpoints.
    ServiceNotFound,
    /// The exposed service, or the Service of the gateway, cannot be used as it is.
    ServiceInvalid,
    /// The load balancer that is named by its id does not exist, or cannot be used as it is.
    LoadBalancerUnusable,
    /// A rule names a revision or a tag that the Knative Service does not have; the message has those it has.
    RevisionNotFound,
    /// No vswitches are named for a load balancer that has to be made.
    VswitchesMissing,
    /// The vswitches for a load balancer that has to be made are not there, or not such as it takes.
    VswitchesUnusable,
    /// Knative Serving, or a ConfigMap of it, is not in the cluster.
    KnativeNotFound,
    /// Higress, or its definition of plugins, is not in the cluster.
    HigressNotFound,
    /// Higress has no right to read Knative's Ingresses.
    HigressNotPermitted,
    /// Istio's definitions are missing, or Higress does not read its objects.
    IstioAPIDisabled,
    /// A named GatewayConsumer does not exist.
    ConsumerNotFound,
    /// A named GatewayConsumer does not allow the namespace of the binding.
    ConsumerNotAllowed,
    /// A named GatewayConsumer is not ready to be used.
    ConsumerNotReady,
    /// A named Secret does not exist.
    SecretNotFound,
    /// A named Secret lacks an entry, or an entry has no usable value.
    SecretInvalid,
    /// The Secret for a generated credential exists and was not made by the operator.
    SecretNotOwned,
    /// The permission of a consumer, or a credential, has reached its end.
    GrantExpired,
    // The cloud stands in the way.
    /// The credentials could not be obtained, or the cloud refuses them.
    CredentialsInvalid,
    /// The credentials belong to another account than the class names.
    AccountMismatch,
    /// The credentials are valid and lack a permission; the message names it.
    PermissionDenied,
    /// The cloud could not be reached, or failed to answer.
    CloudUnreachable,
    /// The cloud asks for fewer calls; work goes on later.
    CloudThrottled,
    /// The cloud refuses a call; the message has its words.
    CloudRejected,
    /// A quota of the account is used up.
    QuotaExceeded,
    /// The cloud controller manager could not make the load balancer or bring it up to date; the message has its
    /// words.
    LoadBalancerFailed,
    /// Somebody deleted the load balancer of the gateway's Service, and it is not made anew by itself.
    LoadBalancerLost,
    /// An annotation of the gateway's Service is not as the cloud controller manager reads it; the message names it.
    AnnotationInvalid,
    /// The account owes money, or has not enough of it for a load balancer.
    PaymentRequired,
    /// The vswitch of a load balancer has no free address.
    VswitchFull,
    /// The cloud does not sell such a load balancer, or not there, or no longer.
    NotSold,
    /// A certificate does not exist where the load balancer is, or has expired.
    CertificateUnusable,
    /// An access control list does not exist where the load balancer is.
    ACLNotFound,
    /// The load balancer is protected against its deletion.
    DeletionProtected,
    /// The cluster makes no load balancers that the Internet reaches.
    InternetRefused,
    /// The cloud controller manager finds no nodes or pods that it could put behind the load balancer.
    NoBackends,
    /// No elastic address is bound to the load balancer.
    EIPNotFound,
    /// The load balancers have no room for more forwarding rules.
    RulesExhausted,
    /// The ALB Ingress controller could not bring the load balancer up to date; the message has its words.
    IngressFailed,
    /// A field does not keep the value that was written several times.
    NonConvergent,
    // Somebody else stands in the way.
    /// Another tool or person set a field of something that the operator did not make, and it is left.
    ForeignField,
    /// A thing of that name exists and nothing proves that the operator made it.
    NotOwned,
    /// What the spec adopts by its id is not there, is something else, or is not free to be adopted.
    NotAdoptable,
    /// Something the operator wrote was changed by somebody else and the policy says to leave it.
    DriftDetected,
    // As was asked.
    /// The mode is Plan: the plan is in status, nothing is written.
    PlanOnly,
    /// The approved plan is not the one there is now: nothing is written.
    ApprovalStale,
    /// The mode is Suspend: nothing is done.
    Suspended,
    /// The consumer is disabled and refused everywhere.
    Disabled,
    // The rest.
    /// It cannot be cleaned up; the message says what stands in the way and what to do.
    DeletionBlocked,
    /// More would be deleted in one go than the class allows, so nothing is until a person confirms it.
    MassChangeHeld,
    /// A request through the gateway was not answered as it should be.
    VerificationFailed,
    /// An error in the operator; its log says more.
    InternalError,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words_that_can_be_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert!(
                reason.as_str().chars().all(|c| c.is_ascii_alphanumeric()),
                "{reason}"
            );
        }
        assert_eq!(Reason::parse("Whatever"), None);
    }

    #[test]
    fn every_reason_is_explained_in_a_sentence() {
        for reason in Reason::ALL {
            let description = reason.description();
            assert!(
                description.ends_with('.') && !description.contains("  "),
                "{reason}: {description}"
            );
        }
    }
}
