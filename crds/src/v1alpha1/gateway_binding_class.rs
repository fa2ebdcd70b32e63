//! The kind `GatewayBindingClass`: what a platform team offers to bindings.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    Adoptable, AlbGateway, AllowedNamespaces, ClassApiGateway, ClassKnative, ClassOrphans, Cloud,
    DeletionPolicy, DriftPolicy, GatewayService, HigressGateway, KnativeSwitchStatus,
    MassChangeGuard, MassChangeStatus, NlbGateway, OrphanStatus, SlbGateway,
};

/// What a platform team offers to bindings: a cloud account, the gateways that bindings may use, and
/// what a binding may set on them. One class may be the default for bindings that name none: set the
/// annotation gatewaybinding.dev/is-default-class to "true".
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "gatewaybinding.dev",
    version = "v1alpha1",
    kind = "GatewayBindingClass",
    plural = "gatewaybindingclasses",
    shortname = "gwbc",
    category = "gatewaybinding-all",
    status = "GatewayBindingClassStatus",
    derive = "PartialEq",
    doc = "What a platform team offers to bindings: a cloud account, the gateways that bindings may use, and what a binding may set on them. One class may be the default for bindings that name none: set the annotation gatewaybinding.dev/is-default-class to \"true\".",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Default", type_ = "string", json_path = ".metadata.annotations.gatewaybinding\\.dev/is-default-class"),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.account"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.cloud.regionId"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Cluster", type_ = "string", priority = 1, json_path = ".spec.cloud.clusterId"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("the name of a class must have at most 63 characters: it becomes the value of a label")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.cloud) || !((has(self.gateways) && self.gateways.exists(g, has(g.slb) || has(g.alb))) || has(self.apiGateways))")
    .message("cloud is required once there is a gateway with slb or alb, or apiGateways")
    .reason(Reason::FieldValueRequired).field_path(".cloud"))]
#[x_kube(validation = Rule::new("!has(oldSelf.cloud) || has(self.cloud)")
    .message("cloud cannot be removed: make a new class")
    .reason(Reason::FieldValueForbidden))]
#[x_kube(validation = Rule::new("!has(oldSelf.cloud) || !has(self.cloud) || self.cloud.regionId == oldSelf.cloud.regionId")
    .message("cloud.regionId cannot be changed: make a new class")
    .reason(Reason::FieldValueForbidden).field_path(".cloud.regionId"))]
#[x_kube(validation = Rule::new("!has(oldSelf.cloud) || !has(self.cloud) || self.cloud.clusterId == oldSelf.cloud.clusterId")
    .message("cloud.clusterId cannot be changed: make a new class")
    .reason(Reason::FieldValueForbidden).field_path(".cloud.clusterId"))]
#[x_kube(validation = Rule::new("!has(oldSelf.cloud) || !has(self.cloud) || !has(oldSelf.cloud.accountId) || (has(self.cloud.accountId) && self.cloud.accountId == oldSelf.cloud.accountId)")
    .message("cloud.accountId cannot be changed or removed once set: make a new class")
    .reason(Reason::FieldValueForbidden).field_path(".cloud.accountId"))]
#[x_kube(validation = Rule::new("!has(self.defaults) || !has(self.defaults.gateway) || (has(self.gateways) && self.gateways.exists(g, g.name == self.defaults.gateway))")
    .message("defaults.gateway must be the name of one of gateways")
    .reason(Reason::FieldValueInvalid).field_path(".defaults.gateway"))]
#[x_kube(validation = Rule::new("!has(self.defaults) || !has(self.defaults.apiGateway) || !has(self.defaults.apiGateway.gateway) || (has(self.apiGateways) && self.apiGateways.exists(a, a.name == self.defaults.apiGateway.gateway && (!has(self.defaults.apiGateway.group) || a.groups.exists(g, g.name == self.defaults.apiGateway.group))))")
    .message("defaults.apiGateway must name one of apiGateways, and one of its groups")
    .reason(Reason::FieldValueInvalid).field_path(".defaults.apiGateway"))]
#[x_kube(validation = Rule::new("!has(self.apiGateways) || self.apiGateways.all(a, !has(a.backends) || a.backends.all(b, has(self.gateways) && self.gateways.exists(g, g.name == b.gateway)))")
    .message("backends of an API gateway must each name one of gateways")
    .reason(Reason::FieldValueInvalid).field_path(".apiGateways"))]
#[x_kube(validation = Rule::new("!has(self.knative) || (has(self.gateways) && self.gateways.exists(g, g.name == self.knative.gateway && (has(g.higress) || has(g.alb))))")
    .message("knative.gateway must be the name of one of gateways with higress or alb")
    .reason(Reason::FieldValueInvalid).field_path(".knative.gateway"))]
pub struct GatewayBindingClassSpec {
    /// The Alibaba Cloud account and region. Required once there is a load balancer or an API gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Cloud>,

    /// The namespaces whose bindings may use this class. Default: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,

    /// What holds for bindings that do not say otherwise. It is never written into them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<ClassDefaults>,

    /// What happens to things that carry the mark of ownership and belong to nobody. Default: they are
    /// reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphans: Option<ClassOrphans>,

    /// What is set in Knative's own ConfigMaps. The whole cluster shares them, so one class at most
    /// may have this. Default: they are left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knative: Option<ClassKnative>,

    /// The gateways that bindings may enter through.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub gateways: Option<Vec<ClassGateway>>,

    /// The API gateways that bindings may publish on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub api_gateways: Option<Vec<ClassApiGateway>>,

    /// How much may be deleted in one go before all of it is held and a person is asked. Default: 50
    /// objects, and 30 percent of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mass_change_guard: Option<MassChangeGuard>,

    /// What bindings and consumers may adopt by its id, of all that was made in the cloud console of
    /// the account: API for APIs in groups they may publish in, Policy for throttling policies, Consumer
    /// for consumers, whose credentials then can be read. Default: nothing. Groups and ways to load
    /// balancers are adopted by the class alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub adoptable: Option<Vec<Adoptable>>,
}

impl GatewayBindingClassSpec {
    /// Whether bindings and consumers may adopt things of a kind.
    #[must_use]
    pub fn may_adopt(&self, kind: Adoptable) -> bool {
        self.adoptable.iter().flatten().any(|open| *open == kind)
    }

    /// The gateway with this name.
    #[must_use]
    pub fn gateway(&self, name: &str) -> Option<&ClassGateway> {
        self.gateways
            .iter()
            .flatten()
            .find(|gateway| gateway.name == name)
    }

    /// The API gateway with this name.
    #[must_use]
    pub fn api_gateway(&self, name: &str) -> Option<&ClassApiGateway> {
        self.api_gateways
            .iter()
            .flatten()
            .find(|gateway| gateway.name == name)
    }
}

/// What holds for bindings that do not say otherwise.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassDefaults {
    /// Name of the gateway for bindings that name none. A binding keeps the gateway it once got.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub gateway: Option<String>,

    /// The API gateway and group for bindings with an apiGateway block that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway: Option<ApiGatewayDefaults>,

    /// What happens to cloud and cluster when a binding is deleted: Delete removes what nobody else
    /// uses, Retain leaves everything in place. Default: Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeletionPolicy")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// What happens when something the operator wrote was changed by somebody else: Enforce puts it
    /// back, Report only says so. Default: Enforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DriftPolicy")]
    pub drift_policy: Option<DriftPolicy>,
}

/// The API gateway and group for bindings that name none.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.group) || has(self.gateway)")
    .message("group needs gateway: a group belongs to one API gateway")
    .reason(Reason::FieldValueRequired).field_path(".gateway"))]
pub struct ApiGatewayDefaults {
    /// Name of one of apiGateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub gateway: Option<String>,

    /// Name of one of its groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub group: Option<String>,
}

/// A gateway that bindings may enter through.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.alb) ? !has(self.slb) && !has(self.nlb) && !has(self.higress) : has(self.slb) && has(self.nlb) ? false : has(self.slb) || has(self.nlb) || has(self.higress)")
    .message("a gateway must say what it is: give alb alone, or one of slb and nlb, higress, or higress behind one of these")
    .reason(Reason::FieldValueRequired).field_path(".slb"))]
pub struct ClassGateway {
    /// Name by which bindings refer to it. Example: intranet.
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// The namespaces whose bindings may use this gateway, among those that the class allows.
    /// Default: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,

    /// A Service of type LoadBalancer with a classic load balancer (SLB, also called CLB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slb: Option<SlbGateway>,

    /// A Service of type LoadBalancer with a network load balancer (NLB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nlb: Option<NlbGateway>,

    /// Application load balancers (ALB) that serve Knative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alb: Option<AlbGateway>,

    /// Higress, which serves Knative. With slb too, that is the load balancer in front of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub higress: Option<HigressGateway>,
}

impl ClassGateway {
    /// The Service with a load balancer that bindings on it share, if there is one.
    #[must_use]
    pub fn shared_service(&self) -> Option<&GatewayService> {
        let slb = self.slb.as_ref().and_then(|slb| slb.service.as_ref());
        slb.or_else(|| self.nlb.as_ref()?.service.as_ref())
    }
}

/// Where a class stands.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GatewayBindingClassStatus {
    /// The generation of the class that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Id of the cloud account that the credentials belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub account: Option<String>,

    /// What the guard against mass changes holds or lets go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mass_change: Option<MassChangeStatus>,

    /// What was written into objects of Knative's, and what they get back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knative: Option<KnativeSwitchStatus>,

    /// Things of this class in cluster and cloud that carry the mark of ownership and belong to nobody.
    /// At most 64, in the order of kind and id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "id".into()]))]
    pub orphans: Vec<OrphanStatus>,

    /// How many more there are than are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub orphans_omitted: Option<i32>,

    /// Accepted (valid, credentials work) and Ready, which sums it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
