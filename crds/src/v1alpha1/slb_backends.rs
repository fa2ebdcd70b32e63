//! What a classic load balancer sends requests to.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What requests are sent to.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic", "minProperties" = 1))]
#[x_kube(validation = Rule::new("!has(self.nodeLabels) || !has(self.type) || self.type == 'Nodes'")
    .message("nodeLabels choose nodes, and type: Pods sends to none")
    .reason(Reason::FieldValueInvalid).field_path(".nodeLabels"))]
#[x_kube(validation = Rule::new("!has(self.cordonedNodes) || !has(self.type) || self.type == 'Nodes'")
    .message("cordonedNodes is about nodes, and type: Pods sends to none")
    .reason(Reason::FieldValueInvalid).field_path(".cordonedNodes"))]
pub struct SlbBackends {
    /// Pods for their own addresses, which needs the Terway network plug-in; Nodes for ports of nodes.
    /// Default: as the cloud controller manager is set up.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbBackendType")]
    pub type_: Option<SlbBackendType>,

    /// Labels that nodes must have, all of them, to be sent to. Example: {pool: ingress}. Default: all
    /// nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels")]
    pub node_labels: Option<BTreeMap<String, String>>,

    /// Whether nodes that take no new pods are sent to: Keep or Remove. Default: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbCordonedNodes")]
    pub cordoned_nodes: Option<SlbCordonedNodes>,

    /// Weight of each, with scheduler: WeightedRoundRobin. 0: none is sent to. A Service with
    /// externalTrafficPolicy: Local weighs by itself. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub weight: Option<i32>,

    /// Whether weights that somebody sets in the console are kept: Revert or Keep. Default: Revert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbConsoleWeights")]
    pub console_weights: Option<SlbConsoleWeights>,
}

/// What stands behind a load balancer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbBackendType {
    /// Addresses of pods.
    Pods,
    /// Ports of nodes.
    Nodes,
}

/// What becomes of nodes that take no new pods.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbCordonedNodes {
    /// They are sent to as before.
    Keep,
    /// They are no longer sent to.
    Remove,
}

/// What becomes of weights that somebody sets in the console.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbConsoleWeights {
    /// They are set back.
    Revert,
    /// They are kept.
    Keep,
}

pub(super) fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 8,
        "additionalProperties": {
            "type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$",
        },
        "x-kubernetes-validations": [{
            "rule": "self.all(k, k.size() <= 317 && k.matches('^([a-z0-9][-.a-z0-9]*/)?[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$'))",
            "message": "a key must be that of a label",
            "reason": "FieldValueInvalid",
        }],
    })
}
