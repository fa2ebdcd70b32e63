//! Higress as the gateway of Knative, and what a class says of Knative itself.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ForeignFields;

/// Value of Knative's `ingress-class` that Higress serves.
pub const HIGRESS_INGRESS_CLASS: &str = "higress";

/// What the class sets in Knative's own ConfigMaps, which the whole cluster shares.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassKnative {
    /// Name of one of gateways, with higress or alb: what names no ingress class is served by it.
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub gateway: String,

    /// The domains of Knative Services, in the ConfigMap config-domain. Default: they are left as
    /// they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub domains: Option<Vec<KnativeDomain>>,

    /// What happens to a key that somebody else set to another value: Report leaves it and says so,
    /// Takeover writes it. Either way it gets back what it had when this block goes. Default: Report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ForeignFields")]
    pub foreign_fields: Option<ForeignFields>,
}

/// A domain of Knative Services.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KnativeDomain {
    /// The domain. Example: example.com.
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub name: String,

    /// Labels of the Knative Services that get it. Default: all that no other domain selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::slb_backends::labels")]
    pub selector: Option<BTreeMap<String, String>>,
}

/// Higress, which serves Knative.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HigressGateway {
    /// The namespace that Higress runs in: it reads plugins from this one only. Example:
    /// higress-system.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub namespace: String,

    /// How Higress learns of Knative Services. KIngress: it reads Knative's Ingresses itself.
    /// IstioCRDs: net-istio turns those into objects of Istio, which Higress reads.
    pub adapter: HigressAdapter,

    /// Name of the Service of the gateway. Default: higress-gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub service: Option<String>,

    /// Labels of the gateway's pods, which Istio's Gateways select with IstioCRDs. Default: app:
    /// higress-gateway, and higress: NAMESPACE-higress-gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::slb_backends::labels")]
    pub selector: Option<BTreeMap<String, String>>,

    /// Where plugins come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<HigressPlugins>,
}

impl HigressGateway {
    /// Name of the Service of the gateway.
    #[must_use]
    pub fn service(&self) -> &str {
        self.service.as_deref().unwrap_or("higress-gateway")
    }

    /// Labels of the gateway's pods.
    #[must_use]
    pub fn selector(&self) -> BTreeMap<String, String> {
        self.selector.clone().unwrap_or_else(|| {
            let instance = format!("{}-higress-gateway", self.namespace);
            [
                ("app".to_owned(), "higress-gateway".to_owned()),
                ("higress".to_owned(), instance),
            ]
            .into()
        })
    }
}

/// How Higress learns of Knative Services.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HigressAdapter {
    /// It reads Knative's Ingresses.
    KIngress,
    /// It reads Istio's objects.
    IstioCRDs,
}

/// Where plugins come from.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HigressPlugins {
    /// Where images of plugins are, without the name of the plugin. Default:
    /// oci://higress-registry.cn-hangzhou.cr.aliyuncs.com/plugins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 7, max = 253),
        regex(pattern = "^oci://[-a-z0-9.:]+(/[-._a-z0-9]+)*$")
    )]
    pub registry: Option<String>,

    /// Tag of the images. Default: 1.0.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = "^[_A-Za-z0-9][-._A-Za-z0-9]*$")
    )]
    pub version: Option<String>,

    /// Name of the Secret, in the namespace of Higress, that images are pulled with. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub pull_secret: Option<String>,

    /// Plugins that come from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 9))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub images: Option<Vec<HigressPluginImage>>,
}

/// Where one plugin comes from.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HigressPluginImage {
    /// The plugin: key-auth, basic-auth, hmac-auth, jwt-auth, key-rate-limit, ip-restriction, cors,
    /// request-block or custom-response.
    pub name: HigressPlugin,

    /// Its image or file, with tag. Example: oci://registry.example.com/plugins/key-auth:1.0.0.
    #[schemars(
        length(min = 8, max = 500),
        regex(pattern = "^(oci|https?|file)://[^ ]+$")
    )]
    pub url: String,

    /// Its SHA-256, so that no other one is loaded. Default: it is not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
}

/// A plugin of Higress.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "kebab-case")]
pub enum HigressPlugin {
    /// Callers are known by a key.
    KeyAuth,
    /// Callers are known by name and password.
    BasicAuth,
    /// Callers sign their requests.
    HmacAuth,
    /// Callers send a token.
    JwtAuth,
    /// Limits by the value of a header or parameter.
    KeyRateLimit,
    /// Addresses of callers.
    IpRestriction,
    /// Requests from pages of other origins.
    Cors,
    /// Requests that are refused by what they hold.
    RequestBlock,
    /// An answer of the gateway's own.
    CustomResponse,
}

impl HigressPlugin {
    /// All plugins.
    pub const ALL: [Self; 9] = [
        Self::KeyAuth,
        Self::BasicAuth,
        Self::HmacAuth,
        Self::JwtAuth,
        Self::KeyRateLimit,
        Self::IpRestriction,
        Self::Cors,
        Self::RequestBlock,
        Self::CustomResponse,
    ];

    /// Its name, which is that of its image.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyAuth => "key-auth",
            Self::BasicAuth => "basic-auth",
            Self::HmacAuth => "hmac-auth",
            Self::JwtAuth => "jwt-auth",
            Self::KeyRateLimit => "key-rate-limit",
            Self::IpRestriction => "ip-restriction",
            Self::Cors => "cors",
            Self::RequestBlock => "request-block",
            Self::CustomResponse => "custom-response",
        }
    }
}
