//! The ledger: what a binding or consumer has claimed in cluster and cloud.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Something that was claimed in cluster or cloud. It is written down before it is created, and is
/// all that is needed to clean up.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// What it is, as one string that is derived from the spec. Example:
    /// classic/api/knative/default-helloworld-all.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,

    /// Kind of thing, in words that fit every product. Examples: Group, Backend, API, Grant, Service.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,

    /// Id of the cloud account it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub account: Option<String>,

    /// Id of the region it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub region: Option<String>,

    /// Its id in the cloud, once known, if it cannot be derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub id: Option<String>,

    /// Namespace of a Kubernetes object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,

    /// Its name, in the cloud or in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,

    /// Digest of what was last applied. Example: sha256:5f0c.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub applied: Option<String>,

    /// The cloud's own mark of the version that was last compared with what is wanted. As long as
    /// it does not move, nothing has to be read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,

    /// Others use it as well: it goes with its last user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,

    /// It was there before: it was adopted, or came with something that was. It is never deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,

    /// The fields of a shared thing that this object holds, with the value last written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "fields")]
    pub fields: BTreeMap<String, String>,

    /// What the fields were before they were first written. A field that is not here was not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "fields")]
    pub previous: BTreeMap<String, String>,
}

fn fields(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 8192},
    })
}
