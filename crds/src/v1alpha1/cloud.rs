//! The Alibaba Cloud account of a class: where it is and how to get in.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NamespacedName;

/// The Alibaba Cloud account and region that a class works in.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Cloud {
    /// Id of the account that the credentials must belong to, digits only. Credentials of another
    /// account are refused. Default: whatever account they belong to. Cannot be changed once set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6, max = 20), regex(pattern = "^[0-9]+$"))]
    pub account_id: Option<String>,

    /// Id of the region. Example: cn-beijing. Cannot be changed.
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::REGION_OR_ZONE))]
    pub region_id: String,

    /// Id of this cluster, written on everything the operator creates in the cloud, so that several
    /// clusters can share an account. Commonly the id of the ACK cluster. Cannot be changed.
    #[schemars(
        length(min = 1, max = 40),
        regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$")
    )]
    pub cluster_id: String,

    /// Where the operator gets its credentials from. If the named source fails, it is an error: no
    /// other source is tried.
    pub credentials: CloudCredentials,

    /// Limit on the calls to the cloud. Default: 10 requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_budget: Option<CallBudget>,

    /// Addresses to use instead of the public ones of the region, for instance addresses within a
    /// VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["product".into()]))]
    pub endpoints: Option<Vec<Endpoint>>,
}

impl Cloud {
    /// Requests per second and operation to which the operator keeps.
    #[must_use]
    pub fn requests_per_second(&self) -> i32 {
        self.call_budget
            .as_ref()
            .map_or(CallBudget::DEFAULT_REQUESTS_PER_SECOND, |budget| {
                budget.requests_per_second
            })
    }

    /// The address to use for a product, if it is not the public one of the region.
    #[must_use]
    pub fn endpoint(&self, product: Product) -> Option<&str> {
        self.endpoints
            .iter()
            .flatten()
            .find(|endpoint| endpoint.product == product)
            .map(|endpoint| endpoint.url.as_str())
    }
}

/// Limit on calls to the cloud.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CallBudget {
    /// Most requests per second for each operation of the cloud's API, 1 to 100. Classes of one
    /// account share the smallest one.
    #[schemars(range(min = 1, max = 100))]
    pub requests_per_second: i32,
}

impl CallBudget {
    /// Requests per second and operation if a class says nothing.
    pub const DEFAULT_REQUESTS_PER_SECOND: i32 = 10;
}

/// A product of the cloud that the operator calls.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Product {
    /// API Gateway.
    CloudAPI,
    /// Classic load balancers.
    SLB,
    /// Network load balancers.
    NLB,
    /// Virtual private clouds.
    VPC,
    /// Security tokens.
    STS,
}

/// Address of a product's API.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The product: CloudAPI (API Gateway), SLB (classic load balancers), NLB (network load balancers),
    /// VPC or STS (security tokens).
    pub product: Product,

    /// Its address. Example: https://apigateway.cn-hangzhou.aliyuncs.com.
    #[schemars(
        length(min = 8, max = 253),
        regex(pattern = "^https?://[-A-Za-z0-9.]+(:[0-9]{1,5})?/?$")
    )]
    pub url: String,
}

/// A source of credentials.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialsType {
    /// RAM role of the operator's service account.
    RRSA,
    /// RAM role of the node.
    ECSRAMRole,
    /// An address that hands out temporary credentials.
    CredentialsURI,
    /// Environment variables of the operator.
    Environment,
    /// A Secret.
    Secret,
}

/// Where the operator gets its credentials from.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.type == 'RRSA') == has(self.rrsa)")
    .message("rrsa must be given with type: RRSA, and only then")
    .reason(Reason::FieldValueInvalid).field_path(".rrsa"))]
#[x_kube(validation = Rule::new("self.type == 'ECSRAMRole' || !has(self.ecsRAMRole)")
    .message("ecsRAMRole may be given with type: ECSRAMRole only")
    .reason(Reason::FieldValueForbidden).field_path(".ecsRAMRole"))]
#[x_kube(validation = Rule::new("(self.type == 'CredentialsURI') == has(self.credentialsURI)")
    .message("credentialsURI must be given with type: CredentialsURI, and only then")
    .reason(Reason::FieldValueInvalid).field_path(".credentialsURI"))]
#[x_kube(validation = Rule::new("(self.type == 'Secret') == has(self.secret)")
    .message("secret must be given with type: Secret, and only then")
    .reason(Reason::FieldValueInvalid).field_path(".secret"))]
pub struct CloudCredentials {
    /// The kind of source: RRSA (a RAM role for the operator's service account), ECSRAMRole (the RAM
    /// role of the node), CredentialsURI (an address that hands out temporary credentials),
    /// Environment (ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary
    /// ones, ALIBABA_CLOUD_SECURITY_TOKEN of the operator's container) or Secret.
    #[serde(rename = "type")]
    pub type_: CredentialsType,

    /// The RAM role to assume with the token of the operator's service account; for type RRSA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rrsa: Option<RrsaCredentials>,

    /// The RAM role of the node; for type ECSRAMRole. May be left out.
    #[serde(rename = "ecsRAMRole", skip_serializing_if = "Option::is_none")]
    pub ecs_ram_role: Option<EcsRamRoleCredentials>,

    /// The address that hands out temporary credentials; for type CredentialsURI.
    #[serde(rename = "credentialsURI", skip_serializing_if = "Option::is_none")]
    pub credentials_uri: Option<CredentialsUri>,

    /// The Secret with an access key, in the entries accessKeyId, accessKeySecret and, for a
    /// temporary one, securityToken; for type Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<NamespacedName>,
}

/// A RAM role that is assumed with the token of a service account.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RrsaCredentials {
    /// ARN of the RAM role. Example: acs:ram::1234567890123456:role/gateway-binding.
    #[schemars(
        length(min = 1, max = 256),
        regex(pattern = "^acs:ram::[0-9]+:role/[^ ]+$")
    )]
    pub role_arn: String,

    /// ARN of the cluster's OIDC identity provider. Example:
    /// acs:ram::1234567890123456:oidc-provider/ack-rrsa-c1f0.
    #[serde(rename = "oidcProviderArn")]
    #[schemars(
        length(min = 1, max = 256),
        regex(pattern = "^acs:ram::[0-9]+:oidc-provider/[^ ]+$")
    )]
    pub oidc_provider_arn: String,

    /// Path of the token in the operator's container. It is read anew each time. Default: the value
    /// of ALIBABA_CLOUD_OIDC_TOKEN_FILE.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^/"))]
    pub token_file: Option<String>,

    /// Name of the session, as the cloud's audit log shows it: 2 to 64 letters, digits, and the
    /// characters . @ - _ Default: gatewaybinding-operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64), regex(pattern = "^[-.@_A-Za-z0-9]+$"))]
    pub session_name: Option<String>,
}

/// The RAM role of the node that the operator runs on.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EcsRamRoleCredentials {
    /// Name of the role. Default: the one the node has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-.A-Za-z0-9]+$"))]
    pub role_name: Option<String>,
}

/// An address that hands out temporary credentials.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsUri {
    /// The address. It answers GET with AccessKeyId, AccessKeySecret, SecurityToken and Expiration as
    /// JSON. Example: http://127.0.0.1:7002/.
    #[schemars(length(min = 8, max = 512), regex(pattern = "^https?://[^ ]+$"))]
    pub uri: String,
}
