//! The gateway of a class that a network load balancer (NLB) stands before.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::nlb_field::NlbField;
use super::nlb_settings::NlbSettings;
use super::slb::{GatewayService, PerBinding};

/// A network load balancer in front of a gateway, or in front of each binding's own Service. Which kind
/// of load balancer a Service gets is fixed when it is made, by its loadBalancerClass: the operator sets
/// it on a Service that it makes, and any other Service must have it already.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.service) != has(self.perBinding)")
    .message("of nlb give exactly one of service, which the bindings share, and perBinding")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("!has(self.perBinding) || !has(self.settings) || !has(self.settings.existing)")
    .message("one existing NLB cannot be that of each binding: let bindings name theirs, with existing in bindingsMaySet")
    .reason(Reason::FieldValueForbidden).field_path(".settings"))]
pub struct NlbGateway {
    /// The gateway's Service, which all bindings on this gateway share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<GatewayService>,

    /// There is no shared Service: the plain Service that a binding exposes (serviceRef with kind
    /// Service) gets a load balancer of its own. It must be of type LoadBalancer, with
    /// loadBalancerClass alibabacloud.com/nlb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_binding: Option<PerBinding>,

    /// Settings of its load balancer. One that bindingsMaySet lists is a default, which a binding may
    /// override; any other is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<NlbSettings>,

    /// The settings that bindings may give in their own nlb block, of addressType, existing, name,
    /// zoneMappings, ipVersion, ipv6AddressType, resourceGroupId, tags, securityGroupIds,
    /// bandwidthPackageId, crossZone, onDelete, listeners, certificate, tlsPolicy, alpn, proxyProtocol,
    /// idleTimeout, maxConnectionsPerSecond, scheduler, connectionDrain, clientAddress, healthCheck and
    /// backends; or "*" alone for all of them. Default: none. Since the load balancer is shared, a
    /// value stays with the binding that gave it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("!self.exists(f, f == '*') || self.size() == 1")
            .message("\"*\" stands for all settings of nlb and must stand alone")
    )]
    pub bindings_may_set: Option<Vec<NlbField>>,
}

impl NlbGateway {
    /// The `loadBalancerClass` of Services that get a network load balancer. Source: the cloud
    /// controller manager v2.14.0, `pkg/controller/helper/service_utils.go`.
    pub const LOAD_BALANCER_CLASS: &'static str = "alibabacloud.com/nlb";

    /// Whether a binding may give this setting.
    #[must_use]
    pub fn binding_may_set(&self, field: NlbField) -> bool {
        self.bindings_may_set
            .iter()
            .flatten()
            .any(|open| *open == field || *open == NlbField::All)
    }
}
