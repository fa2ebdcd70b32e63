//! What there should be, in the words of the cloud.

use std::collections::BTreeMap;

/// A server group, known by Ingress, Service and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedGroup {
    pub(super) namespace: String,
    pub(super) ingress: String,
    pub(super) service: String,
    pub(super) port: i64,
    /// The settings as parameters of `CreateServerGroup`.
    pub(super) settings: BTreeMap<String, String>,
}

/// A server group that an action leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GroupRef {
    /// One of the model, by its resource id.
    Own(String),
    /// One that an annotation names by the cloud's id.
    Named(String),
}

/// A step of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Forward(Vec<(GroupRef, i64)>),
    FixedResponse {
        content: String,
        content_type: String,
        http_code: String,
    },
    Redirect(Redirect),
    InsertHeader {
        key: String,
        value: String,
        value_type: String,
    },
    RemoveHeader(String),
    Rewrite {
        host: String,
        path: String,
        query: String,
    },
    TrafficLimit {
        qps: i64,
        per_ip_qps: i64,
    },
    TrafficMirror {
        target_type: String,
        groups: Vec<String>,
    },
    Cors(BTreeMap<String, Vec<String>>),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Redirect {
    pub(super) host: String,
    pub(super) http_code: String,
    pub(super) path: String,
    pub(super) port: String,
    pub(super) protocol: String,
    pub(super) query: String,
}

/// A condition; its kind as the parser left it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ask {
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
    pub(super) pairs: Vec<(String, String)>,
}

impl Ask {
    pub(super) fn of(kind: &str, values: Vec<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            values,
            ..Self::default()
        }
    }

    pub(super) fn header(key: String, values: Vec<String>) -> Self {
        Self {
            key,
            ..Self::of("Header", values)
        }
    }

    pub(super) fn with_pairs(kind: &str, pairs: Vec<(String, String)>) -> Self {
        Self {
            pairs,
            ..Self::of(kind, Vec::new())
        }
    }
}

/// A rule of a listener, before it has its priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedRule {
    pub(super) conditions: Vec<Ask>,
    pub(super) actions: Vec<Act>,
    pub(super) direction: String,
}

/// A listener and its rules in the order of their priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedListener {
    pub(super) port: i64,
    pub(super) protocol: String,
    /// The resource id of the server group that requests go to which match no rule.
    pub(super) default_group: String,
    /// Parameters of `CreateListener`.
    pub(super) settings: BTreeMap<String, String>,
    pub(super) certificates: Vec<String>,
    pub(super) rules: Vec<WantedRule>,
}

/// All of an AlbConfig.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Model {
    pub(super) groups: BTreeMap<String, WantedGroup>,
    pub(super) listeners: Vec<WantedListener>,
}
