//! How a binding is published on an API Gateway.

use kube::{KubeSchema, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Auth, Protocol, Route, Throttling};

/// Publishes the service on an API Gateway.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BindingApiGateway {
    /// Name of one of the apiGateways of the class. Default: the one that the defaults of the class
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub gateway: Option<String>,

    /// Name of one of the groups of that API gateway. Default: the one that the defaults of the class
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub group: Option<String>,

    /// Environments to publish to. Default: Release.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub environments: Option<Vec<EnvironmentRef>>,

    /// Protocols that callers may use: HTTP, HTTPS. Default: HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub protocols: Option<Vec<Protocol>>,

    /// Paths that are published. A path and method can be published once in a group. Default: one
    /// route with the prefix /NAMESPACE/NAME of the binding, which is replaced
    /// with / on the way to the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(r, !has(r.existing) || self.exists_one(o, has(o.existing) && o.existing.id == r.existing.id))")
            .message("two routes name the same existing API: an API has one path")
    )]
    pub routes: Option<Vec<Route>>,

    /// Who may call. Nobody is let in by leaving this out: it is required.
    pub auth: Auth,

    /// Limits on the rate of requests. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling: Option<Throttling>,

    /// How the API Gateway talks to the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
}

impl BindingApiGateway {
    /// Environments to publish to.
    #[must_use]
    pub fn environments(&self) -> Vec<Environment> {
        self.environments.as_ref().map_or_else(
            || vec![Environment::Release],
            |environments| {
                environments
                    .iter()
                    .map(|environment| environment.name)
                    .collect()
            },
        )
    }

    /// Protocols that callers may use.
    #[must_use]
    pub fn protocols(&self) -> Vec<Protocol> {
        self.protocols
            .clone()
            .unwrap_or_else(|| vec![Protocol::HTTPS])
    }

    /// The published paths, with the default one of the binding `namespace/name` if none is given.
    #[must_use]
    pub fn routes(&self, namespace: &str, name: &str) -> Vec<Route> {
        self.routes
            .clone()
            .unwrap_or_else(|| vec![Route::default_for(namespace, name)])
    }

    /// How long the API Gateway waits for the service's answer.
    #[must_use]
    pub fn backend_timeout(&self) -> std::time::Duration {
        self.backend
            .as_ref()
            .and_then(|backend| backend.timeout)
            .map_or(Backend::DEFAULT_TIMEOUT, Into::into)
    }
}

/// An environment of an API Gateway.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Environment {
    /// For trying out.
    Test,
    /// For a last look before the release.
    Pre,
    /// For production.
    Release,
}

/// Names an environment.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentRef {
    /// The environment: Test, Pre or Release.
    pub name: Environment,
}

/// How the API Gateway talks to the service.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// How long the API Gateway waits for the answer. The classic one takes whole seconds, at most
    /// 30s. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::duration")]
    pub timeout: Option<Duration>,
}

impl Backend {
    /// How long the API Gateway waits for an answer if a binding says nothing.
    pub const DEFAULT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
}
