//! What a class has written into objects of Knative's, and what was there before.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a class has written into objects of Knative's.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KnativeSwitchStatus {
    /// The keys, with what they get back when they are no longer wanted. They are noted before they are
    /// written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 96))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["object".into(), "key".into()]))]
    pub keys: Vec<KnativeKey>,
}

/// A key of an object of Knative's.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KnativeKey {
    /// The object, in the namespace knative-serving.
    pub object: KnativeObject,

    /// The key of a ConfigMap, or selector of a Gateway.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,

    /// What was written; a selector as JSON.
    #[schemars(length(max = 16384))]
    pub value: String,

    /// What the key had before. Without it, it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub before: Option<String>,
}

/// The longest value that can be noted, and given back later.
pub const LONGEST_VALUE: usize = 16384;

/// An object of Knative's, all in its own namespace.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "kebab-case")]
pub enum KnativeObject {
    /// ConfigMap `config-network`.
    ConfigNetwork,
    /// ConfigMap `config-domain`.
    ConfigDomain,
    /// ConfigMap `config-istio`.
    ConfigIstio,
    /// Istio's Gateway `knative-ingress-gateway`.
    KnativeIngressGateway,
    /// Istio's Gateway `knative-local-gateway`.
    KnativeLocalGateway,
}

impl KnativeObject {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ConfigNetwork,
        Self::ConfigDomain,
        Self::ConfigIstio,
        Self::KnativeIngressGateway,
        Self::KnativeLocalGateway,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigNetwork => "config-network",
            Self::ConfigDomain => "config-domain",
            Self::ConfigIstio => "config-istio",
            Self::KnativeIngressGateway => "knative-ingress-gateway",
            Self::KnativeLocalGateway => "knative-local-gateway",
        }
    }

    /// Whether it is a Gateway of Istio's, and no ConfigMap.
    #[must_use]
    pub const fn is_gateway(self) -> bool {
        matches!(
            self,
            Self::KnativeIngressGateway | Self::KnativeLocalGateway
        )
    }
}
