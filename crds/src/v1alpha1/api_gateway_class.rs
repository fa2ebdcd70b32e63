//! The API gateways and groups that a class offers.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AllowedNamespaces, Existing, ExistingBackend};

/// The product behind an API gateway.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiGatewayType {
    /// The classic API Gateway.
    Classic,
}

/// An API gateway that bindings may publish on.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClassApiGateway {
    /// Name by which bindings refer to it.
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// The product: Classic for the classic API Gateway.
    #[serde(rename = "type")]
    pub type_: ApiGatewayType,

    /// Settings of the classic API Gateway. Default: the shared instance of the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classic: Option<ClassicApiGateway>,

    /// The groups that bindings may publish in.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(g, !has(g.existing) || self.exists_one(o, has(o.existing) && o.existing.id == g.existing.id))")
            .message("two groups name the same existing group")
    )]
    pub groups: Vec<ApiGroup>,

    /// Ways to load balancers of gateways that were made in the cloud console. The classic API Gateway
    /// has one for each port of a load balancer, so where there is one the operator cannot make its
    /// own. Default: the operator makes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["gateway".into(), "port".into()]),
        validation = Rule::new("self.all(b, self.exists_one(o, o.existing.id == b.existing.id))")
            .message("two backends name the same existing way: it leads to one port of one load balancer")
    )]
    pub backends: Option<Vec<ExistingBackend>>,
}

/// Settings of the classic API Gateway.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassicApiGateway {
    /// Id of the instance that new groups are made on. Example: apigateway-bj-0123456789ab.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-A-Za-z0-9]+$"))]
    pub instance_id: String,
}

/// Whether a group can be called under the public name that the product gives it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TestDomain {
    /// It can.
    Enabled,
    /// It cannot.
    #[default]
    Disabled,
}

/// A group of published services under one name. It is made when the first binding needs it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ApiGroup {
    /// Name by which bindings refer to it, and its name in the cloud (there with underscores for
    /// dashes), where it is unique in the account and region: 4 to 50 characters.
    #[schemars(
        length(min = 4, max = 50),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,

    /// What the group is for, in words; shown in the cloud console. At most 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub description: Option<String>,

    /// Whether the group can be called under the public name that the product gives it: Enabled or
    /// Disabled. That name is meant for trials, answers 1000 calls a day, and opens every service of
    /// the group. Default: Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TestDomain")]
    pub test_domain: Option<TestDomain>,

    /// The namespaces whose bindings may publish in this group, among those that the class allows.
    /// Default: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,

    /// A group that was made in the cloud console: bindings publish in it. It keeps its name there,
    /// and description and testDomain where they are not given here; nothing else of it is changed,
    /// and it is never deleted. Default: the operator makes a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
}

impl ApiGroup {
    /// Whether the group can be called under the name that the product gives it.
    #[must_use]
    pub fn test_domain(&self) -> TestDomain {
        self.test_domain.unwrap_or_default()
    }
}
