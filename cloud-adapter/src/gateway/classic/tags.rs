//! The marker as two tags.

use serde::Deserialize;

use crate::call::RpcCall;
use crate::gateway::model::{CLUSTER_TAG, Marker, OWNER_TAG};

/// `Tags: {TagInfo: [{Key, Value}]}`, as groups, backends, apps and plugins have it; APIs write
/// `TagList: {Tag: [{TagKey, TagValue}]}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tags {
    #[serde(rename = "TagInfo", alias = "Tag")]
    list: Vec<Tag>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Tag {
    #[serde(rename = "Key", alias = "TagKey")]
    key: String,
    #[serde(rename = "Value", alias = "TagValue")]
    value: String,
}

impl Tags {
    /// Both tags, or somebody else's.
    pub(super) fn marker(&self) -> Option<Marker> {
        let value = |key: &str| {
            let tag = self.list.iter().find(|tag| tag.key == key)?;
            (!tag.value.is_empty()).then(|| tag.value.clone())
        };
        Some(Marker {
            cluster: value(CLUSTER_TAG)?,
            owner: value(OWNER_TAG)?,
        })
    }
}

pub(super) fn mark(call: RpcCall, marker: &Marker) -> RpcCall {
    call.tags([
        (CLUSTER_TAG, marker.cluster.as_str()),
        (OWNER_TAG, marker.owner.as_str()),
    ])
}
