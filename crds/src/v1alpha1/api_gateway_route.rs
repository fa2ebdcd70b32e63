//! The routes of a binding on an API Gateway: which requests it takes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Existing;

/// A protocol that callers may use.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Protocol {
    /// Unencrypted.
    HTTP,
    /// Encrypted.
    HTTPS,
}

/// An HTTP method.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Method {
    /// GET
    GET,
    /// POST
    POST,
    /// PUT
    PUT,
    /// DELETE
    DELETE,
    /// PATCH
    PATCH,
    /// HEAD
    HEAD,
    /// OPTIONS
    OPTIONS,
}

/// A published path.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.existing) || !has(self.methods) || self.methods.size() == 1")
    .message("a route with existing is one API: leave methods out for any method, or give one")
    .reason(Reason::FieldValueInvalid).field_path(".methods"))]
pub struct Route {
    /// Name of the route, unique within the binding. Part of the name of the API in the cloud, where
    /// a new name means a new API.
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// The path that callers use.
    pub path: RoutePath,

    /// Methods that callers may use: GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub methods: Option<Vec<Method>>,

    /// An API of the group that was made in the cloud console: it becomes the API of this route and
    /// keeps its id, its name and all that the binding has no word for; protocols and the timeout of
    /// the backend too, where the binding does not give them. Nothing of it is ever deleted. The class
    /// must let bindings adopt APIs. Default: the operator makes an API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
}

impl Route {
    /// Name of the route that a binding without routes has.
    pub const DEFAULT_NAME: &str = "default";

    /// The route of a binding that names none: `/<namespace>/<name>`, replaced with `/`.
    #[must_use]
    pub fn default_for(namespace: &str, name: &str) -> Self {
        Self {
            name: Self::DEFAULT_NAME.to_owned(),
            path: RoutePath {
                exact: None,
                prefix: Some(format!("/{namespace}/{name}")),
                replace_with: Some("/".to_owned()),
            },
            methods: None,
            existing: None,
        }
    }
}

/// The path of a route: this one path, or everything below it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("has(self.exact) != has(self.prefix)")
    .message("give exactly one of exact and prefix")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("[has(self.exact) ? self.exact : '/', has(self.prefix) ? self.prefix : '/', has(self.replaceWith) ? self.replaceWith : '/'].all(p, !p.contains('//') && !p.matches('/[.]{1,2}(/|$)'))")
    .message("a path must not contain //, /./ or /../")
    .reason(Reason::FieldValueInvalid))]
pub struct RoutePath {
    /// This path and no other. Starts with /. Example: /status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = crate::schema::URL_PATH))]
    pub exact: Option<String>,

    /// This path and everything below it. Starts with /. The prefix / takes a whole group for one
    /// binding. Example: /shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = crate::schema::URL_PATH))]
    pub prefix: Option<String>,

    /// What the service sees instead of the exact path or the prefix. Starts with /. Default: the
    /// path as the caller sent it. Example: /.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = crate::schema::URL_PATH))]
    pub replace_with: Option<String>,
}
