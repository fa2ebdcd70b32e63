//! The kind `GatewayBinding`: how one service is exposed.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    BindingAlb, BindingApiGateway, BindingHigress, DeletionPolicy, DriftPolicy,
    GatewayBindingClassSpec, GatewayBindingStatus, Mode, NlbSettings, ServiceRef, SlbSettings,
};

/// How one Knative Service, or a plain Service, is exposed on Alibaba Cloud.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "gatewaybinding.dev",
    version = "v1alpha1",
    kind = "GatewayBinding",
    plural = "gatewaybindings",
    shortname = "gwb",
    // Not "gatewaybinding": kubectl would expand that category where the singular is meant.
    category = "gatewaybinding-all",
    namespaced,
    status = "GatewayBindingStatus",
    derive = "PartialEq",
    doc = "How one Knative Service, or a plain Service, is exposed on Alibaba Cloud: through a gateway with a load balancer, and published on an API gateway in front of it.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Gateway", type_ = "string", json_path = ".status.gateway"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Class", type_ = "string", priority = 1, json_path = ".status.className"),
    printcolumn(name = "Group", type_ = "string", priority = 1, json_path = ".status.apiGateway.group"),
    printcolumn(name = "Mode", type_ = "string", priority = 1, json_path = ".spec.mode"),
    printcolumn(name = "Message", type_ = "string", priority = 1, json_path = ".status.conditions[?(@.type=='Ready')].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("the name of a binding must have at most 63 characters: it becomes part of paths and of names in the cloud")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(oldSelf.className) || (has(self.className) && self.className == oldSelf.className)")
    .message("className cannot be changed or removed once set: delete the binding and make a new one")
    .reason(Reason::FieldValueForbidden).field_path(".className"))]
#[x_kube(validation = Rule::new("!has(self.approvedPlan) || (has(self.mode) && self.mode == 'Plan')")
    .message("approvedPlan goes with mode: Plan only: remove it, or set mode: Plan")
    .reason(Reason::FieldValueForbidden).field_path(".approvedPlan"))]
#[x_kube(validation = Rule::new("!has(self.apiGateway) || self.serviceRef.kind != 'Service' || has(self.serviceRef.port)")
    .message("serviceRef.port is required with apiGateway: it is where requests are sent to")
    .reason(Reason::FieldValueRequired).field_path(".serviceRef.port"))]
#[x_kube(validation = Rule::new("!(has(self.alb) && has(self.slb))")
    .message("alb and slb settle different gateways: keep the one of the gateway in use")
    .reason(Reason::FieldValueForbidden).field_path(".slb"))]
#[x_kube(validation = Rule::new("!(has(self.nlb) && (has(self.slb) || has(self.alb)))")
    .message("nlb settles another gateway than slb and alb: keep the one of the gateway in use")
    .reason(Reason::FieldValueForbidden).field_path(".nlb"))]
#[x_kube(validation = Rule::new("!(has(self.nlb) && has(self.apiGateway))")
    .message("apiGateway cannot stand in front of nlb: it reaches classic load balancers only")
    .reason(Reason::FieldValueForbidden).field_path(".apiGateway"))]
#[x_kube(validation = Rule::new("!(has(self.alb) && has(self.apiGateway))")
    .message("apiGateway cannot stand in front of alb: it reaches classic load balancers only")
    .reason(Reason::FieldValueForbidden).field_path(".apiGateway"))]
#[x_kube(validation = Rule::new("!(has(self.alb) && has(self.higress))")
    .message("alb and higress settle different gateways: keep the one of the gateway in use")
    .reason(Reason::FieldValueForbidden).field_path(".higress"))]
#[x_kube(validation = Rule::new("!has(self.higress) || self.serviceRef.kind == 'KnativeService'")
    .message("higress is for Knative Services: name one in serviceRef")
    .reason(Reason::FieldValueInvalid).field_path(".serviceRef.kind"))]
pub struct GatewayBindingSpec {
    /// Name of the GatewayBindingClass. Default: the class that is marked as the default one when the
    /// binding is first seen. Cannot be changed once set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub class_name: Option<String>,

    /// The service that is exposed, in the namespace of the binding.
    pub service_ref: ServiceRef,

    /// Name of one of the gateways of the class. Default: the one that the defaults of the class name
    /// when the binding is first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub gateway: Option<String>,

    /// Settings of the gateway's load balancer. Only those that the class leaves open to bindings are
    /// accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slb: Option<SlbSettings>,

    /// Settings of the network load balancer of a gateway with nlb. Only those that the class leaves
    /// open to bindings are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nlb: Option<NlbSettings>,

    /// What is asked of the application load balancers of a gateway with alb, which the Knative Service
    /// is moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alb: Option<BindingAlb>,

    /// What is asked of a gateway with higress: who may call, limits, and what else is done with
    /// requests. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub higress: Option<BindingHigress>,

    /// Publishes the service on an API gateway. Default: it is not published on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway: Option<BindingApiGateway>,

    /// What the operator does: Apply makes cluster and cloud match this binding, Plan publishes in
    /// status what would be done and does it only if approvedPlan says so, Suspend leaves everything
    /// as it is.
    /// Default: Apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mode")]
    pub mode: Option<Mode>,

    /// With mode Plan: hash of the plan, from status.plan.hash, that may be carried out. Exactly that
    /// plan is: once the spec, the cluster or the cloud have moved, its hash is another one, and
    /// nothing is done. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = crate::schema::SHA256))]
    pub approved_plan: Option<String>,

    /// What happens when something the operator wrote was changed by somebody else: Enforce puts it
    /// back, Report only says so. Default: what the class says, else Enforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DriftPolicy")]
    pub drift_policy: Option<DriftPolicy>,

    /// What happens to cloud and cluster when the binding is deleted: Delete removes what nobody else
    /// uses, Retain leaves everything in place. Default: what the class says, else Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeletionPolicy")]
    pub deletion_policy: Option<DeletionPolicy>,
}

impl GatewayBinding {
    /// Whether anything may be written for the binding: its mode is Apply, or it is Plan and the
    /// plan that the spec approves is recorded as being carried out.
    #[must_use]
    pub fn is_carried_out(&self) -> bool {
        let approved = self.spec.approved_plan.as_deref();
        match self.spec.mode() {
            Mode::Apply => true,
            Mode::Plan => approved.is_some() && approved == self.approval_under_way(),
            Mode::Suspend => false,
        }
    }

    fn approval_under_way(&self) -> Option<&str> {
        let plan = self.status.as_ref()?.plan.as_ref()?;
        plan.approved
            .as_ref()
            .map(|approved| approved.hash.as_str())
    }
}

impl GatewayBindingSpec {
    /// What the operator does with the binding.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or_default()
    }

    /// What happens on drift, given the class if it is known.
    #[must_use]
    pub fn drift_policy(&self, class: Option<&GatewayBindingClassSpec>) -> DriftPolicy {
        let default = class.and_then(|class| class.defaults.as_ref()?.drift_policy);
        self.drift_policy.or(default).unwrap_or_default()
    }

    /// What happens on deletion, given the class if it is known.
    #[must_use]
    pub fn deletion_policy(&self, class: Option<&GatewayBindingClassSpec>) -> DeletionPolicy {
        let default = class.and_then(|class| class.defaults.as_ref()?.deletion_policy);
        self.deletion_policy.or(default).unwrap_or_default()
    }
}
